"""What is drawn reaches all of the language, and can be read as text."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from processors.oracle import expression, moments, tagstate
from processors.oracle.expression import aggregates_of, parts_of_rules, parts_of_tag
from processors.oracle.judge import DAY_MS, HOUR_MS, Command, Event, run
from processors.oracle.moments import is_since, sinces_in
from processors.oracle.order import in_order
from processors.oracle.profile import birth_in, birthdays_ms
from processors.oracle.tagstate import is_number
from processors.rules.tree import (
    Age,
    Aggregate,
    And,
    Calendar,
    Compare,
    Expr,
    FieldRef,
    ForEach,
    Happening,
    Member,
    Not,
    Number,
    Or,
    Present,
    ProfileRef,
    Ratio,
    RuleSet,
    Sequence,
    StartsWith,
    Tag,
    TagRef,
    Text,
    Top,
    Trend,
)
from schemas.events import FIELDS
from tests.oracle.by_hand import compare, count, event, is_text, number, rules, tag, taken, told, top, total
from tests.oracle.choices import FEATURES, Knobs
from tests.oracle.generate import SeededChoices, random_scenario, rule_set
from tests.oracle.tables import ZONES
from tests.oracle.text import to_expression, to_json_lines, to_yaml

RICH = (Ratio, Trend, Present, Calendar, StartsWith, TagRef, Sequence, Top, ProfileRef, Age)


def is_rich(seed: int, knobs: Knobs) -> bool:
    rules = rule_set(SeededChoices(random.Random(seed)), knobs)
    funcs = {found.func for found in aggregates_of(rules)}
    grouped = any(tag.exclusive or tag.for_each or tag.score or tag.model or tag.levels for tag in rules.tags)
    return grouped or bool(funcs - {"count", "sum"}) or any(isinstance(p, RICH) for p in parts_of_rules(rules))


def test_half_of_the_rule_sets_use_more_than_counts_and_sums() -> None:
    assert 80 < sum(is_rich(seed, Knobs()) for seed in range(200)) < 120
    assert sum(is_rich(seed, Knobs(rich_percent=0)) for seed in range(200)) == 0
    assert sum(is_rich(seed, Knobs(rich_percent=100)) for seed in range(200)) > 180


def named(expr: object) -> str:
    """What a condition asks: of a comparison, the kind of its left side."""
    if isinstance(expr, Compare):
        left = expr.left if not isinstance(expr.left, Number) else expr.right
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

    for module in (expression, tagstate, moments):
        monkeypatch.setattr(module, "is_true", spy)
    for seed in range(600):
        scenario = random_scenario(random.Random(seed), Knobs(rich_percent=100, commands=True))
        run(scenario.rule_set, scenario.events, scenario.until_ms)
    kinds = ["Present", "StartsWith", "TagRef", "Member", "then", "then no"]
    funcs = ("count", "sum", "avg", "min", "max", "first", "last", "interval", "days_since", "distinct")
    others = ("Ratio", "Trend", "Calendar", "TagRef", "FieldRef", "Top", "ProfileRef", "Age")
    kinds += [f"compare {name}" for name in (*funcs, *others)]
    assert {(kind, found) for kind in kinds for found in (True, False) if truth[kind, found] < 10} == set()


def test_rule_sets_reach_every_zone_depth_and_shape_of_group() -> None:
    seen: Counter[object] = Counter()
    for seed in range(900):
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
        for each in rules.tags:
            seen.update(sorts_of(each))
        for part in parts_of_rules(rules):
            if isinstance(part, Compare | TagRef):
                asked = part.left if isinstance(part, Compare) else part
                other = tags[asked.tag] if isinstance(asked, TagRef) else None
                seen.update(["keys asked for"] if other is not None and other.for_each is not None else [])
                is_compared = other is not None and isinstance(part, Compare)
                seen.update(["number asked for"] if is_compared and other is not None and is_number(other) else [])
            if isinstance(part, Sequence) and part.first.event == part.second.event:
                seen.update(["one type"])
            if isinstance(part, Compare) and is_since(part.left):
                seen.update([("since", type(part.right))])
    wanted: list[object] = [*ZONES, ("places", False), ("ranks", False), ("ranks", True), "one type"]
    wanted += [("since", Number), ("since", Aggregate), ("since", Ratio), ("since", ProfileRef), ("since", Age)]
    wanted += ["keys of " + name for name in ("category", "channel", "kind", "page_type", "topic")]
    wanted += [("limit", limit) for limit in (1, 2, 20)] + ["keys in a group", "keys asked for", "number asked for"]
    wanted += [("score", kind) for kind in (Aggregate, Ratio, Trend, Age, ProfileRef)] + ["score moves"]
    wanted += ["set by hand alone", "set by a model alone", "levels alone", "model beside a rule", "not by hand"]
    assert {what: seen[what] for what in wanted if seen[what] < 5} == {}


def sorts_of(tag: Tag) -> list[object]:
    """What sorts of tags it is of."""
    found: list[object] = []
    if tag.for_each is not None:
        found += [f"keys of {tag.for_each.field}", ("limit", tag.for_each.limit)]
        found += ["keys in a group"] if tag.exclusive else []
    if tag.score is not None:
        assert tag.step > 0 or not sinces_in(tag.score), "it would be published at every millisecond"
        found += [("score", type(tag.score)), *(["score moves"] if sinces_in(tag.score) else [])]
    if tag.when is None and not tag.tiers and tag.score is None:
        assert tag.manual or tag.model, "nobody can set it"
        found += ["set by a model alone" if not tag.manual else "set by hand alone" if not tag.model else "set by both"]
        found += ["levels alone"] if tag.levels else []
    else:
        found += ["model beside a rule"] if tag.model else []
        found += [] if tag.manual else ["not by hand"]
    return found


def test_conditions_of_keys_read_only_events_that_have_them() -> None:
    met = 0
    for seed in range(300):
        for each in rule_set(SeededChoices(random.Random(seed)), Knobs(rich_percent=100)).tags:
            if each.for_each is None:
                continue
            read = {part.event for part in parts_of_tag(each) if isinstance(part, Aggregate | Top)}
            read |= {side.event for part in parts_of_tag(each) if isinstance(part, Sequence)
                     for side in (part.first, part.second)}  # fmt: skip
            assert read, "no key would ever be known"
            kinds = {event: {field.name: field.kind for field in FIELDS[event]}[each.for_each.field] for event in read}
            assert set(kinds.values()) <= ({"text"} if each.for_each.field != "kind" else {"kind"})
            assert each.for_each.field != "kind" or read == {each.for_each.event}
            assert (each.dwell_ms, each.cooldown_ms, each.expires_ms, each.tiers, each.score) == (0, 0, None, (), None)
            met += 1
    assert met > 50


def test_what_moves_by_itself_stands_on_one_side_alone() -> None:
    for seed in range(300):
        for part in parts_of_rules(rule_set(SeededChoices(random.Random(seed)), Knobs(rich_percent=100))):
            if isinstance(part, Compare):
                moving = [side for side in (part.left, part.right) if sinces_in(side)]
                ratios = [side for side in moving if isinstance(side, Ratio)]
                assert len(ratios) < 2
                of_both = [side for side in ratios if sinces_in(side.left) and sinces_in(side.right)]
                assert not of_both or len(moving) == 1


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_that_is_left_out_is_not_drawn(feature: str) -> None:
    def uses(knobs: Knobs) -> bool:
        drawn = [random_scenario(random.Random(seed), knobs) for seed in range(150)]
        return any(feature in features_of(each.rule_set) for each in drawn)

    rest = tuple(other for other in FEATURES if other != feature)
    assert uses(Knobs(rich_percent=100))
    assert not uses(Knobs(rich_percent=100, features=rest, commands=True))
    assert not uses(Knobs(rich_percent=0))


def features_of(rules: RuleSet) -> set[str]:
    everything = parts_of_rules(rules)
    found = {"profile" for part in everything if isinstance(part, ProfileRef | Age)}
    found |= {"top" for part in everything if isinstance(part, Top)}
    found |= {"distinct" for part in everything if isinstance(part, Aggregate) and part.func == "distinct"}
    found |= {"for_each" for tag in rules.tags if tag.for_each is not None}
    found |= {"score" for tag in rules.tags if tag.score is not None}
    found |= {"assigned" for tag in rules.tags if tag.model or not tag.manual or tag.levels}
    for part in everything:
        if isinstance(part, Compare):
            for one, other in ((part.left, part.right), (part.right, part.left)):
                if is_since(one) and not is_since(other) and not isinstance(other, Number):
                    found.add("days")
    return found


def test_commands_come_only_where_they_are_asked_for() -> None:
    def commands(knobs: Knobs) -> list[Command]:
        drawn = [random_scenario(random.Random(seed), knobs) for seed in range(100)]
        return [record for each in drawn for record in each.events if isinstance(record, Command)]

    assert commands(Knobs()) == []
    found = commands(Knobs(commands=True))
    assert {record.kind for record in found} == {"assign", "remove", "score", "erase"}
    assert sum(record.until_ms is not None and record.until_ms > record.arrival_ms for record in found) > 30
    assert sum(record.until_ms is not None and record.until_ms <= record.arrival_ms for record in found) > 10


def test_birthdays_come_within_the_time_that_is_drawn() -> None:
    aged = Knobs(rich_percent=100, event_types=("browse",), features=("profile", "score"))
    by_birthday = 0
    for seed in range(300):
        scenario = random_scenario(random.Random(seed), aged)
        zone, told = scenario.rule_set.time_zone, [one for one in scenario.events if isinstance(one, Event)]
        texts = {text for one in told if (text := one.attributes.get("birthday"))}
        days_ms = {ms for text in texts if (birth := birth_in(text)) for ms in birthdays_ms(birth, zone)}
        changes = run(scenario.rule_set, scenario.events, scenario.until_ms).changes
        by_birthday += sum(change.cause_time_ms in days_ms for change in changes)
    assert by_birthday > 30


def test_order_times_lie_about_windows_and_events() -> None:
    given = missing = 0
    for seed in range(100):
        for drawn in random_scenario(random.Random(seed)).events:
            if isinstance(drawn, Event) and drawn.type == "purchase":
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
            Compare("==", top("purchase", "category", None, HOUR_MS), ProfileRef("favourite")),
            "top(purchase.category, 1h) == profile.favourite",
        ),
        (
            Member(
                top("purchase", "category", "amount", None, is_text("kind", "order")), (Text("shoes"),), negated=True
            ),
            'top(purchase.category by sum(purchase.amount) where kind == "order", ever) not in ["shoes"]',
        ),
        (compare(Age("birthday"), ">=", 18), "age(profile.birthday) >= 18"),
        (StartsWith(ProfileRef("city"), Text("B")), 'profile.city starts_with "B"'),
        (compare(taken("distinct", "browse", "category"), ">", 3), "distinct(browse.category, ever) > 3"),
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


def test_keys_numbers_and_who_may_say_them_are_written_where_they_have_to_be() -> None:
    now = compare(count("browse", HOUR_MS), ">=", 1)

    def written(tag: Tag) -> list[str]:
        return [line.strip() for line in to_yaml(rules(tag)).splitlines()[4:]]

    assert written(tag(now)) == ['when: "count(browse, 1h) >= 1"']
    assert written(tag(now, manual=False, model=True))[1:] == ["manual: false", "model: true"]
    assert written(tag(now, for_each=ForEach("browse", "category", 20)))[1:] == ["for_each: browse.category"]
    assert written(tag(now, for_each=ForEach("browse", "category", 3)))[1:] == ["for_each: browse.category", "limit: 3"]
    assert written(tag(score=count("browse", HOUR_MS))) == ['score: "count(browse, 1h)"']
    assert written(tag(score=Age("birthday"), step="0.5")) == ['score: "age(profile.birthday)"', "step: 0.5"]
    assert written(tag()) == ["manual: true"]
    assert written(tag(manual=False, model=True)) == ["manual: false", "model: true"]
    assert written(tag(levels=("a", "b"))) == ["manual: true", "levels: [a, b]"]


def test_attributes_are_written_as_a_map() -> None:
    assert '"attributes": {"level": "gold", "city": null}}' in to_json_lines([told(0, level="gold", city=None)])


def test_times_of_events_are_written_in_milliseconds() -> None:
    assert '"order_time": 17}' in to_json_lines([event(0, order_time=17)])
