"""From a checked rule set to the arrays that the engine runs.

Aggregates that count the same events in panes of the same length share a series. Thresholds become whole numbers in the
unit of what they are compared with: `sum(purchase.amount, 7d) >= 19.99` is `cents >= 1999`, and `count(...) > 2.5` is
`count >= 3`, so that no comparison with a constant is ever rounded.
"""

from __future__ import annotations

import numpy as np

from processors import assigned
from processors import interpret as vm
from processors import layout as L
from processors.rules import program as G
from processors.rules import tree as T
from processors.rules.clause_tables import clause_tables
from processors.rules.code import Code, firsts, ints
from processors.rules.conditions import ConditionCompiler, text_hash
from processors.rules.depend import before_in_group
from processors.rules.filters import attributes_in, calendars_in
from processors.rules.instructions import Pools
from processors.rules.parts import filters_of, nodes_of
from processors.rules.program import I64, Program, pack
from processors.rules.series_tables import filter_tables, series_sizes, series_tables
from processors.rules.tag_tables import order_tables, read_tables, tag_tables, windows_of_tag
from processors.rules.walk import values_and_conditions_of, within_group
from processors.rules.windows import SeriesTable, attribute, newest
from processors.rules.zone import zone_tables


def series_table(rule_set: T.RuleSet) -> SeriesTable:
    """The series of a rule set, as its program numbers them."""
    before = before_in_group(rule_set.tags)
    return _series_table([within_group(tag, before[tag.id]) for tag in rule_set.tags])


def _series_table(tags: list[T.Tag]) -> SeriesTable:
    """The series of all windows that tags and filters read."""
    windows = [window for tag in tags for window in windows_of_tag(tag)]
    nodes = [node for tag in tags for expr in values_and_conditions_of(tag) for node in nodes_of(expr)]
    named = [found.name for node in nodes for where in filters_of(node) for found in attributes_in(where)]
    linked = [newest(w.key.link.first, w.key.group) for w in windows if w.key.link is not None]
    return SeriesTable([*windows, *linked, *map(attribute, named)])


def _is_zoned(tags: list[T.Tag], table: SeriesTable) -> bool:
    """Whether the calendar matters."""
    ages = (isinstance(n, T.Age) for tag in tags for expr in values_and_conditions_of(tag) for n in nodes_of(expr))
    filters = {s.key.where for s in table.series}
    in_filters = any(isinstance(found, T.Age) for where in filters for found in attributes_in(where))
    return in_filters or any(ages) or any(map(calendars_in, filters))


def compile_rules(rule_set: T.RuleSet) -> Program:
    """The program of a checked rule set; tags keep their index."""
    before = before_in_group(rule_set.tags)
    tags = [within_group(tag, before[tag.id]) for tag in rule_set.tags]
    table = _series_table(tags)
    code, pools = Code(), Pools()
    conditions = ConditionCompiler(table, tags, pools)
    parts = filter_tables(table, code, pools, rule_set.default_currency, conditions)
    parts |= series_tables(table, pools, rule_set.default_currency)
    parts |= tag_tables(tags, table, code, conditions)
    parts |= order_tables(rule_set, tags, table)
    parts |= read_tables(tags, table, code, conditions)
    clauses, evidence_words = clause_tables(tags, code, conditions)
    parts |= clauses
    zone = rule_set.time_zone if _is_zoned(tags, table) else "UTC"
    parts[G.ZONE_FROM], parts[G.ZONE_OFFSET] = zone_tables(zone)
    parts[G.CODE] = np.array(code.instructions, np.int64).reshape(-1, vm.CODE_WORDS)
    parts[G.TEXT_AT] = firsts(len(t) for t in pools.texts)
    parts[G.TEXT_HASHES] = ints(text_hash(t.decode()) for t in pools.texts)
    parts[G.PREFIXES] = ints(pools.prefixes)
    texts = np.frombuffer(b"".join(pools.texts) or b"\0", np.uint8).copy()
    sizes = series_sizes(table, [tag.for_each.limit for tag in tags if tag.for_each is not None])
    sizes[G.EVIDENCE_WORDS] = evidence_words
    parts[G.DEFAULT_TAGS] = _true_by_default(pack(parts, sizes))
    return Program(pack(parts, sizes), texts, np.array([*pools.reals, 0.0], np.float64))


def _true_by_default(g: I64) -> I64:
    """Ranks of tags of which a level holds for a customer of whom nothing is known: a row of zeros is such a one.

    A score may have a value at once, so it is always asked.
    """
    m = np.zeros(L.R_WORDS + L.ROW_WORDS, np.int64)
    m32 = m.view(np.int32)
    found = []
    for rank in range(int(g[G.TAG_COUNT])):
        tag = int(G.look(g, G.RANKED_TAGS, rank))
        programs = range(int(G.look(g, G.TAG_LEVELS, tag)), int(G.look(g, G.TAG_LEVELS, tag + 1)))
        kind = G.look(g, G.TAG_KIND, tag)
        if (kind == assigned.SCORE and len(programs) > 0) or (
            kind == assigned.PLAIN
            and any(
                vm.holds(m, m32, g, G.look(g, G.LEVEL_START, i), G.look(g, G.LEVEL_END, i), L.R_WORDS) for i in programs
            )
        ):
            found.append(rank)
    return ints(found)
