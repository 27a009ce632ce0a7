"""What is done to the pipeline while it works leaves no trace in what it says: each test is judged by the oracle."""

from __future__ import annotations

import os
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import redis

from processors.oracle.judge import Event, OracleChange
from schemas.records import Current, TagValue
from streams import topics
from streams.clock import SystemClock
from streams.local.child import Child
from streams.redis_layout import Layout
from tests.integration.pipeline import ROOT, Pipeline, kill, oracle_change, tags_after, texts, until
from tests.integration.story import story

STARTER_RULES = sorted((ROOT / "examples/starter").glob("*.yaml"))

SMALL_STEPS = {
    # Many transactions, so that a kill meets one, and timers that are left over from step to step.
    "TAGGER__MAX_STEP_EVENTS": "15",
    "TAGGER__MAX_STEP_TIMERS": "3",
    "TAGGER__COMMIT_INTERVAL_MS": "1",
    # Each life begins with the snapshot of the one before; the journal stays whole for those who judge.
    "TAGGER__SNAPSHOT_INTERVAL_S": "1",
    "TAGGER__SNAPSHOTS_KEPT": "1000",
}


class Victim:
    """A role that is killed again and again, each time some moments after it has begun to work."""

    def __init__(self, pipeline: Pipeline, role: str, done: Callable[[], int], chance: random.Random) -> None:
        """`done`: how much it has done, in all its lives."""
        self._pipeline, self._role, self._done, self._chance = pipeline, role, done, chance
        self.kills = 0
        self._start()

    def _start(self) -> None:
        self.child = self._pipeline.start(self._role, f"the-{self._role}", **SMALL_STEPS)
        self._kill_at_s: float | None = None
        self._done_before = self._done()

    def kill_sometime(self) -> None:
        """To be called often."""
        assert self.child.exit_code() is None, self.child.tail()
        if self._kill_at_s is None and self._done() > self._done_before:
            self._kill_at_s = time.monotonic() + self._chance.random() / 2
        elif self._kill_at_s is not None and time.monotonic() > self._kill_at_s:
            kill(self.child)
            self.kills += 1
            self._start()


def test_killed_taggers_and_projectors_lose_nothing_and_double_nothing(
    pipeline: Pipeline, redis_client: redis.Redis
) -> None:
    pipeline.write_rules(*STARTER_RULES)
    rules = pipeline.rules()
    events = story(rules, 4, 700, 30)
    chance = random.Random(4)
    pipeline.send(events[:200])

    def steps() -> int:
        return sum(map(len, pipeline.journal().values()))

    def written() -> int:
        positions = cast(dict[str, str], redis_client.hgetall(Layout(pipeline.redis.key_prefix).position))
        return sum(map(int, positions.values()))

    tagger, projector = Victim(pipeline, "tagger", steps, chance), Victim(pipeline, "projector", written, chance)
    sent = 200
    while tagger.kills < 3 or projector.kills < 2:
        pipeline.send(events[sent : sent + 3])
        sent += 3
        if tagger.kills < 3:
            tagger.kill_sometime()
        if projector.kills < 2:
            projector.kill_sometime()
        time.sleep(0.02)
    pipeline.send(events[sent:])
    pipeline.wait_until_caught_up()
    pipeline.wait_for_redis(redis_client, texts(tags_after(pipeline.changes())))
    assert pipeline.published() == texts(tags_after(pipeline.changes()))
    assert pipeline.differences(rules) == []
    pipeline.assert_numbered()
    pipeline.assert_nothing_is_lost()
    owners = {(r.partition, r.epoch) for records in pipeline.journal().values() for r in records}
    assert len({epoch for _, epoch in owners}) > 3, "the kills came before anything was written"
    assert tagger.child.stop(10) == 0
    assert projector.child.stop(10) == 0


def test_a_tagger_that_dies_is_replaced_by_the_other_one(pipeline: Pipeline) -> None:
    pipeline.write_rules(*STARTER_RULES)
    pipeline.follow_wall = True
    rules = pipeline.rules()
    events = story(rules, 8, 600, 20)
    pipeline.send(events[:400])
    survivor, victim = pipeline.start("tagger", "a", **SMALL_STEPS), pipeline.start("tagger", "b", **SMALL_STEPS)
    until(lambda: sorted(map(owned_last, (survivor, victim))) == [[0, 1], [2]])
    pipeline.wait_until_caught_up()
    # the clock follows wall time from the last event, in 2024, to today: what is sent from now on has just happened
    until(lambda: all(records[-1].clock_after > TODAY_MS for records in pipeline.journal().values()))
    topics.set_event_timestamps(topics.admin_client(pipeline.kafka), pipeline.kafka, "LogAppendTime", SystemClock())
    now_ms = SystemClock().wall_ms()
    events_only = [e for e in events[400:] if isinstance(e, Event)]
    live = [replace(e, arrival_ms=now_ms, event_time_ms=now_ms + e.event_time_ms - e.arrival_ms) for e in events_only]
    for place, event in enumerate(live):
        pipeline.send([event])
        if place == 50:
            kill(victim)
        time.sleep(0.01)
    pipeline.wait_until_caught_up()
    steps = len(pipeline.journal()[0])
    until(lambda: len(pipeline.journal()[0]) > steps, what=lambda: "an idle partition does not tick")
    assert survivor.stop(10) == 0
    last_clock = {p: records[-1].clock_after for p, records in pipeline.journal().items()}
    assert pipeline.differences(rules, last_clock.get) == []
    pipeline.assert_numbered()
    pipeline.assert_nothing_is_lost()


TODAY_MS = 1_767_225_600_000
"""2026-01-01, which the machine's clock is behind of."""


def owned_last(child: Child) -> list[int]:
    """The partitions that a tagger was assigned last."""
    found = re.findall(r"'?tagger.assigned'? partitions=\[([^]]*)\]", child.tail(1_000))
    return [int(p) for p in found[-1].split(",")] if found and found[-1] else []


def test_a_second_process_of_the_same_name_takes_over_and_the_first_ends_without_a_word(pipeline: Pipeline) -> None:
    pipeline.write_rules(*STARTER_RULES)
    rules = pipeline.rules()
    events = story(rules, 11, 300, 10)
    first = pipeline.start("tagger", "same")
    pipeline.send(events[:100])
    pipeline.wait_until_caught_up()
    second = pipeline.start("tagger", "same")
    for event in events[100:]:
        pipeline.send([event])
        time.sleep(0.01)
    until(lambda: first.exit_code() is not None)
    assert first.exit_code() == os.EX_TEMPFAIL
    assert re.search("TS-K10[45]", first.tail()), first.tail()
    pipeline.wait_until_caught_up()
    assert second.stop(10) == 0
    assert pipeline.differences(rules) == []
    pipeline.assert_numbered()
    pipeline.assert_nothing_is_lost()


NEW_TAG = """
- tag: any_service
  name: {zh: 联系过, en: Has been in touch}
  class: static
  category: behaviour
  when: count(service, ever) >= 1
- tag: often_here
  name: {zh: 常来, en: Often here}
  class: dynamic
  category: behaviour
  when: count(browse, 30d) >= 3
  dwell: 1h
"""


def test_edited_rules_give_the_difference_once_and_go_on_from_there(pipeline: Pipeline) -> None:
    pipeline.write_rules(*STARTER_RULES)
    old_rules = pipeline.rules()
    events = story(old_rules, 6, 600, 25)
    pipeline.send(events[:400])
    tagger = pipeline.start("tagger", "t", **SMALL_STEPS)
    pipeline.wait_until_caught_up()
    published = tags_after(pipeline.changes())
    seqs = {p: records[-1].last_seq for p, records in pipeline.journal().items()}

    pipeline.write_rules(*STARTER_RULES[1:], NEW_TAG)
    rules = pipeline.rules()
    applied = pipeline.tagstream("apply", "--yes")
    assert applied.exit_code == 0, applied.output
    assert "2 added: any_service, often_here" in applied.output and "in force in all" in applied.output
    assert "are in force already" in pipeline.tagstream("apply").output
    until(lambda: all(records[-1].kind == "changeover" for records in pipeline.journal().values()))
    wanted = {p: pipeline.expected(rules, p, applied, None) for p, applied in pipeline.applied().items()}
    backfilled = [c for c in pipeline.changes() if c.seq > seqs[int(c.id.split("-")[0])]]
    assert {(c.origin, c.rule_version) for c in backfilled} == {("backfill", rules.version)}
    runs = {c.run_id for c in backfilled}
    assert None not in runs and len(runs) == pipeline.kafka.partitions
    assert len({(c.customer_id, c.tag) for c in backfilled}) == len(backfilled)
    now = {customer: tags for result in wanted.values() for customer, tags in result.tags.items()}
    assert tags_after(pipeline.changes()) == now != published
    assert pipeline.published() == texts(now)

    pipeline.send(events[400:500])
    pipeline.wait_until_caught_up()
    assert tagger.stop(10) == 0
    told = len(pipeline.changes())
    tagger = pipeline.start("tagger", "t", **SMALL_STEPS)
    until(lambda: tagger.tail(100).count("partition_running") == pipeline.kafka.partitions)
    assert len(pipeline.changes()) == told, "a restart changes nothing"
    pipeline.send(events[500:])
    pipeline.wait_until_caught_up()
    assert tagger.stop(10) == 0

    after = {p: pipeline.expected(rules, p, applied, None) for p, applied in pipeline.applied().items()}
    changes = [c for c in pipeline.changes() if c.rule_version == rules.version and c.origin != "backfill"]
    for partition, result in after.items():
        got = [oracle_change(c) for c in changes if c.id.startswith(f"{partition}-")]
        rest = result.changes[len(wanted[partition].changes) :]
        assert by_customer(got) == by_customer(rest)
    assert pipeline.published() == texts({c: tags for result in after.values() for c, tags in result.tags.items()})
    pipeline.assert_numbered()
    pipeline.assert_nothing_is_lost()


def by_customer(changes: Sequence[OracleChange]) -> dict[str, list[OracleChange]]:
    found: dict[str, list[OracleChange]] = defaultdict(list)
    for change in changes:
        found[change.customer_id].append(change)
    return found


def test_published_tags_without_a_journal_are_an_error_and_stay_as_they_are(pipeline: Pipeline) -> None:
    pipeline.write_rules(*STARTER_RULES)
    events = story(pipeline.rules(), 2, 60, 6)
    customer = events[0].customer_id
    partition = pipeline.partition_of(customer)
    current = Current(
        customer_id=customer, partition=partition, epoch=7, seq=3, clock=1, rule_version="v",
        tags=(TagValue("active", True),),
    )  # fmt: skip
    pipeline.producer.produce(topics.CURRENT.named(pipeline.kafka), current.to_avro(), customer, partition=partition)
    pipeline.send(events)
    # a second start finds the first one's claim, which is no journal either
    for start in range(2):
        tagger = pipeline.start("tagger", "t")
        until(lambda tagger=tagger: "TS-S101" in tagger.tail(100), 60, tagger.tail)  # type: ignore[misc]
        if start:
            # the others go on
            others = {p for _, p, _ in pipeline.sent} - {partition}
            until(lambda others=others: all(pipeline.journal()[p] for p in others))  # type: ignore[misc]
        assert tagger.stop(10) == 0
    assert pipeline.journal()[partition] == []
    assert pipeline.published()[customer] == {"active": "1"}
    assert not [c for c in pipeline.changes() if c.id.startswith(f"{partition}-")]
