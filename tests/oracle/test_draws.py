"""What is drawn reaches all of the language, and can be read as text."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from processors.rules.tree import (
    Aggregate,
    And,
    Calendar,
    Compare,
    Expr,
    FieldRef,
    Happening,
    Member,
    Not,
    Or,
    Present,
    Ratio,
    Sequence,
    StartsWith,
    TagRef,
    Text,
    Trend,
)
from tests.oracle import expression, moments, oracle
from tests.oracle.by_hand import compare, count, event, number, rules, tag, taken, total
from tests.oracle.choices import Knobs
from tests.oracle.expression import aggregates_of, parts_of_rules
from tests.oracle.generate import SeededChoices, random_scenario, rule_set
from tests.oracle.moments import is_since
from tests.oracle.oracle import DAY_MS, HOUR_MS, run
from tests.oracle.order import in_order
from tests.oracle.tables import ZONES
from tests.oracle.text import to_expression, to_json_lines, to_yaml

RICH = (Ratio, Trend, Present, Calendar, StartsWith, TagRef, Sequence)


def is_rich(seed: int, knobs: Knobs) -> bool:
    rules = rule_set(SeededChoices(random.Random(seed)), knobs)
    funcs = {found.func for found in aggregates_of(rules)}
    grouped = any(tag.exclusive for tag in rules.tags)
    return grouped or bool(funcs - {"count", "sum"}) or any(isinstance(p, RICH) for p in parts_of_rules(rules))


def test_half_of_the_rule_sets_use_more_than_counts_and_sums() -> None:
    assert 80 < sum(is_rich(seed, Knobs()) for seed in range(200)) < 120
    assert sum(is_rich(seed, Knobs(rich_percent=0)) for seed in range(200)) == 0
    assert sum(is_rich(seed, Knobs(rich_percent=100)) for seed in range(200)) > 180


def named(expr: object) -> str:
    """What a condition asks: of a comparison, the kind of its left side."""
    if isinstance(expr, Compare):
        left = expr.left if not isinstance(expr.left, type(number(0))) else expr.right
        return f"compare {left.func if isinstance(left, Aggregate) else type(left).__name__}"
    if isinstance(expr, Sequence):
        return "then no" if expr.negated else "then"
    return type(expr).__name__


def test_each_kind_of_condition_is_met_true_and_false(monkeypatch: pytest.MonkeyPatch) -> None:
    truth: Counter[tuple[str, bool]] = Counter()
    really_true = expression.is_true

    def spy(expr: Expr, scope: expression.Scope) -> bool:
        found = really_true(expr, scope)
        truth[named(expr), found] += 1
        return found

    for module in (expression, oracle, moments):
        monkeypatch.setattr(module, "is_true", spy)
    for seed in range(300):
        scenario = random_scenario(random.Random(seed), Knobs(rich_percent=100))
        run(scenario.rule_set, scenario.events, scenario.until_ms)
    kinds = ["Present", "StartsWith", "TagRef", "Member", "then", "then no"]
    funcs = ("count", "sum", "avg", "min", "max", "first", "last", "interval", "days_since")
    kinds += [f"compare {name}" for name in (*funcs, "Ratio", "Trend", "Calendar", "TagRef", "FieldRef")]
    assert {(kind, found) for kind in kinds for found in (True, False) if truth[kind, found] < 10} == set()


def test_rule_sets_reach_every_zone_depth_and_shape_of_group() -> None:
    seen: Counter[object] = Counter()
    for seed in range(300):
        rules = rule_set(SeededChoices(random.Random(seed)), Knobs(rich_percent=100))
        tags = {tag.id: tag for tag in in_order(rules)}
        seen.update({rules.time_zone})
        places = [tag.id for tag in rules.tags if tag.exclusive == "one"]
        ranks = [tag.rank for tag in rules.tags if tag.exclusive == "one"]
        if len(ranks) > 1:
            ranked = ("places" if ranks == list(range(1, len(ranks) + 1)) else "ranks", len(set(ranks)) < len(ranks))
            seen.update([ranked])
            seen.update("tier in a group" for name in places if tags[name].tiers)
            seen.update("leave in a group" for tag in rules.tags if tag.exclusive and tag.leave)
        for part in parts_of_rules(rules):
            if isinstance(part, Sequence) and part.first.event == part.second.event:
                seen.update(["one type"])
            if isinstance(part, Compare) and is_since(part.left):
                seen.update([("since", type(part.right))])
    wanted: list[object] = [*ZONES, ("places", False), ("ranks", False), ("ranks", True), "one type"]
    wanted += [("since", type(number(0))), ("since", Aggregate)]
    assert {what: seen[what] for what in wanted if seen[what] < 5} == {}


def test_order_times_lie_about_windows_and_events() -> None:
    given = missing = 0
    for seed in range(100):
        for drawn in random_scenario(random.Random(seed)).events:
            if drawn.type == "purchase":
                given += drawn.fields.get("order_time") is not None
                missing += drawn.fields.get("order_time") is None
    assert given > 50 and missing > 50


# ---------------------------------------------------------------------------------------------------------- as text


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (compare(taken("avg", "purchase", "amount", 90 * DAY_MS), ">=", "0.5"), "avg(purchase.amount, 90d) >= 0.5"),
        (Compare("==", taken("last", "service", "kind"), Text("praise")), 'last(service.kind, ever) == "praise"'),
        (compare(taken("interval", "browse", None, HOUR_MS), "<", 1), "interval(browse, 1h) < 1"),
        (
            compare(taken("days_since", "purchase", where=Present(FieldRef("order_time"))), ">", "0.00000001"),
            "days_since(purchase where present(order_time)) > 0.00000001",
        ),
        (
            compare(Ratio(Trend(count("browse", DAY_MS)), total("purchase", "amount", None)), "<", -1),
            "ratio(trend(count(browse, 1d)), sum(purchase.amount, ever)) < -1",
        ),
        (
            Member(Calendar("weekday", "event_time"), (number(6), number(7)), negated=True),
            "weekday(event_time) not in [6, 7]",
        ),
        (
            Not(StartsWith(FieldRef("topic"), Text("配"))),
            'not (topic starts_with "配")',
        ),
        (Or((TagRef("a"), Compare("!=", TagRef("b"), Text("gold")))), 'tag("a") or tag("b") != "gold"'),
        (
            And(
                (
                    Sequence(
                        Happening(
                            "browse", And((Present(FieldRef("category")), compare(FieldRef("dwell_ms"), ">", 1)))
                        ),
                        Happening("purchase", None),
                        3 * DAY_MS,
                        negated=True,
                    ),
                    TagRef("a"),
                )
            ),
            '(browse where present(category) and dwell_ms > 1 then no purchase within 3d) and tag("a")',
        ),
        (
            Sequence(Happening("browse", None), Happening("browse", None), 60_000, negated=False),
            "browse then browse within 1m",
        ),
    ],
)
def test_expressions_are_written_as_users_write_them(expr: Expr, text: str) -> None:
    assert to_expression(expr) == text


def test_a_rank_is_written_where_the_place_in_the_file_does_not_say_it() -> None:
    now = compare(count("browse", HOUR_MS), ">=", 1)
    first, second, third = (
        tag(now, id=name, exclusive=group, rank=rank)
        for name, group, rank in (("a", "g", 1), ("b", "h", 1), ("c", "g", 2))
    )
    written = to_yaml(rules(first, second, third)).splitlines()
    assert [line.strip() for line in written if "exclusive" in line or "rank" in line] == [
        "exclusive: g",
        "exclusive: h",
        "exclusive: g",
    ]
    written = to_yaml(rules(first, second, replace(third, rank=-3))).splitlines()
    assert [line.strip() for line in written if "rank" in line] == ["rank: -3"]


def test_times_of_events_are_written_in_milliseconds() -> None:
    assert '"order_time": 17}' in to_json_lines([event(0, order_time=17)])
