"""Trees back to text: one form for one meaning, and nothing lost on the way."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.rules import tree as T
from processors.rules.dump import dump
from processors.rules.parse import parse

NUMBERS = st.builds(
    lambda units, places: T.Number(Fraction(units, 10**places)), st.integers(-(10**12), 10**12), st.integers(0, 9)
)
TEXTS = st.builds(T.Text, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=20))
NAMES = st.sampled_from(["category", "order_id", "and_more", "x"])
FIELDS = st.builds(T.FieldRef, NAMES)
OPS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
WINDOWS = st.one_of(st.none(), st.integers(1, 400 * 1440).map(lambda minutes: minutes * 60_000))


def logic(leaf: st.SearchStrategy[T.Expr]) -> st.SearchStrategy[T.Expr]:
    """Trees as the parser makes them: no `and` directly within `and`, no `or` within `or`."""

    def grown(inner: st.SearchStrategy[T.Expr]) -> st.SearchStrategy[T.Expr]:
        no_and = st.lists(inner.filter(lambda e: not isinstance(e, T.And)), min_size=2, max_size=3).map(tuple)
        no_or = st.lists(inner.filter(lambda e: not isinstance(e, T.Or)), min_size=2, max_size=3).map(tuple)
        return st.one_of(st.builds(T.Not, inner), st.builds(T.And, no_and), st.builds(T.Or, no_or))

    return st.recursive(leaf, grown, max_leaves=6)


LISTS = st.lists(st.one_of(TEXTS, NUMBERS), min_size=1, max_size=3).map(tuple)
ATTRIBUTES = st.builds(T.ProfileRef, NAMES)
AGES = st.builds(T.Age, NAMES)
TIMES = st.builds(T.Calendar, st.sampled_from(["hour", "weekday"]), st.sampled_from(["event_time", "order_time"]))
IN_FILTER = st.one_of(
    st.builds(
        T.Compare, OPS, st.one_of(FIELDS, TIMES, ATTRIBUTES, AGES),
        st.one_of(TEXTS, NUMBERS, FIELDS, TIMES, ATTRIBUTES, AGES),
    ),
    st.builds(T.Member, st.one_of(FIELDS, TIMES, ATTRIBUTES), LISTS, st.booleans()),
    st.builds(T.StartsWith, st.one_of(FIELDS, ATTRIBUTES), TEXTS),
    st.builds(T.Present, st.one_of(FIELDS, ATTRIBUTES, AGES)),
)  # fmt: skip
# deferred, so that what shows a strategy does not show all that it is made of
FILTERS: st.SearchStrategy[T.Expr | None] = st.deferred(lambda: st.one_of(st.none(), logic(IN_FILTER)))
COUNTS = st.builds(T.Aggregate, st.sampled_from(["count", "interval"]), NAMES, st.none(), FILTERS, WINDOWS)
OF_FIELDS = st.sampled_from(["sum", "avg", "min", "max", "distinct", "first", "last"])
SUMS = st.builds(T.Aggregate, OF_FIELDS, NAMES, NAMES, FILTERS, WINDOWS)
SINCE = st.builds(T.Aggregate, st.just("days_since"), NAMES, st.none(), FILTERS, st.none())
TOPS = st.builds(T.Top, NAMES, NAMES, st.one_of(st.none(), NAMES), FILTERS, WINDOWS)
AGGREGATES = st.one_of(COUNTS, SUMS, SINCE)
TRENDS = st.builds(
    T.Trend, st.one_of(COUNTS.filter(lambda a: a.func == "count"), SUMS.filter(lambda a: a.func == "sum"))
)
VALUES: st.SearchStrategy[T.Expr] = st.deferred(
    lambda: st.one_of(AGGREGATES, TOPS, TRENDS, ATTRIBUTES, AGES, st.builds(T.Ratio, AGGREGATES, AGGREGATES))
)
HAPPENINGS = st.builds(T.Happening, NAMES, FILTERS)
TAGS = st.builds(T.TagRef, TEXTS.map(lambda text: text.value))
CONDITIONS = logic(
    st.one_of(
        st.builds(T.Compare, OPS, VALUES, st.one_of(NUMBERS, VALUES)),
        st.builds(T.Compare, st.sampled_from(["==", "!="]), st.one_of(TAGS, AGGREGATES, TOPS, ATTRIBUTES), TEXTS),
        st.builds(T.Compare, OPS, TAGS, st.one_of(NUMBERS, VALUES)),
        st.builds(T.Member, st.one_of(AGGREGATES, TOPS, ATTRIBUTES), LISTS, st.booleans()),
        st.builds(T.StartsWith, ATTRIBUTES, TEXTS),
        st.builds(T.Present, VALUES),
        TAGS,
        st.builds(T.Sequence, HAPPENINGS, HAPPENINGS, WINDOWS.filter(lambda ms: ms is not None), st.booleans()),
    )
)


@given(CONDITIONS)
def test_what_is_dumped_is_parsed_to_the_same_tree(expr: T.Expr) -> None:
    assert parse(dump(expr)) == expr


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("(count( browse ,24h )>=03.50)", "count(browse, 1d) >= 3.5"),
        ("count(browse where category=='a',90m) > 0", 'count(browse where category == "a", 90m) > 0'),
        ("not (count(browse, 1d) > 1) or (count(browse, 60m) > -0.05 and 1 < count(browse, ever))",
         "not count(browse, 1d) > 1 or count(browse, 1h) > -0.05 and 1 < count(browse, ever)"),
        ("( browse where (a==1 or b==1) then  no purchase where(c==1) within 1440m )",
         "browse where a == 1 or b == 1 then no purchase where c == 1 within 1d"),
        ("not(browse then browse within 1h) and 'x'!=tag( 'a' )",
         'not browse then browse within 1h and tag("a") != "x"'),
        ("ratio( count(a ,1d),trend( sum(a.b,24h) ) )>1 or present(days_since( a where present( b ) ))",
         "ratio(count(a, 1d), trend(sum(a.b, 1d))) > 1 or present(days_since(a where present(b)))"),
        ("top( a.b by sum( a.c ) where(d==1) ,24h)!=top(a.b,ever) or 'x'==profile.region and 5<age( profile.b )",
         'top(a.b by sum(a.c) where d == 1, 1d) != top(a.b, ever) or profile.region == "x" and 5 < age(profile.b)'),
        ("count(a where hour(a)>5 and not(b starts_with 'x'),1d)>0",
         'count(a where hour(event_time) > 5 and not b starts_with "x", 1d) > 0'),
        ("(count(browse, 1d) > 1 or count(browse, 1d) > 2) and not (count(browse, 1d) > 3 and count(browse, 1d) > 4)",
         "(count(browse, 1d) > 1 or count(browse, 1d) > 2) and not (count(browse, 1d) > 3 and count(browse, 1d) > 4)"),
    ],
)  # fmt: skip
def test_the_form_is_canonical(written: str, canonical: str) -> None:
    assert dump(parse(written)) == canonical
