"""The projector as a process, on a real broker and a real Redis, while both it and Redis are done harm."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from confluent_kafka import Producer

from schemas.records import CLOCK_KEY, Change, Current, TagValue
from streams.clock import SystemClock
from streams.local.docker import DockerRedis
from streams.local.redis import LocalRedis
from streams.settings import KafkaSettings, RedisSettings
from streams.topics import CHANGES, CURRENT, admin_client, create_missing
from tests.integration.redis_proxy import RedisProxy

PARTITIONS = 3
CUSTOMERS = 400

Hashes = dict[str, dict[str, str]]


class Tagger:
    """Writes `tags.current` in transactions, some of them aborted, and knows what Redis should come to."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka = kafka
        self.expected: Hashes = {}
        self.clocks = dict.fromkeys(range(PARTITIONS), 1_000)
        self._topic = CURRENT.named(kafka)
        self._chance = random.Random(11)
        self._seq = itertools.count(1)
        self._producer = Producer(
            {"bootstrap.servers": kafka.bootstrap, "transactional.id": f"{kafka.group_id}-test", "linger.ms": 1}
        )
        self._producer.init_transactions(20)

    def step(self, records: int = 300, *, epoch: int = 1, levels: Sequence[str] = ("gold", "silver")) -> None:
        """One transaction, then perhaps one that is aborted and must leave no trace."""
        self._write(records, epoch, levels, self.expected, commit=True)
        if self._chance.random() < 0.3:
            self._write(records, epoch, levels, {}, commit=False)

    def _write(self, records: int, epoch: int, levels: Sequence[str], expected: Hashes, *, commit: bool) -> None:
        self._producer.begin_transaction()
        for _ in range(records):
            number = self._chance.randrange(CUSTOMERS)
            customer, partition = f"c{number}", number % PARTITIONS
            if self._chance.random() < 0.05:
                expected.pop(customer, None)
                self._produce(partition, customer, None)
                continue
            seq = next(self._seq)
            level = self._chance.choice(levels)
            expected[customer] = {"_epoch": str(epoch), "_seq": str(seq), "_part": str(partition), "tier": level}
            tags = (TagValue("tier", level),)
            self._produce(partition, customer, self._current(customer, partition, epoch, seq, tags))
        for partition in range(PARTITIONS):
            clock = self.clocks[partition] + (100 if commit else 9_999)
            if commit:
                self.clocks[partition] = clock
            value = self._current(CLOCK_KEY, partition, epoch, 0, (), clock)
            self._produce(partition, CLOCK_KEY, value)
        # What is aborted must lie in the log, or there would be nothing to be passed over.
        self._producer.flush(20)
        if commit:
            self._producer.commit_transaction(20)
        else:
            self._producer.abort_transaction(20)

    def _current(
        self, customer: str, partition: int, epoch: int, seq: int, tags: tuple[TagValue, ...], clock: int = 0
    ) -> bytes:
        return Current(
            customer_id=customer, partition=partition, epoch=epoch, seq=seq, clock=clock, rule_version="v", tags=tags
        ).to_avro()

    def _produce(self, partition: int, key: str, value: bytes | None) -> None:
        self._producer.produce(self._topic, value, key, partition=partition)
        self._producer.poll(0)


class Processes:
    """Projector processes of one test; those still running are killed at its end."""

    def __init__(self, kafka: KafkaSettings, redis_settings: RedisSettings, log: Path) -> None:
        self._environment = os.environ | {
            "TAGSTREAM_KAFKA__BOOTSTRAP": kafka.bootstrap,
            "TAGSTREAM_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
            "TAGSTREAM_KAFKA__GROUP_ID": kafka.group_id,
            "TAGSTREAM_REDIS__URL": redis_settings.url,
            "TAGSTREAM_REDIS__KEY_PREFIX": redis_settings.key_prefix,
        }
        self.log = log
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, instance: str | None = None, *options: str, **settings: str) -> subprocess.Popen[bytes]:
        """A process with an instance's name gets its partitions back as soon as it is started again. `settings` are
        variables without `TAGSTREAM_`."""
        named = {f"TAGSTREAM_{name}": value for name, value in settings.items()}
        if instance is not None:
            named["TAGSTREAM_KAFKA__INSTANCE_ID"] = instance
        command = [sys.executable, "-m", "streams.cli.main", "projector", *options]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=self._environment | named, stderr=log)
        self.running.append(process)
        return process

    def kill_all(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


@pytest.fixture
def settings_of_kafka(kafka_settings: KafkaSettings) -> KafkaSettings:
    create_missing(admin_client(kafka_settings), kafka_settings, SystemClock())
    return kafka_settings


@pytest.fixture
def tagger(settings_of_kafka: KafkaSettings) -> Tagger:
    return Tagger(settings_of_kafka)


@pytest.fixture
def processes(
    settings_of_kafka: KafkaSettings, redis_settings: RedisSettings, redis_client: redis.Redis, tmp_path: Path
) -> Iterator[Processes]:
    processes = Processes(settings_of_kafka, redis_settings, tmp_path / "projector.log")
    yield processes
    processes.kill_all()
    print(processes.log.read_text())


def until(done: Callable[[], bool], within_s: float = 40) -> None:
    last = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < last, "not within the time"
        time.sleep(0.1)


def hashes(client: redis.Redis, prefix: str) -> Hashes:
    found = {}
    for key in client.scan_iter(match=f"{prefix}tags:*", count=1_000):
        fields = client.hgetall(key)
        fields.pop("_build", None)
        found[key.removeprefix(f"{prefix}tags:")] = fields
    return found


def caught_up(client: redis.Redis, prefix: str, tagger: Tagger) -> Callable[[], bool]:
    def done() -> bool:
        clocks = client.hgetall(f"{prefix}tagstream:clock")
        return clocks == {str(p): str(clock) for p, clock in tagger.clocks.items()}

    return done


def test_killed_projectors_and_an_emptied_redis_leave_no_trace(
    tagger: Tagger, processes: Processes, redis_client: redis.Redis, prefix: str
) -> None:
    victim = processes.start("victim")
    for step in range(30):
        tagger.step()
        if step == 5:
            until(lambda: redis_client.exists(f"{prefix}tagstream:position") == 1)
        if step in (8, 16):
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            victim = processes.start("victim")
        if step in (12, 20):
            redis_client.flushall()
        time.sleep(0.1)
    until(caught_up(redis_client, prefix, tagger))
    until(lambda: hashes(redis_client, prefix) == tagger.expected, within_s=10)


def test_more_and_fewer_projectors_with_names_and_one_that_dies(
    tagger: Tagger, processes: Processes, redis_client: redis.Redis, prefix: str
) -> None:
    def handed_over(*shares: list[int]) -> bool:
        """Whether the last partitions that were assigned, so many times as there are shares, are these."""
        found = re.findall(r"projector.assigned\S* partitions=(\[.*?\])", processes.log.read_text())
        return sorted(found[-len(shares) :]) == sorted(map(str, shares))

    # The shortest session that brokers allow by default.
    shortly = {"KAFKA__EXTRA": json.dumps({"session.timeout.ms": "6000", "heartbeat.interval.ms": "300"})}
    first = processes.start("first", "--leave", **shortly)
    until(lambda: handed_over([0, 1, 2]))
    tagger.step()
    until(caught_up(redis_client, prefix, tagger))

    second = processes.start("second", **shortly)
    until(lambda: handed_over([0, 1], [2]))
    tagger.step()
    until(caught_up(redis_client, prefix, tagger))

    first.send_signal(signal.SIGTERM)
    assert first.wait(15) == 0
    # At once, though a member with a name is given time for a restart otherwise.
    until(lambda: handed_over([0, 1, 2]), within_s=4)
    tagger.step()
    until(caught_up(redis_client, prefix, tagger))

    third = processes.start("third", **shortly)
    until(lambda: handed_over([0, 1], [2]))
    second.kill()
    tagger.step()
    until(caught_up(redis_client, prefix, tagger))
    third.send_signal(signal.SIGINT)
    assert third.wait(15) == 0
    assert hashes(redis_client, prefix) == tagger.expected


def test_a_slow_redis_makes_the_backlog_wait_in_kafka_and_not_in_memory(
    tagger: Tagger, processes: Processes, redis_server: LocalRedis | DockerRedis, redis_client: redis.Redis, prefix: str
) -> None:
    big = "x" * 10_000
    for _ in range(20):
        tagger.step(300, levels=[big])
    backlog_bytes = 20 * 300 * len(big)
    with RedisProxy(urlsplit(redis_server.url).port or 0) as proxy:
        proxy.slow_s = 0.2
        fetched_ahead = json.dumps({"queued.max.messages.kbytes": "2000"})
        process = processes.start(REDIS__URL=proxy.url, KAFKA__EXTRA=fetched_ahead)
        until(lambda: redis_client.exists(f"{prefix}tagstream:position") == 1)
        started_bytes = resident_bytes(process.pid)
        most_bytes = 0
        for _ in range(15):
            time.sleep(0.1)
            most_bytes = max(most_bytes, resident_bytes(process.pid) - started_bytes)
        assert not caught_up(redis_client, prefix, tagger)(), "Redis was not slow"
        assert most_bytes < backlog_bytes / 2
        proxy.slow_s = 0
        until(caught_up(redis_client, prefix, tagger))
    assert hashes(redis_client, prefix) == tagger.expected


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("running", [False, True])
def test_a_topic_created_anew_replaces_what_redis_holds(
    tagger: Tagger,
    processes: Processes,
    redis_client: redis.Redis,
    prefix: str,
    settings_of_kafka: KafkaSettings,
    running: bool,
) -> None:
    first = processes.start()
    tagger.step(epoch=50)
    until(caught_up(redis_client, prefix, tagger))
    if not running:
        first.send_signal(signal.SIGTERM)
        first.wait(15)
    admin = admin_client(settings_of_kafka)
    admin.delete_topics([CURRENT.named(settings_of_kafka)])[CURRENT.named(settings_of_kafka)].result()
    until(lambda: CURRENT.named(settings_of_kafka) not in admin.list_topics(timeout=10).topics)
    create_missing(admin, settings_of_kafka, SystemClock())
    again = Tagger(settings_of_kafka)
    for _ in range(4):
        again.step(epoch=2)
    if not running:
        processes.start()
    until(caught_up(redis_client, prefix, again))
    until(lambda: hashes(redis_client, prefix) == again.expected, within_s=10)


def test_a_missing_topic_is_an_error_with_a_cure(
    kafka_settings: KafkaSettings, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    processes = Processes(kafka_settings, redis_settings, tmp_path / "log")
    assert processes.start().wait(30) == 2
    assert "TS-K102" in processes.log.read_text()
    assert "Cure: Run `tagstream topics" in processes.log.read_text()


def test_tail_shows_committed_changes_of_the_tag_that_was_asked_for(settings_of_kafka: KafkaSettings) -> None:
    producer = Producer({"bootstrap.servers": settings_of_kafka.bootstrap, "transactional.id": "tail-test"})
    producer.init_transactions(20)
    for commit in (False, True):
        producer.begin_transaction()
        for seq, tag in enumerate(["vip", "other", "vip"], 1):
            producer.produce(CHANGES.named(settings_of_kafka), _change(seq, tag, commit).to_avro(), "anna", partition=0)
        producer.flush(20)
        if commit:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)
    command = [sys.executable, "-m", "streams.cli.main", "tail", "--from-beginning", "--tag", "vip", "--max", "2"]
    environment = os.environ | {
        "TAGSTREAM_KAFKA__BOOTSTRAP": settings_of_kafka.bootstrap,
        "TAGSTREAM_KAFKA__TOPIC_PREFIX": settings_of_kafka.topic_prefix,
    }
    shown = subprocess.run([*command, "--json"], env=environment, capture_output=True, timeout=60, check=True)
    changes = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(change["seq"], change["cause"]) for change in changes] == [(1, "committed"), (3, "committed")]
    shown = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True, text=True)
    assert shown.stdout.count("anna") == 2


def _change(seq: int, tag: str, commit: bool) -> Change:
    return Change(
        id=f"0-{seq}",
        customer_id="anna",
        tag=tag,
        op="entered",
        before=None,
        after=True,
        effective_at=1_700_000_000_000,
        emitted_at=1_700_000_000_010,
        seq=seq,
        prev_seq=0,
        rule_version="v",
        epoch=1,
        origin="live",
        cause="committed" if commit else "aborted",
    )
