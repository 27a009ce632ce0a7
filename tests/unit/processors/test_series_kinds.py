"""Least, greatest, first and last values over windows, judged by a list of what happened."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import customers, series
from processors import layout as L
from processors.rules import program as G
from processors.state import make_room
from tests.unit.processors.world import START_MS, key_of, raw_state

MINUTE = 60_000
HOUR = 60 * MINUTE
WINDOWS = (2 * MINUTE, HOUR, 24 * HOUR)
"""All with panes of a minute."""
KINDS = {"min": series.MIN, "max": series.MAX, "first": series.FIRST, "last": series.LAST}


class Cell:
    """One customer's cell of one kind, with three windows and `ever`, and the list that judges it."""

    def __init__(self, func: str) -> None:
        lengths = ("2m", "1h", "24h", "ever")
        text = " or ".join(f"{func}(purchase.amount_cents, {length}) == 1" for length in lengths)
        self.st, self.g = raw_state(1 << 19, t=text)
        hashed, buf = key_of(b"c")
        self.func = func
        self.row = int(customers.create(self.st.m, self.st.m32, self.st.m8, hashed, buf, 0, 1))
        self.cell = int(series.add_cell(self.st.m, self.st.m32, self.g, self.row, 0))
        self.events: list[tuple[int, int, int]] = []
        """(event time, order of application, value)."""

    def put(self, event_time: int, clock: int, value: int) -> None:
        self.st = make_room(self.st, self.g)
        m, m32 = self.st.m, self.st.m32
        series.put(m, m32, self.g, self.row, self.cell, np.int64(event_time), np.int64(clock), np.int64(value))
        self.events.append((event_time, len(self.events), value))

    def refresh(self, now: int) -> None:
        series.refresh(self.st.m, self.st.m32, self.g, self.cell, np.int64(now))

    def expected(self, now: int, length: int | None) -> int | None:
        held = [e for e in self.events if length is None or (e[0] // MINUTE + 1) * MINUTE + length > now]
        if not held:
            return None
        if self.func in ("min", "max"):
            return (min if self.func == "min" else max)(value for _, _, value in held)
        return min(held)[2] if self.func == "first" else max(held)[2]

    def check(self, now: int) -> None:
        for place, length in enumerate((*WINDOWS, None)):
            there, value = series.pick(self.st.m, self.st.m32, self.g, self.cell, place)
            assert (int(value) if there else None) == self.expected(now, length), (self.func, place)


@pytest.mark.parametrize("func", KINDS)
def test_a_kind_has_a_series_of_its_own(func: str) -> None:
    assert Cell(func).g[Cell(func).g[G.SERIES_KIND]] == KINDS[func]


@pytest.mark.parametrize("func", KINDS)
@pytest.mark.parametrize("seed", range(20))
def test_windows_hold_what_a_list_says(func: str, seed: int) -> None:
    rng = random.Random(seed)
    cell = Cell(func)
    clock = START_MS
    for _ in range(60):
        target = clock + rng.choice((0, 1, 1_000, MINUTE, 10 * MINUTE, HOUR, 25 * HOUR))
        while cell.st.m[cell.cell + L.CELL_LEAVES] <= target:
            now = int(cell.st.m[cell.cell + L.CELL_LEAVES])
            cell.refresh(now)
            cell.check(now)
        clock = target
        for _ in range(rng.randrange(4)):
            edge = clock - rng.choice(WINDOWS) - rng.choice((0, MINUTE)) + rng.choice((-1, 0, 1))
            happened = rng.choice((clock, clock, clock - rng.randrange(WINDOWS[-1]), edge, clock + 5 * MINUTE))
            cell.put(happened, clock, rng.choice((-5, 0, 1, 1, 7, 10**12)))
            if rng.random() < 0.7:
                cell.check(clock)
    cell.refresh(clock + 30 * HOUR)
    cell.check(clock + 30 * HOUR)
    assert cell.st.m[L.R_PANES_LIVE] == 0
