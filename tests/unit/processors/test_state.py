"""Memory grows wherever it can be too small, in the middle of a step, without a trace in the result."""

from __future__ import annotations

import random

import numpy as np
from numba import config as numba_config

from processors import layout as L
from processors.partition import Partition
from processors.state import make_room
from tests.properties.engine_run import tiny_memory
from tests.unit.processors.world import Record, World, event, raw_state, rules

M, H = 60_000, 3_600_000

CUSTOMERS = 40 if numba_config.DISABLE_JIT else 300
MANY_TAGS = 300 if numba_config.DISABLE_JIT else 3_000
"""Of one customer. Plain Python takes its time."""

TAGS = {
    f"t{n:02}": f"count(purchase, {n + 1}h) >= {n % 3 + 1}" + ("\ndwell: 5m" if n % 4 == 0 else "") for n in range(30)
}


def crowd(customers: int) -> list[Record]:
    """Three purchases of each customer, who all leave in the same minutes."""
    rng = random.Random(1)
    names = [f"customer {n} ".ljust(rng.choice((12, 40, 250)), "x") for n in range(customers)]
    return [event(turn * M, name, id=f"{name}{turn}") for turn in range(3) for name in names]


def test_a_partition_that_begins_tiny_grows_everywhere_and_gives_the_same() -> None:
    records = crowd(CUSTOMERS)
    roomy = World(Partition(rules(**TAGS)))
    with tiny_memory():
        tiny = World(Partition(rules(**TAGS)))
        first = tiny.partition.state
        assert (first.m[L.R_TABLE_SIZE], first.m[L.R_SEEN_SIZE], first.m[L.R_HEAP_ROOM]) == (2, 2, 1)
        assert (first.changes.shape[0], first.touched.size) == (0, 2)
        outputs = [one.step(*records, to_ms=40 * H) for one in (roomy, tiny)]
    assert outputs[0].digest == outputs[1].digest
    assert outputs[0].changes.shape == outputs[1].changes.shape
    assert [(c.customer_id, c.tag, c.op, c.effective_at, c.seq, c.prev_seq) for c in roomy.changes] == [
        (c.customer_id, c.tag, c.op, c.effective_at, c.seq, c.prev_seq) for c in tiny.changes
    ]
    last = tiny.partition.state
    assert last.m[L.R_TABLE_SIZE] >= 2 * CUSTOMERS
    assert last.m[L.R_SEEN_SIZE] >= 6 * CUSTOMERS
    assert last.m[L.R_HEAP_ROOM] >= CUSTOMERS
    assert last.changes.shape[0] >= len(tiny.changes) == CUSTOMERS * 2 * len(TAGS)
    assert last.touched.size > CUSTOMERS
    assert tiny.partition.sizes()["rows"] == 0


def slots(one: World, table: int, size: int) -> int:
    """How many slots of a table are taken, by its registers."""
    m = one.partition.state.m
    return int(np.count_nonzero(m[m[table] : m[table] + m[size]]))


def test_tables_that_grow_over_what_a_forecast_left_behind_are_empty_where_they_are_new() -> None:
    records = crowd(CUSTOMERS)
    with tiny_memory():
        plain, foretelling = (
            World(Partition(rules(**{name: text + more for name, text in TAGS.items()})))
            for more in ("", "\nforecast: true")
        )
        for one in (plain, foretelling):
            one.step(*records)
    assert slots(foretelling, L.R_TABLE, L.R_TABLE_SIZE) == CUSTOMERS
    assert slots(foretelling, L.R_SEEN, L.R_SEEN_SIZE) == slots(plain, L.R_SEEN, L.R_SEEN_SIZE)
    assert plain.step(to_ms=40 * H).digest == foretelling.step(to_ms=40 * H).digest
    assert all(isinstance(change.next_flip_at, int | str) for change in foretelling.changes)


def test_each_table_doubles_only_when_it_is_half_full() -> None:
    st, g = raw_state()
    for register, size, factor in (
        (L.R_ROWS_LIVE, L.R_TABLE_SIZE, 2),
        (L.R_SEEN_COUNT, L.R_SEEN_SIZE, 2),
    ):
        full = int(st.m[size]) // factor
        st.m[register] = full - 1
        assert make_room(st, g).m[size] == full * factor
        st.m[register] = full
        assert make_room(st, g).m[size] == full * factor * 2
        st.m[register] = 0


def test_growing_keeps_all_words_and_adds_zeros() -> None:
    st, g = raw_state(words=1)
    top = int(st.m[L.R_TOP])
    before = st.m[:top].copy()
    st.m[L.R_WIDEST] = 1 << 16
    before[L.R_WIDEST] = 1 << 16
    grown = make_room(st, g)
    assert grown.m.size > st.m.size
    assert np.array_equal(grown.m[:top], before)
    assert not grown.m[top:].any()
    assert grown.m32.base is not None and grown.m.ctypes.data == grown.m32.ctypes.data == grown.m8.ctypes.data


def test_thousands_of_tags_on_one_customer_fit_into_the_smallest_memory() -> None:
    tags = {f"t{n:04}": f"count(purchase, {n % 9 + 1}h) >= {n * 10 // MANY_TAGS + 1}" for n in range(MANY_TAGS)}
    with tiny_memory():
        one = World(Partition(rules(**tags)))
        one.step(*(event(n) for n in range(10)))
        assert len({c.tag for c in one.changes}) == MANY_TAGS
        one.step(to_ms=20 * H)
    assert len(one.changes) == 2 * MANY_TAGS
    assert one.partition.sizes()["rows"] == 0
