"""A partition that is taken, stepped and left, on a broker in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from processors.layout import DAY_MS
from processors.partition import NO_KEY
from processors.rules.compile import compile_rules
from processors.rules.load import load_rules
from processors.rules.tree import RuleSet
from schemas.codec import event_from_json
from schemas.records import Change, Command, JournalRecord
from schemas.registry import OWN_WRITERS
from streams.clock import ManualClock
from streams.log import Outgoing, Stamp, Transaction
from streams.log import TopicPartition as Place
from streams.sealing import NO_KEYS, Keyring
from streams.settings import KafkaSettings
from streams.tagger.backfill import against_published, backfill
from streams.tagger.recovery import Recovered, claim, recover
from streams.tagger.rules import Compiled
from streams.tagger.snapshots import Saved, Snapshots, Written
from streams.tagger.topics import Topics
from streams.tagger.work import Erasures, Work
from tests.simulation.broker import MemoryBroker
from tests.simulation.faults import Faults
from tests.simulation.memory_log import MemoryLog
from tests.simulation.partition_log import PartitionLog
from tests.simulation.record import Record
from tests.simulation.topics import create_topics

KAFKA = KafkaSettings(partitions=1)
TOPICS = Topics.of(KAFKA, 1)
BROWSE = Place("events.browse", 0)
COMMANDS = Place("tags.commands", 0)
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


class InSmallPieces(Faults):
    """Nothing may rest on all of it coming at once."""

    def share(self, process: str, ready: Mapping[Place, int]) -> Iterable[tuple[Place, int]]:
        return [(place, min(n, 2)) for place, n in ready.items()]


class Installation:
    """A broker with our topics, and one tagger that has their only partition."""

    def __init__(self) -> None:
        clock = ManualClock(1_800_000_000_000)
        self.broker = MemoryBroker(clock, InSmallPieces())
        create_topics(self.broker, KAFKA, "CreateTime")
        self.log = MemoryLog(self.broker, clock, "tagger")
        self.log.subscribe(TOPICS.sources, lambda partitions: None, lambda partitions: None)
        self.log.fetch(1, 0)

    def partition(self, place: Place) -> PartitionLog:
        return self.broker.partition(place)

    def records(self, place: Place) -> list[Record]:
        """Those that are committed."""
        return self.partition(place).records

    def put(self, place: Place, key: bytes, value: bytes | None, at_ms: int = 0) -> None:
        self.broker.put(Outgoing(place.topic, place.partition, key, value, timestamp_ms=at_ms))


def send(site: Installation, customer: str, at_ms: int, happened_ms: int | None = None) -> None:
    number = site.partition(BROWSE).end
    time_ms = at_ms if happened_ms is None else happened_ms
    event = {"event_id": f"e{number}", "customer_id": customer, "event_time": time_ms}
    site.put(BROWSE, customer.encode(), event_from_json("browse", event), at_ms)


def erase(site: Installation, customer: str, at_ms: int) -> None:
    """The customer is to be forgotten."""
    number = site.partition(COMMANDS).end
    given = {"command_id": f"k{number}", "customer_id": customer, "kind": "erase", "tag": None, "value": None}
    command = Command(**given, reason=None, actor="a", until=None, issued_at=at_ms)  # type: ignore[arg-type]
    site.put(COMMANDS, customer.encode(), command.to_avro(), at_ms)


def taken(
    site: Installation,
    rule_set: RuleSet,
    *,
    kept: Work | None = None,
    dedupe_max_ids: int = 1_000,
    erasures: Erasures = Erasures(NO_KEY, 90 * DAY_MS),  # noqa: B008 (frozen)
    as_json: bool = False,
    accept_loss: bool = False,
    known: Sequence[RuleSet] = (),
    keyring: Keyring = NO_KEYS,
) -> Recovered:
    """A partition taken as the tagger takes it. `known`: rules that were in force, and are not forgotten."""

    def make(positions: dict[Place, int]) -> Work:
        return Work(
            rules=compiled(rule_set),
            topics=TOPICS,
            partition=0,
            positions=positions,
            schemas=OWN_WRITERS,
            dedupe_max_ids=dedupe_max_ids,
            erasures=erasures,
            as_json=as_json,
            keyring=keyring,
        )

    recovered = claim(site.log, TOPICS, 0, make)
    versions = {each.version: compiled(each) for each in known}
    drain(recover(site.log, TOPICS, recovered, rules_of=versions.get, kept=kept, accept_loss=accept_loss))
    if recovered.changed or recovered.published:
        found = against_published(recovered.work, recovered.published)
        drain(backfill(site.log, TOPICS, recovered.work, found, START_MS, recovered.changed))
    return recovered


def compiled(rule_set: RuleSet) -> Compiled:
    return Compiled(rule_set, compile_rules(rule_set))


def drain(pieces: Iterable[None]) -> None:
    for _ in pieces:
        pass


def run(site: Installation, rule_set: RuleSet, clock_ms: int = 0, budget: int = UNLIMITED) -> Work:
    """Take the partition, apply in one step all that was sent, and go away."""
    work = taken(site, rule_set).work
    step(site, work, clock_ms, budget)
    return work


def step(site: Installation, work: Work, clock_ms: int = 0, budget: int = UNLIMITED) -> Stamp:
    """Apply in one step all that was sent. Returns where the journal says so."""
    for source in work.sources:
        new = [r for r in site.records(source.place) if r.at_offset >= source.fetch_from]
        if new:
            source.add(list(new))
    made = work.step([s.held for s in work.sources], UNLIMITED, clock_ms, budget, START_MS)
    transaction = Transaction()
    work.add_to(transaction, made)
    (stamp,) = site.log.transact(transaction)
    return stamp


def snapshot(site: Installation, work: Work, journal_next: int, saved: Saved, kept: int = 2) -> JournalRecord:
    """Write a snapshot of the work as it is, whole. Returns its manifest's record."""
    saved.wanted = True
    writer = Snapshots(site.log, TOPICS, ManualClock(), 1e9, kept)
    while saved.wanted or writer.busy:
        writer.turn([Written(work, journal_next, saved)])
    return journal(site)[-1]


def changes(site: Installation) -> list[Change]:
    return [Change.from_value(r.given_value or b"") for r in site.records(CHANGES)]


def journal(site: Installation) -> list[JournalRecord]:
    return [JournalRecord.from_value(r.given_value or b"") for r in site.records(JOURNAL)]


def rewrite(site: Installation, place: Place, offset: int, value: bytes) -> None:
    records = site.records(place)
    site.partition(place).keep([replace(r, given_value=value) if r.at_offset == offset else r for r in records])


def lose(site: Installation, place: Place, before: int) -> None:
    """The topic's retention has deleted the records before this offset."""
    site.partition(place).delete_before(before)
