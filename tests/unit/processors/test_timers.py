"""Timers come in the order (due, hash of the id, id), however far off they are and however little room there is."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import customers, timers
from processors import layout as L
from processors.state import make_room
from tests.unit.processors.world import START_MS, key_of, raw_state

MINUTE, DAY = 60_000, 86_400_000
LAP_MS = timers.SLOTS * MINUTE


class Wheel:
    """Customers with timers."""

    def __init__(self, words: int = 1 << 18) -> None:
        self.st, self.g = raw_state(words)
        self.st.m[L.R_CLOCK] = START_MS
        self.st.m[L.R_WHEEL_MINUTE] = START_MS // MINUTE
        self.names: dict[int, bytes] = {}
        self.grown = 0

    def add(self, name: bytes, due: int, hash64: int | None = None) -> int:
        self.st = make_room(self.st, self.g)
        true, buf = key_of(name)
        hashed = true if hash64 is None else np.int64(hash64)
        row = int(customers.create(self.st.m, self.st.m32, self.st.m8, hashed, buf, 0, len(name)))
        self.names[row] = name
        self.set(row, due)
        return row

    def set(self, row: int, due: int) -> None:
        """As the engine does after an evaluation."""
        self.st.m[row + L.ROW_DUE] = due
        if due < L.FAR:
            timers.arm(self.st.m, self.st.m32, self.st.m8, row, np.int64(due))

    def due_by(self, clock: int) -> list[tuple[int, bytes]]:
        """(due, id) of all timers up to the clock, in their order."""
        found = []
        while (row := int(timers.next_due(self.st.m, self.st.m32, self.st.m8, np.int64(clock)))) != timers.NONE_DUE:
            if row == timers.NO_ROOM:
                room = int(self.st.m[L.R_HEAP_ROOM])
                self.st = make_room(self.st, self.g)
                assert self.st.m[L.R_HEAP_ROOM] > room
                self.grown += 1
                continue
            found.append((int(self.st.m[row + L.ROW_DUE]), self.names[row]))
            self.st.m[row + L.ROW_DUE] = L.FAR
        return found

    def in_order(self, due: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        return sorted(due, key=lambda d: (d[0], int(key_of(d[1])[0]) % 2**64, d[1]))


@pytest.mark.parametrize("seed", range(4))
def test_timers_come_in_their_order_whatever_the_steps_of_the_clock(seed: int) -> None:
    rng = random.Random(seed)
    wheel = Wheel()
    spans = (1, 1000, MINUTE, 3 * MINUTE, DAY, 40 * DAY, LAP_MS, 3 * LAP_MS)
    dues = [(START_MS + rng.randrange(rng.choice(spans)), f"customer {n}".encode()) for n in range(1500)]
    dues += [(START_MS + 5 * DAY, f"same {n}".encode()) for n in range(100)]
    rng.shuffle(dues)
    for due, name in dues:
        wheel.add(name, due)
    clock, came = START_MS, []
    while len(came) < len(dues):
        clock += rng.choice((0, 1, MINUTE // 2, MINUTE, DAY, 30 * DAY, 95 * DAY))
        now = wheel.due_by(clock)
        assert all(due <= clock for due, _ in now)
        came += now
    assert came == wheel.in_order(dues)


@pytest.mark.parametrize("laps", [1, 2, 5])
@pytest.mark.parametrize("off_ms", [-MINUTE, -1, 0, 1, MINUTE])
def test_a_timer_laps_away_waits_for_its_lap(laps: int, off_ms: int) -> None:
    wheel = Wheel()
    due = START_MS + laps * LAP_MS + off_ms
    wheel.add(b"far", due)
    wheel.add(b"near", START_MS + 1)
    assert wheel.due_by(START_MS + 1) == [(START_MS + 1, b"near")]
    for lap in range(1, laps):
        assert wheel.due_by(START_MS + lap * LAP_MS + MINUTE) == []
    assert wheel.due_by(due - 1) == []
    assert wheel.due_by(due) == [(due, b"far")]


def test_equal_hashes_come_in_the_order_of_their_ids_by_bytes() -> None:
    wheel = Wheel()
    names = [b"b", b"a", b"ab", b"\xc3\xa9", b"a" * 256, b"a" * 255 + b"b", b"z"]
    for name in names:
        wheel.add(name, START_MS + MINUTE, hash64=-5)
    assert [name for _, name in wheel.due_by(START_MS + MINUTE)] == sorted(names)


def test_hashes_are_compared_without_sign() -> None:
    wheel = Wheel()
    for name, hashed in ((b"minus one", -1), (b"one", 1), (b"least", -(2**63)), (b"zero", 0)):
        wheel.add(name, START_MS + 7, hash64=hashed)
    assert [name for _, name in wheel.due_by(START_MS + 7)] == [b"zero", b"one", b"least", b"minus one"]


@pytest.mark.parametrize("seed", range(4))
def test_timers_that_are_forgotten_leave_the_heap_in_order_and_zeros_behind_it(seed: int) -> None:
    rng = random.Random(seed)
    wheel = Wheel()
    dues = [(START_MS + rng.randrange(MINUTE), f"customer {n}".encode()) for n in range(300)]
    rows = {name: wheel.add(name, due) for due, name in dues}
    same = wheel.add(b"of the same hash", START_MS + 1, hash64=int(key_of(dues[0][1])[0]))
    gone = [dues[0][1], *rng.sample([name for _, name in dues], 40)]
    for name in gone:
        timers.disarm(wheel.st.m, wheel.st.m32, rows[name])
        timers.forget(wheel.st.m, wheel.st.m8, key_of(name)[0])
        heap, size = int(wheel.st.m[L.R_HEAP]), int(wheel.st.m[L.R_HEAP_SIZE])
        end = heap + int(wheel.st.m[L.R_HEAP_ROOM]) * timers.HEAP_WORDS
        assert not wheel.st.m[heap + size * timers.HEAP_WORDS : end].any()
    came = wheel.due_by(START_MS + MINUTE)
    kept = [(due, name) for due, name in dues if name not in gone]
    assert (START_MS + 1, wheel.names[same]) in came
    assert [each for each in came if each[1] != wheel.names[same]] == wheel.in_order(kept)
    assert not wheel.st.m[heap:end].any()


def test_a_heap_without_room_says_so_and_goes_on_where_it_stopped() -> None:
    wheel = Wheel()
    wheel.st.m[L.R_HEAP_ROOM] = 4
    dues = [(START_MS + DAY + n % 7, f"c{n}".encode()) for n in range(500)]
    for due, name in dues:
        wheel.add(name, due)
    assert wheel.due_by(START_MS + 2 * DAY) == wheel.in_order(dues)
    assert wheel.grown >= 6


def test_a_timer_that_moved_later_comes_at_its_new_time_and_one_that_moved_earlier_too() -> None:
    wheel = Wheel()
    row = wheel.add(b"c", START_MS + DAY)
    wheel.set(row, START_MS + 3 * DAY)
    assert wheel.due_by(START_MS + 2 * DAY) == []
    wheel.set(row, START_MS + 2 * DAY + 1)
    assert wheel.due_by(START_MS + 2 * DAY + 1) == [(START_MS + 2 * DAY + 1, b"c")]
    assert wheel.due_by(START_MS + 4 * DAY) == []


@pytest.mark.parametrize("seed", range(3))
def test_timers_set_anew_taken_off_and_rows_used_again_equal_a_dictionary(seed: int) -> None:
    rng = random.Random(seed)
    wheel = Wheel()
    armed: dict[int, int] = {}
    clock = START_MS
    for turn in range(3000):
        action = rng.randrange(5)
        later = clock + 1 + rng.randrange(rng.choice((5, MINUTE, 10 * MINUTE, 2 * DAY, 2 * LAP_MS)))
        if action <= 1 or not armed:
            armed[wheel.add(f"{turn}".encode(), later)] = later
        elif action == 2:
            row = rng.choice(list(armed))
            armed[row] = later
            wheel.set(row, later)
        elif action == 3:
            row = rng.choice(list(armed))
            del armed[row]
            timers.disarm(wheel.st.m, wheel.st.m32, row)
            customers.remove(wheel.st.m, row)
        else:
            clock += rng.choice((0, 1, MINUTE, DAY))
            due = [(at, wheel.names[row]) for row, at in armed.items() if at <= clock]
            assert wheel.due_by(clock) == wheel.in_order(due)
            for row in [row for row, at in armed.items() if at <= clock]:
                del armed[row]
                customers.remove(wheel.st.m, row)
    assert wheel.due_by(clock + 3 * LAP_MS) == wheel.in_order([(at, wheel.names[row]) for row, at in armed.items()])
    assert wheel.st.m[L.R_WHEEL_COUNT] == 0
