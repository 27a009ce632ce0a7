"""Which windows the values of conditions are read from, and the series that hold them.

Values over the same events share a series if their panes have the same length and hold the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from processors import layout as L
from processors import series as kinds
from processors.rules import tree as T
from processors.series import EVER
from schemas.events import EVENT_TYPES

TIME: Final = "event_time"
"""The measure of series that keep when something happened."""

_KINDS: Final = {
    "min": kinds.MIN, "max": kinds.MAX, "first": kinds.FIRST, "last": kinds.LAST, "distinct": kinds.DISTINCT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """The first events of a match, and how long after (ms) a second one may come."""

    first: T.Happening
    within_ms: int


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What makes two windows share a series; but a count joins a series with any measure."""

    event: str
    where: T.Expr | None
    kind: int
    pane_ms: int
    measure: str | None = None
    """Stored name of the field that is summed or kept."""
    link: Link | None = None
    group: str | None = None
    """Stored name of the field by whose values it is grouped."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window, and whether its sum is read rather than its count."""

    key: SeriesKey
    length_ms: int
    """Or EVER."""
    is_sum: bool = False


@dataclass(slots=True)
class Series:
    """A series while it is being laid out."""

    key: SeriesKey
    windows: list[int]


def pane_ms_of(window_ms: int | None) -> int:
    """Length of the panes of a window; `ever` has none, and goes with the hours."""
    return L.MINUTE_MS if window_ms is not None and window_ms <= L.MINUTE_PANES_UP_TO_MS else L.HOUR_MS


def measure_of(aggregate: T.Aggregate) -> str | None:
    """Stored name of the aggregate's field; `amount` and `amount_cents` are one."""
    return "amount_cents" if aggregate.field == "amount" else aggregate.field


def _window(a: T.Aggregate, kind: int, measure: str | None, is_sum: bool = False) -> Window:
    length_ms = EVER if a.window_ms is None else a.window_ms
    return Window(SeriesKey(a.event, a.where, kind, pane_ms_of(a.window_ms), measure), length_ms, is_sum)


def newest(what: T.Happening, group: str | None = None) -> Window:
    """The window that keeps the time of the newest of these events."""
    return Window(SeriesKey(what.event, what.where, kinds.LAST, L.HOUR_MS, TIME, group=group), EVER)


def matched(sequence: T.Sequence, group: str | None = None) -> Window:
    """The window that keeps whether the newest second event came soon after a first one."""
    second, link = sequence.second, Link(sequence.first, sequence.within_ms)
    return Window(SeriesKey(second.event, second.where, kinds.MATCH, L.HOUR_MS, TIME, link, group), EVER)


def attribute(name: str) -> Window:
    """What keeps an attribute of the customer."""
    return Window(SeriesKey("profile", None, kinds.ATTRIBUTE, L.HOUR_MS, name), EVER)


def windows_of(value: T.Expr, group: str | None = None) -> list[Window]:
    """The windows from which a value or a sequence is read, in the order in which they are loaded.

    `group`: the field whose keys are looked at one by one.
    """
    if group is None:
        return _windows_of(value)
    return [
        w if w.key.kind == kinds.ATTRIBUTE else replace(w, key=replace(w.key, group=group)) for w in _windows_of(value)
    ]


def _windows_of(value: T.Expr) -> list[Window]:
    match value:
        case T.ProfileRef(name) | T.Age(name):
            return [attribute(name)]
        case T.Top():
            measure = "amount_cents" if value.measure == "amount" else value.measure
            kind = kinds.SUM if measure is None else kinds.MEASURED
            length_ms = EVER if value.window_ms is None else value.window_ms
            key = SeriesKey(value.event, value.where, kind, pane_ms_of(value.window_ms), measure, group=value.field)
            return [Window(key, length_ms, is_sum=measure is not None)]
        case T.Aggregate("count"):
            return [_window(value, kinds.SUM, None)]
        case T.Aggregate("sum"):
            return [_window(value, kinds.SUM, measure_of(value), is_sum=True)]
        case T.Aggregate("avg"):
            measure = measure_of(value)
            return [_window(value, kinds.MEASURED, measure, is_sum=True), _window(value, kinds.MEASURED, measure)]
        case T.Aggregate("interval"):
            ends = [_window(value, kinds.LAST, TIME), _window(value, kinds.FIRST, TIME)]
            return [*ends, _window(value, kinds.MEASURED, TIME)]
        case T.Aggregate("days_since"):
            return [newest(T.Happening(value.event, value.where))]
        case T.Aggregate(func):
            return [_window(value, _KINDS[func], measure_of(value))]
        case T.Trend(item):
            (one,) = _windows_of(item)
            return [one, replace(one, length_ms=2 * one.length_ms)]
        case T.Ratio(left, right):
            return _windows_of(left) + _windows_of(right)
        case T.Sequence(first, second, _, negated):
            return [newest(first), newest(second) if negated else matched(value)]
        case _:
            return []


class SeriesTable:
    """The series of a rule set, and where each window is found."""

    def __init__(self, windows: Iterable[Window]) -> None:
        self._keys: set[SeriesKey] = set()
        self._with_measures: dict[SeriesKey, list[SeriesKey]] = {}
        """By what they are without their measure: a count joins any of them."""
        self._located: dict[Window, tuple[int, int]] = {}
        lengths: dict[SeriesKey, set[int]] = {}
        # sums first and `ever` last, so that what can join a series finds it
        for w in sorted(dict.fromkeys(windows), key=lambda w: (w.key.measure is None, w.length_ms == EVER)):
            key = self._place(w)
            if key not in self._keys:
                self._keys.add(key)
                self._with_measures.setdefault(replace(key, measure=None), []).append(key)
            lengths.setdefault(key, set()).add(w.length_ms)
        rank: dict[tuple[str, T.Expr | None], int] = {}
        for key in lengths:
            rank.setdefault((key.event, key.where), len(rank))
        # series of one filter stand together, and filters of one event type
        keys = sorted(
            lengths, key=lambda k: (EVENT_TYPES.index(k.event), rank[k.event, k.where], k.kind == kinds.ATTRIBUTE)
        )
        self.series = [Series(k, sorted(lengths[k], key=lambda w: (w == EVER, w))) for k in keys]
        self._at = {key: i for i, key in enumerate(keys)}

    def _place(self, window: Window) -> SeriesKey:
        """The key of a series that can hold the window: one that is there already, or the window's own."""
        panes = [window.key.pane_ms]
        if window.length_ms == EVER:
            panes.append(L.MINUTE_MS)
        for pane_ms in panes:
            key = replace(window.key, pane_ms=pane_ms)
            if key in self._keys:
                return key
            if key.measure is None:
                joined = self._with_measures.get(key)
                if joined:
                    return min(joined, key=lambda k: k.measure or "")
        return window.key

    def locate(self, window: Window) -> tuple[int, int]:
        """(series, place of the window among the series' windows)."""
        if window not in self._located:
            index = self._at[self._place(window)]
            self._located[window] = index, self.series[index].windows.index(window.length_ms)
        return self._located[window]

    def metric(self, window: Window) -> tuple[int, int]:
        """(series, metric), metric being window << 1 | is sum."""
        index, place = self.locate(window)
        return index, place << 1 | window.is_sum
