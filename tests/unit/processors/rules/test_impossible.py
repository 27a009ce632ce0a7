"""Warnings about rules that can be run but cannot be meant."""

from __future__ import annotations

import pytest

from processors.rules import tree as T
from processors.rules.check import check
from processors.rules.impossible import impossible, overlap, unreachable_levels
from processors.rules.parse import parse


def warned(text: str) -> list[tuple[str, str]]:
    expr = parse(text)
    assert check(expr, text) == []
    return [(e.code, text[slice(*(e.span or (0, 0)))]) for e in impossible(expr)]


@pytest.mark.parametrize(
    ("comparison", "code"),
    [
        ("count(browse, 1d) < 0", "TS-R901"),
        ("count(browse, 1d) <= -1", "TS-R901"),
        ("0 > count(browse, 1d)", "TS-R901"),
        ("count(browse, 1d) == 2.5", "TS-R901"),
        ("sum(purchase.amount, 1d) == 0.001", "TS-R901"),
        ("sum(service.satisfaction, 1d) < 0", "TS-R901"),
        ("days_since(purchase) < 0", "TS-R901"),
        ("interval(purchase, 7d) == -1", "TS-R901"),
        ("avg(service.satisfaction, 7d) > 5", "TS-R901"),
        ("max(service.satisfaction, 7d) == 4.5", "TS-R901"),
        ("trend(count(browse, 7d)) == 0.5", "TS-R901"),
        ("distinct(browse.category, 1d) < 0", "TS-R901"),
        ("distinct(browse.category, 1d) == 1.5", "TS-R901"),
        ("age(profile.birthday) < 0", "TS-R901"),
        ("age(profile.birthday) == 17.5", "TS-R901"),
        ("distinct(browse.category, 1d) >= 0", "TS-R902"),
        ("present(distinct(browse.category, 1d))", "TS-R902"),
        ("age(profile.birthday) >= 0", "TS-R902"),
        ("days_since(purchase) >= 0", "TS-R902"),
        ("first(service.sentiment, 7d) <= 1", "TS-R902"),
        ("present(count(browse, 1d))", "TS-R902"),
        ("present(trend(count(browse, 1d)))", "TS-R902"),
        ("count(browse, 1d) >= 0", "TS-R902"),
        ("count(browse, 1d) > -0.5", "TS-R902"),
        ("count(browse, 1d) != -1", "TS-R902"),
        ("count(browse, 1d) != 2.5", "TS-R902"),
    ],
)
def test_a_comparison_that_never_or_always_holds_is_named(comparison: str, code: str) -> None:
    text = f"count(purchase, 1d) > 3 or not {comparison}"
    assert warned(text) == [(code, comparison)]


@pytest.mark.parametrize(
    "text",
    [
        "count(browse, 1d) == 0",
        "count(browse, 1d) > 0",
        "count(browse, 1d) <= 0",
        "sum(purchase.amount, 1d) < 0",
        "sum(purchase.amount, 1d) == 0.01",
        "sum(service.sentiment, 1d) == 0.123",
        "sum(service.sentiment, 1d) > 5",
        "count(browse, 1d) > 3 and count(browse, 1d) < 5",
        "count(browse, 1d) > 5 and count(browse, 2d) < 3",
        "avg(service.satisfaction, 7d) == 4.5",
        "trend(count(browse, 7d)) < 0",
        "trend(sum(service.satisfaction, 7d)) < -5",
        "days_since(browse) > 30 and days_since(browse where category == 'x') < 5",
        "days_since(browse) == 0.5 and present(days_since(browse))",
        "ratio(count(browse, 1d), sum(purchase.amount, 1d)) < 0",
        "count(browse where hour(event_time) == 23 or weekday(event_time) == 7 or hour(event_time) in [0], 1d) > 0",
        "first(browse.category, 1d) == '' or tag('gold')",
        "count(browse, 1d) >= 5 and count(browse, 1d) <= 5",
        "profile.points < 0 or profile.points == 0.5",
        "profile.a == 'x' and profile.b == 'y' and profile.a != 'z'",
        "top(browse.category, 1d) == 'x' and top(browse.category, 7d) == 'y'",
        "present(top(browse.category, 1d)) or present(profile.a) or present(age(profile.a))",
        "tag('a') > 5 and tag('b') < 3",
    ],
)
def test_what_may_hold_and_may_fail_is_left_alone(text: str) -> None:
    assert warned(text) == []


def test_filters_are_looked_into_with_the_limits_of_their_fields() -> None:
    assert warned("count(service where satisfaction > 5, 1d) > 0") == [("TS-R901", "satisfaction > 5")]
    assert warned("count(service where satisfaction >= 1, 1d) > 0") == [("TS-R902", "satisfaction >= 1")]
    assert warned("count(browse where dwell_ms > 5 and dwell_ms < 3, 1d) > 0") == [("TS-R903", "dwell_ms < 3")]


@pytest.mark.parametrize(
    ("condition", "code", "words"),
    [
        ("hour(event_time) > 23", "TS-R901", "hour(event_time) > 23"),
        ("weekday(event_time) == 0", "TS-R901", "weekday(event_time) == 0"),
        ("weekday(event_time) != 8", "TS-R902", "weekday(event_time) != 8"),
        ("weekday(event_time) in [0, 1]", "TS-R901", "0"),
        ("hour(event_time) in [7.5]", "TS-R901", "7.5"),
        ("hour(event_time) > 22 and hour(event_time) < 6", "TS-R903", "hour(event_time) < 6"),
        ("channel starts_with ''", "TS-R902", "channel starts_with ''"),
    ],
)
def test_filters_by_time_and_prefix_are_looked_into_wherever_they_stand(condition: str, code: str, words: str) -> None:
    for text in (
        f"count(purchase where {condition}, 1d) > 0",
        f"ratio(count(purchase where {condition}, 1d), count(browse, 1d)) > 0",
        f"present(avg(purchase.amount where {condition}, 1d))",
        f"first(purchase.category where {condition}, 1d) in ['a']",
        f"top(purchase.category where {condition}, 1d) == 'x'",
        f"browse then no purchase where {condition} within 1d",
        f"purchase where {condition} then browse within 1d",
    ):
        assert warned(text) == [(code, words)]


def test_what_is_always_true_of_what_may_be_missing_is_to_be_asked_for() -> None:
    def cure(text: str) -> str:
        (warning,) = impossible(parse(text))
        return warning.cure

    assert "Write present(days_since(purchase))" in cure("days_since(purchase) >= 0")
    assert "Write present(order_time)" in cure("count(purchase where hour(order_time) >= 0, 1d) > 0")
    assert "present" not in cure("count(purchase where hour(event_time) >= 0, 1d) > 0")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("profile.region == 'a'", "profile.region == 'b'"),
        ("profile.points > 5", "profile.points < 3"),
        ("age(profile.birthday) < 18", "age(profile.birthday) >= 65"),
        ("tag('churn') > 0.8", "tag('churn') < 0.2"),
        ("tag('tier') == 'a'", "tag('tier') == 'b'"),
        ("top(browse.category, 1d) == 'a'", "top(browse.category, 1d) == 'b'"),
        ("last(browse.category, 1d) == 'a'", "last(browse.category, 1d) == 'b'"),
    ],
)
def test_two_tests_of_one_thing_that_exclude_each_other_are_named(first: str, second: str) -> None:
    assert warned(f"{first} and {second}") == [("TS-R903", second)]
    assert warned(f"{first} or {second}") == []


def test_texts_of_fields_that_exclude_each_other_are_named() -> None:
    assert warned("count(browse where category == 'a' and 'b' == category, 1d) > 0") == [("TS-R903", "'b' == category")]


def test_conditions_that_exclude_each_other_are_named_once() -> None:
    text = "count(browse, 1d) > 5 and count(purchase, 1d) > 0 and count(browse, 1d) < 3 and 2 > count(browse, 1d)"
    assert warned(text) == [("TS-R903", "count(browse, 1d) < 3")]


def test_a_level_below_a_weaker_one_is_never_reached() -> None:
    def level(name: str, text: str) -> T.Level:
        return T.Level(name, parse(text))

    spent = "sum(purchase.amount, 90d)"
    wrong = [
        level("silver", f"{spent} >= 100"),
        level("gold", f"{spent} >= 500"),
        level("new", "count(browse, 1d) > 0"),
    ]
    assert unreachable_levels(wrong) == [(1, "silver")]
    right = [level("gold", f"{spent} >= 500"), level("silver", f"100 <= {spent}"), level("iron", f"{spent} < 100")]
    assert unreachable_levels(right) == []


@pytest.mark.parametrize(
    ("when", "leave", "both"),
    [
        (">= 5", "< 8", True),
        (">= 5", "< 5", False),
        (">= 5", "< 4", False),
        ("> 5", "== 6", True),
        ("!= 5", "< 8", False),
    ],
)
def test_leave_must_exclude_when(when: str, leave: str, both: bool) -> None:
    assert overlap(parse(f"count(browse, 1d) {when}"), parse(f"count(browse, 1d) {leave}")) is both
