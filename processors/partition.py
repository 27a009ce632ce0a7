"""One partition of the engine: decoded events in, changes out. What the tagger, replay and the examples all run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from processors import customers, erased, evidence, forecast, step
from processors import layout as L
from processors.decoder import Decoded
from processors.hashing import id_hash
from processors.rules import program as G
from processors.rules.compile import compile_rules
from processors.rules.program import I64, Program
from processors.rules.tree import RuleSet
from processors.snapshot import copy_of, program_hash
from processors.state import (
    State,
    make_room,
    new_state,
    remember_erasures,
    remember_ids,
    state_of,
    with_erased,
    with_ids_of,
)
from schemas.outcomes import Outcome

ENGINE_VERSION = 4
"""Raised when the same journal could give another digest: hashes, order or meaning changed."""

UNLIMITED = 1 << 62
"""A timer budget that never runs out."""

NO_MOVED_SOURCE = -1

NO_KEY = bytes(erased.KEY_BYTES)
"""Hides nothing: whoever has the state can try ids, and see which were erased."""


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What one step did. The arrays are the partition's own and hold until its next step."""

    changes: I64
    """Changes x CH_WORDS, in order of seq."""
    touched: I64
    """Customers with changes, one behind another (TO_…), from word TO_FIRST; in order of their first change."""
    evidence: I64
    """Why they came about (evidence.py); CH_EVIDENCE says where."""
    outcomes: tuple[int, ...]
    """How many records had each `Outcome`."""
    clock_before: int
    clock: int
    timers_fired: int
    late_timers: int
    """Timers fired just before an event of their customer, because the budget had left them over."""
    seq: int
    m: I64
    """The partition's memory, in which the sets and texts stand that changes and evidence name."""
    digest: int
    """Sum, modulo 2^64, of the changes' hashes without seq."""
    sets: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Keys of sets by their codes, and texts by their places, where `m` is not kept (values.without_memory)."""
    texts: dict[int, str] = field(default_factory=dict)


class Partition:
    """State and rules of one partition. Pure but for the state that it advances; not for two threads at once."""

    def __init__(
        self,
        rule_set: RuleSet,
        *,
        number: int = 0,
        partitions: int = 1,
        moved_source: int = NO_MOVED_SOURCE,
        dedupe_max_ids: int = 4_000_000,
        erasure_key: bytes = NO_KEY,
        erasure_term_ms: int = 90 * L.DAY_MS,
        program: Program | None = None,
    ) -> None:
        """`moved_source`: the position of events.moved among the sources. `program` saves compiling the rules again.

        `erasure_key`: under which ids of erased customers are hashed; `erasure_term_ms`: how long they are known.
        """
        self.rule_set = rule_set
        self.number = number
        self._partitions = partitions
        self._moved_source = moved_source
        self.program = compile_rules(rule_set) if program is None else program
        self._key = erased.key_of(erasure_key)
        self._state: State = new_state(self.program.g, dedupe_max_ids, erasure_term_ms)

    def step(self, decoded: Decoded, order: I64, clock: int, budget: int = UNLIMITED) -> StepOutput:
        """Apply the rows `order` of `decoded`, then move the clock to `clock` (ms; it never goes back).

        At most `budget` timers fire, beside those of customers who have events here; the rest fire in later steps. Each
        row of `decoded.events` gets its outcome.
        """
        before = self.clock
        self.forget_output()
        done = 0
        while done < order.size:
            st, pr = self._state, self.program
            done = step.apply_events(
                *(st.m, st.m32, st.m8, pr.g, pr.texts, pr.reals, st.changes, st.touched, st.evidence),
                *(decoded.events, decoded.reals, decoded.buf, order, done, budget),
                *(self.number, self._partitions, self._moved_source, self._key),
            )
            if done < order.size:
                self._state = make_room(self._state, self.program.g)
        if clock > 0:
            step.move_clock(self._state.m, clock)
        while not self._fire_due(budget):
            self._state = make_room(self._state, self.program.g)
        return self._output(before)

    def forget_output(self) -> None:
        """What the last step put out is gone."""
        st = self._state
        step.begin_step(st.m, st.m32, self.program.g, st.touched, st.evidence)

    def _fire_due(self, budget: int) -> bool:
        st = self._state
        return bool(step.fire_due(st.m, st.m32, st.m8, self.program.g, st.changes, st.touched, st.evidence, budget))

    def _output(self, clock_before: int) -> StepOutput:
        m = self._state.m
        counts = m[L.R_COUNTS : L.R_COUNTS + len(Outcome)]
        return StepOutput(
            changes=self._state.changes[: m[L.R_OUT_CHANGES]],
            touched=self._state.touched[: m[L.R_OUT_TOUCHED]],
            evidence=self._state.evidence[: m[L.R_OUT_EVIDENCE]],
            outcomes=tuple(counts.tolist()),
            clock_before=clock_before,
            clock=self.clock,
            timers_fired=int(m[L.R_TIMERS_FIRED]),
            late_timers=int(m[L.R_LATE_TIMERS]),
            seq=int(m[L.R_SEQ]),
            m=m,
            digest=int(m[L.R_DIGEST]),
        )

    def make_room(self, texts: int = 0) -> None:
        """Make larger whatever is short, and so that as many more texts find a place."""
        self._state = make_room(self._state, self.program.g, texts)

    def next_flip_at(self, customer_id: str, tag: int) -> int:
        """When the customer's tag will flip if nothing happens, as CH_FLIP says: a time (ms), L.NEVER or L.UNKNOWN."""
        while True:
            st, g = self._state, self.program.g
            flip = forecast.flip_of(
                *(st.m, st.m32, g, st.changes, st.touched, st.evidence, self.row_of(customer_id), tag, self.clock)
            )
            if flip != 0:
                return int(flip)
            self._state = make_room(st, g)

    def ask(self, customer_id: str, tag: int, key: int = 0) -> tuple[StepOutput, int, I64]:
        """All conditions of a tag as they stand for a customer, of a set for one key (the place of a text).

        Returns an output with their evidence, its place there (CH_EVIDENCE), and 1 for each condition that holds. What
        the last step put out is gone afterwards.
        """
        self._state = st = make_room(self._state, self.program.g)
        g, row = self.program.g, self.row_of(customer_id)
        # somebody unknown stands as one who did nothing yet
        asked = row or self._create(customer_id)
        truths = np.zeros(int(g[G.EVIDENCE_WORDS]), np.int64)
        evidence.forget(st.m, g, st.evidence)
        place = int(evidence.ask(st.m, st.m32, g, st.evidence, truths, asked, tag, key, self.clock))
        if row == 0:
            customers.remove(st.m, asked)
        return self._output(self.clock), place, truths

    def _create(self, customer_id: str) -> int:
        st, name = self._state, customer_id.encode()
        return int(customers.create(st.m, st.m32, st.m8, id_hash(name), np.frombuffer(name, np.uint8), 0, len(name)))

    @property
    def clock(self) -> int:
        """Arrival (ms) of the last record applied, or what it was moved to since; 0 before the first."""
        return int(self._state.m[L.R_CLOCK])

    @property
    def seq(self) -> int:
        """Number of the partition's newest change."""
        return int(self._state.m[L.R_SEQ])

    def set_seq(self, seq: int) -> None:
        """Number the next change after `seq`: for a state that was computed by other rules than those that numbered."""
        self._state.m[L.R_SEQ] = seq

    def row_of(self, customer_id: str) -> int:
        """The customer's row, 0 if nothing is held of them."""
        key = np.frombuffer(customer_id.encode(), np.uint8)
        hash64 = id_hash(customer_id.encode())
        return int(customers.find(self._state.m, self._state.m8, hash64, key, 0, key.size))

    def set_customer_seq(self, customer_id: str, seq: int) -> None:
        """Make `seq` the number of the customer's last change, if anything is held of them."""
        row = self.row_of(customer_id)
        if row != 0:
            self._state.m[row + L.ROW_SEQ] = seq

    def rows(self) -> I64:
        """Rows of all customers, in no order."""
        m = self._state.m
        table = m[m[L.R_TABLE] : m[L.R_TABLE] + m[L.R_TABLE_SIZE]]
        rows: I64 = table[table != 0] & 0xFFFFFFFF
        return rows

    @property
    def state(self) -> State:
        """The arrays, for those who encode or snapshot them."""
        return self._state

    @cached_property
    def program_hash(self) -> int:
        """Of the compiled rules: a copied state means something under the very same ones only."""
        return program_hash(self.program)

    @property
    def words(self) -> int:
        """Words of memory in use."""
        return int(self._state.m[L.R_TOP])

    def copy(self, room: I64) -> I64:
        """The whole state as it is between two steps, copied into `room`, which has at least `words`.

        What the last step put out is gone afterwards.
        """
        self.forget_output()
        return copy_of(self._state.m, room)

    def restore(self, memory: I64) -> None:
        """Go on from a copied state, made under the same rules. The memory is this partition's from now on."""
        self._state = state_of(memory, self.program.g)

    def remember_ids(self, most: int) -> None:
        """From now on remember up to `most` event ids."""
        remember_ids(self._state.m, most)

    def remember_ids_of(self, other: Partition) -> None:
        """Remember the very event ids that another one does."""
        self._state = with_ids_of(self._state, other.state.m)

    def remember_erasures(self, term_ms: int) -> None:
        """From now on remember whom commands erase for so long."""
        remember_erasures(self._state.m, term_ms)

    def can_tell_erased(self, memory: I64) -> bool:
        """Whether this partition can tell who was erased in a copied state: by the same key, or nobody was."""
        is_ours = memory[L.R_ERASED_PRINT] == self._key[erased.KEY_PRINT].astype(np.int64)
        return bool(is_ours) or len(erased.entries(memory)) == 0

    def erased_at(self, customer_id: str) -> int | None:
        """When (ms) the customer was last erased, if that is still known."""
        name = np.frombuffer(customer_id.encode(), np.uint8)
        h = int(erased.hash_of_id(self._key, name, 0, name.size))
        return next((int(at) for known, at, _ in erased.entries(self._state.m) if known == h), None)

    def know_erased(self, other: Partition) -> None:
        """Know also whom `other` was told to forget, by the same key."""
        self._state = with_erased(self._state, other.state.m)

    def due(self) -> bool:
        """Whether timers at or before the clock are left over by a budget."""
        return bool(self._state.m[L.R_WHEEL_MINUTE] < self.clock // L.MINUTE_MS) or bool(
            self._state.m[L.R_HEAP_SIZE] > 0 and self._state.m[self._state.m[L.R_HEAP]] <= self.clock
        )

    def settled(self) -> int:
        """Up to this time (ms) everything was done: the clock, unless a budget has left timers over."""
        m, until = self._state.m, self.clock
        if m[L.R_HEAP_SIZE] > 0:
            until = min(until, int(m[m[L.R_HEAP]]) - 1)
        if m[L.R_WHEEL_COUNT] > 0:
            # the slots of later minutes are not looked at yet, nor is all of the present one's
            until = min(until, int(m[L.R_WHEEL_MINUTE] + m[L.R_WHEEL_DRAINED]) * L.MINUTE_MS - 1)
        return until

    def sizes(self) -> dict[str, int]:
        """Customers, panes, erased ids and bytes held, for metrics."""
        m = self._state.m
        return {
            "rows": int(m[L.R_ROWS_LIVE]),
            "panes": int(m[L.R_PANES_LIVE]),
            "erased": int(m[L.R_ERASED_COUNT]),
            "bytes": self.words * 8,
        }

    def dedupe_horizon_ms(self) -> int:
        """How far back (ms of clock) every event id is still known."""
        return max(0, self.clock - int(self._state.m[L.R_BEFORE_SINCE]))
