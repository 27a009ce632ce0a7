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


IN_FILTER = st.one_of(
    st.builds(T.Compare, OPS, FIELDS, st.one_of(TEXTS, NUMBERS, FIELDS)),
    st.builds(T.Member, FIELDS, st.lists(st.one_of(TEXTS, NUMBERS), min_size=1, max_size=3).map(tuple), st.booleans()),
)
FILTERS = st.one_of(st.none(), logic(IN_FILTER))
AGGREGATES = st.one_of(
    st.builds(T.Aggregate, st.just("count"), NAMES, st.none(), FILTERS, WINDOWS),
    st.builds(T.Aggregate, st.just("sum"), NAMES, NAMES, FILTERS, WINDOWS),
)
CONDITIONS = logic(st.builds(T.Compare, OPS, AGGREGATES, st.one_of(NUMBERS, AGGREGATES)))


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
        ("(count(browse, 1d) > 1 or count(browse, 1d) > 2) and not (count(browse, 1d) > 3 and count(browse, 1d) > 4)",
         "(count(browse, 1d) > 1 or count(browse, 1d) > 2) and not (count(browse, 1d) > 3 and count(browse, 1d) > 4)"),
    ],
)  # fmt: skip
def test_the_form_is_canonical(written: str, canonical: str) -> None:
    assert dump(parse(written)) == canonical
