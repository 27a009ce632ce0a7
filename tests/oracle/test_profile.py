"""What is known of a customer: by hand, which attribute holds, what number it is, and when a birthday begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from processors.oracle.judge import DAY_MS, HOUR_MS, MINUTE_MS, Event
from processors.oracle.profile import age_of, number_in
from processors.rules.tree import (
    Age,
    Compare,
    CompareOp,
    Expr,
    FieldRef,
    Member,
    Not,
    Present,
    ProfileRef,
    StartsWith,
    Text,
)
from schemas.outcomes import Outcome
from tests.oracle.by_hand import (
    attribute_is,
    compare,
    count,
    event,
    flips,
    flips_of_tags,
    holds,
    outcomes,
    rules,
    tag,
    taken,
    times_held,
    told,
    top,
    total,
)

OPS: tuple[CompareOp, ...] = ("==", "!=", "<", "<=", ">", ">=")

GOLD = attribute_is("level", "gold")
LIMIT = ProfileRef("limit")
AGE = Age("birthday")


def at(text: str) -> int:
    """Milliseconds of an ISO time in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


# --------------------------------------------------------------------------------------------------- which one holds


def test_an_attribute_is_the_one_of_the_newest_event_that_names_it() -> None:
    assert holds(GOLD, told(0, level="gold"))
    assert holds(GOLD, told(0, level="gold"), told(1, city="Bonn"))
    assert not holds(GOLD, told(0, level="gold"), told(1, level="silver"))
    # One that happened before arrives later; of one time the later applied holds.
    assert holds(GOLD, told(5, level="gold"), told(6, level="silver", happened_ms=4))
    assert not holds(GOLD, told(5, level="gold"), told(6, level="silver", happened_ms=5))


def test_each_attribute_is_merged_by_itself() -> None:
    late = told(6, level="silver", city="Bonn", happened_ms=4)
    assert holds(GOLD, told(5, level="gold"), late)
    assert holds(attribute_is("city", "Bonn"), told(5, level="gold"), late)


def test_null_removes_and_an_older_event_does_not_bring_back() -> None:
    gone = [told(0, level="gold"), told(5, level=None)]
    assert not holds(Present(ProfileRef("level")), *gone)
    assert not holds(Present(ProfileRef("level")), *gone, told(6, level="gold", happened_ms=4))
    assert holds(GOLD, *gone, told(6, level="gold", happened_ms=5))
    # One that removes is older than what holds.
    assert holds(GOLD, told(5, level="gold"), told(6, level=None, happened_ms=4))


def test_an_event_ahead_is_as_of_arrival_and_a_late_one_counts() -> None:
    assert not holds(GOLD, told(0, level="gold", happened_ms=300_001), told(1, level="silver"))
    assert holds(GOLD, told(0, level="gold", happened_ms=300_000), told(1, level="silver"))
    rule_set = rules(tag(GOLD), tag(compare(count("profile", MINUTE_MS), ">", 9), id="u"))
    late = told(DAY_MS, level="gold", happened_ms=0)
    assert outcomes(rule_set, [late]) == [Outcome.LATE]
    assert flips(rule_set, [late]) == [(DAY_MS, "entered")]


def test_a_profile_event_is_an_event_like_any_other() -> None:
    assert holds(compare(count("profile", HOUR_MS), "==", 2), told(0, level="x"), told(1))
    assert times_held(compare(taken("days_since", "profile"), ">=", 1), [told(5, level="x")]) == [DAY_MS + 5]
    # A second one of its id says nothing.
    again = replace(told(1, level="gold"), event_id="profile 0 0")
    assert not holds(GOLD, told(0, level="silver"), again)


# ------------------------------------------------------------------------------------------------------------ as texts


def test_nothing_holds_of_an_attribute_that_is_missing() -> None:
    level = ProfileRef("level")
    asked: list[Expr] = [
        Compare("==", level, Text("gold")),
        Compare("!=", level, Text("gold")),
        Member(level, (Text("gold"),), negated=False),
        Member(level, (Text("gold"),), negated=True),
        StartsWith(level, Text("")),
        Present(level),
        *(compare(level, op, 1) for op in OPS),
        *(Compare(op, level, count("browse", None)) for op in OPS),
        *(Compare(op, level, ProfileRef("city")) for op in OPS[:2]),
    ]
    for condition in asked:
        assert not holds(condition, event(0), told(1, city="Bonn"))
        assert holds(Not(condition), event(0), told(1, city="Bonn"))


def test_texts_are_compared_with_texts() -> None:
    level = ProfileRef("level")
    silver = told(0, level="silver", other="silver", third="")
    assert holds(Compare("!=", level, Text("gold")), silver)
    assert holds(Member(level, (Text("gold"), Text("silver")), negated=False), silver)
    assert holds(Member(level, (Text("gold"),), negated=True), silver)
    assert holds(StartsWith(level, Text("sil")), silver)
    assert not holds(StartsWith(level, Text("silver ")), silver)
    assert holds(Compare("==", level, ProfileRef("other")), silver)
    assert holds(Compare("!=", level, ProfileRef("third")), silver)
    assert holds(Present(ProfileRef("third")), silver)
    # Two attributes are texts, whatever they look like.
    assert not holds(Compare("==", ProfileRef("a"), ProfileRef("b")), told(0, a="1", b="1.0"))


def test_texts_of_events_are_compared_with_attributes() -> None:
    last = taken("last", "browse", "category")
    for found in (last, top("browse", "category")):
        same = Compare("==", found, ProfileRef("favourite"))
        events = [told(0, favourite="shoes"), event(1, "browse", category="books"), told(2, favourite="books")]
        assert times_held(same, events) == [2]
        assert times_held(Compare("!=", ProfileRef("favourite"), found), events) == [1, 2]
    kind = taken("last", "service", "kind")
    assert holds(Compare("==", kind, ProfileRef("mood")), event(0, "service", kind="praise"), told(1, mood="praise"))


# ---------------------------------------------------------------------------------------------------------- as numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        ("-1", -1.0),
        ("007", 7.0),
        ("19.99", 19.99),
        ("0.123456789", 0.123456789),
        ("123456789012345", 123456789012345.0),
        ("000000000000001", 1.0),
        ("123456789012.345", 123456789012.345),
        ("1234567890123456", None),
        ("0000000000000001", None),
        ("1234567890123.456", None),
        ("0.1234567891", None),
        *(
            (text, None)
            for text in ("", "-", "1.", ".5", "+1", "1e3", " 1", "1 ", "1\n", "1,5", "0x1", "١", "nan", "--1")
        ),
    ],
)
def test_a_text_is_a_number_as_a_whole_or_not_at_all(text: str, number: float | None) -> None:
    assert number_in(text) == number
    assert holds(compare(LIMIT, ">=", -(10**15)), told(0, limit=text)) is (number is not None)
    if number is None:
        assert holds(Present(LIMIT), told(0, limit=text))
        assert not holds(compare(LIMIT, "!=", 5), told(0, limit=text))


def test_a_number_is_compared_as_a_double() -> None:
    assert holds(compare(LIMIT, "==", "0.1"), told(0, limit="0.1"))
    assert holds(compare(LIMIT, "==", "2"), told(0, limit="2.0"))
    assert holds(compare(LIMIT, "==", "0.1000000000000000001"), told(0, limit="0.1"))
    assert holds(
        Compare("==", total("purchase", "amount", None), LIMIT), event(0, amount_cents=1999), told(1, limit="19.99")
    )
    # 2^53 + 1 has no double of its own.
    quantity = taken("max", "purchase", "quantity")
    assert holds(
        Compare("==", quantity, ProfileRef("big")),
        event(0, quantity=900_000_000_000_000),
        told(1, big="900000000000000"),
    )
    assert times_held(Compare(">=", count("browse", None), LIMIT), [told(0, limit="2"), *map(browse_at, (1, 2))]) == [2]


def test_days_since_is_compared_with_an_attribute_to_the_millisecond() -> None:
    away = Compare(">", taken("days_since", "purchase"), LIMIT)
    assert times_held(away, [event(5), told(6, limit="1")]) == [DAY_MS + 6]
    assert times_held(away, [event(5), told(6, limit="1"), told(HOUR_MS, limit="2")]) == [2 * DAY_MS + 6]
    assert times_held(away, [event(5), told(6, limit="x")]) == []


def browse_at(at_ms: int) -> Event:
    return event(at_ms, "browse")


# ---------------------------------------------------------------------------------------------------------- in filters


def test_a_filter_knows_what_was_known_when_the_event_came() -> None:
    liked = count("browse", None, Compare("==", FieldRef("category"), ProfileRef("favourite")))
    shoes = [event(at_ms, "browse", category="shoes") for at_ms in (0, 2, 4)]
    first = [shoes[0], told(1, favourite="shoes"), shoes[1], told(3, favourite="books"), shoes[2]]
    assert times_held(compare(liked, ">=", 1), first) == [2]
    assert times_held(compare(liked, "==", 2), first) == []
    # What is known counts, not when it was said to have happened.
    early = [shoes[0], told(1, favourite="shoes", happened_ms=-5)]
    assert times_held(compare(liked, ">=", 1), early) == []


def test_a_profile_event_is_known_before_it_is_counted() -> None:
    became = compare(count("profile", None, GOLD), ">=", 1)
    assert holds(became, told(0, level="gold"))
    # Of its own attributes only the newest hold.
    assert not holds(became, told(0, level="silver"), told(1, level="gold", happened_ms=-1))


def test_filters_compare_numbers_and_ages() -> None:
    dear = count("purchase", None, Compare(">=", FieldRef("amount"), LIMIT))
    assert times_held(
        compare(dear, "==", 1), [event(0, amount_cents=9), told(1, limit="0.05"), event(2, amount_cents=5)]
    ) == [2]
    grown_up = compare(count("purchase", None, compare(AGE, ">=", 18)), ">=", 1)
    # 18 on the second day: by the clock when the event is applied, wherever it is placed.
    young = [told(0, birthday="2006-01-02"), event(5), event(DAY_MS + 5, happened_ms=6)]
    assert times_held(grown_up, young) == [DAY_MS + 5]
    assert times_held(compare(count("purchase", None, Present(AGE)), ">=", 1), young) == [5]


# ----------------------------------------------------------------------------------------------------------- birthdays


@pytest.mark.parametrize(
    ("text", "zone", "utc", "age"),
    [
        ("2000-01-02", "UTC", "2024-01-01T23:59:59.999", 23),
        ("2000-01-02", "UTC", "2024-01-02T00:00:00", 24),
        ("2000-01-02", "Europe/Berlin", "2024-01-01T22:59:59.999", 23),
        ("2000-01-02", "Europe/Berlin", "2024-01-01T23:00:00", 24),
        ("2000-07-02", "America/New_York", "2024-07-02T03:59:59.999", 23),
        ("2000-07-02", "America/New_York", "2024-07-02T04:00:00", 24),
        # Every fourth year on its day, else on 1 March.
        ("2000-02-29", "UTC", "2023-02-28T23:59:59.999", 22),
        ("2000-02-29", "UTC", "2023-03-01T00:00:00", 23),
        ("2000-02-29", "UTC", "2024-02-28T23:59:59.999", 23),
        ("2000-02-29", "UTC", "2024-02-29T00:00:00", 24),
        # In Havana 10 March began at 1:00, when it would have been midnight five hours behind.
        ("2000-03-10", "America/Havana", "2024-03-10T04:59:59.999", 23),
        ("2000-03-10", "America/Havana", "2024-03-10T05:00:00", 24),
        # And 3 November had two midnights, the first of them four hours behind.
        ("2000-11-03", "America/Havana", "2024-11-03T03:59:59.999", 23),
        ("2000-11-03", "America/Havana", "2024-11-03T04:00:00", 24),
        # Not born yet, and just born.
        ("2024-01-02", "UTC", "2024-01-01T23:59:59.999", None),
        ("2024-01-02", "UTC", "2024-01-02T00:00:00", 0),
        ("1800-01-01", "Europe/Berlin", "2024-06-01T00:00:00", 224),
        ("2000-01-01T23:59:59+14:00", "UTC", "2024-06-01T00:00:00", 24),
        ("2000-01-01 or so", "UTC", "2024-06-01T00:00:00", 24),
        *(
            (text, "UTC", "2024-06-01T00:00:00", None)
            for text in ("", "2000", "2000-1-1", "2000-02-30", "2001-02-29", "1900-02-29", "1799-12-31", "2201-01-01",
                         "2000-01-01x", " 2000-01-01", "2000-01-01t00", "20000101", "0000-01-01", "2000-00-01")
        ),
    ],
)  # fmt: skip
def test_an_age_is_the_number_of_birthdays(text: str, zone: str, utc: str, age: int | None) -> None:
    assert age_of(text, at(utc), zone) == age


def test_an_age_changes_by_itself_when_a_birthday_begins() -> None:
    # The start is 1 January 2024.
    assert flips(rules(tag(compare(AGE, ">=", 18))), [told(5, birthday="2006-01-02")]) == [(DAY_MS, "entered!")]
    assert flips(rules(tag(compare(AGE, ">=", 18))), [told(5, birthday="2006-01-02")], until_ms=DAY_MS - 1) == []
    in_berlin = rules(tag(compare(AGE, ">=", 18)), zone="Europe/Berlin")
    assert flips(in_berlin, [told(5, birthday="2006-01-02")]) == [(23 * HOUR_MS, "entered!")]
    born = [told(5, birthday="2024-01-02")]
    assert times_held(Present(AGE), born) == [DAY_MS]
    assert times_held(compare(AGE, "==", 0), born) == [DAY_MS, 367 * DAY_MS]


def test_an_age_is_compared_with_numbers_of_all_sorts() -> None:
    told_first = told(0, birthday="2022-01-02", limit="2")
    assert times_held(Compare(">=", AGE, LIMIT), [told_first]) == [DAY_MS]
    assert times_held(Compare("==", AGE, count("purchase", None)), [told_first, event(1)]) == [1, DAY_MS]
    # From 2 January on it is 2 years; the purchase is 2 days ago on 3 January.
    assert times_held(Compare(">=", taken("days_since", "purchase"), AGE), [told_first, event(0)]) == [2 * DAY_MS]
    assert times_held(Compare("<", taken("days_since", "purchase"), AGE), [told_first, event(0)]) == [0, 2 * DAY_MS]


def test_only_a_birthday_by_which_a_condition_can_change_is_a_cause() -> None:
    always = compare(count("service", None), "==", 0)
    born = told(0, birthday="2000-01-02", wedding="2020-06-01")

    def looks(condition: Expr) -> list[int]:
        rule_set = rules(tag(always, leave=always), tag(condition, id="u"))
        return [at_ms for at_ms, name, _ in flips_of_tags(rule_set, [born], 800 * DAY_MS) if name == "t"]

    assert looks(compare(AGE, ">", 50)) == [0, DAY_MS, 367 * DAY_MS, 732 * DAY_MS]
    assert looks(Present(AGE)) == [0, DAY_MS, 367 * DAY_MS, 732 * DAY_MS]
    assert looks(attribute_is("birthday", "2000-01-02")) == [0]
    assert looks(compare(count("purchase", None, compare(AGE, ">", 50)), ">", 1)) == [0]
