"""The lines of examples."""

from __future__ import annotations

import pytest

from processors.rules import tree as T
from processors.rules.example_text import read_given, read_then
from processors.rules.sorts import Sort
from schemas.errors import RuleError

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("purchase 2000 at 0d", T.Given("purchase", 0, {"amount_cents": 200_000})),
        ("purchase 19.99 at 1h", T.Given("purchase", HOUR_MS, {"amount_cents": 1_999})),
        ("purchase -0.5 kind=refund at 1h", T.Given("purchase", HOUR_MS, {"amount_cents": -50, "kind": "refund"})),
        ("purchase amount=3 quantity=2 at 0d", T.Given("purchase", 0, {"amount_cents": 300, "quantity": 2})),
        ("purchase amount_cents=3 at 0d", T.Given("purchase", 0, {"amount_cents": 3})),
        ("purchase order_time=1h at 2h", T.Given("purchase", 2 * HOUR_MS, {"order_time": HOUR_MS})),
        ("browse at 1d2h", T.Given("browse", 26 * HOUR_MS, {})),
        ('browse category="running shoes" at 0d', T.Given("browse", 0, {"category": "running shoes"})),
        (
            "browse category=shoes channel='a \\' b' at 0d",
            T.Given("browse", 0, {"category": "shoes", "channel": "a ' b"}),
        ),
        ('browse search_query="" at 0d', T.Given("browse", 0, {"search_query": ""})),
        (
            "service sentiment=-0.25 satisfaction=5 at 0d",
            T.Given("service", 0, {"sentiment": -0.25, "satisfaction": 5}),
        ),
        ("browse category=shoes, channel='a, b', page_type=x at 0d",
         T.Given("browse", 0, {"category": "shoes", "channel": "a, b", "page_type": "x"})),
        ("profile at 0d", T.Given("profile", 0, {})),
        ('profile region="north", birthday="1990-05-01" at 0d',
         T.Given("profile", 0, {"region": "north", "birthday": "1990-05-01"})),
        ("profile region=north points=5 at 0d", T.Given("profile", 0, {"region": "north", "points": "5"})),
        ("profile region=null, level='null', note=\"\" at 0d",
         T.Given("profile", 0, {"region": None, "level": "null", "note": ""})),
    ],
)  # fmt: skip
def test_an_event_has_a_type_fields_and_a_time(text: str, event: T.Given) -> None:
    assert read_given(text) == event


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("purchase 2000", "TS-R401", "purchase 2000"),
        ("", "TS-R401", ""),
        ("purchas 2000 at 0d", "TS-R401", "purchas"),
        ("browse 5 at 0d", "TS-R401", "5"),
        ("purchase kind=order 5 at 0d", "TS-R401", "5"),
        ("purchase 1.234 at 0d", "TS-R402", "1.234"),
        ("purchase 1e3 at 0d", "TS-R402", "1e3"),
        ("purchase 5 amount_cents=3 at 0d", "TS-R402", "amount_cents=3"),
        ("purchase kind=refunded at 0d", "TS-R402", "kind=refunded"),
        ("purchase quantity=1.5 at 0d", "TS-R402", "quantity=1.5"),
        ("service satisfaction=9 at 0d", "TS-R402", "satisfaction=9"),
        ("service sentiment=nan at 0d", "TS-R402", "sentiment=nan"),
        ("browse nope=1 at 0d", "TS-R402", "nope=1"),
        ("profile region=a region=b at 0d", "TS-R402", "region=b"),
        ("profile consent.email=yes at 0d", "TS-R401", "consent.email=yes"),
        ("profile 5 at 0d", "TS-R401", "5"),
        ("browse at 2h1d", "TS-R405", "2h1d"),
        ("browse at 401d", "TS-R405", "401d"),
    ],
)
def test_an_event_that_cannot_be_is_refused_where_it_is(text: str, code: str, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_given(text)
    assert (caught.value.code, text[slice(*(caught.value.span or (0, 0)))]) == (code, words)


@pytest.mark.parametrize(
    ("text", "sort", "then"),
    [
        ("entered at 2d10m", "plain", T.Then("entered", 173_400_000, None)),
        ("entered gold at 0d", "level", T.Then("entered", 0, "gold")),
        ("changed at 1h", "level", T.Then("changed", HOUR_MS, None)),
        ("  left   at 1h ", "level", T.Then("left", HOUR_MS, None)),
        ("entered 0.5 at 1h", "number", T.Then("entered", HOUR_MS, 0.5)),
        ("changed -3 at 1h", "number", T.Then("changed", HOUR_MS, -3.0)),
        ("changed at 1h", "number", T.Then("changed", HOUR_MS, None)),
        ("entered [bags] at 1h", "keys", T.Then("entered", HOUR_MS, ("bags",))),
        ("entered [shoes, bags] at 1h", "keys", T.Then("entered", HOUR_MS, ("bags", "shoes"))),
        ("changed ['a, b', \"] at 5d\",x,é ] at 1h", "keys", T.Then("changed", HOUR_MS, ("] at 5d", "a, b", "x", "é"))),
        ("left at 1h", "keys", T.Then("left", HOUR_MS, None)),
    ],
)  # fmt: skip
def test_a_change_has_an_op_a_value_if_named_and_a_time(text: str, sort: Sort, then: T.Then) -> None:
    assert read_then(text, sort, ("gold", "silver") if sort == "level" else ()) == then


@pytest.mark.parametrize(
    ("text", "sort", "code", "words"),
    [
        ("gone at 3d", "plain", "TS-R403", "gone"),
        ("entered", "plain", "TS-R403", "entered"),
        ("entered gold at 3d", "plain", "TS-R404", "entered gold at 3d"),
        ("changed at 3d", "plain", "TS-R404", "changed at 3d"),
        ("left gold at 3d", "level", "TS-R404", "left gold at 3d"),
        ("entered glod at 3d", "level", "TS-R404", "entered glod at 3d"),
        ("entered 5 at 3d", "level", "TS-R404", "entered 5 at 3d"),
        ("entered much at 3d", "number", "TS-R404", "entered much at 3d"),
        ("entered nan at 3d", "number", "TS-R404", "entered nan at 3d"),
        ("left 5 at 3d", "number", "TS-R404", "left 5 at 3d"),
        ("entered bags at 3d", "keys", "TS-R404", "entered bags at 3d"),
        ("entered [] at 3d", "keys", "TS-R404", "entered [] at 3d"),
        ("entered [a b] at 3d", "keys", "TS-R404", "entered [a b] at 3d"),
        ("entered [a, [b]] at 3d", "keys", "TS-R404", "entered [a, [b]] at 3d"),
        ("entered [a, a] at 3d", "keys", "TS-R404", "entered [a, a] at 3d"),
        ("left [a] at 3d", "keys", "TS-R404", "left [a] at 3d"),
        ("entered [a] at 3", "keys", "TS-R405", "3"),
        ("left at 3", "plain", "TS-R405", "3"),
    ],
)
def test_a_change_that_cannot_be_is_refused(text: str, sort: Sort, code: str, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_then(text, sort, ("gold",) if sort == "level" else ())
    assert (caught.value.code, text[slice(*(caught.value.span or (0, 0)))]) == (code, words)
