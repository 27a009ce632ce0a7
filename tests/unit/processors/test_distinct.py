"""Different values: exact up to 1,024, then an estimate within the stated error, and exact again when that is over."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import customers, distinct, series
from processors import layout as L
from processors.state import make_room
from tests.unit.processors.world import START_MS, key_of, raw_state

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WINDOWS = (MINUTE, HOUR, 25 * HOUR)
MOST = 1_024
"""Up to so many different values docs/rules.md promises to be exact."""


class Cell:
    """A customer's cell of different values over three windows and for ever, and when each value was seen last."""

    def __init__(self, *, ever: bool = True) -> None:
        lengths = ("1m", "1h", "25h", *(["ever"] if ever else []))
        text = " or ".join(f"distinct(purchase.quantity, {length}) == 1" for length in lengths)
        self.st, self.g = raw_state(1 << 18, t=text)
        hashed, buf = key_of(b"c")
        self.row = int(customers.create(self.st.m, self.st.m32, self.st.m8, hashed, buf, 0, 1))
        self.cell = int(series.add_cell(self.st.m, self.st.m32, self.g, self.row, 0))
        self.lengths: tuple[int | None, ...] = (*WINDOWS, *([None] if ever else []))
        self.ends: dict[int, int] = {}
        """By value the end of the newest pane in which it was seen."""

    def see(self, value: int, time_ms: int, clock_ms: int) -> None:
        self.st = make_room(self.st, self.g)
        m, m32 = self.st.m, self.st.m32
        distinct.see(m, m32, self.g, self.row, self.cell, np.int64(time_ms), np.int64(clock_ms), np.int64(value))
        self.ends[value] = max(self.ends.get(value, 0), (time_ms // MINUTE + 1) * MINUTE)

    def refresh(self, now_ms: int) -> None:
        series.refresh(self.st.m, self.st.m32, self.g, self.cell, np.int64(now_ms))

    def counts(self) -> list[int]:
        level = int(distinct.level_of(self.st.m32, self.g, self.cell))
        words = [self.cell + L.CELL_WINDOWS + place * L.WINDOW_WORDS for place in range(len(self.lengths))]
        return [int(self.st.m32[word * 2]) << level for word in words]

    def expected(self, now_ms: int) -> list[int]:
        return [sum(length is None or end + length > now_ms for end in self.ends.values()) for length in self.lengths]


def a_hash(rng: random.Random) -> int:
    return rng.randrange(-(2**63), 2**63)


@pytest.mark.parametrize("seed", range(8))
def test_few_values_are_counted_as_a_dictionary_counts_them(seed: int) -> None:
    rng = random.Random(seed)
    # values whose hashes end with zeros are those that a higher level would keep
    values = [a_hash(rng) for _ in range(20)] + [0, 1, -(2**63), 1 << 40]
    cell = Cell()
    clock = START_MS
    for _ in range(150):
        target = clock + rng.choice((0, 0, 1, MINUTE, MINUTE - 1, 10 * MINUTE, HOUR, 26 * HOUR))
        while cell.st.m[cell.cell + L.CELL_LEAVES] <= target:
            now = int(cell.st.m[cell.cell + L.CELL_LEAVES])
            cell.refresh(now)
            assert cell.counts() == cell.expected(now)
        clock = target
        for _ in range(rng.randrange(4)):
            edge = clock - rng.choice(WINDOWS) - rng.choice((0, MINUTE)) + rng.choice((-1, 0, 1))
            cell.see(rng.choice(values), rng.choice((clock, clock, edge, clock - rng.randrange(DAY))), clock)
            assert cell.counts() == cell.expected(clock)
    assert len(cell.ends) == len(values)


def test_1024_values_are_exact_and_one_more_is_an_estimate() -> None:
    rng = random.Random(3)
    cell = Cell()
    for n in range(1, MOST + 1):
        cell.see(a_hash(rng), START_MS, START_MS)
        if n in (1, 1_023, 1_024):
            assert cell.counts() == [n] * 4
    # of those that were seen already there may come as many as will
    for value in list(cell.ends)[:50]:
        cell.see(value, START_MS + 1, START_MS + 1)
    assert cell.counts() == [MOST] * 4
    assert distinct.level_of(cell.st.m32, cell.g, cell.cell) == 0
    cell.see(a_hash(rng), START_MS, START_MS)
    assert distinct.level_of(cell.st.m32, cell.g, cell.cell) >= 1
    assert all(abs(count - MOST - 1) < 0.2 * MOST for count in cell.counts())


def test_the_error_of_estimates_is_within_what_is_stated() -> None:
    """1.2 / sqrt(1,024) = 3.8 % is the standard error; what 12 draws have is not much more."""
    errors = []
    for seed in range(12):
        rng = random.Random(seed)
        cell = Cell()
        # from one to three times as many as are kept, so levels just reached and nearly left
        n = 1_100 + 120 * seed
        for _ in range(n):
            cell.see(a_hash(rng), START_MS, START_MS)
        count = cell.counts()[0]
        assert cell.counts() == [count] * 4
        errors.append(count / n - 1)
    squares = sum(error**2 for error in errors) / len(errors)
    assert max(map(abs, errors)) < 4 * 0.038
    assert squares**0.5 < 1.5 * 0.038
    # nor does it lean to one side: the mean of 12 has a standard error of 1.1 %
    assert abs(sum(errors) / len(errors)) < 3 * 0.038 / 12**0.5


def test_counts_are_exact_again_when_what_was_left_out_has_left_every_window() -> None:
    rng = random.Random(5)
    cell = Cell(ever=False)
    for _ in range(MOST + 200):
        cell.see(a_hash(rng), START_MS, START_MS)
    assert distinct.level_of(cell.st.m32, cell.g, cell.cell) >= 1
    over = START_MS + MINUTE + 25 * HOUR
    # a millisecond before, what was left out is still missing from the longest window; a hash of zeros is always kept
    cell.refresh(over - 1)
    cell.ends.clear()
    cell.see(0, over - 1, over - 1)
    assert distinct.level_of(cell.st.m32, cell.g, cell.cell) >= 1
    cell.refresh(over)
    for _ in range(40):
        cell.see(a_hash(rng), over, over)
        assert cell.counts() == cell.expected(over)
    assert distinct.level_of(cell.st.m32, cell.g, cell.cell) == 0


def test_values_that_no_window_holds_make_place_without_an_estimate() -> None:
    rng = random.Random(6)
    cell = Cell(ever=False)
    for round_ in range(3):
        clock = START_MS + round_ * 26 * HOUR
        cell.refresh(clock)
        for _ in range(600):
            cell.see(a_hash(rng), clock, clock)
        assert cell.counts() == [600] * 3
    assert distinct.level_of(cell.st.m32, cell.g, cell.cell) == 0
