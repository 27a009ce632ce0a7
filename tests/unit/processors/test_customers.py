"""The customer table equals a dictionary, also where hashes collide."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from processors import customers
from processors import layout as L
from processors.state import make_room
from tests.unit.processors.world import key_of, raw_state

HASHES: dict[str, Callable[[int], int]] = {
    "true hashes": lambda h: h,
    "all the same": lambda h: 0x1234_5678_9ABC_DEF0,
    "all zero": lambda h: 0,
    "one place in the table": lambda h: h & ~0xFFFFFFFF | 0x7,
    "the last place in the table": lambda h: h | 0xFFFFFFFF,
    "few places": lambda h: h & 0x3,
    "one upper half": lambda h: h & 0xFFFFFFFF,
    "negative": lambda h: h | -(1 << 63),
}


@pytest.mark.parametrize("name", HASHES)
def test_the_table_equals_a_dictionary_through_inserting_and_removing(name: str) -> None:
    rng = random.Random(name)
    st, g = raw_state()
    turns = 6000 if name == "true hashes" else 900
    names = [rng.randbytes(rng.choice((1, 2, 7, 8, 9, 16, 17, 255, 256))) for _ in range(turns // 6)]
    names += [b"x" * size for size in range(1, 257)][:: 1 if name == "true hashes" else 8]
    rows: dict[bytes, int] = {}
    for turn in range(turns):
        customer = rng.choice(names)
        true, buf = key_of(customer)
        hashed = np.int64(HASHES[name](int(true)))
        assert customers.find(st.m, st.m8, hashed, buf, 0, len(customer)) == rows.get(customer, 0)
        if customer in rows:
            if turn % 3:
                customers.remove(st.m, rows.pop(customer))
        else:
            st = make_room(st, g)
            rows[customer] = int(customers.create(st.m, st.m32, st.m8, hashed, buf, 0, len(customer)))
        assert st.m[L.R_ROWS_LIVE] == len(rows)
    assert len(set(rows.values())) == len(rows) > 50
    for customer in names:
        true, buf = key_of(customer)
        hashed = np.int64(HASHES[name](int(true)))
        assert customers.find(st.m, st.m8, hashed, buf, 0, len(customer)) == rows.get(customer, 0)
    for customer, row in rows.items():
        at = customers.id_byte(row)
        assert st.m8[at : at + len(customer)].tobytes() == customer
    for row in rows.values():
        customers.remove(st.m, row)
    table = int(st.m[L.R_TABLE])
    assert not st.m[table : table + int(st.m[L.R_TABLE_SIZE])].any()


def test_a_fresh_row_is_empty_whatever_stood_there() -> None:
    st, _ = raw_state()
    hashed, buf = key_of(b"one")
    row = int(customers.create(st.m, st.m32, st.m8, hashed, buf, 0, 3))
    st.m[row + L.ROW_SEQ] = 7
    st.m32[row * 2 + L.ROW_TOUCHED32] = 5
    customers.remove(st.m, row)
    hashed, buf = key_of(b"two")
    assert customers.create(st.m, st.m32, st.m8, hashed, buf, 0, 3) == row
    words = st.m[row : row + L.ROW_WORDS].tolist()
    assert words == [int(hashed), 3, 0, L.FAR, L.FAR, *[0] * (L.ROW_WORDS - 5)]


def test_ids_that_differ_in_one_byte_or_in_length_are_different_customers() -> None:
    st, g = raw_state()
    ids = [b"a", b"b", b"a\0", b"a" * 8, b"a" * 9, b"a" * 7 + b"b", b"a" * 255 + b"b", b"a" * 256]
    rows = set()
    for one in ids:
        st = make_room(st, g)
        rows.add(int(customers.create(st.m, st.m32, st.m8, np.int64(0), np.frombuffer(one, np.uint8), 0, len(one))))
    found = {int(customers.find(st.m, st.m8, np.int64(0), np.frombuffer(one, np.uint8), 0, len(one))) for one in ids}
    assert found == rows and len(rows) == len(ids)
