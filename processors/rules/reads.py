"""What time alone does to a condition: which values may fall, rise or vanish, and how far that must go to matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final, NamedTuple

from processors import interpret as vm
from processors import layout as L
from processors.rules import program as G
from processors.rules import tree as T
from processors.rules.conditions import unit_of
from processors.rules.instructions import flip, whole_threshold
from processors.rules.parts import nodes_of
from processors.rules.windows import SeriesTable, attribute, newest, windows_of
from processors.series import EVER

FALLS: Final = "falls"
RISES: Final = "rises"
VANISHES: Final = "vanishes"


class Read(NamedTuple):
    """One thing that time may change, as in the tables READ_SERIES, READ_METRIC and READ_FLOOR."""

    series: int
    metric: int
    floor: int


class Fading(NamedTuple):
    """A comparison, a sequence or a `present` that time alone may change."""

    reads: frozenset[Read]
    eager: bool
    """Whether time alone may make the condition that it is a part of true."""


def motions_of(value: T.Expr) -> frozenset[str]:
    """What time alone does to a value, as long as no amount is negative."""
    match value:
        case T.Aggregate("days_since") | T.Age():
            return frozenset((RISES,))
        case T.Aggregate(window_ms=None):
            return frozenset()
        case T.Aggregate("count" | "sum" | "distinct"):
            return frozenset((FALLS,))
        case T.Aggregate("max"):
            return frozenset((FALLS, VANISHES))
        case T.Aggregate("min"):
            return frozenset((RISES, VANISHES))
        case T.Trend():
            return frozenset((FALLS, RISES))
        case T.Aggregate() | T.Top():
            return frozenset((FALLS, RISES, VANISHES))
        case T.Ratio(left, right):
            if motions_of(left) or motions_of(right):
                return frozenset((FALLS, RISES, VANISHES))
    return frozenset()


def _can_make(op: T.CompareOp, motions: frozenset[str], wanted: bool) -> bool:
    """Whether a left side that moves so can make `left op right` become `wanted`."""
    if op in ("==", "!="):
        return bool(motions)
    up = op in (">", ">=")
    return (RISES if up == wanted else FALLS) in motions or (VANISHES in motions and not wanted)


class ReadFinder:
    """Finds the reads of conditions."""

    def __init__(
        self, table: SeriesTable, look_up: Callable[[T.Compare | T.Sequence], int], group: str | None = None
    ) -> None:
        """`look_up` gives what READ_FLOOR is of a condition about time since something; `group` as for `windows_of`."""
        self._table = table
        self._group = group
        self._look_up = look_up

    def fading_in(self, expr: T.Expr, wanted: bool = True) -> Iterator[Fading]:
        """Every part of a condition that time alone may change; `eager` tells of making `expr` become `wanted`.

        `count(x, 7d) >= 3` is not eager: only events make it true. `count(x, 7d) == 0` is.
        """
        match expr:
            case T.Not(item):
                yield from self.fading_in(item, not wanted)
            case T.And(items) | T.Or(items):
                for item in items:
                    yield from self.fading_in(item, wanted)
            case T.Compare(op, left, right):
                yield self._side(left, op, right, wanted)
                yield self._side(right, flip(op), left, wanted)
                yield from self._tried(expr)
            case T.Member(left):
                yield Fading(self._all(left), True)
            case T.Present(item):
                # a ratio also appears: when its divisor is 0 no longer
                yield Fading(self._all(item), not wanted or isinstance(item, T.Ratio | T.Age))
                # what is present is equal to itself
                yield from self._tried(T.Compare("==", item, item))
            case T.Sequence(first, _, _, True):
                place = newest(first, self._group)
                read = Read(self._table.locate(place)[0], G.WAITS, self._look_up(expr))
                yield Fading(frozenset((read,)), True)
            case _:
                pass

    def reads_of_score(self, value: T.Expr, tag: int) -> Iterator[Read]:
        """What moves a number: whatever leaves its windows, a birthday, or the time since something."""
        for node in nodes_of(value):
            if isinstance(node, T.Aggregate | T.Trend | T.Age):
                yield from self._all(node)
        for since in _sinces_in(value):
            place = newest(T.Happening(since.event, since.where), self._group)
            yield Read(self._table.locate(place)[0], G.MOVED, tag)

    def _tried(self, comparison: T.Compare) -> Iterator[Fading]:
        """A comparison with the time since something, other than one of it alone with a constant."""
        left, right = comparison.left, comparison.right
        sinces = [part for side in (left, right) for part in _sinces_in(side)]
        plain = isinstance(left, T.Number) or isinstance(right, T.Number)
        if sinces and not (plain and sinces[0] in (left, right)):
            comparison = with_time_left(comparison)
            things = [newest(T.Happening(since.event, since.where), self._group) for since in sinces]
            metric, floor = metric_of(comparison), self._look_up(comparison)
            yield Fading(frozenset(Read(self._table.locate(thing)[0], metric, floor) for thing in things), True)

    def _side(self, value: T.Expr, op: T.CompareOp, other: T.Expr, wanted: bool) -> Fading:
        """One side of `value op other`."""
        motions = motions_of(value)
        if not motions:
            return Fading(frozenset(), False)
        if isinstance(other, T.Number) and isinstance(value, T.Aggregate):
            reads = self._with_constant(value, op, other.value)
        else:
            reads = self._all(value)
        return Fading(reads, _can_make(op, motions, wanted))

    def _with_constant(self, value: T.Aggregate, op: T.CompareOp, bound: Fraction) -> frozenset[Read]:
        if value.func not in ("count", "sum", "distinct", "days_since"):
            return self._all(value)
        compared = whole_threshold(op, bound * unit_of(value))
        if isinstance(compared, bool):
            return frozenset()
        if value.func == "days_since":
            series, place = self._table.locate(newest(T.Happening(value.event, value.where), self._group))
            # it begins at 0, so it never comes to 0 from below
            return frozenset(Read(series, -1 - place, floor) for floor in _floors(*compared) if 0 < floor <= L.FAR)
        series, metric = self._table.metric(windows_of(value, self._group)[0])
        return frozenset(Read(series, metric, floor) for floor in _floors(*compared))

    def _all(self, value: T.Expr) -> frozenset[Read]:
        """Whatever leaves the value's windows."""
        if isinstance(value, T.Age):
            return frozenset((Read(self._table.locate(attribute(value.name))[0], G.BIRTHDAY, 0),))
        reads = set()
        for window in windows_of(value, self._group):
            if window.length_ms != EVER:
                reads.add(Read(*self._table.metric(window), G.ANY_FALL))
        return frozenset(reads)


def _is_since(value: T.Expr) -> bool:
    return isinstance(value, T.Aggregate) and value.func == "days_since"


def with_time_left(comparison: T.Compare) -> T.Compare:
    """The same comparison, with a `days_since` that stands alone on its left side."""
    if _is_since(comparison.right) and not _is_since(comparison.left):
        return T.Compare(flip(comparison.op), comparison.right, comparison.left)
    return comparison


def metric_of(comparison: T.Compare) -> int:
    """How it is found when time since something changes a comparison (with_time_left): OUTGROWS, RACES or TRIED."""
    if not _is_since(comparison.left):
        return G.TRIED
    if _is_since(comparison.right):
        return G.RACES
    return G.TRIED if _sinces_in(comparison.right) else G.OUTGROWS


def _sinces_in(value: T.Expr) -> list[T.Aggregate]:
    """Every `days_since` of a value."""
    parts = (value.left, value.right) if isinstance(value, T.Ratio) else (value,)
    return [part for part in parts if isinstance(part, T.Aggregate) and _is_since(part)]


def _floors(op: int, value: int) -> list[int]:
    """Values at which, from above or below, the truth of `x op value` changes."""
    above = min(value + 1, G.ANY_FALL)
    if op in (vm.GE, vm.LT):
        return [value]
    return [above] if op in (vm.GT, vm.LE) else [value, above]
