"""The lines of examples."""

from __future__ import annotations

import pytest

from processors.rules import tree as T
from processors.rules.example_text import read_given, read_then
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
        ("profile at 0d", T.Given("profile", 0, {})),
    ],
)
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
        ("browse at 2h1d", "TS-R405", "2h1d"),
        ("browse at 401d", "TS-R405", "401d"),
    ],
)
def test_an_event_that_cannot_be_is_refused_where_it_is(text: str, code: str, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_given(text)
    assert (caught.value.code, text[slice(*(caught.value.span or (0, 0)))]) == (code, words)


def test_a_change_has_an_op_a_level_if_named_and_a_time() -> None:
    assert read_then("entered at 2d10m", ()) == T.Then("entered", 173_400_000, None)
    assert read_then("entered gold at 0d", ("gold",)) == T.Then("entered", 0, "gold")
    assert read_then("changed at 1h", ("gold", "silver")) == T.Then("changed", HOUR_MS, None)
    assert read_then("  left   at 1h ", ("gold",)) == T.Then("left", HOUR_MS, None)


@pytest.mark.parametrize(
    ("text", "levels", "code", "words"),
    [
        ("gone at 3d", (), "TS-R403", "gone"),
        ("entered", (), "TS-R403", "entered"),
        ("entered gold at 3d", (), "TS-R404", "entered gold at 3d"),
        ("changed at 3d", (), "TS-R404", "changed at 3d"),
        ("left gold at 3d", ("gold",), "TS-R404", "left gold at 3d"),
        ("entered glod at 3d", ("gold",), "TS-R404", "entered glod at 3d"),
        ("left at 3", (), "TS-R405", "3"),
    ],
)
def test_a_change_that_cannot_be_is_refused(text: str, levels: tuple[str, ...], code: str, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_then(text, levels)
    assert (caught.value.code, text[slice(*(caught.value.span or (0, 0)))]) == (code, words)
