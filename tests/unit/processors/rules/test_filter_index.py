"""By which values of an event's fields a filter is found."""

from __future__ import annotations

import pytest

from processors.rules.compile import compile_rules
from processors.rules.conditions import text_hash
from processors.rules.filter_index import FEWEST, Key, index_tables, keys_of
from processors.rules.filters import FilterCompiler
from processors.rules.instructions import Pools
from processors.rules.load import load_rules
from processors.rules.program import (
    CANDIDATES,
    INDEX_SLOTS,
    SLOT_WORDS,
    SLOTS,
    TYPE_INDEXES,
    TYPE_OPEN,
)
from processors.rules.tree import Compare
from schemas.events import FIELDS, KINDS

KIND = [f.name for f in FIELDS["purchase"]].index("kind")
CATEGORY = [f.name for f in FIELDS["purchase"]].index("category")
ORDER = KINDS["purchase"].index("order")


def keys(where: str) -> dict[int, set[int]]:
    """By field the values that a filter of purchases demands."""
    text = f"[{{tag: t, name: T, class: static, category: base, when: 'count(purchase where {where}, 1d) > 0'}}]"
    rule_set = load_rules({"t.yaml": text}, time_zone="UTC", default_currency="CNY")
    condition = rule_set.tags[0].when
    assert isinstance(condition, Compare)
    pools = Pools()
    compiler = FilterCompiler("purchase", pools, "CNY", lambda expr, as_text: (0, 0))
    found = keys_of(condition.left.where, compiler, pools)  # type: ignore[union-attr]
    return {key.field: set(key.values) for key in found}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('category == "shoes"', {CATEGORY: {"shoes"}}),
        ('category in ["shoes", "bags", "shoes"]', {CATEGORY: {"shoes", "bags"}}),
        ('category == "shoes" or "bags" == category', {CATEGORY: {"shoes", "bags"}}),
        ('category == "shoes" and quantity > 1', {CATEGORY: {"shoes"}}),
        ('(category == "shoes" or category == "bags") and kind == "order"', {CATEGORY: {"shoes", "bags"}, KIND: ORDER}),
        ('category == "shoes" or quantity > 1', {}),
        ('category == "shoes" or kind == "order"', {}),
        ('category != "shoes"', {}),
        ('category not in ["shoes"]', {}),
        ('not category == "shoes"', {}),
        ('category starts_with "shoes"', {}),
        ("category == profile.favourite", {}),
        ("hour(event_time) == 3", {}),
        ("quantity == 1.5", {}),
    ],
)
def test_what_a_filter_demands_of_a_field(where: str, found: dict[int, set[str] | int]) -> None:
    values = {f: {v} if isinstance(v, int) else {text_hash(text) for text in v} for f, v in found.items()}
    assert keys(where) == values


def test_a_missing_currency_is_the_default_one_so_that_alone_is_no_key() -> None:
    assert keys('currency == "CNY"') == {}
    assert len(keys('currency == "EUR"')) == 1


def test_few_filters_of_a_field_stay_open() -> None:
    text = "".join(
        f"- {{tag: t{i}, name: T, class: static, category: base, "
        f"when: 'count(browse where category == \"c{i}\", 1d) > 0'}}\n"
        for i in range(FEWEST)
    )
    for count, opened in ((FEWEST - 1, FEWEST - 1), (FEWEST, 0)):
        some = "\n".join(text.split("\n")[:count])
        g = compile_rules(load_rules({"t.yaml": some}, time_zone="UTC", default_currency="CNY")).g
        assert g[g[TYPE_OPEN] + 1] - g[g[TYPE_OPEN]] == opened
        assert g[g[TYPE_INDEXES] + 1] == (opened == 0)


def test_every_filter_is_found_by_each_of_its_values_and_once() -> None:
    filters = [[Key(3, False, frozenset((i, i + 1, -i)))] for i in range(20)]
    tables = index_tables([filters])
    first, end = tables[INDEX_SLOTS]
    slots = tables[SLOTS].reshape(-1, SLOT_WORDS)[first:end].tolist()
    by_value = {value: tables[CANDIDATES][a:b].tolist() for value, a, b in slots if b}
    for value in range(-19, 21):
        assert by_value[value] == [i for i in range(20) if value in (i, i + 1, -i)]
