"""What two rule sets have in common, so that its state need not be made again when one follows the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from processors import series as kinds
from processors.rules import tree as T
from processors.rules.code import firsts, ints
from processors.rules.compile import series_table
from processors.rules.depend import before_in_group, dependencies
from processors.rules.hashing import logic_of
from processors.rules.program import I64
from processors.rules.windows import Series, SeriesTable
from processors.series import EVER

__all__ = ["FEED_WORDS", "PANES", "SERIES", "SUMS", "WHAT", "WINDOW", "Kept", "kept"]

SERIES: Final = 0
"""Words of a feed: the new series that is fed,"""
WHAT: Final = 1
"""what of the old one feeds it: its panes (PANES) or else its window `ever`, with its sums (SUMS) or counts alone,"""
WINDOW: Final = 2
"""and the place of the window `ever` among those of the old one."""
FEED_WORDS: Final = 3
PANES: Final = 1
SUMS: Final = 2


class Kept(NamedTuple):
    """What stays, from the old rule set's point of view."""

    first: I64
    """First of the feeds of each old series; then the end of the last."""
    feeds: I64
    """FEED_WORDS each, one behind another."""
    tags: I64
    """For each old tag the index of the new one that decides alike, -1 if there is none."""
    old_tags: I64
    """For each new tag the index of the old one that decides alike, -1 if there is none."""
    asking: I64
    """New tags that decide alike, but ask for one that does not."""


def kept(old: T.RuleSet, new: T.RuleSet) -> Kept:
    """Series of the same events and tags with the same logic."""
    before, after = series_table(old), series_table(new)
    feeds: list[list[tuple[int, int, int]]] = [[] for _ in before.series]
    if _mean_the_same(old, new):
        for index, fed in enumerate(after.series):
            for source, what, window in _sources_of(fed, before):
                feeds[source].append((index, what, window))
    same = tags_alike(old, new)
    indexes = {tag.id: index for index, tag in enumerate(new.tags)}
    places = {tag.id: index for index, tag in enumerate(old.tags)}
    sees = dependencies(new.tags)
    return Kept(
        first=firsts(map(len, feeds)),
        feeds=ints(word for each in feeds for feed in each for word in feed),
        tags=ints(indexes[tag.id] if tag.id in same else -1 for tag in old.tags),
        old_tags=ints(places[tag.id] if tag.id in same else -1 for tag in new.tags),
        asking=ints(i for i, tag in enumerate(new.tags) if tag.id in same and not same.issuperset(sees[tag.id])),
    )


def tags_alike(old: T.RuleSet, new: T.RuleSet) -> set[str]:
    """Ids of the tags of both rule sets that decide alike, seen by themselves."""
    if not _mean_the_same(old, new):
        return set()
    logic = _logic(old)
    return {tag_id for tag_id, other in _logic(new).items() if logic.get(tag_id) == other}


def _mean_the_same(old: T.RuleSet, new: T.RuleSet) -> bool:
    """Zone and currency are part of what every rule means."""
    return (old.time_zone, old.default_currency) == (new.time_zone, new.default_currency)


def _logic(rule_set: T.RuleSet) -> dict[str, tuple[object, ...]]:
    """What each tag decides by, with the tags that it sees."""
    before, sees = before_in_group(rule_set.tags), dependencies(rule_set.tags)
    return {tag.id: (logic_of(tag, len(before[tag.id])), sees[tag.id]) for tag in rule_set.tags}


def _sources_of(fed: Series, table: SeriesTable) -> list[tuple[int, int, int]]:
    """(old series, what of it, place of its window `ever`) that feed a new series: panes first."""
    found = []
    lengths = [w for w in fed.windows if w != EVER]
    if lengths:
        panes = _best(fed, [i for i, s in enumerate(table.series) if s.key.pane_ms == fed.key.pane_ms], table)
        if panes is not None:
            found.append((panes[0], PANES | panes[1], -1))
    if EVER in fed.windows:
        # it has no panes, so it may stand in a series of either length
        lasting = [i for i, s in enumerate(table.series) if EVER in s.windows]
        if fed.key.kind == kinds.DISTINCT:
            # but the values themselves are kept by panes
            lasting = [i for i in lasting if table.series[i].key.pane_ms == fed.key.pane_ms]
        ever = _best(fed, lasting, table)
        if ever is not None:
            found.append((ever[0], ever[1], len(table.series[ever[0]].windows) - 1))
    return found


def _best(fed: Series, among: list[int], table: SeriesTable) -> tuple[int, int] | None:
    """(old series of the same events, SUMS if its measure is the same): a count is the same whatever is summed."""
    wanted = replace(fed.key, pane_ms=0)
    keys = {i: replace(table.series[i].key, pane_ms=0) for i in among}
    for i, key in keys.items():
        if key == wanted:
            return i, SUMS
    for i, key in keys.items():
        if fed.key.kind == kinds.SUM and replace(key, measure=None) == replace(wanted, measure=None):
            return i, 0
    return None
