"""A partition: outcomes, edges of windows, timers within budgets, and memory that stays flat."""

from __future__ import annotations

import random

import pytest

from processors import layout as L
from processors.hashing import partition_of_key
from processors.partition import Partition
from schemas.outcomes import Dead, Outcome
from tests.unit.processors.world import START_MS, Record, World, event, rules, world

M, H, D = 60_000, 3_600_000, 86_400_000

# ------------------------------------------------------------------------------------------------------ outcomes


def test_every_record_has_one_outcome_in_each_step_of_four_partitions() -> None:
    """Each record is read by the partition that it came in, as Kafka would give it, right or wrong."""
    rng = random.Random(4)
    rule_set = rules(t="count(purchase, 2h) >= 2", u="count(browse, 1h) >= 1")
    worlds = [World(Partition(rule_set, number=n, partitions=4, moved_source=1), ("purchase", None)) for n in range(4)]
    clock = 0
    for _ in range(60):
        clock += rng.choice((0, 1, M, H))
        for one in worlds:
            records = [random_record(rng, clock) for _ in range(rng.randrange(9))]
            # World.step asserts that the outcomes of the step add up to its records
            one.step(*records, source=rng.randrange(2), budget=rng.choice((0, 2, 1 << 40)))
    met = {outcome: sum(one.outcomes[outcome] for one in worlds) for outcome in Outcome}
    assert [outcome for outcome in Outcome if met[outcome] == 0] == [Outcome.ERASED]
    codes = {code for one in worlds for code in one.codes}
    assert {L.CODE_OK, L.CODE_TOMBSTONE, Dead.MOVED_TWICE, Dead.TIME_AHEAD, Dead.TIME_TOO_OLD} <= codes
    for one in worlds:
        assert all(partition_of_key(c.customer_id.encode(), 4) == one.partition.number for c in one.changes)


def random_record(rng: random.Random, clock: int) -> Record:
    if rng.random() < 0.1:
        return Record(rng.choice((None, b"", b"junk", b"{}", b"\xc3\x0112345678")), clock)
    happened = rng.choice((clock, clock, clock - H, clock - 3 * H, clock - 30 * D, clock + 2 * D, -START_MS))
    return event(clock, f"c{rng.randrange(40)}", id=f"e{rng.randrange(900)}", time_ms=happened)


def test_an_event_in_the_wrong_partition_is_rekeyed_and_from_moved_events_dead() -> None:
    number = partition_of_key(b"c", 4)
    for n in range(4):
        one = World(
            Partition(rules(t="count(purchase, 1h) >= 1"), number=n, partitions=4, moved_source=1), (None, None)
        )
        one.step(event(0))
        one.step(event(1), source=1)
        if n == number:
            assert one.happened() == {Outcome.APPLIED: 2}
        else:
            assert one.happened() == {Outcome.REKEYED: 1, Outcome.DEAD: 1}
            assert one.codes == [L.CODE_OK, Dead.MOVED_TWICE]
            assert one.changes == []


def test_a_rekeyed_event_is_not_remembered_and_moves_the_clock() -> None:
    number = partition_of_key(b"c", 4)
    wrong = Partition(rules(t="count(purchase, 1h) >= 1"), number=(number + 1) % 4, partitions=4)
    one = World(wrong)
    one.step(event(5, id="x"), event(6, id="x"))
    assert one.happened() == {Outcome.REKEYED: 2}
    assert wrong.clock == START_MS + 6


TIMES = [
    # event_time less arrival, outcome, code
    (D, Outcome.APPLIED, L.CODE_OK),
    (D + 1, Outcome.DEAD, Dead.TIME_AHEAD),
    (5 * M, Outcome.APPLIED, L.CODE_OK),
    (631_152_000_000 - START_MS, Outcome.LATE, L.CODE_OK),
    (631_152_000_000 - START_MS - 1, Outcome.DEAD, Dead.TIME_TOO_OLD),
    (-(2**63) + 1, Outcome.DEAD, Dead.TIME_TOO_OLD),
    (2**63 - 1 - START_MS, Outcome.DEAD, Dead.TIME_AHEAD),
]


@pytest.mark.parametrize(("ahead_ms", "outcome", "code"), TIMES)
def test_the_limits_of_an_events_time(ahead_ms: int, outcome: Outcome, code: int) -> None:
    one = world(t="count(purchase, 1h) >= 1")
    one.step(event(0, time_ms=ahead_ms))
    assert (one.happened(), one.codes) == ({outcome: 1}, [code])


@pytest.mark.parametrize(("ahead_ms", "left_ms"), [(0, H + M), (5 * M, H + 6 * M), (5 * M + 1, H + M), (D, H + M)])
def test_an_event_more_than_five_minutes_ahead_counts_as_of_its_arrival(ahead_ms: int, left_ms: int) -> None:
    one = world(t="count(purchase, 1h) >= 1")
    one.step(event(0, time_ms=ahead_ms), to_ms=3 * D)
    assert one.flips() == [("t", True, 0), ("t", None, left_ms)]


def test_a_record_of_any_outcome_moves_the_clock_and_time_does_its_work() -> None:
    for record in (Record(None, 2 * H), Record(b"junk", 2 * H), event(2 * H, "c", id="a")):
        one = world(t="count(purchase, 1h) >= 1")
        one.step(event(0, id="a"), record)
        assert one.flips() == [("t", True, 0), ("t", None, H + M)]
        assert one.partition.clock == START_MS + 2 * H


def test_the_clock_never_goes_back() -> None:
    one = world(t="count(purchase, 1h) >= 1")
    one.step(event(H), event(0), to_ms=5)
    assert one.partition.clock == START_MS + H
    assert one.outcomes[Outcome.APPLIED] == 2


# ------------------------------------------------------------------------------------------------ edges of windows

WINDOWS = {"1m": (M, M), "25h": (25 * H, M), "1501m": (25 * H + M, H), "26h": (26 * H, H), "400d": (400 * D, H)}
"""Length and pane of each."""


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_an_event_leaves_its_window_at_its_panes_end_and_not_a_millisecond_off(window: str, place: str) -> None:
    length, pane = WINDOWS[window]
    happened = {"first": 0, "middle": pane // 2, "last": pane - 1}[place]
    leaves = pane + length
    one = world(t=f"count(purchase, {window}) >= 1")
    one.step(event(happened), to_ms=leaves - 1)
    assert one.flips() == [("t", True, happened)]
    one.step(to_ms=leaves)
    assert one.flips() == [("t", True, happened), ("t", None, leaves)]
    assert one.partition.sizes()["rows"] == 0


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("off_ms", [-1, 0, 1])
def test_a_late_event_counts_until_its_pane_has_left(window: str, place: str, off_ms: int) -> None:
    length, pane = WINDOWS[window]
    happened = 0 if place == "first" else pane - 1
    arrived = pane + length + off_ms
    one = world(t=f"count(purchase, {window}) >= 1")
    one.step(event(arrived, time_ms=happened), to_ms=arrived + 2)
    if off_ms < 0:
        assert one.happened() == {Outcome.APPLIED: 1}
        assert one.flips() == [("t", True, arrived), ("t", None, pane + length)]
    else:
        assert one.happened() == {Outcome.LATE: 1}
        assert one.flips() == []


@pytest.mark.parametrize("window", WINDOWS)
def test_an_event_at_the_very_instant_of_a_leave_comes_after_it(window: str) -> None:
    length, pane = WINDOWS[window]
    one = world(t=f"count(purchase, {window}) >= 1", two=f"count(purchase, {window}) >= 2")
    one.step(event(0), event(pane + length))
    assert one.flips() == [("t", True, 0), ("t", None, pane + length), ("t", True, pane + length)]
    assert [c.origin for c in one.changes] == ["live", "timer", "live"]


def test_an_event_late_for_every_window_still_counts_for_ever() -> None:
    one = world(t="count(purchase, 1h) >= 1", ever="count(purchase, ever) >= 1")
    one.step(event(3 * H, time_ms=0))
    assert one.happened() == {Outcome.LATE: 1}
    assert one.flips() == [("ever", True, 3 * H)]


# ------------------------------------------------------------------------------------------------ timers, budgets


def test_a_budget_leaves_timers_over_that_keep_their_exact_time() -> None:
    one = world(t="count(purchase, 1h) >= 1")
    one.step(*(event(n * M, f"c{n}") for n in range(10)))
    fired = [one.step(to_ms=D, budget=3).timers_fired for _ in range(4)]
    assert fired == [3, 3, 3, 1]
    assert [(c.customer_id, c.effective_at - START_MS) for c in one.changes[10:]] == [
        (f"c{n}", H + (n + 1) * M) for n in range(10)
    ]
    assert not one.partition.due()


def test_what_is_settled_lies_before_the_timers_that_a_budget_left_over() -> None:
    one = world(t="count(purchase, 1h) >= 1")
    one.step(*(event(n * M, f"c{n}") for n in range(10)))
    assert one.partition.settled() == one.partition.clock
    for rest in (7, 4, 1):
        one.step(to_ms=D, budget=3)
        # the next one leaves a minute after the last; no more is known of it than its minute
        assert 0 <= START_MS + H + (11 - rest) * M - one.partition.settled() <= M
    one.step(to_ms=D, budget=3)
    assert one.partition.settled() == one.partition.clock == START_MS + D


def test_a_customers_own_timers_come_before_their_event_even_without_a_budget() -> None:
    one = world(t="count(purchase, 1h) >= 1")
    one.step(event(0, "a"), event(0, "b"))
    output = one.step(event(5 * H, "b"), budget=0)
    assert (output.timers_fired, output.late_timers) == (0, 1)
    assert [(c.customer_id, c.op, c.effective_at - START_MS) for c in one.changes[2:]] == [
        ("b", "left", H + M),
        ("b", "entered", 5 * H),
    ]
    assert one.partition.due()
    one.step()
    assert one.changes[-1].customer_id == "a"
    assert one.changes[-1].effective_at == START_MS + H + M


def test_changes_are_numbered_by_partition_and_linked_by_customer() -> None:
    one = world(t="count(purchase, 1h) >= 1", u="count(purchase, 2h) >= 1\ndwell: 1m")
    one.step(event(0, "a"), event(1, "b"))
    one.step(event(2, "a"), to_ms=D)
    assert [c.seq for c in one.changes] == list(range(1, 9))
    previous: dict[str, int] = {}
    for change in one.changes:
        assert change.prev_seq == previous.get(change.customer_id, 0)
        previous[change.customer_id] = change.seq


def test_a_row_is_found_for_every_customer_whatever_their_hash() -> None:
    one = world(t="count(purchase, 1h) >= 1")
    one.step(*(event(0, f"customer {n}") for n in range(64)))
    rows = [one.partition.row_of(f"customer {n}") for n in range(64)]
    assert len(set(rows) - {0}) == 64
    assert one.partition.row_of("nobody") == 0


# ------------------------------------------------------------------------------------------------------ memory


def test_a_day_of_customers_who_come_and_go_stays_flat_and_ends_empty() -> None:
    """20 new customers a minute for 26 hours, each gone within two."""
    part = Partition(
        rules(t="count(purchase, 1h) >= 2", u="sum(purchase.amount, 30m) >= 10\ndwell: 5m", v="count(browse, 1h) >= 1"),
        dedupe_max_ids=4000,
    )
    one, rng = World(part), random.Random(6)
    held: list[dict[str, int]] = []
    for minute in range(26 * 60):
        now = [f"c{minute}-{n}".ljust(rng.choice((10, 30)), "x") for n in range(20)]
        records = [
            event(minute * M + n, who, rng.choice(("purchase", "purchase", "browse")), amount_cents=600)
            for n, who in enumerate(now * 2)
        ] if minute % 2 == 0 else []  # fmt: skip
        one.step(*records, to_ms=(minute + 1) * M)
        one.changes.clear()
        if minute % 60 == 59:
            held.append(part.sizes())
    for name in ("rows", "panes", "bytes"):
        steady = [sizes[name] for sizes in held[3:]]
        assert max(steady) < 1.15 * min(steady), name
    assert held[-1]["bytes"] <= 1.01 * held[5]["bytes"]
    one.step(to_ms=40 * H)
    assert (part.sizes()["rows"], part.sizes()["panes"]) == (0, 0)
    assert part.state.m[L.R_WHEEL_COUNT] == 0


def test_a_customer_whose_events_no_rule_reads_takes_no_row() -> None:
    one = world(t='count(purchase where kind == "refund", 1h) >= 1')
    one.step(*(event(n, f"c{n}") for n in range(500)), *(event(600, f"b{n}", "browse") for n in range(500)))
    assert one.outcomes[Outcome.APPLIED] == 1000
    assert (one.partition.sizes()["rows"], one.partition.sizes()["panes"]) == (0, 0)
