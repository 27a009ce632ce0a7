"""Text to tree: precedence, forms, and where each fault is shown."""

from __future__ import annotations

from fractions import Fraction

import pytest

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.parse import parse
from schemas.errors import RuleError

BROWSES = T.Aggregate("count", "browse", None, None, 86_400_000)
ORDERS = T.Aggregate("count", "purchase", None, None, None)


def above(aggregate: T.Aggregate, value: int) -> T.Compare:
    return T.Compare(">", aggregate, T.Number(Fraction(value)))


def refused(text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        parse(text)
    return caught.value


def marked(text: str) -> tuple[str, str]:
    """(code, the words under the caret)"""
    error = refused(text)
    assert error.span is not None
    return error.code, text[slice(*error.span)]


def test_an_aggregate_has_an_event_a_field_a_filter_and_a_window_in_milliseconds() -> None:
    expr = parse('sum(purchase.amount where kind == "order", 90d) >= 19.99')
    order = T.Compare("==", T.FieldRef("kind"), T.Text("order"))
    total = T.Aggregate("sum", "purchase", "amount", order, 90 * 86_400_000)
    assert expr == T.Compare(">=", total, T.Number(Fraction(1999, 100)))


@pytest.mark.parametrize(
    ("text", "window_ms"), [("30m", 1_800_000), ("25h", 90_000_000), ("1d", 86_400_000), ("ever", None)]
)
def test_windows_are_minutes_hours_days_or_ever(text: str, window_ms: int | None) -> None:
    expr = parse(f"count(browse, {text}) > 1")
    assert isinstance(expr, T.Compare) and isinstance(expr.left, T.Aggregate)
    assert expr.left.window_ms == window_ms


def test_comparisons_bind_tighter_than_not_then_and_then_or() -> None:
    expr = parse("not count(browse, 1d) > 1 and count(purchase, ever) > 2 or count(browse, 1d) > 3")
    assert expr == T.Or((T.And((T.Not(above(BROWSES, 1)), above(ORDERS, 2))), above(BROWSES, 3)))


def test_parentheses_come_first() -> None:
    expr = parse("not (count(browse, 1d) > 1 or count(purchase, ever) > 2)")
    assert expr == T.Not(T.Or((above(BROWSES, 1), above(ORDERS, 2))))


def test_and_within_and_is_one_list() -> None:
    expr = parse("count(browse, 1d) > 1 and (count(browse, 1d) > 2 and count(browse, 1d) > 3)")
    assert expr == T.And((above(BROWSES, 1), above(BROWSES, 2), above(BROWSES, 3)))


def test_a_word_may_begin_with_a_keyword() -> None:
    expr = parse("count(browse where order_id == notes and inner == wherever, 1d) > 1")
    names = T.And(
        (
            T.Compare("==", T.FieldRef("order_id"), T.FieldRef("notes")),
            T.Compare("==", T.FieldRef("inner"), T.FieldRef("wherever")),
        )
    )
    assert isinstance(expr, T.Compare) and isinstance(expr.left, T.Aggregate)
    assert expr.left.where == names


def test_lists_take_texts_and_numbers_and_may_be_negated() -> None:
    expr = parse("count(browse where category not in [\"a\", 'b',] and dwell_ms in [1, -2.5], 1d) > 0")
    assert isinstance(expr, T.Compare) and isinstance(expr.left, T.Aggregate)
    assert expr.left.where == T.And(
        (
            T.Member(T.FieldRef("category"), (T.Text("a"), T.Text("b")), True),
            T.Member(T.FieldRef("dwell_ms"), (T.Number(Fraction(1)), T.Number(Fraction(-5, 2))), False),
        )
    )


def test_texts_keep_quotes_backslashes_and_chinese() -> None:
    expr = parse(r"""count(browse where category == "a\"b\\c'" or category == '鞋子', 1d) > 0""")
    assert isinstance(expr, T.Compare) and isinstance(expr.left, T.Aggregate)
    assert isinstance(expr.left.where, T.Or)
    assert [c.right for c in expr.left.where.items if isinstance(c, T.Compare)] == [T.Text("a\"b\\c'"), T.Text("鞋子")]


def left_of(text: str) -> T.Expr:
    expr = parse(text)
    assert isinstance(expr, T.Compare)
    return expr.left


def filter_of(text: str) -> T.Expr | None:
    aggregate = left_of(f"count({text}, 1d) > 0")
    assert isinstance(aggregate, T.Aggregate)
    return aggregate.where


@pytest.mark.parametrize("func", ["sum", "avg", "min", "max", "distinct", "first", "last"])
def test_functions_of_a_field_name_it_with_its_event(func: T.Func) -> None:
    assert left_of(f"{func}(purchase.amount, 1d) > 1") == T.Aggregate(func, "purchase", "amount", None, 86_400_000)


def test_functions_of_events_take_the_event_alone() -> None:
    big = T.Compare(">", T.FieldRef("amount"), T.Number(Fraction(1)))
    assert left_of("interval(purchase where amount > 1, ever) > 1") == T.Aggregate(
        "interval", "purchase", None, big, None
    )
    assert left_of("days_since(purchase where amount > 1) > 1") == T.Aggregate(
        "days_since", "purchase", None, big, None
    )


def test_a_top_has_a_field_and_maybe_a_measure_of_the_same_event() -> None:
    assert left_of("top(purchase.category, ever) == 'x'") == T.Top("purchase", "category", None, None, None)
    big = T.Compare(">", T.FieldRef("amount"), T.Number(Fraction(1)))
    assert left_of("top(purchase.category by sum(purchase.amount) where amount > 1, 1d) == 'x'") == T.Top(
        "purchase", "category", "amount", big, 86_400_000
    )
    assert left_of("top(purchase.category where amount > 1, 1d) == 'x'") == T.Top(
        "purchase", "category", None, big, 86_400_000
    )


def test_attributes_of_the_profile_stand_outside_and_inside_of_where() -> None:
    assert parse("profile.region == 'north'") == T.Compare("==", T.ProfileRef("region"), T.Text("north"))
    assert left_of("age(profile.birthday) >= 18") == T.Age("birthday")
    assert filter_of("browse where profile.region starts_with 'n'") == T.StartsWith(T.ProfileRef("region"), T.Text("n"))
    assert filter_of("browse where category == profile.by") == T.Compare(
        "==", T.FieldRef("category"), T.ProfileRef("by")
    )


@pytest.mark.parametrize("name", ["and", "not", "where", "then", "within", "by", "in", "no", "starts_with", "ever"])
def test_an_attribute_may_be_named_like_a_word_of_the_language(name: str) -> None:
    assert left_of(f"profile.{name} == 'x'") == T.ProfileRef(name)


def test_ratio_trend_and_present_hold_values() -> None:
    assert left_of("ratio(count(purchase, ever), count(browse, 1d)) > 1") == T.Ratio(ORDERS, BROWSES)
    assert left_of("trend(count(browse, 1d)) > 1") == T.Trend(BROWSES)
    assert parse("not present(count(browse, 1d))") == T.Not(T.Present(BROWSES))
    assert filter_of("browse where present(category)") == T.Present(T.FieldRef("category"))


def test_hours_and_weekdays_are_those_of_a_time() -> None:
    expected = T.Compare(">", T.Calendar("hour", "event_time"), T.Number(Fraction(6)))
    assert filter_of("purchase where hour(event_time) > 6") == expected
    assert filter_of("purchase where hour(purchase) > 6") == expected
    assert filter_of("purchase where hour(browse) > 6") == T.Compare(
        ">", T.Calendar("hour", "browse"), T.Number(Fraction(6))
    )
    assert filter_of("purchase where weekday(order_time) > 6") == T.Compare(
        ">", T.Calendar("weekday", "order_time"), T.Number(Fraction(6))
    )


def test_starts_with_may_stand_after_not() -> None:
    assert filter_of("browse where not category starts_with 'a'") == T.Not(
        T.StartsWith(T.FieldRef("category"), T.Text("a"))
    )


def test_a_tag_stands_alone_or_is_compared_with_a_level() -> None:
    assert parse('tag("gold") and not tag(\'tier\') == "high"') == T.And(
        (T.TagRef("gold"), T.Not(T.Compare("==", T.TagRef("tier"), T.Text("high"))))
    )


def test_the_constant_beside_a_text_value_stands_on_the_right() -> None:
    assert parse('"high" != tag("tier")') == parse('tag("tier") != "high"')
    assert parse('"x" == profile.a') == parse('profile.a == "x"')
    assert parse('"x" != top(browse.category, 1d)') == parse('top(browse.category, 1d) != "x"')
    assert parse('"x" == first(browse.category, 1d)') == parse('first(browse.category, 1d) == "x"')


def test_a_sequence_is_two_events_and_a_length() -> None:
    plain = T.Sequence(T.Happening("browse", None), T.Happening("purchase", None), 7_200_000, negated=False)
    assert parse("browse then purchase within 2h") == plain
    assert parse("not (browse then purchase within 120m)") == T.Not(plain)
    assert parse("browse then purchase within 2h and count(browse, 1d) > 1") == T.And((plain, above(BROWSES, 1)))


def test_a_filter_of_a_sequence_extends_as_far_as_it_can() -> None:
    a, b = (T.Compare("==", T.FieldRef(name), T.Text("x")) for name in ("category", "channel"))
    present = T.Present(T.FieldRef("order_id"))
    expr = parse(
        "browse where category == 'x' and channel == 'x' then no purchase where channel == 'x' or present(order_id)"
        " within 1d or count(browse, 1d) > 1"
    )
    sequence = T.Sequence(
        T.Happening("browse", T.And((a, b))), T.Happening("purchase", T.Or((b, present))), 86_400_000, negated=True
    )
    assert expr == T.Or((sequence, above(BROWSES, 1)))
    assert parse("browse where present(category) then purchase within 1d") == T.Sequence(
        T.Happening("browse", T.Present(T.FieldRef("category"))), T.Happening("purchase", None), 86_400_000, False
    )


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("count(browse, 1d) >", "TS-R101", ""),
        ("", "TS-R101", ""),
        ("count(browse, 1d) > 1)", "TS-R101", ")"),
        ("count(browse, 1d) > 1 AND count(browse, 1d) > 2", "TS-R101", "AND"),
        ("count(browse, 1d) > 1 && 2", "TS-R102", "&"),
        ("count(browse，1d) > 1", "TS-R102", "，"),
        ("cuont(browse, 1d) > 1", "TS-R103", "cuont"),
        ("distinct(browse, 1d) > 1", "TS-R105", "browse"),
        ("top(browse, 1d) == 'x'", "TS-R105", "browse"),
        ("top(browse.category) == 'x'", "TS-R105", "top(browse.category)"),
        ("top(browse.category by count(browse), 1d) == 'x'", "TS-R105", "count(browse)"),
        ("top(browse.category by dwell_ms, 1d) == 'x'", "TS-R105", "dwell_ms"),
        ("top(browse.category by sum(), 1d) == 'x'", "TS-R105", "sum()"),
        ("top(browse.category by sum(dwell_ms), 1d) == 'x'", "TS-R105", "dwell_ms"),
        ("top(browse.category by sum(purchase.amount), 1d) == 'x'", "TS-R105", "purchase.amount"),
        ("top(browse.category by sum(browse.dwell_ms, 7d), 1d) == 'x'", "TS-R105", "7d"),
        (
            "top(browse.category by sum(browse.dwell_ms where a == 1), 1d) == 'x'",
            "TS-R111",
            "browse.dwell_ms where a == 1",
        ),
        ("top(browse.category where a == 1 by sum(browse.dwell_ms), 1d) == 'x'", "TS-R101", "by"),
        (
            "sum(purchase.amount by sum(purchase.quantity), 1d) > 1",
            "TS-R105",
            "purchase.amount by sum(purchase.quantity)",
        ),
        ("present(purchase.amount by sum(purchase.quantity))", "TS-R105", "purchase.amount by sum(purchase.quantity)"),
        ("age(birthday) > 1", "TS-R105", "birthday"),
        ("age(purchase.order_time) > 1", "TS-R105", "purchase.order_time"),
        ("age('1990-01-01') > 1", "TS-R105", "'1990-01-01'"),
        ("age() > 1", "TS-R105", "age()"),
        ("profle.region == 'north'", "TS-R110", "profle.region"),
        ("profile.consent.email == 'yes'", "TS-R101", "."),
        ("true", "TS-R104", "true"),
        ("count(browse then no purchase within 2h, 1d) > 1", "TS-R105", "browse then no purchase within 2h"),
        ("count(browse where then == 1 then purchase, 1d) > 1", "TS-R101", ","),
        ("avg(purchase, 1d) > 1", "TS-R105", "purchase"),
        ("interval(purchase.amount, 1d) > 1", "TS-R105", "purchase.amount"),
        ("days_since(purchase, 30d) > 1", "TS-R105", "30d"),
        ("days_since(purchase.amount) > 1", "TS-R105", "purchase.amount"),
        ("days_since() > 1", "TS-R105", "days_since()"),
        ("days_since(1d) > 1", "TS-R105", "1d"),
        ("ratio(count(browse, 1d)) > 1", "TS-R105", "ratio(count(browse, 1d))"),
        ("tag(gold)", "TS-R105", "gold"),
        ('tag("gold", "silver")', "TS-R105", 'tag("gold", "silver")'),
        ("count(browse where hour(1) > 1, 1d) > 1", "TS-R105", "1"),
        ("count(browse where category starts_with page_type, 1d) > 1", "TS-R105", "page_type"),
        ('count(browse where category not starts_with "a", 1d) > 1', "TS-R101", "starts_with"),
        ("trend(avg(purchase.amount, 1d)) > 1", "TS-R217", "avg(purchase.amount, 1d)"),
        ("trend(5) > 1", "TS-R217", "5"),
        ("browse then purchase", "TS-R101", ""),
        ("browse then purchase within 30", "TS-R109", "30"),
        ("browse then purchase within ever", "TS-R109", "ever"),
        ("browse then purchase within 2w", "TS-R109", "2w"),
        ("browse where dwell_ms > 1", "TS-R101", ""),
        ("then purchase within 2h", "TS-R101", "purchase"),
        ("browse THEN purchase within 2h", "TS-R101", "THEN"),
        ("count(browse) > 1", "TS-R105", "count(browse)"),
        ("count(purchase.amount, 1d) > 1", "TS-R105", "purchase.amount"),
        ("sum(purchase, 1d) > 1", "TS-R105", "purchase"),
        ("1 < count(browse, 1d) < 3", "TS-R106", "<"),
        ('count(purchase where kind = "order", 1d) > 1', "TS-R107", "="),
        ('count(browse where category == "x, 1d) > 1', "TS-R108", '"x, 1d) > 1'),
        (r'count(browse where category == "\d", 1d) > 1', "TS-R108", r"\d"),
        ("count(browse, 2w) > 1", "TS-R109", "2w"),
        ("count(browse, 1.5h) > 1", "TS-R109", "1.5h"),
        ("count(browse, 30) > 1", "TS-R109", "30"),
        ("count(browse, 1d) > 1d", "TS-R109", "1d"),
        ("purchase.amount > 1", "TS-R110", "purchase.amount"),
        ("count(browse, 1d where dwell_ms > 1) > 1", "TS-R111", "1d where dwell_ms > 1"),
        ("count(browse, 1d) > 1 where dwell_ms > 1", "TS-R111", "where"),
        ("count(browse where category in [page_type], 1d) > 1", "TS-R112", "page_type"),
        ("count(browse, 1d) > 0.0000000001", "TS-R113", "0.0000000001"),
        ("count(browse, 1d) > 1000000000000001", "TS-R113", "1000000000000001"),
    ],
)
def test_a_fault_is_shown_where_it_is(text: str, code: str, words: str) -> None:
    assert marked(text) == (code, words)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("cuont(browse, 1d) > 1", "Did you mean count?"),
        ("count(browse) > 1", "Add a window"),
        ("count(browse, 1d) => 1", "Write >="),
        ("count(browse, 1d) > 1 & 2", "Write `and`"),
        ("(count(browse, 1d) > 1", "Close the parenthesis"),
        ("purchase.amount > 1", "sum(purchase.amount, 30d)"),
        ("tag(gold)", 'Write tag("gold")'),
        ("trend(avg(purchase.amount, 1d)) > 1", "trend(count(EVENT, WINDOW))"),
        ("browse then purchase within 30", "Write 30m, 30h or 30d"),
        ("browse then purchase", "Add `within`"),
        ("browse then", "an event must stand"),
        ("count(browse where dwell_ms > 1", "Add a comma and a window"),
        ("browse where dwell_ms > 1", "count(EVENT where CONDITION, 30d) > 0"),
        ("days_since(purchase, 30d) > 1", "Leave it out"),
        ("hours(event_time) > 1", "Did you mean hour?"),
        ("distict(browse.category, 1d) > 1", "Did you mean distinct?"),
        ("profle.region == 'north'", "Did you mean profile.region?"),
        ("age(birthday) > 1", "Write age(profile.birthday)"),
        ("age(profle.birthday) > 1", "Write age(profile.birthday)"),
        ("profile.consent.email == 'yes'", "profile.ATTRIBUTE"),
        ("top(browse.category where a == 1 by sum(browse.dwell_ms), 1d) == 'x'", "before `where`"),
        ("top(purchase.category by count(purchase), 1d) == 'x'", "by sum(purchase.FIELD)"),
        ("count(browse, 1d) / count(purchase, 1d) > 1", "ratio(a, b)"),
        ('count(browse where category not starts_with "a", 1d) > 1', "not FIELD starts_with"),
    ],
)
def test_the_cure_says_what_to_write(text: str, cure: str) -> None:
    assert cure in refused(text).cure


def test_nesting_is_bounded_before_anything_recurses() -> None:
    deepest = "not " * (limits.MAX_EXPRESSION_DEPTH - 3) + "count(browse, 1d) > 1"
    parse(deepest)
    assert refused("not " * 900 + "count(browse, 1d) > 1").code == "TS-R502"
    assert parse("(" * 1_000 + "count(browse, 1d) > 1" + ")" * 1_000) == above(BROWSES, 1)


def test_length_lists_and_texts_are_bounded() -> None:
    def listed(count: int) -> str:
        return f"count(browse where dwell_ms in [{', '.join(map(str, range(count)))}], 1d) > 1"

    def long(chars: int) -> str:
        return f'count(browse where category == "{"x" * chars}", 1d) > 1'

    parse(listed(limits.MAX_LIST_VALUES))
    assert refused(listed(limits.MAX_LIST_VALUES + 1)).code == "TS-R504"
    assert refused("count(browse where dwell_ms in [], 1d) > 1").code == "TS-R504"
    parse(long(limits.MAX_TEXT_CHARS))
    assert refused(long(limits.MAX_TEXT_CHARS + 1)).code == "TS-R505"
    padded = "count(browse, 1d) > 1".ljust(limits.MAX_EXPRESSION_CHARS)
    parse(padded)
    assert refused(padded + " ").code == "TS-R501"
