"""A history through the engine at once: one partition, sorted whole by (arrival, place), no Kafka.

`tagstream replay` and the examples in rules run on it, so what they show is what the tagger does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from processors import layout as L
from processors.changes import op_of
from processors.decoder import Decoded, Decoder
from processors.history import History
from processors.partition import Partition, StepOutput
from processors.rules.compile import compile_rules
from processors.rules.program import I64, Program
from processors.rules.tree import RuleSet
from processors.values import TagValues, without_memory
from schemas.codec import event_from_json
from schemas.registry import OWN_WRITERS

STEP_EVENTS = 10_000
"""Events in a step: bounds the memory of decoded rows and of changes. Nothing else depends on it."""


class Step(NamedTuple):
    """One step of a replay. Its arrays are its own, so the next one may be made while it is used."""

    places: I64
    """Place in the history of each row of `decoded`, in the order in which they were applied."""
    decoded: Decoded
    output: StepOutput


def replay(
    partition: Partition, history: History, until_ms: int | None = None, step_events: int = STEP_EVENTS
) -> Iterator[Step]:
    """Run `history` through a fresh `partition`; at least one step, even if there are no events.

    At the end the clock goes to `until_ms` (default: the last arrival), inclusive; events that arrive later are not
    read.
    """
    arrivals = history.arrivals()
    order = np.argsort(arrivals, kind="stable")
    if until_ms is not None:
        order = order[: np.searchsorted(arrivals[order], until_ms, side="right")]
    decoder = Decoder([None], OWN_WRITERS, partition.rule_set)
    for start in range(0, max(1, order.size), step_events):
        places = order[start : start + step_events]
        zeros = np.zeros(places.size, np.int64)
        decoded = decoder.decode(history.payloads(places), arrivals[places], places, zeros)
        last = start + step_events >= order.size
        clock = until_ms if last and until_ms is not None else 0
        output = partition.step(decoded, np.arange(places.size, dtype=np.int64), clock)
        own = replace(
            output, changes=output.changes.copy(), touched=output.touched.copy(), evidence=output.evidence.copy()
        )
        yield Step(places, decoded, without_memory(own, partition.rule_set.tags, partition.program.g))


class TagReplay:
    """Replays events of one customer through a rule set and shows the changes of one tag; for examples in rules.

    Rules are compiled once for all their examples.
    """

    def __init__(self) -> None:
        self._rule_set: RuleSet | None = None
        self._program: Program | None = None

    def __call__(
        self,
        rule_set: RuleSet,
        tag_id: str,
        events: Sequence[tuple[str, int, dict[str, str | int | float | None]]],
        until_ms: int,
    ) -> list[tuple[str, int, object]]:
        """(op, effective_at in ms, value after) of each change; events are (type, event_time in ms, fields)."""
        if rule_set is not self._rule_set:
            self._rule_set, self._program = rule_set, compile_rules(rule_set)
        history = History()
        for place, (kind, at, fields) in enumerate(events):
            own = {"event_id": f"example-{place}", "customer_id": "example", "event_time": at}
            given = {"attributes": fields} if kind == "profile" else fields
            history.add(event_from_json(kind, {**given, **own}), at, place)
        wanted = next(index for index, tag in enumerate(rule_set.tags) if tag.id == tag_id)
        values = TagValues(rule_set.tags)
        found: list[tuple[str, int, object]] = []
        for step in replay(Partition(rule_set, program=self._program), history, until_ms):
            changes = step.output.changes
            of_tag = changes[changes[:, L.CH_TAG] == wanted][:, [L.CH_BEFORE, L.CH_AFTER, L.CH_AT]]
            found += [
                (op_of(before, after), at, values.changed(step.output, wanted, after))
                for before, after, at in of_tag.tolist()
            ]
        return found
