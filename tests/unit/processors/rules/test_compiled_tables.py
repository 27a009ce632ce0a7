"""The tables that are made of rules: which values share a series, how much room tags take, who reads what."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from processors import assigned
from processors import interpret as vm
from processors import layout as L
from processors.rules import program as G
from processors.rules.code import Code, firsts, ints
from processors.rules.compile import compile_rules
from processors.rules.program import I64
from processors.rules.sorts import sort_of
from processors.rules.tag_tables import entry_words, is_timed, kind_of, windows_of_tag
from processors.rules.windows import SeriesTable
from tests.unit.processors.world import rules


def program(**tags: str) -> I64:
    return compile_rules(rules(**tags)).g


def table(g: I64, name: int, size: int) -> list[int]:
    return [int(x) for x in g[g[name] : g[name] + size]]


# --------------------------------------------------------------------------------------------------------------- series

SERIES: dict[str, int] = {
    # condition: how many series it needs
    "count(browse, 1h) > 1": 1,
    # windows with panes of one length share them; those of a minute and of an hour do not
    "count(browse, 1m) > 1 and count(browse, 25h) > 1": 1,
    "count(browse, 25h) > 1 and count(browse, 26h) > 1": 2,
    "count(browse, 26h) > 1 and count(browse, 400d) > 1": 1,
    # what is kept for ever has no panes, and goes with either
    "count(browse, 1h) > 1 and count(browse, ever) > 1": 1,
    "count(browse, 7d) > 1 and count(browse, ever) > 1": 1,
    "count(browse, 1h) > 1 and count(browse, 7d) > 1 and count(browse, ever) > 1": 2,
    # a count goes with any sum of the same events, two sums do not go together
    "count(purchase, 1h) > 1 and sum(purchase.amount, 1h) > 1": 1,
    "sum(purchase.amount, 1h) > 1 and sum(purchase.amount_cents, 1h) > 1": 1,
    "sum(purchase.quantity, 1h) > 1 and sum(purchase.amount, 1h) > 1": 2,
    # a mean is of the events that have the field, a count of all
    "avg(purchase.amount, 1h) > 1 and count(purchase, 1h) > 1": 2,
    "sum(purchase.amount, 1h) > 1 and avg(purchase.amount, 1h) > 1": 2,
    "min(purchase.amount, 1h) > 1 and max(purchase.amount, 1h) > 1": 2,
    "min(purchase.amount, 1h) > 1 and min(purchase.amount, 2h) > 1": 1,
    # filters
    'count(browse, 1h) > 1 and count(browse where channel == "a", 1h) > 1': 2,
    'count(browse where channel == "a", 1h) > 1 and sum(browse.dwell_ms where channel == "a", 2h) > 1': 1,
    "trend(count(browse, 1h)) > 1 and count(browse, 1h) > 1": 1,
    "ratio(count(browse, 1h), count(browse, 2h)) > 1": 1,
    # times
    "days_since(browse) > 1": 1,
    "interval(browse, 7d) > 1 and days_since(browse) > 1": 3,
    "interval(browse, ever) > 1 and days_since(browse) > 1": 3,
    "browse then no purchase within 1h and days_since(browse) > 1": 2,
    "browse then purchase within 1h": 2,
    "browse then purchase within 1h and browse then purchase within 2h": 3,
    # attributes
    'profile.a == "x" and profile.a == "y" and age(profile.a) > 3': 1,
    'profile.a == "x" and profile.b == "x"': 2,
    # by key
    'top(browse.category, 1h) == "a" and top(browse.category, 2h) == "a"': 1,
    'top(browse.category, 1h) == "a" and top(browse.channel, 1h) == "a"': 2,
    'top(browse.category, 1h) == "a" and count(browse, 1h) > 1': 2,
}


@pytest.mark.parametrize("condition", SERIES)
def test_values_over_the_same_events_share_a_series(condition: str) -> None:
    g = program(t=condition)
    assert g[G.SERIES_COUNT] == SERIES[condition]
    # two tags with the same need no more
    assert program(t=condition, u=f"{condition}\ndwell: 1m")[G.SERIES_COUNT] == SERIES[condition]


def test_a_series_does_not_depend_on_the_order_in_which_rules_need_it() -> None:
    conditions = [condition for condition in SERIES if "profile" not in condition]
    rng = random.Random(1)
    seen = set()
    for _ in range(6):
        rng.shuffle(conditions)
        g = program(**{f"t{place:02}": condition for place, condition in enumerate(conditions)})
        size = int(g[G.SERIES_COUNT])
        kinds = zip(table(g, G.SERIES_KIND, size), table(g, G.SERIES_PANE_MS, size), strict=True)
        seen.add((size, tuple(sorted(kinds))))
    assert len(seen) == 1


def test_every_window_is_found_in_a_series_of_its_kind_and_length() -> None:
    rule_set = rules(**{f"t{place:02}": condition for place, condition in enumerate(SERIES)})
    windows = [window for tag in rule_set.tags for window in windows_of_tag(tag)]
    series = SeriesTable(windows)
    for window in windows:
        index, place = series.locate(window)
        found = series.series[index]
        assert found.windows[place] == window.length_ms
        assert (found.key.event, found.key.where, found.key.kind, found.key.group) == (
            window.key.event, window.key.where, window.key.kind, window.key.group,
        )  # fmt: skip
        # only a count may stand in a series that measures something
        assert found.key.measure == window.key.measure or window.key.measure is None
        assert series.metric(window) == (index, place << 1 | window.is_sum)


def test_cells_have_room_for_their_windows_and_what_stands_behind_them() -> None:
    """The order of the series is that of their event types."""
    g = program(
        t='count(browse, 1h) > 1 and count(browse, 2h) > 1 and top(purchase.category, 1h) == "a"'
        ' and distinct(service.topic, 1h) > 1 and profile.a == "x"'
    )
    assert table(g, G.SERIES_WORDS, 4) == [
        L.CELL_WINDOWS + 2 * L.WINDOW_WORDS, L.GROUP_WORDS, L.CELL_WINDOWS + L.WINDOW_WORDS + L.SEEN_WORDS,
        L.CELL_WINDOWS + L.WINDOW_WORDS,
    ]  # fmt: skip
    # a key's cell ends with the key
    assert table(g, G.SERIES_KEY_WORDS, 4) == [0, L.CELL_WINDOWS + L.WINDOW_WORDS + 1, 0, 0]
    assert table(g, G.SERIES_WINDOWS, 5) == [0, 2, 3, 4, 5]
    assert (g[G.FIRST_ATTRIBUTE], g[G.ATTRIBUTES]) == (3, 1)


# ----------------------------------------------------------------------------------------------------------------- tags

TIER = "\ntier: [{level: x, when: 'count(browse, 1h) > 0'}]"

TAGS: dict[str, tuple[str, str, int, bool, int]] = {
    # name: (rule, sort, kind, timed, words of an entry)
    "plain": ("count(browse, 1h) > 0", "plain", assigned.PLAIN, False, L.PLAIN_TAG_WORDS),
    "dwell": ("count(browse, 1h) > 0\ndwell: 1m", "plain", assigned.PLAIN, True, L.TIMED_TAG_WORDS),
    "cooldown": ("count(browse, 1h) > 0\ncooldown: 1m", "plain", assigned.PLAIN, True, L.TIMED_TAG_WORDS),
    "expires": ("count(browse, 1h) > 0\nexpires: 1m", "plain", assigned.PLAIN, True, L.TIMED_TAG_WORDS),
    "leave": ("count(browse, 1h) > 0\nleave: count(browse, 2h) < 1", "plain", assigned.PLAIN, True, L.TIMED_TAG_WORDS),
    "tier": (TIER, "level", assigned.PLAIN, False, L.PLAIN_TAG_WORDS),
    "tier with dwell": (f"{TIER}\ndwell: 1m", "level", assigned.PLAIN, True, L.TIMED_TAG_WORDS),
    "score": ("\nscore: count(browse, 1h)", "number", assigned.SCORE, False, L.VALUE_TAG_WORDS),
    "keys": ("count(browse, 1h) > 0\nfor_each: browse.category", "keys", assigned.SET, False, L.VALUE_TAG_WORDS),
    "keys with leave": (
        "count(browse, 1h) > 0\nleave: count(browse, 2h) > 3\nfor_each: browse.category",
        "keys", assigned.SET, False, L.VALUE_TAG_WORDS,
    ),
    "by hand": ("\nmanual: true", "plain", assigned.PLAIN, False, L.PLAIN_TAG_WORDS),
    "levels": ("\nmanual: true\nlevels: [x]", "level", assigned.PLAIN, False, L.PLAIN_TAG_WORDS),
    "levels by a model": ("\nmodel: true\nlevels: [x]", "level", assigned.PLAIN, False, L.PLAIN_TAG_WORDS),
    "by a model": ("\nmodel: true", "number", assigned.SCORE, False, L.VALUE_TAG_WORDS),
    "by a model beside a rule": (
        "count(browse, 1h) > 0\nmodel: true", "plain", assigned.PLAIN, False, L.PLAIN_TAG_WORDS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAGS)
def test_a_tag_has_the_entry_that_its_value_needs(name: str) -> None:
    rule, sort, kind, timed, words = TAGS[name]
    (tag,) = rules(t=rule).tags
    assert (sort_of(tag), kind_of(tag), is_timed(tag)) == (sort, kind, timed)
    # then what people and what models say
    assert entry_words([tag]) == [words, L.ASSIGNED_TAG_WORDS, L.ASSIGNED_TAG_WORDS]


def test_readers_of_a_series_are_the_tags_whose_conditions_name_it() -> None:
    tags = {
        "a": "count(browse, 1h) > 1",
        "b": 'count(purchase, 1h) > 1 or tag("a")',
        "c": "count(browse, 1h) > 1\nleave: count(purchase, 2h) > 1",
        "d": "\nscore: ratio(count(browse, 1h), count(purchase, 1h))",
        "e": 'tag("b") and tag("d") > 1',
        "f": "\nmanual: true",
    }
    g = program(**tags)
    names = sorted(tags)
    ranked = [names[index] for index in table(g, G.RANKED_TAGS, len(names))]
    starts = table(g, G.SERIES_TAGS, int(g[G.SERIES_COUNT]) + 1)
    readers = table(g, G.READERS, starts[-1])
    # browse comes before purchase
    found = [{ranked[rank] for rank in readers[a:b]} for a, b in pairwise(starts)]
    assert found == [{"a", "c", "d"}, {"b", "c", "d"}]
    starts = table(g, G.TAG_DEPENDENTS, len(names) + 1)
    dependents = table(g, G.DEPENDENTS, starts[-1])
    seen = {name: {ranked[r] for r in dependents[starts[i] : starts[i + 1]]} for i, name in enumerate(names)}
    assert seen == {"a": {"b"}, "b": {"e"}, "c": set(), "d": {"e"}, "e": set(), "f": set()}
    # who is asked for comes first
    assert ranked.index("a") < ranked.index("b") < ranked.index("e") > ranked.index("d")


# ----------------------------------------------------------------------------------------------------------------- code


def test_programs_stand_one_behind_another_where_their_ranges_say() -> None:
    code = Code()
    one = (vm.OP_AND, 1, 2, 3, 4)
    ranges = [code.add([one] * size) for size in (3, 0, 1)]
    words = vm.CODE_WORDS
    start = G.HEADER
    assert ranges == [(start, start + 3 * words), (start + 3 * words,) * 2, (start + 3 * words, start + 4 * words)]
    assert len(code.instructions) == 4


def test_ranges_that_follow_each_other_are_known_by_their_starts() -> None:
    rng = random.Random(2)
    for counts in ([], [0], [3], [0, 0, 2], [rng.randrange(5) for _ in range(40)]):
        starts = firsts(iter(counts)).tolist()
        assert [b - a for a, b in pairwise(starts)] == counts
        assert starts[0] == 0
    assert ints(iter([])).tolist() == []
    assert (ints([1, -(2**63)]).dtype, firsts([1]).dtype) == ("int64", "int64")
