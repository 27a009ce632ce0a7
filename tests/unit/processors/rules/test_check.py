"""The type check: every fault of an expression is found, each under its own words."""

from __future__ import annotations

import pytest

from processors.rules import limits
from processors.rules.check import check, check_score
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
        "avg(purchase.amount, 7d) > min(purchase.amount_cents, 7d)",
        "max(service.sentiment, 7d) < 0.5 or interval(browse, ever) <= 2",
        'first(browse.category, 7d) == "x" and last(browse.category, 7d) in ["a", "b"]',
        "first(purchase.amount, 7d) > last(purchase.amount, 7d)",
        'last(service.kind, 30d) == "complaint" or "order" != first(purchase.kind, 7d)',
        'last(service.kind, 30d) not in ["complaint", "return"]',
        "days_since(purchase) > 30 and 30.5 >= days_since(browse)",
        "days_since(purchase) > days_since(browse)",
        "ratio(days_since(purchase), trend(count(purchase, 200d))) > 1",
        "ratio(sum(purchase.amount, 7d), avg(purchase.amount, 30d)) > ratio(count(browse, 1d), interval(browse, 7d))",
        "trend(sum(purchase.amount, 1m)) < 0 or trend(count(browse, 30d)) > trend(count(browse, 7d))",
        "present(avg(purchase.amount, 7d)) and present(ratio(count(browse, 1d), count(browse, 7d)))",
        "present(first(browse.category, 7d)) or present(days_since(browse))",
        "count(purchase where present(order_time) and present(kind) and not present(amount), 7d) > 0",
        'count(browse where page_type starts_with "a" or not category starts_with "b", 7d) > 0',
        "count(purchase where hour(event_time) >= 22 or weekday(order_time) in [6, 7], 7d) > 0",
        "days_since(purchase) > avg(purchase.quantity, 1d) and interval(browse, 7d) < days_since(browse)",
        "days_since(purchase) > ratio(days_since(browse), count(browse, 7d))",
        "ratio(days_since(purchase), days_since(browse)) > count(browse, 7d)",
        "distinct(browse.category, 7d) > distinct(purchase.quantity, 7d) or distinct(service.kind, ever) == 2",
        "ratio(distinct(purchase.amount_cents, 7d), count(purchase, 7d)) > 0.5",
        'top(browse.category, 7d) == "x" and top(purchase.kind, 7d) not in ["refund", "cancel"]',
        'top(purchase.channel by sum(purchase.amount) where kind == "order", 7d) != top(browse.channel, 7d)',
        "top(browse.category, 7d) == first(browse.category, 7d) or present(top(browse.category, 7d))",
        'profile.region == "n" or profile.region in ["a"] or profile.region starts_with "b" or present(profile.x)',
        "profile.points > 5 and profile.points <= count(browse, 7d) and days_since(browse) > profile.days",
        "profile.a == profile.b or profile.a != top(purchase.kind, 7d) or last(service.kind, 7d) == profile.a",
        "age(profile.birthday) >= 18 and age(profile.birthday) < profile.limit or present(age(profile.birthday))",
        "count(purchase where category == profile.a and amount > profile.b and kind != profile.c, 7d) > 0",
        "count(browse where age(profile.b) > dwell_ms or present(age(profile.b)) or present(profile.b), 7d) > 0",
        'count(browse where profile.a in ["x"] and profile.b starts_with "y" and profile.c == profile.d, 7d) > 0',
        'tag("churn") >= 0.5 and count(browse, 7d) > tag("churn") and tag("churn") < profile.limit',
        "5 < tag('churn') and days_since(browse) > tag('churn')",
        'tag("gold") and not (tag("tier") == "high" or tag("tier") != "low")',
        "browse then purchase within 400d",
        'browse where category == "x" then no purchase where amount > 5 within 1m or count(browse, 1d) > 5',
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
        ("count(purchase where event_time > 5, 1d) > 0", "TS-R212", "event_time"),
        ("count(purchase where hour(event_time) > hour(order_time), 7d) > 0", "TS-R212",
         "hour(event_time) > hour(order_time)"),
        ("count(purchase where quantity < weekday(event_time), 7d) > 0", "TS-R212",
         "quantity < weekday(event_time)"),
        ("first(browse.category, 1d) == last(browse.category, 1d)", "TS-R212",
         "first(browse.category, 1d) == last(browse.category, 1d)"),
        ("tag('tier') in ['a']", "TS-R213", "tag('tier')"),
        ("first(purchase.amount, 1d) in [1, 2]", "TS-R213", "first(purchase.amount, 1d)"),
        ("avg(purchase.category, 1d) > 0", "TS-R207", "category"),
        ("first(purchase.order_time, 1d) > 0", "TS-R207", "order_time"),
        ("max(purchase.kind, 1d) > 0", "TS-R207", "kind"),
        ("first(browse.category, 1d) > 5", "TS-R204", "5"),
        ("first(browse.category, 1d) == count(browse, 1d)", "TS-R204",
         "first(browse.category, 1d) == count(browse, 1d)"),
        ("first(browse.category, 1d) > 'm'", "TS-R205", "first(browse.category, 1d) > 'm'"),
        ("last(service.kind, 1d) == 'order'", "TS-R206", "'order'"),
        ("last(service.kind, 1d) in ['praise', 'order']", "TS-R206", "'order'"),
        ("last(browse.category, 1d) in ['a', 5]", "TS-R204", "5"),
        ("count(browse where tag('gold'), 1d) > 0", "TS-R208", "tag('gold')"),
        ("count(browse where ratio(count(browse, 1d), count(browse, 2d)) > 1, 1d) > 0", "TS-R208",
         "ratio(count(browse, 1d), count(browse, 2d))"),
        ("count(browse where present(count(browse, 1d)), 1d) > 0", "TS-R208", "count(browse, 1d)"),
        ("trend(count(browse, 201d)) > 0", "TS-R211", "201d"),
        ("trend(count(browse, 401d)) > 0", "TS-R211", "401d"),
        ("trend(sum(purchase.amount, ever)) > 0", "TS-R211", "ever"),
        ("browse then purchase within 401d", "TS-R211", "401d"),
        ("browse then purchase within 0m", "TS-R211", "0m"),
        ("brows then purchase within 1d", "TS-R201", "brows"),
        ("browse where category == 'then no x' then no purchse within 1d", "TS-R201", "purchse"),
        ("browse where nope == 1 then purchase within 1d", "TS-R202", "nope"),
        ("browse then purchase where nope == 1 within 1d", "TS-R202", "nope"),
        ("hour(event_time) > 5", "TS-R215", "hour(event_time)"),
        ('category starts_with "x"', "TS-R215", 'category starts_with "x"'),
        ("present(category)", "TS-R209", "category"),
        ("days_since(browse) > ratio(days_since(purchase), days_since(service))", "TS-R216",
         "days_since(browse) > ratio(days_since(purchase), days_since(service))"),
        ("ratio(days_since(browse), count(browse, 7d)) > ratio(count(browse, 7d), days_since(service))", "TS-R216",
         "ratio(days_since(browse), count(browse, 7d)) > ratio(count(browse, 7d), days_since(service))"),
        ("distinct(service.sentiment, 1d) > 1", "TS-R207", "sentiment"),
        ("distinct(purchase.order_time, 1d) > 1", "TS-R207", "order_time"),
        ("distinct(browse.nope, 1d) > 1", "TS-R202", "nope"),
        ("top(purchase.amount, 1d) == 'x'", "TS-R207", "amount"),
        ("top(purchase.order_time, 1d) == 'x'", "TS-R207", "order_time"),
        ("top(purchase.nope, 1d) == 'x'", "TS-R202", "nope"),
        ("top(purchas.category, 1d) == 'x'", "TS-R201", "purchas"),
        ("top(purchase.category, 401d) == 'x'", "TS-R211", "401d"),
        ("top(purchase.category by sum(purchase.nope), 1d) == 'x'", "TS-R202", "nope"),
        ("top(purchase.category by sum(purchase.channel) where amount > 1, 1d) == 'x'", "TS-R207", "channel"),
        ("top(purchase.category by sum(purchase.order_time), 1d) == 'x'", "TS-R207", "order_time"),
        ("top(purchase.category where nope > 1, 1d) == 'x'", "TS-R202", "nope"),
        ("top(browse.category, 1d) > 5", "TS-R204", "5"),
        ("top(browse.category, 1d) == count(browse, 1d)", "TS-R204", "top(browse.category, 1d) == count(browse, 1d)"),
        ("top(browse.category, 1d) > 'm'", "TS-R205", "top(browse.category, 1d) > 'm'"),
        ("top(purchase.kind, 1d) == 'oder'", "TS-R206", "'oder'"),
        ("top(browse.category, 1d)", "TS-R203", "top(browse.category, 1d)"),
        ("ratio(top(browse.category, 1d), count(browse, 1d)) > 1", "TS-R220", "top(browse.category, 1d)"),
        ("count(browse where top(browse.category, 1d) == 'x', 1d) > 0", "TS-R208", "top(browse.category, 1d)"),
        ("profile.region", "TS-R203", "profile.region"),
        ("profile.region > 'm'", "TS-R205", "profile.region > 'm'"),
        ("profile.a < profile.b", "TS-R205", "profile.a < profile.b"),
        ("profile.region in ['a', 5]", "TS-R204", "5"),
        ("count(browse where hour(event_time) > profile.x, 1d) > 0", "TS-R212", "hour(event_time) > profile.x"),
        ("count(browse where hour(event_time) > age(profile.x), 1d) > 0", "TS-R212",
         "hour(event_time) > age(profile.x)"),
        ("ratio(profile.x, count(browse, 1d)) > 1", "TS-R220", "profile.x"),
        ("ratio(age(profile.x), count(browse, 1d)) > 1", "TS-R220", "age(profile.x)"),
        ("age(profile.x) == 'old'", "TS-R204", "age(profile.x) == 'old'"),
        ("age(profile.x) in [18, 19]", "TS-R213", "age(profile.x)"),
        ("count(browse where age(profile.x) in [18, 19], 1d) > 0", "TS-R213", "age(profile.x)"),
        ("age(profile.x)", "TS-R203", "age(profile.x)"),
        ("age(profile.x) starts_with '1'", "TS-R215", "age(profile.x) starts_with '1'"),
        ("count(browse where age(profile.x) starts_with '1', 1d) > 0", "TS-R218", "age(profile.x)"),
        ("count(profile where region == 'x', 1d) > 0", "TS-R202", "region"),
        ("sum(profile.points, 1d) > 0", "TS-R202", "points"),
        ("tag('a') == first(browse.category, 1d)", "TS-R221", "tag('a') == first(browse.category, 1d)"),
        ("count(browse where hour(category) > 5, 1d) > 0", "TS-R218", "category"),
        ("count(browse where hour(purchase) > 5, 1d) > 0", "TS-R218", "purchase"),
        ("count(browse where hour(order_time) > 5, 1d) > 0", "TS-R202", "order_time"),
        ("count(purchase where kind starts_with 'o', 1d) > 0", "TS-R218", "kind"),
        ("count(purchase where amount starts_with '1', 1d) > 0", "TS-R218", "amount"),
        ("count(purchase where 'abc' starts_with 'a', 1d) > 0", "TS-R218", "'abc'"),
        ("count(purchase where present(nope), 1d) > 0", "TS-R202", "nope"),
        ("count(purchase where present(hour(order_time)), 1d) > 0", "TS-R219", "hour(order_time)"),
        ("present(tag('gold'))", "TS-R219", "tag('gold')"),
        ("present(5)", "TS-R219", "5"),
        ("present(count(browse, 1d) > 5)", "TS-R214", "count(browse, 1d) > 5"),
        ("ratio(count(browse, 1d), 10) > 1", "TS-R220", "10"),
        ("ratio(ratio(count(browse, 1d), count(browse, 2d)), count(browse, 3d)) > 1", "TS-R220",
         "ratio(count(browse, 1d), count(browse, 2d))"),
        ("ratio(first(browse.category, 1d), count(browse, 3d)) > 1", "TS-R220", "first(browse.category, 1d)"),
        ("ratio(tag('a'), count(browse, 3d)) > 1", "TS-R220", "tag('a')"),
        ("tag('a') > 'high'", "TS-R221", "tag('a') > 'high'"),
        ("tag('a') == tag('b')", "TS-R221", "tag('a') == tag('b')"),
        ("(browse then purchase within 1d) == 5", "TS-R214", "browse then purchase within 1d"),
        ("(count(browse, 1d) > 0) == (count(browse, 2d) > 0)", "TS-R214", "count(browse, 1d) > 0"),
    ],
)  # fmt: skip
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
        ("days_since(browse)", "days_since(browse) > 0"),
        ("count(browse where event_time > 5, 1d) > 0", "hour(event_time)"),
        ("count(purchase where hour(ordr_time) > 5, 1d) > 0", "Did you mean order_time?"),
        ("hour(event_time) > 5", "count(purchase where hour(event_time)"),
        ("ratio(count(browse, 1d), 10) > 1", "Move the factor into the number"),
        ("present(tag('gold'))", 'Write tag("gold") alone'),
        ("tag('a') > 'high'", 'tag("a") == "LEVEL"'),
        ("top(browse.category, 1d) > 5", 'top(browse.category, 1d) == "TEXT"'),
        ("top(browse.category, 1d) == 5", 'Write "5"'),
        ("profile.points > '5'", "Write 5 without quotes"),
        ("profile.region in [5]", 'Write "5"'),
        ("profile.region", 'profile.region == "TEXT"'),
        ("age(profile.birthday)", "age(profile.birthday) > 0"),
        ("region == 'north'", "Write profile.region for an attribute"),
        ("count(browse where region == 'x', 1d) > 0", "Write profile.region for an attribute"),
        ("count(profile where region == 'x', 1d) > 0", "Write profile.region for an attribute"),
        ("trend(count(browse, 300d)) > 0", "up to 200d"),
        ("days_since(browse) > ratio(days_since(browse), days_since(service))", "days_since(browse) > 30"),
        ("brows then purchase within 1d", "Did you mean browse?"),
    ],
)
def test_the_cure_names_what_was_probably_meant(text: str, cure: str) -> None:
    assert cure in faults(text)[0].cure


def test_the_number_of_aggregates_is_bounded() -> None:
    def joined(count: int) -> str:
        return " or ".join(f"count(browse, {i + 1}m) > 0" for i in range(count))

    assert faults(joined(limits.MAX_AGGREGATES)) == []
    assert [e.code for e in faults(joined(limits.MAX_AGGREGATES + 1))] == ["TS-R503"]


def test_trends_and_sequences_count_as_two_aggregates() -> None:
    trends = " or ".join(f"trend(count(browse, {i + 1}m)) > 0" for i in range(limits.MAX_AGGREGATES // 2))
    sequences = " or ".join(f"browse then purchase within {i + 1}m" for i in range(limits.MAX_AGGREGATES // 2))
    for text in (trends, sequences):
        assert faults(text) == []
        assert [e.code for e in faults(f"{text} or count(browse, 1d) > 0")] == ["TS-R503"]


@pytest.mark.parametrize(
    "text",
    [
        "count(purchase, 7d)",
        "avg(purchase.amount where kind == 'order', 7d)",
        "distinct(browse.category, 7d)",
        "first(purchase.amount, 7d)",
        "days_since(purchase)",
        "ratio(count(browse, 7d), days_since(purchase))",
        "trend(count(browse, 7d))",
        "age(profile.birthday)",
        "profile.points",
    ],
)
def test_a_score_is_any_number_that_is_computed(text: str) -> None:
    assert check_score(parse(text), text) == []


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("count(purchase, 7d) > 3", "TS-R224", "count(purchase, 7d) > 3"),
        ("browse then purchase within 1d", "TS-R224", "browse then purchase within 1d"),
        ("present(profile.x)", "TS-R224", "present(profile.x)"),
        ("tag('a')", "TS-R224", "tag('a')"),
        ("5", "TS-R224", "5"),
        ("'x'", "TS-R224", "'x'"),
        ("top(browse.category, 7d)", "TS-R224", "top(browse.category, 7d)"),
        ("last(service.kind, 7d)", "TS-R224", "last(service.kind, 7d)"),
        ("ratio(days_since(purchase), days_since(browse))", "TS-R216",
         "ratio(days_since(purchase), days_since(browse))"),
        ("sum(purchase.category, 7d)", "TS-R207", "category"),
        ("category", "TS-R209", "category"),
        ("hour(event_time)", "TS-R215", "hour(event_time)"),
    ],
)  # fmt: skip
def test_what_is_no_score_is_shown(text: str, code: str, words: str) -> None:
    found = check_score(parse(text), text)
    assert [(e.code, text[slice(*(e.span or (0, 0)))]) for e in found] == [(code, words)]


def test_what_waits_on_the_stack_is_bounded() -> None:
    listed = f"dwell_ms in [{', '.join(['7'] * limits.MAX_LIST_VALUES)}]"
    fits = " and ".join(["dwell_ms > 1"] * 100 + [listed])
    bursts = " and ".join(["dwell_ms > 1"] * 101 + [listed])
    assert faults(f"count(browse where {fits}, 1d) > 0") == []
    assert [e.code for e in faults(f"count(browse where {bursts}, 1d) > 0")] == ["TS-R502"]
