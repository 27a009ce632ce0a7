"""Tables of filters and series: what an event is counted in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from processors import distinct
from processors import interpret as vm
from processors import layout as L
from processors import series as kinds
from processors import texts as held
from processors.arena import class_for, class_words
from processors.rules import program as G
from processors.rules import tree as T
from processors.rules.code import Code, firsts, ints
from processors.rules.conditions import ConditionCompiler
from processors.rules.filter_index import Key, index_tables, keys_of
from processors.rules.filters import FilterCompiler, names_currency
from processors.rules.instructions import Pools
from processors.rules.program import I64
from processors.rules.windows import TIME, Series, SeriesTable, newest
from processors.series import EVER
from processors.sets import SET_KEYS
from processors.step import MEASURE_NONE, UNIT_REAL, UNIT_TEXT
from schemas.events import EVENT_TYPES, FIELDS

_SEEN_BLOCK_WORDS: Final = class_words(class_for((distinct.SEEN_MOST + 1) * distinct.ENTRY_WORDS))
_TEXT_BLOCK_WORDS: Final = class_words(class_for(held.MAX_WORDS))


def filter_tables(
    table: SeriesTable, code: Code, pools: Pools, currency: str, conditions: ConditionCompiler
) -> dict[int, I64]:
    """Filters of each event type, by which of them an event may pass, and the series that each feeds."""

    def state(expr: T.Expr, as_text: bool | None) -> tuple[int, int]:
        if as_text is None:
            return code.add(conditions.compile(expr))
        return code.add(conditions.text(expr) if as_text else conditions.value(expr))

    ranges: list[tuple[int, int]] = []
    feeds: list[int] = []
    matches: list[bool] = []
    keys: list[list[list[Key]]] = []
    for event in EVENT_TYPES:
        compiler = FilterCompiler(event, pools, currency, state)
        fed: dict[T.Expr | None, list[int]] = {}
        for s in table.series:
            if s.key.event == event:
                fed.setdefault(s.key.where, []).append(s.key.kind)
        for where, fed_kinds in fed.items():
            ranges.append(code.add(compiler.compile(where) if where is not None else []))
            feeds.append(len(fed_kinds))
            matches.append(kinds.MATCH in fed_kinds)
        keys.append([keys_of(where, compiler, pools) for where in fed])
    return {
        **index_tables(keys),
        G.FILTER_MATCHES: ints(map(int, matches)),
        G.FILTER_START: ints(a for a, _ in ranges),
        G.FILTER_END: ints(b for _, b in ranges),
        G.FILTER_SERIES: firsts(feeds),
    }


def _measure(s: Series, pools: Pools) -> tuple[int, int, bool]:
    """(place of the measured field or name of the attribute, units in one, whether the default currency is to be
    known: to leave out amounts of others, or to stand where there is none)."""
    measure = s.key.measure
    if measure is None:
        return MEASURE_NONE, 1, False
    if measure == TIME:
        return vm.EVENT_TIME, 1, False
    if s.key.kind == kinds.ATTRIBUTE:
        return pools.text(measure), 1, False
    place = next(i for i, f in enumerate(FIELDS[s.key.event]) if f.name == measure)
    kind = FIELDS[s.key.event][place].kind
    mixed = measure == "currency" or (kind == "cents" and not names_currency(s.key.where))
    return place, {"real": UNIT_REAL, "text": UNIT_TEXT}.get(kind, 1), mixed


def _cell_words(s: Series) -> int:
    """Words of a cell of a series."""
    seen = L.SEEN_WORDS if s.key.kind == kinds.DISTINCT else 0
    return L.CELL_WINDOWS + len(s.windows) * L.WINDOW_WORDS + seen


def key_words(s: Series) -> int:
    """Words of a key's cell, 0 if the series is not grouped."""
    return 0 if s.key.group is None else _cell_words(s) + 1


def _group(s: Series, pools: Pools) -> tuple[int, int]:
    """(place of the field by which a series is grouped, first text of its kinds or -1); -1 twice if it is not."""
    if s.key.group is None:
        return -1, -1
    place = next(i for i, f in enumerate(FIELDS[s.key.event]) if f.name == s.key.group)
    is_kind = FIELDS[s.key.event][place].kind == "kind"
    return place, pools.kinds(s.key.event) if is_kind else -1


def series_sizes(table: SeriesTable, set_limits: list[int]) -> dict[int, int]:
    """Bounds of what one event may take; `set_limits` are the most keys of each tag with keys."""
    attributes = [i for i, s in enumerate(table.series) if s.key.kind == kinds.ATTRIBUTE]

    def most_of_a_type(wanted: Callable[[Series], bool]) -> int:
        return max(Counter(s.key.event for s in table.series if wanted(s)).values(), default=0)

    groups = most_of_a_type(lambda s: s.key.group is not None)
    seen = most_of_a_type(lambda s: s.key.kind == kinds.DISTINCT)
    texts = groups + len(attributes)
    sets = sum(2 * class_words(class_for(SET_KEYS + limit)) for limit in set_limits)
    return {
        G.FIRST_ATTRIBUTE: min(attributes, default=0),
        G.ATTRIBUTES: len(attributes),
        G.TYPE_GROUPS: groups,
        G.MAX_KEY_WORDS: max(map(key_words, table.series), default=0),
        G.TEXTS_AT_ONCE: texts,
        G.EXTRA_WORDS: texts * _TEXT_BLOCK_WORDS + seen * _SEEN_BLOCK_WORDS + sets,
    }


def series_tables(table: SeriesTable, pools: Pools, currency: str) -> dict[int, I64]:
    """Panes, measures and windows of each series."""
    measures = [_measure(s, pools) for s in table.series]
    windows = [w for s in table.series for w in s.windows]
    words = [L.GROUP_WORDS if s.key.group is not None else _cell_words(s) for s in table.series]
    groups = [_group(s, pools) for s in table.series]
    default = pools.text(currency)
    of_type = [[i for i, s in enumerate(table.series) if s.key.event == event] for event in EVENT_TYPES]
    linked = [(s, s.key.link) for s in table.series]

    def longest(pane_ms: int) -> I64:
        lengths = [
            [w for i in x if table.series[i].key.pane_ms == pane_ms for w in table.series[i].windows if w != EVER]
            for x in of_type
        ]
        return ints(max(x, default=0) for x in lengths)

    return {
        G.TYPE_SERIES: ints(len(x) for x in of_type),
        G.TYPE_WORDS: ints(sum(words[i] for i in x) for x in of_type),
        G.TYPE_MINUTE_WINDOW: longest(L.MINUTE_MS),
        G.TYPE_HOUR_WINDOW: longest(L.HOUR_MS),
        G.TYPE_SPECIAL: ints(sum(table.series[i].key.kind >= kinds.MATCH for i in x) for x in of_type),
        G.SERIES_KEY_WORDS: ints(key_words(s) for s in table.series),
        G.SERIES_GROUP: ints(place for place, _ in groups),
        G.SERIES_GROUP_KINDS: ints(first for _, first in groups),
        # a missing currency is the default one
        G.SERIES_GROUP_DEFAULT: ints(default if s.key.group == "currency" else -1 for s in table.series),
        G.SERIES_KIND: ints(s.key.kind for s in table.series),
        G.SERIES_PANE_MS: ints(s.key.pane_ms for s in table.series),
        G.SERIES_MEASURE: ints(place for place, _, _ in measures),
        G.SERIES_UNIT: ints(unit for _, unit, _ in measures),
        G.SERIES_CURRENCY: ints(pools.text(currency) if mixed else -1 for _, _, mixed in measures),
        G.SERIES_WINDOWS: firsts(len(s.windows) for s in table.series),
        G.SERIES_WORDS: ints(words),
        G.SERIES_SPAN_MS: ints(max((w for w in s.windows if w != EVER), default=0) for s in table.series),
        G.SERIES_LINK: ints(
            -1 if link is None else table.locate(newest(link.first, s.key.group))[0] for s, link in linked
        ),
        G.SERIES_WITHIN_MS: ints(0 if link is None else link.within_ms for _, link in linked),
        G.WINDOW_MS: ints(windows),
    }
