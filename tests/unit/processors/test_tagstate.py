"""The state machine of a tag, by times worked out on paper."""

from __future__ import annotations

import pytest

from processors import layout as L
from tests.unit.processors.world import event, world

M, H, D = 60_000, 3_600_000, 86_400_000

BOUGHT = "count(purchase, 1h) >= 1"
"""Holds from a purchase until its minute and an hour are over."""

TWO_LEVELS = "\ntier: [{level: two, when: 'count(purchase, 1h) >= 2'}, {level: one, when: 'count(purchase, 1h) >= 1'}]"

CASES: dict[str, tuple[str, list[int], list[tuple[object, int]]]] = {
    # name: (rule, purchases at, (value after, at))
    "plain": (BOUGHT, [0, 10 * M, 5 * H], [(True, 0), (None, 71 * M), (True, 5 * H), (None, 6 * H + M)]),
    "dwell met": (f"{BOUGHT}\ndwell: 10m", [5], [(True, 10 * M + 5), (None, H + M)]),
    "dwell of just the time that it holds": (f"{BOUGHT}\ndwell: 61m", [0], []),
    "dwell one minute less": (f"{BOUGHT}\ndwell: 60m", [0], [(True, H), (None, H + M)]),
    "dwell begins anew after a gap": (
        f"{BOUGHT}\ndwell: 90m", [0, 70 * M, 130 * M], [(True, 160 * M), (None, 191 * M)],
    ),
    "cooldown holds back": (
        f"{BOUGHT}\ncooldown: 3h", [0, 2 * H, 3 * H + 30 * M],
        [(True, 0), (None, H + M), (True, 4 * H + M), (None, 4 * H + 31 * M)],
    ),
    "cooldown ends just when the condition does": (f"{BOUGHT}\ncooldown: 2h", [0, 2 * H], [(True, 0), (None, H + M)]),
    "cooldown and dwell, the later counts": (
        f"{BOUGHT}\ncooldown: 2h\ndwell: 30m", [0, 3 * H],
        [(True, 30 * M), (None, H + M), (True, 3 * H + 30 * M), (None, 4 * H + M)],
    ),
    "term ends before the condition": (f"{BOUGHT}\nexpires: 10m", [7], [(True, 7), (None, 10 * M + 7)]),
    "after its term only when it was false once": (
        f"{BOUGHT}\nexpires: 10m", [0, 30 * M, 3 * H],
        [(True, 0), (None, 10 * M), (True, 3 * H), (None, 3 * H + 10 * M)],
    ),
    "term of just the time that it holds": (
        f"{BOUGHT}\nexpires: 61m", [0, 2 * H], [(True, 0), (None, H + M), (True, 2 * H), (None, 3 * H + M)],
    ),
    "own leave": (
        "count(purchase, 1h) >= 2\nleave: count(purchase, 1h) < 1", [0, 10 * M, 30 * M, 3 * H],
        [(True, 10 * M), (None, H + 31 * M)],
    ),
    "own leave that overlaps flips at each evaluation": (
        "count(purchase, ever) >= 1\nleave: count(purchase, ever) >= 2", [0, 1, 2, 3],
        [(True, 0), (None, 1), (True, 2), (None, 3)],
    ),
    "tier": (
        TWO_LEVELS,
        [0, 10 * M], [("one", 0), ("two", 10 * M), ("one", H + M), (None, H + 11 * M)],
    ),
    "tier with dwell": (
        TWO_LEVELS + "\ndwell: 5m",
        [0, 10 * M], [("one", 5 * M), ("two", 15 * M), ("one", H + 6 * M), (None, H + 11 * M)],
    ),
    "tier that falls through a level within its dwell": (
        TWO_LEVELS + "\ndwell: 5m",
        [0, 2 * M], [("two", 7 * M), (None, H + 3 * M)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_tag_changes_at_these_times(name: str) -> None:
    rule, purchases, expected = CASES[name]
    one = world(t=rule)
    for at_ms in purchases:
        one.step(event(at_ms))
    one.step(to_ms=30 * D)
    assert [(after, at_ms) for _, after, at_ms in one.flips()] == expected


@pytest.mark.parametrize("name", [name for name, (rule, _, _) in CASES.items() if "ever" not in rule])
def test_nothing_is_kept_of_a_customer_when_all_is_over(name: str) -> None:
    rule, purchases, _ = CASES[name]
    one = world(t=rule)
    one.step(*(event(at_ms) for at_ms in purchases), to_ms=30 * D)
    assert (one.partition.sizes()["rows"], one.partition.sizes()["panes"]) == (0, 0)


def test_tags_that_change_at_one_instant_do_so_in_their_order_and_once() -> None:
    one = world(**dict.fromkeys("edcba", f"{BOUGHT}\ndwell: 10m"), z="count(purchase, 1h) < 1")
    one.step(event(0), to_ms=D)
    assert one.flips() == [
        *((name, True, 10 * M) for name in "abcde"),
        *((name, None, H + M) for name in "abcde"),
        ("z", True, H + M),
    ]


def test_what_is_true_of_a_customer_without_events_is_noticed_at_their_first_event() -> None:
    one = world(quiet="count(purchase, 1h) == 0", calm="count(browse, 1h) < 1\ndwell: 1h")
    one.step(event(0, kind="service"), to_ms=2 * H)
    assert one.flips() == [("quiet", True, 0), ("calm", True, H)]


def test_entries_of_many_tags_come_and_go_in_one_block() -> None:
    names = [f"t{n:03}" for n in range(200)]
    one = world(**{name: f"count(purchase, {n + 1}m) >= 1" + "\ndwell: 1m" * (n % 2) for n, name in enumerate(names)})
    one.step(event(0), to_ms=300 * M)
    entered = [tag for tag, after, _ in one.flips() if after]
    left = [(at_ms, tag) for tag, after, at_ms in one.flips() if not after]
    assert sorted(entered) == names
    assert left == [((n + 2) * M, name) for n, name in enumerate(names)]
    assert one.partition.state.m[L.R_ROWS_LIVE] == 0
