"""A customer is erased, and then everything that is kept is searched for them."""

from __future__ import annotations

import json
import re
import time
import urllib.request

import pytest
import redis
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from typer.testing import CliRunner

from processors.oracle.event import Event
from schemas.outcomes import Outcome
from schemas.records import Change, JournalRecord
from streams import topics
from streams.cli.main import app
from tests.integration.pipeline import Pipeline, kill, until

RULES = """
- {tag: buyer, name: {en: B}, class: dynamic, category: value, when: "count(purchase, 30d) >= 1"}
- tag: pages
  name: {en: P}
  class: dynamic
  category: value
  for_each: browse.page_type
  when: "count(browse, 30d) > 0"
- {tag: local, name: {en: L}, class: dynamic, category: value, when: 'profile.region == "Xanadu-4711"'}
- {tag: moving, name: {en: M}, class: dynamic, category: value, when: "present(profile.region)"}
"""
WHO = "Zerlina-80421"
MARKS = (WHO.encode(), b"quokka-page-93", b"Atlantis-515")
"""Her id, a key of a set of hers, and an attribute."""
INTERVAL_S, KEPT = 1, 2
KEY = "00112233445566778899aabbccddeeff"
STAYS = {topics.CHANGES, topics.COMMANDS, topics.REQUESTS, topics.RESULTS, topics.DECIDED, topics.DEAD_LETTERS,
         *topics.EVENTS.values()}  # fmt: skip
"""Where she stays until the retention of the topic ends, as docs/privacy.md says."""


def told(kind: str, number: int, who: str, at_ms: int, **fields: object) -> Event:
    return Event(kind, f"{kind}-{who}-{number}", who, at_ms, at_ms, fields)  # type: ignore[arg-type]


def life_of(who: str, at_ms: int, page: str, region: str) -> list[Event]:
    return [
        told("purchase", 1, who, at_ms, amount_cents=500),
        told("browse", 1, who, at_ms, page_type=page),
        told("profile", 1, who, at_ms, attributes={"region": region}),
    ]


@pytest.fixture
def running(pipeline: Pipeline) -> Pipeline:
    """Whose snapshots are soon replaced."""
    pipeline.write_rules(RULES)
    pipeline.follow_wall = True
    pipeline.settings |= {
        "TAGGER__SNAPSHOT_INTERVAL_S": str(INTERVAL_S),
        "TAGGER__SNAPSHOTS_KEPT": str(KEPT),
        "TAGGER__ERASURE_KEY": KEY,
        "CONTROL__SESSION_TIMEOUT_MS": "6000",
    }
    return pipeline


def found_in(running: Pipeline, topic: topics.Topic) -> set[bytes]:
    """Which of the marks stand anywhere in a topic."""
    everything = [
        part
        for message in running.read(topic)
        for part in (message.key(), message.value(), *(value for _, value in message.headers() or ()))
        if part is not None
    ]
    return {mark for mark in MARKS if any(mark in part for part in everything)}


def compact_soon(running: Pipeline) -> None:
    """The broker's cleaner looks at tags.current without waiting for hours to pass or much to be written."""
    broker = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[setting("log.cleaner.backoff.ms", 100)])
    wanted = {"segment.ms": 500, "max.compaction.lag.ms": 500, "min.cleanable.dirty.ratio": 0.001,
              "delete.retention.ms": 500}  # fmt: skip
    topic = ConfigResource(
        ResourceType.TOPIC,
        topics.CURRENT.named(running.kafka),
        incremental_configs=[setting(name, value) for name, value in wanted.items()],
    )
    admin = topics.admin_client(running.kafka)
    for resource in (broker, topic):
        for future in admin.incremental_alter_configs([resource], request_timeout=10).values():
            future.result()


def setting(name: str, value: float) -> ConfigEntry:
    return ConfigEntry(name, str(value), incremental_operation=AlterConfigOpType.SET)


def in_redis(client: redis.Redis) -> set[bytes]:
    """Which of the marks stand in any key or value."""
    found = set()
    for key in client.scan_iter(count=1000):
        held = (key, *(client.hgetall(key).items() if client.type(key) == "hash" else ()))  # type: ignore[union-attr]
        found |= {mark for mark in MARKS if mark.decode() in str(held)}
    return found


def in_processes(running: Pipeline) -> set[bytes]:
    """Which of the marks stand in a log or among the metrics."""
    texts = [child.log.read_text("utf-8", "replace") for child in running.children]
    for text in list(texts):
        for port in re.findall(r"health.listening\S* .*port=(\d+)", text):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                    texts.append(answer.read().decode())
            except OSError:  # of one that was killed
                continue
    return {mark for mark in MARKS if any(mark.decode() in text for text in texts)}


def erase(running: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGSTREAM_KAFKA__BOOTSTRAP", running.kafka.bootstrap)
    monkeypatch.setenv("TAGSTREAM_KAFKA__TOPIC_PREFIX", running.kafka.topic_prefix)
    result = CliRunner().invoke(app, ["erase", WHO, "--reason", "case 7", "--timeout", "60"])
    assert result.exit_code == 0, result.output
    assert f"accepted: {WHO} is forgotten" in result.output


def test_an_erased_customer_is_nowhere_but_where_a_retention_is_told(
    running: Pipeline, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms = int(time.time() * 1000)
    lives = [event for n in range(40) for event in life_of(f"other-{n}", now_ms, "item", "north")]
    running.send([*lives, *life_of(WHO, now_ms, "quokka-page-93", "Atlantis-515")])
    broken = json.dumps({"customer_id": WHO, "event_time": now_ms, "page_type": "quokka-page-93"}).encode()
    running.producer.produce(topics.EVENTS["browse"].named(running.kafka), broken, WHO)
    running.flush()
    for role in ("tagger", "projector", "control"):
        running.start(role, role)
    tags_key = f"{running.redis.key_prefix}tags:{WHO}"
    until(lambda: redis_client.hget(tags_key, "moving"), what=lambda: running.children[0].tail(30))
    # the search finds her where she is: in the snapshot that was made of her, and in what will be searched again
    until(lambda: found_in(running, topics.SNAPSHOTS) == set(MARKS))
    assert found_in(running, topics.CURRENT) == {MARKS[0], MARKS[1]}
    assert in_redis(redis_client) == {MARKS[0], MARKS[1]}
    assert {mark for topic in STAYS for mark in found_in(running, topic)} == set(MARKS)

    compact_soon(running)
    began_s = time.monotonic()
    erase(running, monkeypatch)
    until(lambda: not redis_client.exists(tags_key), 30)
    assert in_redis(redis_client) == set()
    until(lambda: not found_in(running, topics.SNAPSHOTS), (KEPT + 1) * INTERVAL_S + 20)
    aged_s = time.monotonic() - began_s
    print(f"no snapshot holds her any more after {aged_s:.1f} s, at an interval of {INTERVAL_S} s and {KEPT} kept")
    # other customers go on, so that the topic's newest segment is a new one
    until(lambda: not go_on(running) and not found_in(running, topics.CURRENT), 60)
    print(f"nor does tags.current after {time.monotonic() - began_s:.1f} s, its tombstone included")

    for topic in topics.TOPICS:
        assert topic in STAYS or not found_in(running, topic), topic.name
    assert in_redis(redis_client) == set()
    assert in_processes(running) == set()
    changes = [change for change in running.changes() if change.customer_id == WHO]
    left = [change for change in changes if change.origin == "erasure"]
    assert {(c.tag, c.op, c.evidence) for c in left} == {(t, "left", ()) for t in ("buyer", "pages", "moving")}
    assert tags_of(changes) == {}


def go_on(running: Pipeline) -> None:
    now_ms = int(time.time() * 1000)
    running.send([told("purchase", now_ms, f"other-{n}", now_ms, amount_cents=1) for n in range(5)])


def tags_of(changes: list[Change]) -> dict[str, object]:
    held = {change.tag: change.after for change in changes}
    return {tag: value for tag, value in held.items() if value is not None}


def test_what_comes_late_is_dropped_also_by_a_tagger_that_takes_over_and_a_new_life_counts_from_nothing(
    running: Pipeline, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_ms = int(time.time() * 1000)
    running.send(life_of(WHO, before_ms, "item", "north"))
    tagger = running.start("tagger", "tagger")
    running.start("projector", "projector")
    running.start("control", "control")
    tags_key = f"{running.redis.key_prefix}tags:{WHO}"
    until(lambda: redis_client.hget(tags_key, "buyer"), what=lambda: tagger.tail(30))
    erase(running, monkeypatch)
    until(lambda: not redis_client.exists(tags_key), 30)
    kill(tagger)
    running.send([told("purchase", 2, WHO, before_ms, amount_cents=1), told("browse", 2, WHO, before_ms)])
    tagger = running.start("tagger", "tagger")
    until(lambda: erased(running) == 2, what=lambda: tagger.tail(30))
    assert not redis_client.exists(tags_key)
    now_ms = int(time.time() * 1000)
    running.send([told("purchase", 3, WHO, now_ms, amount_cents=1)])
    until(lambda: redis_client.hget(tags_key, "buyer"), what=lambda: tagger.tail(30))
    last = [change for change in running.changes() if change.customer_id == WHO][-1]
    assert (last.tag, last.op, last.origin, last.prev_seq) == ("buyer", "entered", "live", 0)
    # from the events another key gives the same, but in a snapshot it would not know her any more
    written = newest_snapshot(running)
    until(lambda: newest_snapshot(running) > written, 60)
    kill(tagger)
    other = running.start("tagger", "tagger", TAGGER__ERASURE_KEY=KEY[::-1])
    until(lambda: "TS-S109" in other.tail(200), what=lambda: other.tail(30))


def newest_snapshot(running: Pipeline) -> int:
    """The step of the newest snapshot of her partition."""
    home = running.partition_of(WHO)
    records = [JournalRecord.from_value(m.value() or b"") for m in running.read(topics.JOURNAL)]
    return max((r.step for r in records if r.partition == home and r.kind == "snapshot"), default=0)


def erased(running: Pipeline) -> int:
    return sum(record.outcomes[Outcome.ERASED] for records in running.journal().values() for record in records)
