"""Counters over windows equal a list that is added up afresh, however late the events are."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import customers, series, waits
from processors import layout as L
from processors.rules import program as G
from processors.state import State, make_room
from tests.unit.processors.world import START_MS, key_of, raw_state

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

SHORT = (MINUTE, 2 * MINUTE, HOUR, 25 * HOUR)
LONG = (25 * HOUR + MINUTE, 7 * DAY, 400 * DAY)


def rules_over(windows: tuple[int, ...]) -> dict[str, str]:
    """One series: sums over each window, and one for ever."""
    each = [f"sum(purchase.amount, {w // MINUTE}m) > 1 or count(purchase, {w // MINUTE}m) > 1" for w in windows]
    return {"t": " or ".join([*each, "sum(purchase.amount, ever) > 1"])}


class Cell:
    """One customer's cell, and the list that judges it."""

    def __init__(self, windows: tuple[int, ...], pane_ms: int) -> None:
        self.st, self.g = raw_state(1 << 19, **rules_over(windows))
        hashed, buf = key_of(b"c")
        self.row = int(customers.create(self.st.m, self.st.m32, self.st.m8, hashed, buf, 0, 1))
        self.cell = int(series.add_cell(self.st.m, self.st.m32, self.g, self.row, self._series(pane_ms)))
        self.windows = windows
        self.pane_ms = pane_ms
        self.events: list[tuple[int, int]] = []
        """(end of its pane, amount)."""
        self.ever: list[int] = []

    def _series(self, pane_ms: int) -> int:
        first = int(self.g[G.SERIES_PANE_MS])
        return self.g[first : first + 2].tolist().index(pane_ms)

    def add(self, event_time: int, clock: int, amount: int) -> None:
        self.st = make_room(self.st, self.g)
        m, m32 = self.st.m, self.st.m32
        changed = series.add(
            m, m32, self.g, self.row, self.cell, np.int64(event_time), np.int64(clock), 1, np.int64(amount)
        )
        end = (event_time // self.pane_ms + 1) * self.pane_ms
        self.events.append((end, amount))
        self.ever.append(amount)
        assert changed == (self.has_ever() or end + self.windows[-1] > clock)

    def has_ever(self) -> bool:
        words = int(self.st.m32[self.row * 2 + L.ROW_SERIES_USED32])
        return words > L.CELL_WINDOWS + len(self.windows) * L.WINDOW_WORDS

    def refresh(self, now: int) -> None:
        series.refresh(self.st.m, self.st.m32, self.g, self.cell, np.int64(now))

    def check(self, clock: int) -> None:
        m, m32 = self.st.m, self.st.m32
        leaves = L.FAR
        for place, length in enumerate(self.windows):
            held = [(end, amount) for end, amount in self.events if end + length > clock]
            word = self.cell + L.CELL_WINDOWS + place * L.WINDOW_WORDS
            assert (m32[word * 2], m[word + 1]) == (len(held), sum(amount for _, amount in held)), length
            leaves = min([leaves, *(end + length for end, _ in held)])
        assert m[self.cell + L.CELL_LEAVES] == leaves
        if self.has_ever():
            word = self.cell + L.CELL_WINDOWS + len(self.windows) * L.WINDOW_WORDS
            assert (m32[word * 2], m[word + 1]) == (len(self.ever), sum(self.ever))
        numbers = self.panes(self.st)
        assert numbers == sorted({e // self.pane_ms - 1 for e, _ in self.events if e + self.windows[-1] > clock})
        assert m[L.R_PANES_LIVE] == len(numbers)

    def panes(self, st: State) -> list[int]:
        """Numbers of the panes, oldest first; the links back must say the same."""
        found, before = [], 0
        pane = int(st.m32[self.cell * 2 + L.CELL_OLDEST32])
        while pane:
            assert st.m32[pane * 2 + L.PANE_PREV32] == before
            found.append(int(st.m32[pane * 2 + L.PANE_NUMBER32]))
            before, pane = pane, int(st.m32[pane * 2 + L.PANE_NEXT32])
        assert st.m32[self.cell * 2 + L.CELL_NEWEST32] == before
        return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("windows", "pane_ms"), [(SHORT, MINUTE), (LONG, HOUR)])
def test_every_window_equals_a_list_added_up_afresh(seed: int, windows: tuple[int, ...], pane_ms: int) -> None:
    rng = random.Random(seed)
    cell = Cell(windows, pane_ms)
    clock = START_MS
    for _ in range(400):
        step = rng.choice((0, 1, MINUTE - 1, MINUTE, HOUR, rng.randrange(windows[-1] // 3), rng.randrange(2 * MINUTE)))
        target = clock + step
        # leave by leave, as timers do; now and then all at once, as a late timer would
        while rng.random() < 0.9 and cell.st.m[cell.cell + L.CELL_LEAVES] <= target:
            now = int(cell.st.m[cell.cell + L.CELL_LEAVES])
            cell.refresh(now)
            cell.check(now)
        clock = target
        cell.refresh(clock)
        cell.check(clock)
        for _ in range(rng.randrange(3)):
            edge = clock - rng.choice(windows) - rng.choice((0, pane_ms)) + rng.choice((-1, 0, 1))
            happened = rng.choice((clock, clock, clock - rng.randrange(windows[-1]), edge, clock + 5 * MINUTE))
            cell.add(happened, clock, rng.choice((1, -1, 1999, 0, 10**12)))
            cell.check(clock)
    cell.refresh(clock + windows[-1] + DAY)
    cell.check(clock + windows[-1] + DAY)
    assert cell.st.m[L.R_PANES_LIVE] == 0


def test_panes_that_left_are_used_again() -> None:
    cell = Cell(SHORT, MINUTE)
    tops = []
    for round_ in range(4):
        clock = START_MS + round_ * 30 * HOUR
        for minute in range(300):
            cell.add(clock - minute * MINUTE, clock, 1)
        tops.append(int(cell.st.m[L.R_TOP]))
        cell.refresh(clock + 26 * HOUR)
        assert cell.st.m[L.R_PANES_LIVE] == 0
    assert len(set(tops)) == 1


def test_a_cell_is_empty_when_nothing_is_left_even_if_its_sum_was_nothing() -> None:
    st, g = raw_state(t="sum(purchase.amount, 1h) > 1")
    hashed, buf = key_of(b"c")
    row = int(customers.create(st.m, st.m32, st.m8, hashed, buf, 0, 1))
    at = int(series.add_cell(st.m, st.m32, g, row, 0))
    assert series.is_empty(st.m, st.m32, g, at)
    series.add(st.m, st.m32, g, row, at, START_MS, START_MS, 1, 0)
    assert not series.is_empty(st.m, st.m32, g, at)
    assert waits.least_leave(st.m, st.m32, g, row) == START_MS + MINUTE + HOUR
    series.refresh(st.m, st.m32, g, at, START_MS + MINUTE + HOUR)
    assert series.is_empty(st.m, st.m32, g, at)
    series.drop_empty(st.m, st.m32, g, row)
    assert st.m32[row * 2 + L.ROW_SERIES32] == 0
    assert series.find_cell(st.m, st.m32, g, row, 0) == 0
    assert waits.least_leave(st.m, st.m32, g, row) == L.FAR


def test_empty_cells_are_taken_out_from_between_others() -> None:
    tags = {f"t{n}": f'count(browse where channel == "{n}", {n + 1}h) >= 1' for n in range(5)}
    st, g = raw_state(1 << 18, **tags)
    hashed, buf = key_of(b"c")
    row = int(customers.create(st.m, st.m32, st.m8, hashed, buf, 0, 1))
    for sid in (3, 0, 4, 1, 2):
        at = int(series.add_cell(st.m, st.m32, g, row, sid))
        if sid % 2:
            series.add(st.m, st.m32, g, row, at, START_MS, START_MS, 1, 0)
    series.drop_empty(st.m, st.m32, g, row)
    assert [bool(series.find_cell(st.m, st.m32, g, row, sid)) for sid in range(5)] == [False, True, False, True, False]
    assert waits.least_leave(st.m, st.m32, g, row) == START_MS + MINUTE + 2 * HOUR
