"""The oracle itself is judged by hand-computed scenarios: the expected times below were worked out on paper."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings

from processors.oracle.judge import DAY_MS, HOUR_MS, MINUTE_MS, Customer, Event, Judge, Result, run
from processors.rules.tree import (
    And,
    Compare,
    FieldRef,
    Member,
    Not,
    RuleSet,
    Text,
)
from schemas.outcomes import Outcome
from tests.oracle.by_hand import (
    FAR_MS,
    compare,
    count,
    event,
    flips,
    holds,
    is_text,
    outcomes,
    rules,
    tag,
    total,
)
from tests.oracle.difference import diff
from tests.oracle.generate import START_MS, Knobs, Scenario, random_scenario
from tests.oracle.strategies import scenarios
from tests.oracle.text import to_expression, to_json_lines, to_yaml

# ---------------------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize(
    ("window_ms", "happened_ms", "left_ms"),
    [
        # Minute panes: [0, 60 s) ends at 60 s, and leaves a window of an hour at 1 h 1 min.
        (HOUR_MS, 0, 3_660_000),
        (HOUR_MS, 59_999, 3_660_000),
        (HOUR_MS, 60_000, 3_720_000),
        (MINUTE_MS, 0, 120_000),
        # 25 h is still of minutes: 90,000 s + 60 s.
        (25 * HOUR_MS, 0, 90_060_000),
        # 26 h is of hours: 93,600 s + 3,600 s.
        (26 * HOUR_MS, 0, 97_200_000),
        (25 * HOUR_MS + MINUTE_MS, 3_599_999, 93_660_000),
        # 30 d = 2,592,000 s, and the hour [3,600 s, 7,200 s) ends at 7,200 s.
        (30 * DAY_MS, 3_600_000, 2_599_200_000),
    ],
)
def test_an_event_leaves_its_window_when_its_pane_does(window_ms: int, happened_ms: int, left_ms: int) -> None:
    rule_set = rules(tag(compare(count("purchase", window_ms), ">=", 1)))
    events = [event(happened_ms)]
    assert flips(rule_set, events) == [(happened_ms, "entered"), (left_ms, "left!")]
    assert flips(rule_set, events, until_ms=left_ms) == [(happened_ms, "entered"), (left_ms, "left!")]
    assert flips(rule_set, events, until_ms=left_ms - 1) == [(happened_ms, "entered")]


@pytest.mark.parametrize(
    ("second_ms", "expected"),
    [
        (119_999, [(0, "entered"), (180_000, "left!")]),
        (120_000, [(0, "entered"), (120_000, "left!"), (120_000, "entered"), (240_000, "left!")]),
        (120_001, [(0, "entered"), (120_000, "left!"), (120_001, "entered"), (240_000, "left!")]),
    ],
)
def test_a_timer_due_at_an_events_clock_comes_before_it(second_ms: int, expected: list[tuple[int, str]]) -> None:
    rule_set = rules(tag(compare(count("purchase", MINUTE_MS), ">=", 1)))
    assert flips(rule_set, [event(0), event(second_ms)]) == expected


def test_what_leaves_at_one_instant_leaves_together() -> None:
    # At 2 min both go at once: were they looked at one by one, `not` would hold for a moment.
    purchases = compare(count("purchase", MINUTE_MS), ">=", 1)
    browses = compare(count("browse", MINUTE_MS), "==", 0)
    rule_set = rules(tag(And((purchases, browses)), id="a"), tag(And((Not(purchases), Not(browses))), id="b"))
    changes = run(rule_set, [event(0), event(1, "browse")], START_MS + FAR_MS).changes
    assert [(change.tag, change.op, change.effective_at_ms - START_MS) for change in changes] == [
        ("a", "entered", 0),
        ("a", "left", 1),
    ]


def test_two_events_of_one_millisecond_are_two_evaluations() -> None:
    rule_set = rules(tag(compare(count("purchase", HOUR_MS), "==", 1)))
    assert flips(rule_set, [event(5, id="x"), event(5, id="y")], until_ms=5) == [(5, "entered"), (5, "left")]


def test_ever_never_leaves_and_counts_late_events() -> None:
    rule_set = rules(
        tag(compare(count("purchase", None), ">=", 2)), tag(compare(count("purchase", HOUR_MS), ">=", 2), id="u")
    )
    events = [event(DAY_MS), event(DAY_MS + 1, happened_ms=0)]
    assert outcomes(rule_set, events) == [Outcome.APPLIED, Outcome.LATE]
    assert flips(rule_set, events) == [(DAY_MS + 1, "entered")]


def test_an_event_out_of_order_is_placed_by_its_own_time() -> None:
    # Happened at 0, arrives at 90 s: the pane [0, 60 s) leaves a one-minute window at 120 s.
    rule_set = rules(tag(compare(count("purchase", MINUTE_MS), ">=", 1)))
    assert flips(rule_set, [event(90_000, happened_ms=0)]) == [(90_000, "entered"), (120_000, "left!")]


def test_arrivals_are_sorted_and_equal_ones_keep_their_lines() -> None:
    rule_set = rules(tag(compare(total("purchase", "amount_cents", None), "==", 3)))
    events = [event(2, id="b", amount_cents=10), event(2, id="c", amount_cents=100), event(1, id="a", amount_cents=3)]
    assert flips(rule_set, events) == [(1, "entered"), (2, "left")]
    assert run(rule_set, events, None).changes[1].cause == "b"


# --------------------------------------------------------------------------------------------- time of events


@pytest.mark.parametrize(
    ("ahead_ms", "outcome", "left_ms"),
    [
        # In a future pane it counts at once and leaves a minute after its own pane: 5 min + 2 min.
        (300_000, Outcome.APPLIED, 420_000),
        (300_001, Outcome.APPLIED, 120_000),
        (86_400_000, Outcome.APPLIED, 120_000),
        (86_400_001, Outcome.DEAD, None),
    ],
)
def test_an_event_ahead_of_its_arrival_is_taken_as_it_is_or_as_of_now_or_not_at_all(
    ahead_ms: int, outcome: Outcome, left_ms: int | None
) -> None:
    rule_set = rules(tag(compare(count("purchase", MINUTE_MS), ">=", 1)))
    events = [event(0, happened_ms=ahead_ms)]
    assert outcomes(rule_set, events) == [outcome]
    assert flips(rule_set, events) == ([] if left_ms is None else [(0, "entered"), (left_ms, "left!")])


def test_before_1990_is_dead_and_1990_is_not() -> None:
    rule_set = rules(tag(compare(count("purchase", None), ">=", 1)))
    first = Event("purchase", "x", "c", 631_152_000_000, START_MS, {})
    assert outcomes(rule_set, [replace(first, event_time_ms=631_151_999_999), first]) == [Outcome.DEAD, Outcome.APPLIED]


@pytest.mark.parametrize(("arrival_ms", "outcome"), [(119_999, Outcome.APPLIED), (120_000, Outcome.LATE)])
def test_late_is_from_the_instant_at_which_the_last_window_let_the_pane_go(arrival_ms: int, outcome: Outcome) -> None:
    rule_set = rules(tag(compare(count("purchase", MINUTE_MS), ">=", 1)))
    assert outcomes(rule_set, [event(arrival_ms, happened_ms=0)]) == [outcome]


def test_late_takes_each_window_with_its_own_panes() -> None:
    # At 0 h 59: 25 h of minutes holds it to 26 h, 25 h 1 min of hours to 26 h 1 min.
    longer = rules(
        tag(compare(count("purchase", 25 * HOUR_MS), ">=", 1)),
        tag(compare(count("purchase", 25 * HOUR_MS + MINUTE_MS, is_text("kind", "refund")), ">=", 1), id="u"),
    )
    shorter = rules(longer.tags[0])
    happened_ms = 59 * MINUTE_MS
    for rule_set, late_ms in ((shorter, 26 * HOUR_MS), (longer, 26 * HOUR_MS + MINUTE_MS)):
        assert outcomes(rule_set, [event(late_ms - 1, happened_ms=happened_ms)]) == [Outcome.APPLIED]
        assert outcomes(rule_set, [event(late_ms, happened_ms=happened_ms)]) == [Outcome.LATE]


def test_nothing_is_late_where_no_window_looks() -> None:
    rule_set = rules(tag(And((compare(count("purchase", None), ">=", 1), compare(count("browse", HOUR_MS), ">=", 0)))))
    assert outcomes(rule_set, [event(DAY_MS, happened_ms=0), event(DAY_MS, "service", happened_ms=0)]) == [
        Outcome.APPLIED,
        Outcome.APPLIED,
    ]


# ------------------------------------------------------------------------------------------------- duplicates


@pytest.mark.parametrize(
    ("first_ms", "second_ms", "outcome"),
    [
        (0, 1, Outcome.DUPLICATE),
        (0, 2 * DAY_MS - 1, Outcome.DUPLICATE),
        (0, 2 * DAY_MS, Outcome.APPLIED),
        (DAY_MS - 1, 2 * DAY_MS - 1, Outcome.DUPLICATE),
        (DAY_MS - 1, 2 * DAY_MS, Outcome.APPLIED),
    ],
)
def test_an_id_is_known_in_its_generation_and_the_next(first_ms: int, second_ms: int, outcome: Outcome) -> None:
    rule_set = rules(tag(compare(count("purchase", None), ">=", 2)))
    assert outcomes(rule_set, [event(first_ms, id="x"), event(second_ms, id="x")]) == [Outcome.APPLIED, outcome]


def test_a_duplicate_is_a_sighting_too() -> None:
    rule_set = rules(tag(compare(count("purchase", None), ">=", 2)))
    events = [event(day * DAY_MS, id="x") for day in (0, 1, 2, 4)]
    assert outcomes(rule_set, events) == [Outcome.APPLIED, Outcome.DUPLICATE, Outcome.DUPLICATE, Outcome.APPLIED]


def test_an_id_belongs_to_its_type_but_not_to_its_customer() -> None:
    rule_set = rules(tag(compare(count("purchase", None), ">=", 2)))
    events = [event(0, id="x"), event(1, "browse", id="x"), event(2, id="x", customer="d")]
    assert outcomes(rule_set, events) == [Outcome.APPLIED, Outcome.APPLIED, Outcome.DUPLICATE]


def test_the_dead_are_not_remembered_and_still_move_the_clock() -> None:
    rule_set = rules(tag(compare(count("purchase", MINUTE_MS), "==", 0)))
    dead = event(200_000, id="x", customer="d", happened_ms=-100_000 * DAY_MS)
    again = event(200_001, id="x", customer="e")
    assert outcomes(rule_set, [dead, again]) == [Outcome.DEAD, Outcome.APPLIED]
    assert [change.customer_id for change in run(rule_set, [event(0), dead], None).changes] == ["c"]


def test_only_applied_and_late_events_make_a_customer() -> None:
    rule_set = rules(
        tag(compare(count("browse", HOUR_MS), "==", 0)), tag(compare(count("purchase", HOUR_MS), ">", 9), id="u")
    )
    late, twice = event(DAY_MS, customer="late", happened_ms=0), event(DAY_MS, customer="twice", happened_ms=0)
    result = run(rule_set, [late, twice], None)
    assert result.outcomes[Outcome.LATE] == 1
    assert result.outcomes[Outcome.DUPLICATE] == 1
    assert result.tags == {"late": {"t": True}}


# ------------------------------------------------------------------------------------------------ expressions


def test_a_comparison_with_a_missing_field_is_false_whatever_the_operator() -> None:
    for where in (
        is_text("coupon_id", "spring"),
        is_text("coupon_id", "spring", "!="),
        Member(FieldRef("coupon_id"), (Text("spring"),), negated=False),
        Member(FieldRef("coupon_id"), (Text("spring"),), negated=True),
        compare(FieldRef("quantity"), "<", 5),
    ):
        assert not holds(compare(count("purchase", HOUR_MS, where), ">=", 1), event(0))
        assert not holds(compare(count("purchase", HOUR_MS, where), ">=", 1), event(0, coupon_id=None, quantity=None))
        assert holds(compare(count("purchase", HOUR_MS, Not(where)), ">=", 1), event(0))


def test_a_missing_kind_is_the_first_kind() -> None:
    assert holds(compare(count("purchase", HOUR_MS, is_text("kind", "order")), ">=", 1), event(0))
    assert not holds(compare(count("service", HOUR_MS, is_text("kind", "complaint")), ">=", 1), event(0, "service"))


def test_amount_is_exact_in_units_and_a_refund_subtracts() -> None:
    spent = total("purchase", "amount", HOUR_MS)
    paid, back = event(0, amount_cents=1999), event(1, amount_cents=-999, kind="refund")
    assert holds(compare(spent, "==", "19.99"), paid)
    assert holds(compare(spent, "==", 10), paid, back)
    assert holds(compare(spent, "==", 0), event(0, quantity=3))
    assert holds(compare(count("purchase", HOUR_MS, compare(FieldRef("amount"), ">", "19.985")), "==", 1), paid, back)


def test_money_is_of_the_default_currency_unless_the_filter_names_one() -> None:
    events = [
        event(0, amount_cents=1),
        event(1, amount_cents=20, currency="CNY"),
        event(2, amount_cents=300, currency="USD"),
    ]
    cents = "amount_cents"
    assert holds(compare(total("purchase", cents, HOUR_MS), "==", 21), *events)
    assert holds(compare(total("purchase", cents, HOUR_MS, is_text("currency", "USD")), "==", 300), *events)
    assert holds(compare(total("purchase", cents, HOUR_MS, is_text("currency", "USD", "!=")), "==", 21), *events)
    assert holds(compare(total("purchase", cents, HOUR_MS, is_text("kind", "order")), "==", 21), *events)
    assert holds(compare(count("purchase", HOUR_MS), "==", 3), *events)
    counted = [replace(event, fields={**event.fields, "quantity": 1}) for event in events]
    assert holds(compare(total("purchase", "quantity", HOUR_MS), "==", 3), *counted)


def test_reals_are_the_decimals_that_were_written() -> None:
    felt = total("service", "sentiment", HOUR_MS)
    events = [event(0, "service", sentiment=0.1), event(1, "service", sentiment=0.2)]
    assert holds(compare(felt, "==", "0.3"), *events)
    assert holds(compare(count("service", HOUR_MS, compare(FieldRef("sentiment"), "==", "0.1")), "==", 1), *events)


def test_nothing_is_counted_as_zero_at_the_first_event() -> None:
    rule_set = rules(tag(compare(count("browse", 30 * DAY_MS), "==", 0)))
    assert flips(rule_set, [event(7)]) == [(7, "entered")]


# ---------------------------------------------------------------------------------------------- state machine


def busy(least: int = 1, window_ms: int = HOUR_MS) -> Compare:
    return compare(count("browse", window_ms), ">=", least)


def browse(at_ms: int) -> Event:
    return event(at_ms, "browse")


def test_dwell_ends_at_its_own_millisecond() -> None:
    rule_set = rules(tag(busy(), dwell_ms=600_000))
    assert flips(rule_set, [browse(7)]) == [(600_007, "entered!"), (3_660_000, "left!")]
    assert flips(rule_set, [browse(7)], until_ms=600_006) == []
    change = run(rule_set, [browse(7)], START_MS + 600_007).changes[0]
    assert (change.cause, change.cause_time_ms, change.origin) == (None, START_MS + 600_007, "timer")


def test_dwell_starts_again_after_an_interruption() -> None:
    # True from 0 to 120 s (one minute's window); again from 130 s to 240 s, entering at 130 + 100 s.
    rule_set = rules(tag(busy(window_ms=MINUTE_MS), dwell_ms=100_000))
    assert flips(rule_set, [browse(0)]) == [(100_000, "entered!"), (120_000, "left!")]
    slower = rules(tag(busy(window_ms=MINUTE_MS), dwell_ms=105_000))
    assert flips(slower, [browse(30_000), browse(130_000)]) == [(235_000, "entered!"), (240_000, "left!")]


def test_a_dwell_that_ends_as_the_window_does_is_too_late() -> None:
    assert flips(rules(tag(busy(window_ms=MINUTE_MS), dwell_ms=120_000)), [browse(0)]) == []
    assert flips(rules(tag(busy(window_ms=MINUTE_MS), dwell_ms=119_999)), [browse(0)]) == [
        (119_999, "entered!"),
        (120_000, "left!"),
    ]


def test_cooldown_counts_from_leaving_and_dwell_from_the_condition() -> None:
    # Leaves at 120 s; true again at 130 s; cooldown to 170 s, dwell to 150 s: the later one.
    rule_set = rules(tag(busy(window_ms=MINUTE_MS), dwell_ms=20_000, cooldown_ms=50_000))
    assert flips(rule_set, [browse(0), browse(130_000)]) == [
        (20_000, "entered!"),
        (120_000, "left!"),
        (170_000, "entered!"),
        (240_000, "left!"),
    ]


def test_after_the_cooldown_it_enters_with_the_event() -> None:
    rule_set = rules(tag(busy(window_ms=MINUTE_MS), cooldown_ms=50_000))
    for again_ms, entered in (
        (169_999, (170_000, "entered!")),
        (170_000, (170_000, "entered")),
        (170_001, (170_001, "entered")),
    ):
        assert flips(rule_set, [browse(0), browse(again_ms)])[2] == entered


def test_leave_is_a_condition_of_its_own() -> None:
    # Two in the hour enter; it stays with one, and leaves when the second's pane goes.
    rule_set = rules(tag(busy(2), leave=compare(count("browse", HOUR_MS), "<", 1)))
    assert flips(rule_set, [browse(0), browse(600_000)]) == [(600_000, "entered"), (600_000 + 3_660_000, "left!")]


def test_a_term_ends_and_the_tag_comes_back_only_after_the_condition_was_false() -> None:
    rule_set = rules(tag(busy(window_ms=MINUTE_MS), expires_ms=90_000))
    # True without a break from 0 to 150 s + 90 s = 240 s: out at 90 s, not again at 150 s, again at 250 s.
    events = [browse(0), browse(70_000), browse(150_000), browse(250_000)]
    assert flips(rule_set, events) == [
        (0, "entered"),
        (90_000, "left!"),
        (250_000, "entered"),
        (340_000, "left!"),
    ]


def test_a_term_that_ends_with_the_condition_is_one_leave_and_bars_nothing() -> None:
    rule_set = rules(tag(busy(window_ms=MINUTE_MS), expires_ms=120_000))
    assert flips(rule_set, [browse(0), browse(120_000)]) == [
        (0, "entered"),
        (120_000, "left!"),
        (120_000, "entered"),
        (240_000, "left!"),
    ]


def test_cooldown_also_follows_the_end_of_a_term() -> None:
    # Out at 30 s, condition false at 120 s, true at 130 s, cooldown from 30 s to 140 s.
    rule_set = rules(tag(busy(window_ms=MINUTE_MS), expires_ms=30_000, cooldown_ms=110_000))
    assert flips(rule_set, [browse(0), browse(130_000)]) == [
        (0, "entered"),
        (30_000, "left!"),
        (140_000, "entered!"),
        (170_000, "left!"),
    ]


def test_where_both_conditions_hold_each_evaluation_flips_once() -> None:
    rule_set = rules(tag(busy(), leave=busy()))
    events = [browse(0), browse(1), event(2), browse(3)]
    assert flips(rule_set, events, until_ms=3) == [(0, "entered"), (1, "left"), (2, "entered"), (3, "left")]


LEVELS = (("gold", busy(3)), ("silver", busy(2)), ("bronze", busy(1)))


def test_a_tier_is_the_first_level_that_holds() -> None:
    rule_set = rules(tag(tiers=LEVELS))
    assert flips(rule_set, [browse(0), browse(60_000), browse(120_000)]) == [
        (0, "entered bronze"),
        (60_000, "changed silver"),
        (120_000, "changed gold"),
        (3_660_000, "changed silver!"),
        (3_720_000, "changed bronze!"),
        (3_780_000, "left!"),
    ]


def test_a_tier_may_skip_levels() -> None:
    rule_set = rules(tag(tiers=LEVELS))
    assert flips(rule_set, [browse(0), browse(1), browse(2)]) == [
        (0, "entered bronze"),
        (1, "changed silver"),
        (2, "changed gold"),
        (3_660_000, "left!"),
    ]


def test_dwell_holds_each_move_of_a_tier_and_starts_again_with_another_candidate() -> None:
    # bronze from 0, silver from 50 s: bronze never dwelt; silver enters at 110 s. Down to bronze at 3,660 s (the pane
    # of 0 goes, that of 50 s too: both in [0, 60 s)), so the candidate is none and it leaves at once.
    rule_set = rules(tag(tiers=LEVELS, dwell_ms=60_000))
    assert flips(rule_set, [browse(0), browse(50_000)]) == [(110_000, "entered silver!"), (3_660_000, "left!")]
    # With the second one in [60 s, 120 s): bronze at 60 s, silver asked for at 70 s, and bronze again from 3,660 s,
    # but it is gone at 3,720 s, just when it would have come.
    assert flips(rule_set, [browse(0), browse(70_000)]) == [
        (60_000, "entered bronze!"),
        (130_000, "changed silver!"),
        (3_720_000, "left!"),
    ]


def test_a_candidate_that_returns_to_the_present_level_leaves_nothing_pending() -> None:
    # silver is asked for at 3,600 s, and bronze again at 3,660 s, before the dwell of 100 s is over.
    rule_set = rules(tag(tiers=LEVELS, dwell_ms=100_000))
    assert flips(rule_set, [browse(0), browse(3_600_000)]) == [(100_000, "entered bronze!"), (7_260_000, "left!")]


def test_cooldown_of_a_tier_counts_from_the_last_level_that_was_left() -> None:
    rule_set = rules(tag(tiers=LEVELS, cooldown_ms=300_000))
    # bronze at 0, silver at 60 s (no level was left before), gold held back until 360 s; silver at 3,660 s; bronze,
    # asked for at 3,720 s, is held back until 3,960 s, but at 3,780 s nothing is left: to none at once.
    assert flips(rule_set, [browse(0), browse(60_000), browse(120_000)]) == [
        (0, "entered bronze"),
        (60_000, "changed silver"),
        (360_000, "changed gold!"),
        (3_660_000, "changed silver!"),
        (3_780_000, "left!"),
    ]


def test_a_tiers_term_counts_from_its_last_change_and_bars_it_until_no_level_held() -> None:
    rule_set = rules(tag(tiers=LEVELS, expires_ms=600_000))
    events = [browse(0), browse(300_000), browse(1_000_000), browse(5_000_000)]
    # silver at 300 s until 900 s; gold holds from 1,000 s but is barred; none at 1,020 + 3,600 = 4,620 s.
    assert flips(rule_set, events) == [
        (0, "entered bronze"),
        (300_000, "changed silver"),
        (900_000, "left!"),
        (5_000_000, "entered bronze"),
        (5_600_000, "left!"),
    ]


# ------------------------------------------------------------------------------- the end, and random histories


def test_the_clock_stops_at_the_last_arrival_unless_told() -> None:
    rule_set = rules(tag(busy(window_ms=MINUTE_MS)))
    events = [browse(0), event(119_999, "service", customer="d")]
    assert len(run(rule_set, events, None).changes) == 1
    assert len(run(rule_set, [events[0], replace(events[1], arrival_ms=START_MS + 120_000)], None).changes) == 2
    assert run(rule_set, events, START_MS + 119_998).outcomes[Outcome.APPLIED] == 1


def of_each_customer(result: Result, until_ms: int) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for change in result.changes:
        if change.effective_at_ms <= until_ms:
            found.setdefault(change.customer_id, []).append(change)
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(scenarios())
def test_what_was_said_up_to_an_instant_does_not_depend_on_what_comes_later(scenario: Scenario) -> None:
    whole = run(scenario.rule_set, scenario.events, scenario.until_ms)
    times_ms = sorted({change.effective_at_ms for change in whole.changes})
    for stop_ms in times_ms[:: max(1, len(times_ms) // 3)]:
        part = run(scenario.rule_set, scenario.events, stop_ms)
        assert of_each_customer(part, stop_ms) == of_each_customer(whole, stop_ms)
        assert len(part.changes) == sum(change.effective_at_ms <= stop_ms for change in part.changes)


def test_random_histories_keep_the_books() -> None:
    for seed in range(150):
        scenario = random_scenario(random.Random(seed))
        result = run(scenario.rule_set, scenario.events, scenario.until_ms)
        read = [e for e in scenario.events if scenario.until_ms is None or e.arrival_ms <= scenario.until_ms]
        assert sum(result.outcomes.values()) == len(read)
        values: dict[tuple[str, str], object] = {}
        for change in result.changes:
            key = (change.customer_id, change.tag)
            assert change.before == values.get(key)
            assert change.before != change.after
            values[key] = change.after
        last = {key: value for key, value in values.items() if value is not None}
        assert last == {(c, name): value for c, tags in result.tags.items() for name, value in tags.items()}


def test_random_histories_reach_everything() -> None:
    seen: Counter[object] = Counter()
    for seed in range(150):
        scenario = random_scenario(random.Random(seed))
        result = run(scenario.rule_set, scenario.events, scenario.until_ms)
        seen.update((change.op, change.origin) for change in result.changes)
        seen.update(result.outcomes)
    ops = [(op, origin) for op in ("entered", "changed", "left") for origin in ("live", "timer")]
    wanted = [*ops, Outcome.DEAD, Outcome.DUPLICATE, Outcome.LATE, Outcome.APPLIED]
    assert {what: seen[what] for what in wanted if seen[what] < 20} == {}


class Nosy(Judge):
    """Looks at its customers at other times too, as if something of theirs might change."""

    def __init__(self, rng: random.Random, rule_set: RuleSet, end_ms: int) -> None:
        super().__init__(rule_set, end_ms)
        self.rng = rng
        self.looks_left = 60

    def next_due_ms(self, customer: Customer, now_ms: int) -> int | None:
        due_ms = super().next_due_ms(customer, now_ms)
        if self.looks_left == 0:
            return due_ms
        self.looks_left -= 1
        again_ms = now_ms + self.rng.choice((1, 1000, HOUR_MS, DAY_MS, 20 * DAY_MS)) * self.rng.randrange(1, 9)
        return again_ms if due_ms is None else min(due_ms, max(now_ms + 1, due_ms - 1), again_ms)


def test_a_look_at_any_other_time_changes_nothing() -> None:
    changes = 0
    for seed in range(400):
        scenario = random_scenario(random.Random(seed), Knobs(rich_percent=100, commands=True))
        last_ms = max(event.arrival_ms for event in scenario.events)
        until_ms = last_ms + 100 * DAY_MS
        expected = run(scenario.rule_set, scenario.events, until_ms)
        judge = Nosy(random.Random(seed), scenario.rule_set, until_ms)
        for record in sorted(scenario.events, key=lambda record: record.arrival_ms):
            judge.read(record)
        judge.let_time_pass(until_ms)
        judge.result.tags = expected.tags
        difference = diff(expected, judge.result, scenario.events)
        assert difference is None, f"seed {seed}\n{difference}"
        changes += len(expected.changes)
    assert changes > 1000


def test_the_same_seed_draws_the_same_scenario() -> None:
    assert random_scenario(random.Random(7)) == random_scenario(random.Random(7))


# ------------------------------------------------------------------------------------------- words about them


def test_a_difference_is_shown_with_what_led_to_it() -> None:
    rule_set, events = rules(tag(busy())), [browse(0)]
    expected = run(rule_set, events, START_MS + FAR_MS)
    assert diff(expected, run(rule_set, events, START_MS + FAR_MS)) is None
    got = Result([expected.changes[0], replace(expected.changes[1], effective_at_ms=START_MS)], expected.outcomes, {})
    text = diff(expected, got, events)
    assert text is not None
    assert "customer c: change 2 differs" in text
    assert "they differ in effective_at_ms" in text
    assert "2024-01-01T00:00:00.000Z (1704067200000) browse browse 0 0 {}" in text
    why = [tuple(replace(seen, value="7") for seen in reasons) for reasons in expected.reasons]
    text = diff(expected, replace(expected, reasons=why))
    assert text is not None and "for other reasons" in text
    missing = diff(expected, Result(expected.changes[:1], expected.outcomes, {}))
    assert missing is not None
    assert "got       nothing more" in missing
    counts = diff(expected, Result(expected.changes, {**expected.outcomes, Outcome.DEAD: 1}, {"c": {"t": True}}))
    assert counts == "outcome DEAD: expected 0, got 1\ntags of c at the end: expected {}, got {'t': True}"


def test_rules_and_events_are_written_as_users_write_them() -> None:
    condition = And(
        (
            compare(total("purchase", "amount", 90 * DAY_MS, is_text("kind", "order")), ">=", "19.99"),
            Not(Compare("<", count("browse", None), count("browse", 90 * MINUTE_MS))),
        )
    )
    assert to_expression(condition) == (
        'sum(purchase.amount where kind == "order", 90d) >= 19.99 and not (count(browse, ever) < count(browse, 90m))'
    )
    assert to_yaml(rules(tag(condition, dwell_ms=600_000))).splitlines()[-2:] == [
        f"  when: {to_json_string(to_expression(condition))}",
        "  dwell: 10m",
    ]
    assert to_json_lines([event(5, quantity=2)]) == (
        '{"type": "purchase", "event_id": "purchase 5 5", "customer_id": "c", '
        '"event_time": 1704067200005, "arrival_time": 1704067200005, "quantity": 2}\n'
    )


def to_json_string(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'
