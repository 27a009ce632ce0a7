"""Sequences, by hand: what came after what, how soon, and what has not come."""

from __future__ import annotations

import pytest

from processors.oracle.judge import DAY_MS, HOUR_MS, MINUTE_MS, Event
from processors.rules.tree import And, Compare, Expr, FieldRef, Happening, Not, Sequence, Text
from schemas.outcomes import Outcome
from tests.oracle.by_hand import (
    compare,
    count,
    event,
    flips,
    flips_of_tags,
    is_text,
    number,
    outcomes,
    rules,
    tag,
    times_held,
)

BROWSE, PURCHASE = Happening("browse", None), Happening("purchase", None)


def then(first: Happening, second: Happening, within_ms: int) -> Sequence:
    return Sequence(first, second, within_ms, negated=False)


def then_no(first: Happening, second: Happening, within_ms: int) -> Sequence:
    return Sequence(first, second, within_ms, negated=True)


def browse(at_ms: int, happened_ms: int | None = None) -> Event:
    return event(at_ms, "browse", happened_ms=happened_ms)


# --------------------------------------------------------------------------------------------------------- then no

ABSENT = then_no(BROWSE, PURCHASE, HOUR_MS)


def test_absence_begins_when_the_time_is_over_to_the_millisecond() -> None:
    assert flips(rules(tag(ABSENT)), [browse(7)]) == [(3_600_007, "entered!")]
    assert flips(rules(tag(ABSENT)), [browse(7)], until_ms=3_600_006) == []
    assert flips(rules(tag(ABSENT)), [browse(7)], until_ms=3_600_007) == [(3_600_007, "entered!")]


@pytest.mark.parametrize(
    ("purchase_ms", "expected"),
    [
        # Before the browse it does not count; at the same time or later it does.
        (999, [(3_601_000, "entered!")]),
        (1_000, []),
        (3_600_999, []),
        # A timer due at an event's clock comes before it.
        (3_601_000, [(3_601_000, "entered!"), (3_601_000, "left")]),
        (3_601_001, [(3_601_000, "entered!"), (3_601_001, "left")]),
    ],
)
def test_absence_is_until_the_second_event(purchase_ms: int, expected: list[tuple[int, str]]) -> None:
    events = sorted([browse(1_000), event(purchase_ms)], key=lambda event: event.arrival_ms)
    assert flips(rules(tag(ABSENT)), events) == expected


def test_absence_counts_from_the_newest_first_event() -> None:
    assert times_held(ABSENT, [browse(0), browse(HOUR_MS - 1)]) == [2 * HOUR_MS - 1]
    # It is true from 1 h on; a further browse at 3 h begins anew.
    assert times_held(ABSENT, [browse(0), browse(3 * HOUR_MS)]) == [HOUR_MS, 3 * HOUR_MS, 4 * HOUR_MS]
    # One that happened before the newest changes nothing.
    assert times_held(ABSENT, [browse(5), browse(6, happened_ms=0)]) == [3_600_005]


def test_absence_follows_late_events_by_when_they_happened() -> None:
    # The browse was 2 h ago when it arrives: its hour is over.
    assert flips(rules(tag(ABSENT)), [browse(2 * HOUR_MS, happened_ms=0)]) == [(2 * HOUR_MS, "entered")]
    # At the edge: with the event when the hour is just over, by time when a millisecond is left.
    assert flips(rules(tag(ABSENT)), [browse(HOUR_MS, happened_ms=0)]) == [(HOUR_MS, "entered")]
    assert flips(rules(tag(ABSENT)), [browse(HOUR_MS - 1, happened_ms=0)]) == [(HOUR_MS, "entered!")]
    # A purchase that arrives after the hour ends it, whenever it was after the browse; one of before it does not.
    assert times_held(ABSENT, [browse(10), event(2 * HOUR_MS, happened_ms=10)]) == [3_600_010, 7_200_000]
    assert times_held(ABSENT, [browse(10), event(2 * HOUR_MS, happened_ms=9)]) == [3_600_010]


def test_late_events_of_a_sequence_count() -> None:
    rule_set = rules(tag(ABSENT), tag(compare(count("browse", MINUTE_MS), ">", 9), id="u"))
    assert outcomes(rule_set, [browse(2 * HOUR_MS, happened_ms=0)]) == [Outcome.LATE]
    assert flips(rule_set, [browse(2 * HOUR_MS, happened_ms=0)]) == [(2 * HOUR_MS, "entered")]


def test_nothing_is_absent_before_a_first_event() -> None:
    assert times_held(ABSENT, [event(0)]) == []
    assert times_held(Not(ABSENT), [event(0), browse(5)]) == [0, 3_600_005]


def test_of_one_type_the_event_itself_is_no_second_one() -> None:
    again = then_no(PURCHASE, PURCHASE, DAY_MS)
    assert times_held(again, [event(0)]) == [DAY_MS]
    # Each is a first one too: the newest of both is the same, at every time.
    assert times_held(again, [event(0), event(HOUR_MS)]) == [DAY_MS + HOUR_MS]
    assert times_held(again, [event(0), event(2 * DAY_MS)]) == [DAY_MS, 2 * DAY_MS, 3 * DAY_MS]


def test_of_one_type_another_event_at_the_same_time_is_no_second_one_but_a_later_one_is() -> None:
    sent = Happening("service", is_text("kind", "campaign_sent"))
    opened = Happening("service", is_text("kind", "campaign_open"))
    quiet = then_no(sent, opened, DAY_MS)
    first = event(5, "service", kind="campaign_sent")
    assert times_held(quiet, [first, event(6, "service", happened_ms=5, kind="campaign_open")]) == [DAY_MS + 5]
    assert times_held(quiet, [first, event(6, "service", happened_ms=6, kind="campaign_open")]) == []


def test_an_event_ahead_begins_its_time_when_it_happens() -> None:
    assert times_held(ABSENT, [browse(0, happened_ms=300_000)]) == [3_900_000]
    assert times_held(ABSENT, [browse(0, happened_ms=300_001)]) == [3_600_000]


def test_only_an_absence_that_begins_is_a_cause() -> None:
    always = compare(count("service", None), "==", 0)
    rule_set = rules(tag(always, leave=always), tag(ABSENT, id="u"))

    def looks(*events: Event) -> list[int]:
        return [at_ms for at_ms, name, _ in flips_of_tags(rule_set, list(events)) if name == "t"]

    assert looks(browse(0)) == [0, HOUR_MS]
    assert looks(browse(0), event(7)) == [0, 7]
    assert looks(browse(0), browse(7)) == [0, 7, HOUR_MS + 7]


# ------------------------------------------------------------------------------------------------------------ then

SOON = then(BROWSE, PURCHASE, HOUR_MS)


@pytest.mark.parametrize(
    ("purchase_ms", "matched"), [(9, False), (10, True), (11, True), (3_600_010, True), (3_600_011, False)]
)
def test_the_second_event_is_as_soon_as_the_time_is_long(purchase_ms: int, matched: bool) -> None:
    # The purchase is applied after the browse in each case.
    events = [browse(10), event(max(10, purchase_ms), happened_ms=purchase_ms)]
    assert times_held(SOON, events) == ([max(10, purchase_ms)] if matched else [])


def test_the_newest_second_event_decides() -> None:
    events = [browse(0), event(5), event(2 * HOUR_MS), browse(3 * HOUR_MS), event(4 * HOUR_MS)]
    assert flips(rules(tag(SOON)), events) == [(5, "entered"), (2 * HOUR_MS, "left"), (4 * HOUR_MS, "entered")]
    # One that happened before the newest, though it arrives later, decides nothing; one at the same time does.
    assert times_held(SOON, [event(5), browse(6, happened_ms=0), event(7, happened_ms=4)]) == []
    assert times_held(SOON, [event(5), browse(6, happened_ms=0), event(7, happened_ms=5)]) == [7]


def test_only_a_first_event_that_was_applied_before_counts() -> None:
    # The browse happened before the purchase, but arrives after it.
    assert times_held(SOON, [event(5), browse(6, happened_ms=4)]) == []


def test_a_newer_first_event_hides_an_older_one() -> None:
    # At 5 the newest browse is that of 10: it is after the purchase, so nothing is matched.
    assert times_held(SOON, [browse(0), browse(10), event(11, happened_ms=5)]) == []


def test_a_match_stays_until_another_second_event_and_wants_a_term() -> None:
    assert times_held(SOON, [browse(0), event(5), browse(DAY_MS)]) == [5]
    assert flips(rules(tag(SOON, expires_ms=DAY_MS)), [browse(0), event(5)]) == [(5, "entered"), (DAY_MS + 5, "left!")]


def test_an_event_that_is_both_is_first_a_second_one_and_then_a_first_one() -> None:
    again = then(PURCHASE, PURCHASE, HOUR_MS)
    events = [event(0), event(HOUR_MS), event(2 * HOUR_MS), event(3 * HOUR_MS + 1)]
    assert flips(rules(tag(again)), events) == [(HOUR_MS, "entered"), (3 * HOUR_MS + 1, "left")]


def test_both_sides_have_their_filters() -> None:
    dear = Happening("purchase", Compare(">=", FieldRef("amount"), number(10)))
    of_web = Happening("purchase", And((Compare("==", FieldRef("channel"), Text("web")),)))
    chained: Expr = then(dear, of_web, HOUR_MS)
    both = [event(at_ms, amount_cents=1000, channel="web") for at_ms in (0, 1)]
    assert times_held(chained, both[:1]) == []
    assert times_held(chained, both) == [1]
    assert times_held(chained, [event(0, amount_cents=1000), event(1, amount_cents=999, channel="web")]) == [1]
    assert times_held(chained, [event(0, channel="web"), event(1, channel="web")]) == []
