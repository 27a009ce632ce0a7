"""Values by key, and the greatest of them: a dictionary of lists judges, and a customer has 1,000 keys at most."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import customers, groups, series, top
from processors import layout as L
from processors.rules import program as G
from processors.state import make_room
from processors.texts import text_of
from tests.unit.processors.world import START_MS, key_of, raw_state

MINUTE, HOUR = 60_000, 3_600_000
WINDOWS = (MINUTE, HOUR)
MOST_KEYS = 1_000
"""As docs/rules.md says."""

Event = tuple[int, int, int]
"""(end of its pane, count, amount); a count of -1 takes one back."""


class Group:
    """A customer's group of one series with windows of a minute and an hour, and the list that judges it."""

    def __init__(self) -> None:
        each = [f'top(purchase.category by sum(purchase.amount), {length}) == "x"' for length in ("1m", "1h")]
        self.st, self.g = raw_state(1 << 18, t=" or ".join(each))
        hashed, buf = key_of(b"c")
        self.row = int(customers.create(self.st.m, self.st.m32, self.st.m8, hashed, buf, 0, 1))
        self.group = int(series.add_cell(self.st.m, self.st.m32, self.g, self.row, 0))
        self.events: dict[bytes, list[Event]] = {}

    def cell(self, key: bytes) -> int:
        """The key's cell, made if need be; 0 if there is no room for one more."""
        self.st = make_room(self.st, self.g)
        hashed, buf = key_of(key)
        return int(groups.cell_for(self.st.m, self.st.m32, self.g, self.group, hashed, buf, 0, len(key)))

    def add(self, key: bytes, time_ms: int, clock_ms: int, count: int, amount: int) -> None:
        at = self.cell(key)
        m, m32 = self.st.m, self.st.m32
        happened, now, amount64 = np.int64(time_ms), np.int64(clock_ms), np.int64(amount)
        series.add(m, m32, self.g, self.row, at, happened, now, np.int64(count), amount64)
        # as the step does once an event is counted
        m[self.group + L.CELL_LEAVES] = min(m[self.group + L.CELL_LEAVES], m[at + L.CELL_LEAVES])
        self.events.setdefault(key, []).append(((time_ms // MINUTE + 1) * MINUTE, count, amount))

    def leave(self, now_ms: int) -> None:
        """Let leave what has to leave by now."""
        groups.let_leave(self.st.m, self.st.m32, self.g, self.row, self.group, np.int64(now_ms), False)
        held = {key: [e for e in events if e[0] + WINDOWS[-1] > now_ms] for key, events in self.events.items()}
        self.events = {key: events for key, events in held.items() if events}

    def known(self) -> set[bytes]:
        """Of the cells that there are."""
        m, m32, group = self.st.m, self.st.m32, self.group
        words = int(self.g[self.g[G.SERIES_KEY_WORDS]])
        block, used = int(m32[group * 2 + L.GROUP_BLOCK32]), int(m32[group * 2 + L.GROUP_USED32])
        places = range(block + words - 1, block + used, words)
        assert len(places) == m32[group * 2 + L.GROUP_COUNT32]
        return {text_of(m, int(m[place])).encode() for place in places}

    def top(self, window: int, *, by_sum: bool) -> bytes:
        found = int(top.top_of_group(self.st.m, self.st.m32, self.g, self.group, window, by_sum))
        return text_of(self.st.m, found).encode() if found else b""

    def expected_top(self, window: int, now_ms: int, *, by_sum: bool) -> bytes:
        values = {}
        for key, events in self.events.items():
            held = [e for e in events if e[0] + WINDOWS[window] > now_ms]
            count, amount = sum(e[1] for e in held), sum(e[2] for e in held)
            if count > 0:
                values[key] = amount if by_sum else count
        # of equals the smaller text; b"" where there is none
        return min(values, key=lambda key: (-values[key], key), default=b"")

    def check(self, now_ms: int) -> None:
        assert self.known() == set(self.events)
        for window in (0, 1):
            for by_sum in (False, True):
                expected = self.expected_top(window, now_ms, by_sum=by_sum)
                assert self.top(window, by_sum=by_sum) == expected, (window, by_sum)


@pytest.mark.parametrize("seed", range(12))
def test_keys_and_tops_equal_a_dictionary_of_lists(seed: int) -> None:
    rng = random.Random(seed)
    keys = [b"a", b"b", b"a\0", b"", b"aaaaaaaa", b"aaaaaaab", b"z" * 256, "配".encode(), b"B"]
    group = Group()
    clock = START_MS
    for _ in range(100):
        target = clock + rng.choice((0, 0, 1, MINUTE - 1, MINUTE, 5 * MINUTE, HOUR, 2 * HOUR))
        while group.st.m[group.group + L.CELL_LEAVES] <= target:
            now = int(group.st.m[group.group + L.CELL_LEAVES])
            group.leave(now)
            group.check(now)
        clock = target
        for _ in range(rng.randrange(5)):
            happened = clock - rng.choice((0, 0, MINUTE, rng.randrange(HOUR)))
            group.add(rng.choice(keys), happened, clock, rng.choice((1, 1, 1, -1)), rng.choice((0, 5, 5, -3, 1999)))
            group.check(clock)
    group.leave(clock + 2 * HOUR)
    assert group.known() == set()
    assert (group.st.m[L.R_TEXTS_LIVE], group.st.m[L.R_PANES_LIVE]) == (0, 0)


def test_the_thousand_and_first_key_waits_until_one_has_left() -> None:
    group = Group()
    for n in range(MOST_KEYS):
        # all but the first, which comes a minute earlier, leave together
        group.add(f"key {n}".encode(), START_MS + MINUTE * (n > 0), START_MS + MINUTE, 1, n)
    assert len(group.known()) == MOST_KEYS
    assert group.cell(b"one more") == group.cell(b"another") == 0
    assert group.st.m[L.R_KEYS_DROPPED] == 2
    assert group.cell(b"key 0") != 0
    assert group.top(1, by_sum=True) == b"key 999"
    leaves = START_MS + MINUTE + HOUR
    group.leave(leaves - 1)
    assert group.cell(b"one more") == 0
    group.leave(leaves)
    assert b"key 0" not in group.known()
    assert group.cell(b"one more") != 0
    assert group.cell(b"key 0") == 0
    assert group.st.m[L.R_TEXTS_LIVE] == MOST_KEYS


def test_a_key_that_has_room_no_more_is_not_held_as_a_text() -> None:
    group = Group()
    for n in range(MOST_KEYS):
        group.cell(f"key {n}".encode())
    texts = group.st.m[L.R_TEXTS_LIVE]
    group.cell(b"one more")
    assert group.st.m[L.R_TEXTS_LIVE] == texts
