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
        "count(browse, 1d) >= 5 and count(browse, 1d) <= 5",
    ],
)
def test_what_may_hold_and_may_fail_is_left_alone(text: str) -> None:
    assert warned(text) == []


def test_filters_are_looked_into_with_the_limits_of_their_fields() -> None:
    assert warned("count(service where satisfaction > 5, 1d) > 0") == [("TS-R901", "satisfaction > 5")]
    assert warned("count(service where satisfaction >= 1, 1d) > 0") == [("TS-R902", "satisfaction >= 1")]
    assert warned("count(browse where dwell_ms > 5 and dwell_ms < 3, 1d) > 0") == [("TS-R903", "dwell_ms < 3")]


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
