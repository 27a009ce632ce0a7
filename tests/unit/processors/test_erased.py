"""The table of erased ids: its hash, its terms, its bound, and that it forgets what it need not know."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import erased
from processors import layout as L
from processors.state import State, make_room, remember_erasures, with_erased
from tests.unit.processors.world import START_MS, raw_state

KEY = erased.key_of(bytes(range(16)))
OTHER = erased.key_of(bytes(16))
TERM_MS = 1_000

SIPHASH = {0: 0x726FDB47DD0E0E31, 1: 0x74F839C593DC67FD, 7: 0xAB0200F58B01D137, 8: 0x93F5F5799A932462,
           9: 0x9E0082DF0BA9E4B0, 15: 0xA129CA6149BE45E5, 63: 0x958A324CEB064572}  # fmt: skip
"""From the reference implementation's vectors: of the bytes 0, 1, 2 … of this length, under the key 0, 1, 2 … 15."""


class Table:
    """The table of a partition, and what has to be in it."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.st: State
        self.st, self.g = raw_state()
        self.st.m[L.R_ERASED_LIMIT] = most
        remember_erasures(self.st.m, TERM_MS)

    def clock(self, at_ms: int) -> None:
        self.st.m[L.R_CLOCK] = START_MS + at_ms

    def erase(self, name: bytes) -> None:
        self.st = make_room(self.st, self.g)
        erased.remember(self.st.m, KEY, np.frombuffer(name, np.uint8), 0, len(name))

    def drops(self, name: bytes, happened_ms: int) -> bool:
        """Whether an event of then is dropped now."""
        buf = np.frombuffer(b"--" + name, np.uint8)
        return bool(erased.is_suppressed(self.st.m, KEY, buf, 2, len(name), START_MS + happened_ms))


@pytest.mark.parametrize("length", SIPHASH)
def test_the_hash_is_siphash(length: int) -> None:
    halves = np.frombuffer(bytes(range(16)), "<u8").astype(np.uint64)
    data = np.frombuffer(bytes(range(200, 205)) + bytes(range(length)) + b"more", np.uint8)
    assert int(erased.siphash(halves[0], halves[1], data, 5, length)) == SIPHASH[length]


def test_two_keys_say_different_things_of_an_id_and_of_themselves() -> None:
    name = np.frombuffer(b"anna", np.uint8)
    assert erased.hash_of_id(KEY, name, 0, 4) != erased.hash_of_id(OTHER, name, 0, 4)
    assert KEY[erased.KEY_PRINT] != OTHER[erased.KEY_PRINT]


def test_what_happened_until_an_erasure_is_dropped_until_its_term_ends() -> None:
    table = Table()
    table.clock(50)
    assert not table.drops(b"anna", 50)
    table.erase(b"anna")
    assert (table.drops(b"anna", 50), table.drops(b"anna", 51), table.drops(b"bert", 50)) == (True, False, False)
    table.clock(50 + TERM_MS - 1)
    assert table.drops(b"anna", 0)
    table.clock(50 + TERM_MS)
    assert not table.drops(b"anna", 0)


def test_a_second_erasure_counts_from_its_own_time() -> None:
    table = Table()
    table.erase(b"anna")
    table.clock(400)
    table.erase(b"anna")
    assert int(table.st.m[L.R_ERASED_COUNT]) == 1
    table.clock(400 + TERM_MS - 1)
    assert table.drops(b"anna", 400)


def test_a_term_holds_as_it_was_when_the_erasure_came() -> None:
    table = Table()
    table.clock(0)
    table.erase(b"anna")
    remember_erasures(table.st.m, 1)
    table.clock(TERM_MS - 1)
    assert table.drops(b"anna", 0)


@pytest.mark.parametrize("seed", range(6))
def test_the_table_knows_whom_a_plain_dictionary_knows(seed: int) -> None:
    rng = random.Random(seed)
    most = rng.choice((1, 5, 40, 1 << 20))
    table, known, now = Table(most), dict[bytes, int](), 0
    for _ in range(600):
        now += rng.choice((1, 1, 2, 7))
        table.clock(now)
        name = f"customer {rng.randrange(300)}".encode()
        known = {each: at for each, at in known.items() if now < at + TERM_MS}
        if name not in known and len(known) >= most:
            del known[min(known, key=lambda each: known[each])]
        known[name] = now
        table.erase(name)
        assert int(table.st.m[L.R_ERASED_COUNT]) <= most
        for number in range(0, 300, 7):
            asked = f"customer {number}".encode()
            assert table.drops(asked, 0) == (asked in known)
            assert not table.drops(asked, now + 1)
    assert {int(at) for _, at, _ in erased.entries(table.st.m)} == {START_MS + at for at in known.values()}


def test_what_is_over_goes_when_the_table_grows_and_leaves_no_word_behind() -> None:
    table = Table()
    table.clock(0)
    for number in range(erased.SMALLEST // 2):
        table.erase(f"old {number}".encode())
    first = int(table.st.m[L.R_ERASED])
    assert table.st.m[first : first + erased.SMALLEST * erased.ENTRY_WORDS].any()
    table.clock(TERM_MS)
    table.erase(b"new")
    assert int(table.st.m[L.R_ERASED_COUNT]) == 1
    assert not table.st.m[first : first + erased.SMALLEST * erased.ENTRY_WORDS].any()


def test_another_state_is_told_whom_it_has_to_know_and_keeps_the_later_erasure() -> None:
    old, new = Table(), Table()
    old.clock(10)
    for number in range(500):
        old.erase(f"c{number}".encode())
    old.clock(30)
    old.erase(b"both")
    new.clock(20)
    new.erase(b"both")
    new.erase(b"own")
    new.st = with_erased(new.st, old.st.m)
    new.clock(30)
    assert all(new.drops(f"c{number}".encode(), 10) for number in range(500))
    assert (new.drops(b"both", 30), new.drops(b"own", 20), new.drops(b"nobody", 0)) == (True, True, False)
    assert int(new.st.m[L.R_ERASED_COUNT]) == 502
    assert new.st.m[L.R_ERASED_PRINT] == old.st.m[L.R_ERASED_PRINT]
