"""Tags that are numbers: by hand, when one is published, and when it moved far enough."""

from __future__ import annotations

from processors.oracle.judge import DAY_MS, HOUR_MS, MINUTE_MS, Event, Record, run
from processors.rules.tree import Age, Compare, Expr, ProfileRef, Ratio, TagRef, Trend
from tests.oracle.by_hand import (
    compare,
    count,
    event,
    flips,
    flips_of_tags,
    rules,
    tag,
    taken,
    told,
    total,
)
from tests.oracle.tables import START_MS

SINCE = taken("days_since", "purchase")


def published(
    score: Expr, events: list[Record], step: str | int = 0, until_ms: int = 500 * DAY_MS
) -> list[tuple[int, str]]:
    return flips(rules(tag(score=score, step=step)), events, until_ms)


def paid(at_ms: int, cents: int | None) -> Event:
    return event(at_ms, amount_cents=cents)


def test_without_a_step_each_other_value_is_published() -> None:
    assert published(count("purchase", MINUTE_MS), [event(0), event(1), event(60_000), event(60_001, "browse")]) == [
        (0, "entered 1.0"),
        (1, "changed 2.0"),
        (60_000, "changed 3.0"),
        (120_000, "changed 1.0!"),
        (180_000, "changed 0.0!"),
    ]


def test_it_is_there_while_it_is_not_missing() -> None:
    mean = taken("avg", "purchase", "amount", MINUTE_MS)
    assert published(mean, [paid(0, None), paid(1, 1000), paid(60_000, 2000)], step=100) == [
        (1, "entered 10.0"),
        (180_000, "left!"),
    ]
    # Once it has left the step counts from the new value.
    assert published(mean, [paid(0, 1000), paid(200_000, 1001)], step=100) == [
        (0, "entered 10.0"),
        (120_000, "left!"),
        (200_000, "entered 10.01"),
        (300_000, "left!"),
    ]


def test_it_stays_until_it_has_moved_by_a_step_from_what_was_published() -> None:
    spent = total("purchase", "amount", None)
    events: list[Record] = [paid(at_ms, 100 * units) for at_ms, units in enumerate((10, 4, 4, 4, -9, -1, -2))]
    # 10, 14, 18, 22, 13, 12, 10: from 10 it is at 18 that it has moved by 8, from there at 10.
    assert published(spent, events, step=8) == [(0, "entered 10.0"), (2, "changed 18.0"), (6, "changed 10.0")]
    assert published(spent, events, step="8.01") == [(0, "entered 10.0"), (3, "changed 22.0"), (4, "changed 13.0")]


def test_a_rounding_error_holds_no_step_back() -> None:
    # In doubles 0.3 - 0.2 is a little less than 0.1.
    felt = total("service", "sentiment", None)
    events: list[Record] = [event(at_ms, "service", sentiment=each) for at_ms, each in enumerate((0.2, 0.1))]
    assert 0.3 - 0.2 < 0.1
    assert published(felt, events, step="0.1") == [(0, "entered 0.2"), (1, "changed 0.3")]
    assert published(felt, events, step="0.1000001") == [(0, "entered 0.2")]


def test_the_number_is_the_double_next_to_the_exact_value() -> None:
    third = Ratio(count("purchase", None), count("browse", None))
    events: list[Record] = [event(0), *(event(at_ms, "browse") for at_ms in (1, 2, 3))]
    assert [change.after for change in run(rules(tag(score=third)), events, None).changes] == [1.0, 0.5, 1 / 3]
    assert published(Trend(count("purchase", MINUTE_MS)), [event(0)]) == [
        (0, "entered 1.0"),
        (120_000, "changed -1.0!"),
        (180_000, "changed 0.0!"),
    ]
    assert published(ProfileRef("limit"), [told(0, limit="007"), told(1, limit="x"), told(2, limit="7.0")]) == [
        (0, "entered 7.0"),
        (1, "left"),
        (2, "entered 7.0"),
    ]


def test_days_move_by_themselves_to_the_millisecond() -> None:
    assert published(SINCE, [event(5)], step=5, until_ms=19 * DAY_MS) == [
        (5, "entered 0.0"),
        (5 * DAY_MS + 5, "changed 5.0!"),
        (10 * DAY_MS + 5, "changed 10.0!"),
        (15 * DAY_MS + 5, "changed 15.0!"),
    ]
    # A rounding error is far below a millisecond.
    assert [at_ms for at_ms, _ in published(SINCE, [event(5)], step=100, until_ms=150 * DAY_MS)] == [
        5,
        100 * DAY_MS + 5,
    ]
    # Half a day and a bit is 43,200,000.864 ms.
    found = run(rules(tag(score=SINCE, step="0.50000001")), [event(5)], START_MS + DAY_MS).changes
    assert [change.effective_at_ms - START_MS for change in found] == [5, 43_200_006]
    assert found[1].after == 43_200_001 / DAY_MS


def test_an_event_takes_days_back_to_nothing() -> None:
    # After 6 d it is 0 again, a step of 5 from 5; after 2 d more it is none from 0.
    events: list[Record] = [event(0), event(6 * DAY_MS), event(8 * DAY_MS)]
    assert published(SINCE, events, step=5, until_ms=14 * DAY_MS) == [
        (0, "entered 0.0"),
        (5 * DAY_MS, "changed 5.0!"),
        (6 * DAY_MS, "changed 0.0"),
        (13 * DAY_MS, "changed 5.0!"),
    ]
    assert published(SINCE, events[:2], step=10, until_ms=14 * DAY_MS) == [(0, "entered 0.0")]


def test_an_event_ahead_is_no_days_ago_until_it_has_happened() -> None:
    ahead: list[Record] = [event(0, happened_ms=300_000)]
    assert published(SINCE, ahead, step=5, until_ms=6 * DAY_MS) == [
        (0, "entered 0.0"),
        (5 * DAY_MS + 300_000, "changed 5.0!"),
    ]


def test_a_ratio_to_days_falls_and_is_missing_at_once() -> None:
    # 1 / (t / 86,400,000): 86,400,000 after a millisecond, 43,200,000 after two, 28,800,000 after three.
    often = Ratio(count("purchase", None), SINCE)
    assert published(often, [event(0)], step=40_000_000, until_ms=HOUR_MS) == [
        (1, "entered 86400000.0!"),
        (2, "changed 43200000.0!"),
        # 3,200,000 are left after 27 ms.
        (27, "changed 3200000.0!"),
    ]
    assert published(often, [event(0), event(2)], step=40_000_000, until_ms=2) == [
        (1, "entered 86400000.0!"),
        (2, "changed 43200000.0!"),
        (2, "left"),
    ]


def test_a_ratio_of_days_starts_anew_when_its_window_lets_something_go() -> None:
    # Two in the window until 2 min: half of the days; then none, and it is missing.
    slow = Ratio(SINCE, count("purchase", MINUTE_MS))
    assert published(slow, [event(0), event(1)], step="0.0005") == [
        (0, "entered 0.0"),
        # 0.0005 d are 43,200 ms, doubled, after the second one.
        (86_401, "changed 0.0005!"),
        (120_000, "left!"),
    ]


def test_an_age_is_published_on_its_birthdays() -> None:
    assert published(Age("birthday"), [told(5, birthday="2023-01-02")]) == [
        (5, "entered 0.0"),
        (DAY_MS, "changed 1.0!"),
        (367 * DAY_MS, "changed 2.0!"),
    ]
    assert published(Age("birthday"), [told(5, birthday="2023-01-02")], step=2) == [
        (5, "entered 0.0"),
        (367 * DAY_MS, "changed 2.0!"),
    ]
    assert published(Age("birthday"), [told(5, birthday="2024-01-02")], step=5) == [(DAY_MS, "entered 0.0!")]


def test_others_see_the_published_number() -> None:
    score = tag(id="s", score=count("purchase", None), step=2)
    rule_set = rules(score, tag(TagRef("s"), id="t"), tag(compare(TagRef("s"), ">=", 2), id="u"))
    assert flips_of_tags(rule_set, [event(at_ms) for at_ms in range(3)]) == [
        (0, "s", "entered 1.0"),
        (0, "t", "entered"),
        (2, "s", "changed 3.0"),
        (2, "u", "entered"),
    ]
    beside = tag(Compare("<", TagRef("s"), count("purchase", None)), id="t")
    assert flips(rules(score, beside), [event(at_ms) for at_ms in range(3)]) == [
        (0, "entered 1.0"),
        (1, "entered"),
        (2, "changed 3.0"),
        (2, "left"),
    ]


def test_days_are_compared_with_a_published_number() -> None:
    score = tag(id="s", score=count("browse", None))
    away = tag(Compare(">", SINCE, TagRef("s")), id="t")
    assert flips_of_tags(rules(score, away), [event(0, "browse"), event(0), event(HOUR_MS, "browse")]) == [
        (0, "s", "entered 1.0"),
        (HOUR_MS, "s", "changed 2.0"),
        (2 * DAY_MS + 1, "t", "entered!"),
    ]


def test_a_customer_without_the_number_has_none_that_compares() -> None:
    score = tag(id="s", score=taken("max", "purchase", "quantity"))
    for op in ("==", "!=", "<", ">="):
        assert flips(rules(score, tag(Compare(op, TagRef("s"), count("browse", None)), id="t")), [event(0)]) == []


def test_a_move_is_a_cause_and_what_is_no_move_is_none() -> None:
    always = compare(count("service", None), "==", 0)

    def looks(step: int) -> list[int]:
        rule_set = rules(tag(always, leave=always), tag(id="s", score=SINCE, step=step))
        found = flips_of_tags(rule_set, [event(0)], 10 * DAY_MS)
        return [at_ms for at_ms, name, _ in found if name == "t"]

    assert looks(3) == [0, 3 * DAY_MS, 6 * DAY_MS, 9 * DAY_MS]
    assert looks(11) == [0]
