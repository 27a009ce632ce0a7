"""I1, and the contents of I2: customers of a sample, recomputed by the oracle in the journal's order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from processors.oracle import judge as oracle
from processors.oracle.event import Command, Event, Record
from processors.oracle.judge import OracleChange, Result, split_cause
from processors.rules.clauses import Clause, clauses_of
from processors.rules.tree import RuleSet
from schemas import records
from schemas.framing import read_framed, unframe
from schemas.outcomes import Outcome
from schemas.records import Change
from schemas.registry import SCHEMAS
from streams import topics
from tests.chaos.goners import GONE
from tests.chaos.verifier.difference import Findings
from tests.chaos.verifier.journal import SOURCES, Steps
from tests.chaos.verifier.sources import Kept
from tests.oracle.difference import diff
from tests.oracle.other_rules import alike
from tests.properties.engine_run import seen_of

__all__ = ["MOST_RECORDS", "Sample"]

MOST_RECORDS: Final = 300
"""Of one customer. The oracle looks at all that a customer ever did whenever it looks at them."""
IDS: Final = ("event_id", "customer_id", "event_time")
TYPES: Final = {SCHEMAS[event_type].fingerprint: event_type for event_type in topics.EVENTS}
TYPE_OF_TOPIC: Final = {topic.name: event_type for event_type, topic in topics.EVENTS.items()}


@dataclass(slots=True)
class Sample:
    """All that is known of the customers of the sample."""

    rule_sets: Mapping[str, RuleSet]
    """All that were in force, by version."""
    steps: Mapping[int, Steps]
    """By partition."""
    kept: Mapping[str, Sequence[Kept]]
    """By customer all their records."""
    changes: Mapping[str, Sequence[Change]]
    """By customer, in order."""
    judged: int = 0
    """Customers."""

    def judge(self, findings: Findings, most: int, chance: random.Random) -> None:
        """Compare up to `most` customers of them, drawn by `chance`, a quarter of those who were to be forgotten."""
        customers = sorted(c for c, kept in self.kept.items() if len(kept) <= MOST_RECORDS)
        gone = [customer for customer in customers if customer.startswith(GONE)]
        others = [customer for customer in customers if not customer.startswith(GONE)]
        drawn = chance.sample(gone, min(most // 4, len(gone)))
        drawn += chance.sample(others, min(most - len(drawn), len(others)))
        clauses = {version: clauses_of(rule_set) for version, rule_set in self.rule_sets.items()}
        for customer in drawn:
            self._judge_one(customer, clauses, findings)
            self.judged += 1

    def _judge_one(self, customer: str, clauses: Mapping[str, list[Clause]], findings: Findings) -> None:
        homes = {kept.partition for kept in self.kept[customer] if kept.expected is not Outcome.REKEYED}
        changes = self.changes.get(customer, [])
        if len(homes) > 1:
            findings.note("I1", f"{customer} was applied in the partitions {sorted(homes)}")
            return
        if not homes:
            findings.compare("I1", not changes, f"{customer} has changes of nothing")
            return
        (home,) = homes
        events = self._events(customer, home)
        versions = [self.rule_sets[version] for version in self.steps[home].versions]
        wanted = oracle.run(versions[-1], events, self.steps[home].clock_ms)
        # what the rules' change has made of a tag is judged by what it comes to
        same = set.intersection({tag.id for tag in versions[-1].tags}, *(alike(versions[-1], v) for v in versions[:-1]))
        pairs = [(c, why) for c, why in zip(wanted.changes, wanted.reasons, strict=True) if c.tag in same]
        wanted.changes, wanted.reasons = [c for c, _ in pairs], [why for _, why in pairs]
        got = _told([c for c in changes if c.tag in same], clauses, wanted.outcomes)
        if held := _after(changes):
            got.tags[customer] = held
        told = (Outcome.DUPLICATE, Outcome.LATE, Outcome.ERASED)
        expected = Counter(kept.expected for kept in self.kept[customer])
        got.outcomes |= {outcome: expected[outcome] for outcome in told}
        findings.compared["I1"] += len(changes)
        if (difference := diff(wanted, got, events)) is not None:
            findings.note("I1", difference, changes[-1].emitted_at if changes else None)

    def _events(self, customer: str, home: int) -> list[Record]:
        """What the journal says was applied to them, in its order and at its clock; what must not be is left out."""
        placed = []
        for kept in self.kept[customer]:
            if kept.expected in (Outcome.SKIPPED, Outcome.DEAD, Outcome.REKEYED) or kept.value is None:
                continue
            entry = self.steps[home].step_of(kept.source, kept.offset)
            if entry is not None:
                clock_ms = max(entry.record.clock_before, kept.arrival_ms)
                placed.append((entry.record.step, kept.arrival_ms, kept.source, kept.offset, clock_ms, kept))
        return [_record(kept, clock_ms) for *_, clock_ms, kept in sorted(placed, key=lambda each: each[:4])]


def _record(kept: Kept, arrival_ms: int) -> Record:
    """A value in the oracle's words."""
    assert kept.value is not None
    topic = SOURCES[kept.source]
    if topic is topics.COMMANDS:
        return _command(records.Command.from_avro(kept.value), arrival_ms)
    if kept.value.startswith(b"{"):
        event_type, told = TYPE_OF_TOPIC[topic.name], orjson.loads(kept.value)
    else:
        event_type = TYPES[unframe(kept.value).fingerprint or b""]
        told = read_framed(event_type, kept.value)
    fields = {name: value for name, value in told.items() if name not in IDS}
    return Event(event_type, told["event_id"], told["customer_id"], told["event_time"], arrival_ms, fields)


def _command(told: records.Command, arrival_ms: int) -> Command:
    return Command(told.command_id, told.customer_id, arrival_ms, told.kind, told.tag or "", told.value, told.until)


def _told(changes: Sequence[Change], clauses: Mapping[str, list[Clause]], outcomes: Mapping[Outcome, int]) -> Result:
    """Published changes in the oracle's words. `outcomes`: taken over."""
    return Result(
        [
            OracleChange(  # a backfill, which the oracle does not have, would show as a difference
                *(c.customer_id, c.tag, c.op, c.before, c.after, c.effective_at, c.origin, *split_cause(c.cause))  # type: ignore[arg-type]
            )
            for c in changes
        ],
        dict(outcomes),
        reasons=[tuple(seen_of(clauses[c.rule_version], each) for each in c.evidence) for c in changes],
    )


def _after(changes: Iterable[Change]) -> dict[str, oracle.TagValue]:
    held: dict[str, oracle.TagValue] = {}
    for change in changes:
        held.pop(change.tag, None)
        if change.after is not None:
            held[change.tag] = change.after
    return held
