"""A partition that is taken, stepped and left, on a log in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from processors.rules.compile import compile_rules
from processors.rules.load import load_rules
from processors.rules.tree import RuleSet
from schemas.codec import event_from_json
from schemas.records import Change, JournalRecord
from schemas.registry import OWN_WRITERS
from streams.clock import ManualClock
from streams.log import Stamp, Transaction
from streams.log import TopicPartition as Place
from streams.settings import KafkaSettings
from streams.tagger.backfill import backfill
from streams.tagger.recovery import Recovered, claim, recover
from streams.tagger.snapshots import Saved, Snapshots, Written
from streams.tagger.topics import Topics
from streams.tagger.work import Work
from tests.unit.streams.tagger.memory_log import MemoryLog

TOPICS = Topics.of(KafkaSettings(), 1)
BROWSE = Place("events.browse", 0)
JOURNAL = Place("tags.journal", 0)
CURRENT = Place("tags.current", 0)
CHANGES = Place("tags.changes", 0)
SNAPSHOTS = Place("tags.snapshots", 0)
START_MS = 1_704_067_200_000
MINUTE_MS = 60_000
UNLIMITED = 1 << 40


def rules(*conditions: str) -> RuleSet:
    tags = [
        f"- {{tag: t{n}, name: {{en: T}}, class: dynamic, category: value, when: '{when}'}}"
        for n, when in enumerate(conditions)
    ]
    return load_rules({"rules.yaml": "\n".join(tags)}, time_zone="UTC", default_currency="CNY")


VISITED = rules("count(browse, ever) >= 1")
"""Without a timer."""
RECENT = rules("count(browse, 1m) >= 1", "count(browse, ever) >= 2")


def send(log: MemoryLog, customer: str, at_ms: int) -> None:
    number = log.extent(BROWSE)[1]
    event = {"event_id": f"e{number}", "customer_id": customer, "event_time": at_ms}
    log.append(BROWSE, customer.encode(), event_from_json("browse", event), at_ms)


def taken(log: MemoryLog, rule_set: RuleSet, *, dedupe_max_ids: int = 1_000, accept_loss: bool = False) -> Recovered:
    """A partition taken as the tagger takes it."""

    def make(positions: dict[Place, int]) -> Work:
        return Work(
            rule_set=rule_set,
            program=compile_rules(rule_set),
            topics=TOPICS,
            partition=0,
            positions=positions,
            schemas=OWN_WRITERS,
            dedupe_max_ids=dedupe_max_ids,
            as_json=False,
        )

    recovered = claim(log, TOPICS, 0, make)
    drain(recover(log, TOPICS, recovered, accept_loss=accept_loss))
    if recovered.changed or recovered.published:
        drain(backfill(log, TOPICS, recovered, START_MS))
    return recovered


def drain(pieces: Iterator[None]) -> None:
    for _ in pieces:
        pass


def run(log: MemoryLog, rule_set: RuleSet, clock_ms: int = 0, budget: int = UNLIMITED) -> Work:
    """Take the partition, apply in one step all that was sent, and go away."""
    work = taken(log, rule_set).work
    step(log, work, clock_ms, budget)
    return work


def step(log: MemoryLog, work: Work, clock_ms: int = 0, budget: int = UNLIMITED) -> Stamp:
    """Apply in one step all that was sent. Returns where the journal says so."""
    source = next(s for s in work.sources if s.place == BROWSE)
    new = [r for r in log.records[BROWSE] if r.at_offset >= source.fetch_from]
    if new:
        source.add(list(new))
    made = work.step([s.held for s in work.sources], UNLIMITED, clock_ms, budget, START_MS)
    transaction = Transaction()
    work.add_to(transaction, made)
    (stamp,) = log.transact(transaction)
    return stamp


def snapshot(log: MemoryLog, work: Work, journal_next: int, saved: Saved) -> JournalRecord:
    """Write a snapshot of the work as it is, whole. Returns its manifest's record."""
    saved.wanted = True
    clock = ManualClock()
    writer = Snapshots(log, TOPICS, clock, 1e9, 2)
    before = len(journal(log))
    while len(journal(log)) == before:
        writer.turn([Written(work, journal_next, saved)])
    return journal(log)[-1]


def changes(log: MemoryLog) -> list[Change]:
    return [Change.from_value(r.given_value or b"") for r in log.records[CHANGES]]


def journal(log: MemoryLog) -> list[JournalRecord]:
    return [JournalRecord.from_value(r.given_value or b"") for r in log.records[JOURNAL]]


def rewrite(log: MemoryLog, place: Place, offset: int, value: bytes) -> None:
    log.records[place] = [replace(r, given_value=value) if r.at_offset == offset else r for r in log.records[place]]
