"""A run as it should be, made by the engine in memory: one partition, two steps, a few customers. Tests of the judge
plant a fault in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from processors.oracle.event import Event, Record
from processors.rules.tree import RuleSet
from schemas.outcomes import Outcome
from schemas.records import Change, Current, DeadCount, JournalRecord, SourceRange, TagValue
from streams import topics
from streams.redis_layout import text_of
from tests.chaos.rule_sets import rules_of
from tests.chaos.verifier.journal import SOURCES, Entry, Steps
from tests.chaos.verifier.judge import Left, Stamped
from tests.chaos.verifier.sources import Kept, SourceLog
from tests.oracle.generate import Scenario
from tests.properties.engine_run import Cuts, payload, run_engine

__all__ = ["left_by", "rules", "small_run"]

START_MS: Final = 1_790_000_000_000
FIRST_STEP: Final = 20
"""Events in it."""
CUSTOMERS: Final = ("ann", "bob", "cid")
BROWSE: Final = SOURCES.index(topics.EVENTS["browse"])
PURCHASE: Final = SOURCES.index(topics.EVENTS["purchase"])
END_MS: Final = START_MS + 600_000


def rules() -> RuleSet:
    return rules_of("first")


def events() -> list[tuple[Event, Outcome]]:
    """In order of arrival, with what should become of each."""
    told: list[tuple[Event, Outcome]] = []
    for number in range(40):
        now_ms = START_MS + 1_000 * number
        customer = CUSTOMERS[number % 3]
        event = Event("browse", f"e{number}", customer, now_ms, now_ms, {"category": "toys", "dwell_ms": 90_000})
        if number % 4 == 1:
            event = Event("purchase", f"e{number}", customer, now_ms, now_ms, {"amount_cents": 12_300})
        told.append((event, Outcome.APPLIED))
        if number == 12:
            told.append((event, Outcome.DUPLICATE))
        if number in (15, 30):
            told.append((replace(event, event_id=f"late{number}", event_time_ms=now_ms - 7_200_000), Outcome.LATE))
        if number in (18, 31):
            told.append((replace(event, event_id=f"dead{number}", event_time_ms=now_ms + 172_800_000), Outcome.DEAD))
    return told


def small_run() -> Left:
    told = events()
    sound: list[Record] = [event for event, outcome in told if outcome is not Outcome.DEAD]
    first = sum(outcome is not Outcome.DEAD for _, outcome in told[:FIRST_STEP])
    sizes = iter((first, len(sound)))
    run = run_engine(Scenario(rules(), sound, END_MS), Cuts(lambda: next(sizes)))
    seqs = [sum(step == 0 for step in run.steps), len(run.changes)]
    logs = {source: SourceLog(source, 0) for source in range(len(SOURCES))}
    kept, dead, ends = defaultdict[str, list[Kept]](list), {}, []
    for place, (event, outcome) in enumerate(told):
        if place == FIRST_STEP:
            ends.append({source: len(log.offsets) for source, log in logs.items()})
        source = BROWSE if event.type == "browse" else PURCHASE
        offset = len(logs[source].offsets)
        arrival_ms = logs[source].take(offset, event.arrival_ms, outcome)
        kept[event.customer_id].append(Kept(source, 0, offset, arrival_ms, event.customer_id, payload(event), outcome))
        if outcome is Outcome.DEAD:
            dead[SOURCES[source].name, 0, offset] = "TS-D118"
    ends.append({source: len(log.offsets) for source, log in logs.items()})
    halves = (told[:FIRST_STEP], told[FIRST_STEP:])
    clocks = (START_MS, halves[0][-1][0].arrival_ms, END_MS)
    journal = [
        Entry(step, clocks[step], _step(step, ends, clocks, Counter(outcome for _, outcome in half), seqs[step - 1]))
        for step, half in enumerate(halves, 1)
    ]
    return left_by(journal, list(logs.values()), kept, dead, run.changes)


def left_by(
    journal: Sequence[Entry],
    logs: list[SourceLog],
    kept: dict[str, list[Kept]],
    dead: dict[tuple[str, int, int], str],
    changes: Sequence[Change],
) -> Left:
    """With tags and hashes as the changes say."""
    claim = Entry(0, START_MS, replace(journal[0].record, kind="claim", epoch=-1, step=0))
    current: dict[str, Current] = {}
    for c in changes:
        held = {each.tag: each.value for each in current[c.customer_id].tags} if c.customer_id in current else {}
        held.pop(c.tag, None)
        if c.after is not None:
            held[c.tag] = c.after
        current[c.customer_id] = Current(
            customer_id=c.customer_id,
            partition=0,
            epoch=0,
            seq=c.seq,
            clock=END_MS,
            rule_version=rules().version,
            tags=tuple(TagValue(tag, value) for tag, value in held.items()),
        )
    return Left(
        prefix="",
        steps={0: Steps.of(0, [claim, *journal])},
        logs=logs,
        kept=kept,
        dead=dead,
        changes=[Stamped(0, START_MS + c.seq, c) for c in changes],
        current=list(current.values()),
        gone=set(),
        hashes={
            customer: {"_seq": str(c.seq), "_epoch": "0", "_part": "0"}
            | {each.tag: text_of(each.value) for each in c.tags}
            for customer, c in current.items()
        },
    )


def _step(
    step: int, ends: list[dict[int, int]], clocks: Sequence[int], outcomes: Counter[Outcome], last_seq: int
) -> JournalRecord:
    before = ends[step - 2] if step > 1 else dict.fromkeys(ends[0], 0)
    return JournalRecord(
        kind="step",
        epoch=0,
        step=step,
        partition=0,
        sources=tuple(
            SourceRange(topic.name, before[source], ends[step - 1][source]) for source, topic in enumerate(SOURCES)
        ),
        clock_before=clocks[step - 1],
        clock_after=clocks[step],
        rule_version=rules().version,
        engine_version=1,
        timers_fired=0,
        outcomes=tuple(outcomes[outcome] for outcome in Outcome),
        last_seq=last_seq,
        digest=0,
        dead=(DeadCount(118, outcomes[Outcome.DEAD]),),
    )
