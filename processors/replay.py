"""A history through the engine at once: one partition, sorted whole by (arrival, place), no Kafka.

`tagstream replay` and the examples in rules run on it, so what they show is what the tagger does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from processors import layout as L
from processors.changes import ChangeWriter
from processors.decoder import Decoded, Decoder
from processors.partition import Partition
from processors.rules.compile import compile_rules
from processors.rules.program import I64, Program
from processors.rules.tree import RuleSet
from schemas.codec import event_from_json
from schemas.outcomes import Dead, Outcome
from schemas.records import Change
from schemas.registry import OWN_WRITERS

STEP_EVENTS = 50_000
"""Events in a step: bounds the memory of a step's output, nothing else depends on it."""


@dataclass(slots=True)
class Replay:
    """One run over a history; `changes` may be called once. Afterwards the counts tell what became of the events."""

    rule_set: RuleSet
    program: Program | None = None
    outcomes: list[int] = field(default_factory=lambda: [0] * len(Outcome))
    dead: list[tuple[int, Dead]] = field(default_factory=list)
    """(place in the history, reason) of events that could be read but may not be used."""
    clock: int = 0

    def changes(
        self, payloads: Sequence[bytes], arrivals: Sequence[int | None], until_ms: int | None = None
    ) -> Iterator[Change]:
        """Changes in the order in which they are found.

        `payloads` are canonical values (schemas.codec); an arrival (ms) of None is the event's time. At the end the clock
        goes to `until_ms` (default: the last arrival), inclusive; events that arrive later are not read.
        """
        decoded, order = self._decode(payloads, arrivals, until_ms)
        partition = Partition(self.rule_set, program=self.program)
        writer = ChangeWriter(self.rule_set)
        for start in range(0, max(1, order.size), STEP_EVENTS):
            chunk = order[start : start + STEP_EVENTS]
            last = start + STEP_EVENTS >= order.size
            output = partition.step(decoded, chunk, until_ms or 0 if last else 0)
            yield from writer.changes(output, decoded, partition=0, epoch=0)
            self.outcomes = [a + b for a, b in zip(self.outcomes, output.outcomes, strict=True)]
            rows = chunk[decoded.events[chunk, L.EV_OUTCOME] == Outcome.DEAD]
            self.dead += [(int(row), Dead(int(decoded.events[row, L.EV_CODE]))) for row in rows]
        self.clock = partition.clock

    def _decode(
        self, payloads: Sequence[bytes], arrivals: Sequence[int | None], until_ms: int | None
    ) -> tuple[Decoded, I64]:
        """Decoded events, and their order by (arrival, place) as far as `until_ms`."""
        n = len(payloads)
        zeros = np.zeros(n, np.int64)
        decoded = Decoder([None], OWN_WRITERS).decode(list(payloads), zeros, zeros, zeros)
        arrival = decoded.events[:, L.EV_ARRIVAL]
        missing = np.fromiter((a is None for a in arrivals), np.bool_, n)
        arrival[:] = np.fromiter((a or 0 for a in arrivals), np.int64, n)
        arrival[missing] = decoded.events[missing, L.EV_TIME]
        order = np.argsort(arrival, kind="stable").astype(np.int64)
        if until_ms is not None:
            order = order[arrival[order] <= until_ms]
        return decoded, order


class TagReplay:
    """Replays events of one customer through a rule set and shows the changes of one tag; for examples in rules."""

    def __init__(self) -> None:
        self._rule_set: RuleSet | None = None
        self._program: Program | None = None

    def __call__(
        self, rule_set: RuleSet, tag_id: str, events: Sequence[tuple[str, int, dict[str, str | int | float]]], until_ms: int
    ) -> list[tuple[str, int, object]]:
        """(op, effective_at in ms, value after) of each change; events are (type, event_time in ms, fields)."""
        if rule_set is not self._rule_set:
            self._rule_set, self._program = rule_set, compile_rules(rule_set)
        payloads = [
            event_from_json(kind, {**fields, "event_id": f"example-{i}", "customer_id": "example", "event_time": at})
            for i, (kind, at, fields) in enumerate(events)
        ]
        run = Replay(rule_set, self._program)
        changes = run.changes(payloads, [None] * len(payloads), until_ms)
        return [(c.op, c.effective_at, c.after) for c in changes if c.tag == tag_id]
