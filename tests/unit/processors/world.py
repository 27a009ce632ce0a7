"""A partition and events for it in few words; and raw memory for what lies below a partition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from processors import layout as L
from processors.changes import ChangeWriter
from processors.decoder import Decoder
from processors.hashing import U, hash_bytes
from processors.partition import UNLIMITED, Partition, StepOutput
from processors.rules.compile import compile_rules
from processors.rules.load import load_rules
from processors.rules.program import I64
from processors.rules.tree import RuleSet
from processors.state import State, make_room, new_state
from schemas.codec import event_from_json
from schemas.outcomes import Outcome
from schemas.records import Change
from schemas.registry import OWN_WRITERS

START_MS = 1_704_067_200_000
"""2024-01-01T00:00:00Z: the start of a minute, an hour, a day and a generation of ids."""


def rules(**tags: str) -> RuleSet:
    """Tags by id, each as its `when` and, in further lines, other keys: `count(browse, 1h) >= 1\\ndwell: 10m`."""
    text = ""
    for tag_id, lines in tags.items():
        first, *more = lines.split("\n")
        when = [f"when: {first}"] if first else []
        keys = ["name: {zh: 甲, en: a}", "class: dynamic", "category: value", *when, *more]
        text += f"- tag: {tag_id}\n" + "".join(f"  {key}\n" for key in keys)
    return load_rules({"test.yaml": text}, time_zone="UTC", default_currency="CNY")


@dataclass(frozen=True, slots=True)
class Record:
    """What came from a topic: a value, or None for a tombstone, and its arrival after START_MS."""

    value: bytes | None
    at_ms: int


_serial = iter(range(1 << 60))


def event(
    at_ms: int,
    customer: str = "c",
    kind: str = "purchase",
    *,
    id: str | None = None,
    time_ms: int | None = None,
    **fields: object,
) -> Record:
    """An event that arrives `at_ms` after START_MS and happened then, or at `time_ms` after it."""
    happened = START_MS + (at_ms if time_ms is None else time_ms)
    named = {"event_id": id or f"e{next(_serial)}", "customer_id": customer, "event_time": happened}
    return Record(event_from_json(kind, {**named, **fields}), at_ms)


class World:
    """A partition that notes what it does."""

    def __init__(self, partition: Partition, sources: tuple[str | None, ...] = (None,)) -> None:
        self.partition = partition
        self.changes: list[Change] = []
        self.outcomes = dict.fromkeys(Outcome, 0)
        self.codes: list[int] = []
        """EV_CODE of each record."""
        self._decoder = Decoder(list(sources), OWN_WRITERS, partition.rule_set)
        self._writer = ChangeWriter(partition.rule_set)

    def step(self, *records: Record, to_ms: int | None = None, budget: int = UNLIMITED, source: int = 0) -> StepOutput:
        """One step with these records, then the clock goes to `to_ms` after START_MS."""
        n = len(records)
        arrivals = np.array([START_MS + r.at_ms for r in records], np.int64)
        zeros = np.zeros(n, np.int64)
        decoded = self._decoder.decode([r.value for r in records], arrivals, zeros, zeros + source)
        clock = 0 if to_ms is None else START_MS + to_ms
        output = self.partition.step(decoded, np.arange(n, dtype=np.int64), clock, budget)
        assert sum(output.outcomes) == n, "what was read is the sum of the outcomes"
        for outcome, count in zip(Outcome, output.outcomes, strict=False):
            self.outcomes[outcome] += count
        self.codes += decoded.events[:, L.EV_CODE].tolist()
        self.changes += self._writer.changes(output, decoded, partition=self.partition.number, epoch=0)
        return output

    def flips(self) -> list[tuple[str, object, int]]:
        """(tag, value after, ms after START_MS) of each change."""
        return [(c.tag, c.after, c.effective_at - START_MS) for c in self.changes]

    def happened(self) -> dict[Outcome, int]:
        """The outcomes that occurred."""
        return {outcome: count for outcome, count in self.outcomes.items() if count}


def world(**tags: str) -> World:
    """A partition for these tags (see `rules`)."""
    return World(Partition(rules(**tags)))


# ---------------------------------------------------------------------------------------------------- raw memory


def raw_state(words: int = 1 << 18, **tags: str) -> tuple[State, I64]:
    """Fresh memory with `words` spare ones, and the compiled rules that it is for."""
    g = compile_rules(rules(**(tags or {"t": "count(browse, 1h) >= 1"}))).g
    st = new_state(g, 1 << 20, 90 * L.DAY_MS)
    m = np.zeros(int(st.m[L.R_TOP]) + words, np.int64)
    m[: st.m[L.R_TOP]] = st.m[: st.m[L.R_TOP]]
    return make_room(State(m, m.view(np.int32), m.view(np.uint8), st.changes, st.touched, st.evidence), g), g


def key_of(customer: bytes) -> tuple[np.int64, np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    """The hash and the bytes of an id, as the table takes them."""
    buf = np.frombuffer(customer, np.uint8)
    return np.uint64(hash_bytes(buf, 0, len(customer), U(0))).astype(np.int64), buf
