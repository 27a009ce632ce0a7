"""Draws values: numbers and texts computed from events, and the thresholds that they cross."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Literal

from processors.oracle.event import DAY_MS, HOUR_MS
from processors.oracle.moments import sinces_in
from processors.rules.tree import Age, Aggregate, Expr, ProfileRef, Ratio, Text, Top, Trend
from tests.oracle.draw_filters import filter_or_none
from tests.oracle.pen import Pen
from tests.oracle.tables import (
    AGES,
    DISTINCTS,
    INTERVAL_DAYS,
    LIMITS,
    RATIOS,
    SINCE_DAYS,
    SINGLES,
    SUMS,
    TEXTS,
    TOPS,
)

LONGEST_TREND_MS: Final = 200 * DAY_MS

COUNTS: Final = (Fraction(1), Fraction(2), Fraction(3), Fraction(0))


def number_value(pen: Pen) -> Expr:
    """Anything that is a number, computed from events."""
    kind = pen.choose.pick(
        ("single", "single", "single", "interval", "trend", "ratio", "ratio", "since", "count or sum", "distinct")
    )
    if kind == "ratio":
        return Ratio(plain_value(pen), plain_value(pen))
    if kind == "since":
        return since(pen)
    return aggregate(pen) if kind == "count or sum" else plain_value(pen, kind)


def still_value(pen: Pen) -> Expr:
    """A number that time alone changes only when a window lets something go."""
    while True:
        value = number_value(pen)
        if not sinces_in(value):
            return value


def plain_value(pen: Pen, kind: str | None = None) -> Aggregate | Trend:
    """A number that may stand in a ratio."""
    choose = pen.choose
    if kind is None:
        kind = choose.pick(("count or sum", "count or sum", "single", "interval", "trend", "since", "distinct"))
    if kind == "since":
        return since(pen)
    if kind == "trend":
        return trend(pen)
    event = choose.pick(pen.knobs.event_types)
    if kind == "distinct" and pen.may("distinct") and DISTINCTS[event]:
        name = choose.pick(DISTINCTS[event])
        return Aggregate("distinct", event, name, filter_or_none(pen, event), choose.pick(pen.knobs.windows_ms))
    if kind == "interval":
        return Aggregate("interval", event, None, filter_or_none(pen, event), choose.pick(pen.knobs.windows_ms))
    if kind in ("count or sum", "distinct") or not SINGLES[event]:
        return aggregate(pen)
    func: Literal["avg", "min", "max", "first", "last"] = choose.pick(("avg", "min", "max", "first", "last"))
    name = choose.pick(tuple(SINGLES[event]))
    return Aggregate(func, event, name, filter_or_none(pen, event), choose.pick(pen.knobs.windows_ms))


def since(pen: Pen) -> Aggregate:
    event = pen.choose.pick(pen.knobs.event_types)
    return Aggregate("days_since", event, None, filter_or_none(pen, event), None)


def trend(pen: Pen) -> Trend:
    measured = aggregate(pen)
    fitting = [ms for ms in pen.knobs.windows_ms if ms is not None and ms <= LONGEST_TREND_MS]
    window_ms = pen.choose.pick(fitting or [HOUR_MS])
    return Trend(Aggregate(measured.func, measured.event, measured.field, measured.where, window_ms))


def aggregate(pen: Pen) -> Aggregate:
    """A count or a sum."""
    choose = pen.choose
    event = choose.pick(pen.knobs.event_types)
    summed = sorted(SUMS[event])
    func: Literal["count", "sum"] = "sum" if summed and choose.chance(50) else "count"
    return Aggregate(
        func=func,
        event=event,
        field=choose.pick(summed) if func == "sum" else None,
        where=filter_or_none(pen, event),
        window_ms=choose.pick(pen.knobs.windows_ms),
    )


def thresholds(measured: Expr) -> tuple[Fraction, ...]:
    """Numbers that a few events, or some years, make such a value cross."""
    if isinstance(measured, Age):
        return AGES
    if isinstance(measured, ProfileRef):
        return LIMITS
    if isinstance(measured, Ratio):
        return RATIOS
    if isinstance(measured, Trend):
        found = thresholds(measured.item)
        return (*found, *(-threshold for threshold in found))
    assert isinstance(measured, Aggregate), f"not computed from events: {measured!r}"
    if measured.func == "days_since":
        return SINCE_DAYS
    if measured.func == "interval":
        return INTERVAL_DAYS
    if measured.field is None or measured.func == "distinct":
        return COUNTS
    return (SUMS if measured.func == "sum" else SINGLES)[measured.event][measured.field]


def text_value(pen: Pen, event: str, kinds: bool = True) -> Aggregate | Top | None:
    """The first or last text of a field, or the one with the most, if there is such a field; a kind only if `kinds`."""
    choose = pen.choose
    may_be_top = pen.may("top") and choose.chance(60)
    fields = [name for name in (TOPS if may_be_top else TEXTS)[event] if kinds or name != "kind"]
    if not fields:
        return None
    name = choose.pick(fields)
    if not may_be_top:
        func: Literal["first", "last"] = choose.pick(("last", "first"))
        return Aggregate(func, event, name, filter_or_none(pen, event), choose.pick(pen.knobs.windows_ms))
    summed = sorted(SUMS[event])
    measure = choose.pick(summed) if summed and choose.chance(50) else None
    return Top(event, name, measure, filter_or_none(pen, event), choose.pick(pen.knobs.windows_ms))


def texts_of(found: Aggregate | Top) -> tuple[Text, ...]:
    """Texts to compare such a value with."""
    assert found.field is not None
    return tuple(Text(text) for text in (TOPS if isinstance(found, Top) else TEXTS)[found.event][found.field])
