"""Runs scenarios through the engine as a caller may: cut into steps of any size, with any budget for timers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from unittest import mock

import numpy as np

from processors import dedupe, erased, layout, state
from processors.changes import ChangeWriter
from processors.decoder import Decoder
from processors.oracle.judge import Command, OracleChange, Record, Result, split_cause
from processors.oracle.why import Seen, told
from processors.partition import UNLIMITED, Partition
from processors.rules.clauses import Clause, clauses_of
from processors.rules.tree import RuleSet
from schemas import records
from schemas.codec import event_from_json
from schemas.outcomes import Outcome
from schemas.records import Change
from schemas.registry import OWN_WRITERS
from tests.oracle.generate import Scenario

NEVER_CUT = 1 << 30
"""Events in a step: more than any scenario has."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """How a history is cut: asked before each step."""

    events: Callable[[], int]
    """Events in the step."""
    budget: Callable[[], int] = lambda: UNLIMITED
    """Timers in the step, but for the last one, which fires all that is left."""


WHOLE = Cuts(lambda: NEVER_CUT)
ONE_BY_ONE = Cuts(lambda: 1)


def random_cuts(rng: random.Random) -> Cuts:
    """Steps of 1 to all events, with no timers to all timers."""
    return Cuts(lambda: rng.choice((1, 2, 5, NEVER_CUT)), lambda: rng.choice((0, 1, 3, UNLIMITED)))


@dataclass(slots=True)
class EngineRun:
    """What came of it."""

    changes: list[Change] = field(default_factory=list)
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    digest: int = 0
    """Sum of the steps' digests, modulo 2^64."""
    seq: int = 0
    steps: list[int] = field(default_factory=list)
    """Of each change the number of the step, from 0."""
    clauses: list[Clause] = field(default_factory=list)
    """Of the rule set."""

    def result(self) -> Result:
        """In the oracle's words."""
        result = Result(outcomes=self.outcomes)
        for c in self.changes:
            result.changes.append(
                OracleChange(
                    *(c.customer_id, c.tag, c.op, c.before, c.after, c.effective_at),
                    *(c.origin, *split_cause(c.cause)),  # type: ignore[arg-type]
                )
            )
            result.reasons.append(tuple(seen_of(self.clauses, each) for each in c.evidence))
            tags = result.tags.setdefault(c.customer_id, {})
            tags.pop(c.tag, None)
            if c.after is not None:
                tags[c.tag] = c.after
        result.tags = {customer: tags for customer, tags in result.tags.items() if tags}
        return result

    def numbers(self) -> tuple[list[tuple[object, ...]], list[int], int, int]:
        """All of it, to be compared with another run."""
        return [astuple(c) for c in self.changes], list(self.outcomes.values()), self.digest, self.seq


def seen_of(clauses: list[Clause], evidence: records.Evidence) -> Seen:
    """A change's evidence in the oracle's words."""
    value, threshold = told(evidence.value), told(evidence.threshold)
    expr = clauses[evidence.condition].expr
    return Seen(expr, evidence.key, value, threshold, evidence.window_start, evidence.window_end)


def new_decoder(rule_set: RuleSet) -> Decoder:
    """Of two sources: one of events of all types, and one of commands."""
    return Decoder([None, "command"], OWN_WRITERS, rule_set)


def source_of(record: Record) -> int:
    """Position of the record's source in `new_decoder`."""
    return 1 if isinstance(record, Command) else 0


def payload(event: Record) -> bytes:
    """The event as a canonical value, or the command as it stands in its topic."""
    if isinstance(event, Command):
        return records.Command(
            command_id=event.event_id,
            customer_id=event.customer_id,
            kind=event.kind,
            tag=event.tag or None,
            value=event.value,
            reason=None,
            actor="somebody",
            until=event.until_ms,
            issued_at=event.arrival_ms,
        ).to_avro()
    named = {"event_id": event.event_id, "customer_id": event.customer_id, "event_time": event.event_time_ms}
    return event_from_json(event.type, {**event.fields, **named})


def run_engine(scenario: Scenario, cuts: Cuts, partition: Partition | None = None) -> EngineRun:
    """Applies the events in order of (arrival, line), then lets time pass up to and including the scenario's end."""
    until_ms = scenario.until_ms
    kept = [e for e in scenario.events if until_ms is None or e.arrival_ms <= until_ms]
    kept.sort(key=lambda e: e.arrival_ms)
    decoder = new_decoder(scenario.rule_set)
    partition = partition or Partition(scenario.rule_set)
    writer = ChangeWriter(scenario.rule_set)
    run = EngineRun(clauses=clauses_of(scenario.rule_set))
    start, number, is_last = 0, -1, False
    while not is_last:
        number += 1
        size = cuts.events()
        step, is_last = kept[start : start + size], start + size >= len(kept)
        start += size
        arrivals = np.array([e.arrival_ms for e in step], np.int64)
        sources = np.array([source_of(e) for e in step], np.int64)
        decoded = decoder.decode([payload(e) for e in step], arrivals, np.zeros(len(step), np.int64), sources)
        output = partition.step(
            decoded,
            np.arange(len(step), dtype=np.int64),
            (until_ms or 0) if is_last else 0,
            UNLIMITED if is_last else cuts.budget(),
        )
        assert sum(output.outcomes) == len(step), "what was read is the sum of the outcomes"
        run.changes += writer.changes(output, decoded, partition=0, epoch=0)
        run.steps += [number] * (len(run.changes) - len(run.steps))
        for outcome, count in zip(Outcome, output.outcomes, strict=False):
            run.outcomes[outcome] += count
        run.digest = (run.digest + output.digest) % 2**64
        run.seq = output.seq
    return run


@contextmanager
def tiny_memory() -> Iterator[None]:
    """Partitions made within begin with the smallest tables and no spare memory, so that all of it has to grow."""
    make = state.new_state

    def new_state(g: state.I64, dedupe_max_ids: int, erasure_term_ms: int) -> state.State:
        st = make(g, dedupe_max_ids, erasure_term_ms)
        return state._of(st.m[: st.m[layout.R_TOP] + 1].copy(), st.changes[:0], st.touched[:2], st.evidence[:1])

    with (
        mock.patch.multiple(state, _FIRST_TABLE=2, _FIRST_HEAP=1),
        mock.patch.object(dedupe, "SMALLEST", 2),
        mock.patch.object(erased, "SMALLEST", 2),
        mock.patch("processors.partition.new_state", new_state),
    ):
        yield
