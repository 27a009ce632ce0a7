"""What is sensitive is encrypted at rest on a real broker, through a rotation of keys and without one of them."""

from __future__ import annotations

import time

import redis

from processors.oracle.event import Event
from streams import topics
from streams.local.child import Child
from tests.integration.pipeline import Pipeline, kill, until

RULES = """
- tag: unwell
  name: {en: U}
  class: dynamic
  category: special
  sensitive: true
  when: 'profile.condition == "Quokka-fever-93" and sum(purchase.amount, 30d) >= 4321.09'
- tag: spender
  name: {en: S}
  class: dynamic
  category: value
  when: "sum(purchase.amount, 30d) >= 4321.08"
"""
WHO = "Zerlina-80421"
HIDDEN = (b"Quokka-fever-93", b"Atlantis-515", WHO.encode())
"""An attribute that a sensitive tag is about, another one, and the id."""
FIRST, SECOND = f"2025 {'1f' * 32}", f"2026 {'2e' * 32}"


def in_snapshots(running: Pipeline) -> set[bytes]:
    values = [message.value() or b"" for message in running.read(topics.SNAPSHOTS)]
    return {mark for mark in HIDDEN if any(mark in value for value in values)}


def sealed_under(running: Pipeline, key_id: str) -> int:
    """How many chunks."""
    return sum(key_id.encode() in (message.value() or b"")[:20] for message in running.read(topics.SNAPSHOTS))


def told(running: Pipeline) -> dict[str, str]:
    """By tag what is published of why."""
    return {change.tag: " ".join(str(each.value) for each in change.evidence) for change in running.changes()}


def restarted(running: Pipeline, child: Child, keys: str) -> Child:
    kill(child)
    return running.start("tagger", "one", ENCRYPTION__KEYS=keys)


def test_snapshots_and_evidence_are_sealed_and_a_key_can_be_replaced(
    pipeline: Pipeline, redis_client: redis.Redis
) -> None:
    pipeline.write_rules(RULES)
    pipeline.follow_wall = True
    pipeline.settings |= {"TAGGER__SNAPSHOT_INTERVAL_S": "1"}
    now_ms = int(time.time() * 1000)
    about = {"attributes": {"condition": "Quokka-fever-93", "region": "Atlantis-515"}}
    pipeline.send([
        Event("profile", "e1", WHO, now_ms, now_ms, about),
        Event("purchase", "e2", WHO, now_ms, now_ms, {"amount_cents": 432_109}),
    ])  # fmt: skip
    child = pipeline.start("tagger", "one", ENCRYPTION__KEYS=FIRST)
    until(lambda: sealed_under(pipeline, "2025"), what=lambda: child.tail(30))
    until(lambda: len(told(pipeline)) == 2, what=lambda: child.tail(30))
    assert in_snapshots(pipeline) == set()
    assert told(pipeline)["spender"] == "4321.09"
    assert "4321" not in told(pipeline)["unwell"] and "Quokka" not in told(pipeline)["unwell"]

    pipeline.settings["ENCRYPTION__KEYS"] = f"{SECOND}\n{FIRST}"
    child = restarted(pipeline, child, f"{SECOND}\n{FIRST}")
    until(lambda: sealed_under(pipeline, "2026") and not sealed_under(pipeline, "2025"), what=lambda: child.tail(30))
    pipeline.start("projector")
    pipeline.wait_for_redis(redis_client, {WHO: {"unwell": "1", "spender": "1"}}, 60)
    shown = pipeline.tagstream("explain", WHO, "unwell").output
    assert "was 4321.09" in shown and "encrypted" not in shown, shown
    pipeline.settings["ENCRYPTION__KEYS"] = SECOND
    shown = pipeline.tagstream("explain", WHO, "unwell").output
    assert "was encrypted" in shown, shown

    child = restarted(pipeline, child, FIRST)
    until(lambda: "TS-S110" in child.tail(200), what=lambda: child.tail(30))
    assert "key 2026" in child.tail(200)
    child = restarted(pipeline, child, SECOND)
    pipeline.send([Event("purchase", "e3", WHO, now_ms + 1, now_ms + 1, {"kind": "refund", "amount_cents": -1})])
    until(lambda: [c.op for c in pipeline.changes()][2:] == ["left"], what=lambda: child.tail(30))
    assert in_snapshots(pipeline) == set()
