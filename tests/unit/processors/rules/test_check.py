"""The type check: every fault of an expression is found, each under its own words."""

from __future__ import annotations

import pytest

from processors.rules import limits
from processors.rules.check import check
from processors.rules.parse import parse
from schemas.errors import RuleError


def faults(text: str) -> list[RuleError]:
    return check(parse(text), text)


def marked(text: str) -> list[tuple[str, str]]:
    return [(e.code, text[slice(*(e.span or (0, 0)))]) for e in faults(text)]


@pytest.mark.parametrize(
    "text",
    [
        "count(purchase, 1m) > 0",
        "count(purchase, 400d) > 0.5",
        "5 <= sum(purchase.quantity, ever)",
        "sum(purchase.amount, 7d) > sum(purchase.amount_cents, 30d)",
        'sum(service.sentiment where kind != "survey", 7d) < -1.5',
        'count(purchase where kind in ["refund", "cancel"] and amount < -19.99, 30d) > 0',
        "count(browse where category == search_query or not dwell_ms >= 1000, 1h) > 0",
        'count(browse where "app" == channel, 1h) > 0',
        "count(profile, ever) > 0",
    ],
)
def test_what_means_something_has_no_faults(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("count(order, 1d) > 0", "TS-R201", "order"),
        ('count(browse where coupon_id == "x", 1d) > 0', "TS-R202", "coupon_id"),
        ("sum(purchase.amuont, 1d) > 0", "TS-R202", "amuont"),
        ("sum(browse.amount, 1d) > 0", "TS-R202", "amount"),
        ("count(browse, 1d)", "TS-R203", "count(browse, 1d)"),
        ("5", "TS-R203", "5"),
        ("count(browse where category, 1d) > 0", "TS-R203", "category"),
        ('count(purchase where quantity == "2", 1d) > 0', "TS-R204", '"2"'),
        ("count(browse where category == 2, 1d) > 0", "TS-R204", "2"),
        ("count(browse where category == dwell_ms, 1d) > 0", "TS-R204", "category == dwell_ms"),
        ('count(browse, 1d) > "many"', "TS-R204", 'count(browse, 1d) > "many"'),
        ('count(browse where dwell_ms in [1, "2"], 1d) > 0', "TS-R204", '"2"'),
        ('count(browse where category > "m", 1d) > 0', "TS-R205", 'category > "m"'),
        ('count(purchase where kind == "order" or "refunded" == kind, 1d) > 0', "TS-R206", '"refunded"'),
        ('count(service where kind in ["praise", "complain"], 1d) > 0', "TS-R206", '"complain"'),
        ("sum(purchase.category, 1d) > 0", "TS-R207", "category"),
        ("sum(purchase.order_time, 1d) > 0", "TS-R207", "order_time"),
        ("count(browse where count(browse, 1d) > 1, 1d) > 0", "TS-R208", "count(browse, 1d)"),
        ('category == "x"', "TS-R209", "category"),
        ("purchase > 1", "TS-R209", "purchase"),
        ("1 < 2", "TS-R210", "1 < 2"),
        ('count(browse where "a" == "a", 1d) > 0', "TS-R210", '"a" == "a"'),
        ("count(browse, 0m) > 0", "TS-R211", "0m"),
        ("count(browse, 401d ) > 0", "TS-R211", "401d"),
        ("count(purchase where kind == category, 1d) > 0", "TS-R212", "kind == category"),
        ("count(purchase where order_time > 5, 1d) > 0", "TS-R212", "order_time"),
        ("count(browse, 1d) in [1]", "TS-R213", "count(browse, 1d)"),
        ("(count(browse, 1d) > 0) == (count(browse, 2d) > 0)", "TS-R214", "count(browse, 1d) > 0"),
    ],
)
def test_what_means_nothing_is_shown_where_it_is(text: str, code: str, words: str) -> None:
    assert marked(text)[0] == (code, words)


def test_all_faults_are_found_in_the_order_of_the_text() -> None:
    text = 'count(browse where nope == 1 and category > "a", 500d) > 0 and count(order, 1d) > 0 and x == 1'
    assert marked(text) == [
        ("TS-R202", "nope"),
        ("TS-R205", 'category > "a"'),
        ("TS-R211", "500d"),
        ("TS-R201", "order"),
        ("TS-R209", "x"),
    ]


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ('count(purchase where kind == "oder", 1d) > 0', "Did you mean order? There is order, refund, cancel"),
        ("count(purchase where amuont > 1, 1d) > 0", "Did you mean amount?"),
        ("count(brows, 1d) > 0", "Did you mean browse?"),
        ('count(purchase where quantity == "2", 1d) > 0', "Write 2 without quotes"),
        ("count(browse, 1d)", "count(browse, 1d) > 0"),
    ],
)
def test_the_cure_names_what_was_probably_meant(text: str, cure: str) -> None:
    assert cure in faults(text)[0].cure


def test_the_number_of_aggregates_is_bounded() -> None:
    def joined(count: int) -> str:
        return " or ".join(f"count(browse, {i + 1}m) > 0" for i in range(count))

    assert faults(joined(limits.MAX_AGGREGATES)) == []
    assert [e.code for e in faults(joined(limits.MAX_AGGREGATES + 1))] == ["TS-R503"]


def test_what_waits_on_the_stack_is_bounded() -> None:
    listed = f"dwell_ms in [{', '.join(['7'] * limits.MAX_LIST_VALUES)}]"
    fits = " and ".join(["dwell_ms > 1"] * 100 + [listed])
    bursts = " and ".join(["dwell_ms > 1"] * 101 + [listed])
    assert faults(f"count(browse where {fits}, 1d) > 0") == []
    assert [e.code for e in faults(f"count(browse where {bursts}, 1d) > 0")] == ["TS-R502"]
