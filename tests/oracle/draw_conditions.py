"""Draws conditions: values computed from events beside thresholds that they cross, sequences, and other tags."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from processors.rules.tree import (
    Aggregate,
    And,
    Calendar,
    Compare,
    Expr,
    FieldRef,
    Happening,
    Member,
    Not,
    Number,
    Or,
    Present,
    Ratio,
    Sequence,
    StartsWith,
    Tag,
    TagRef,
    Text,
    Trend,
)
from tests.oracle.choices import Choices, Knobs
from tests.oracle.event import DAY_MS, HOUR_MS
from tests.oracle.expression import parts
from tests.oracle.tables import (
    DEFAULT_CURRENCY,
    DURATIONS_MS,
    INTERVAL_DAYS,
    OPS,
    PREFIXES,
    PRESENT,
    RATIOS,
    SINCE_DAYS,
    SINGLES,
    SUMS,
    TEXTS,
    WHERE,
)

LONGEST_TREND_MS: Final = 200 * DAY_MS

COUNTS: Final = (Fraction(1), Fraction(2), Fraction(3), Fraction(0))

EQUALITY: Final[tuple[Literal["==", "!="], ...]] = ("==", "!=")


@dataclass(frozen=True, slots=True)
class Pen:
    """What conditions are drawn with."""

    choose: Choices
    knobs: Knobs
    rich: bool = False
    """Whether there may be more than counts, sums and plain filters."""
    known: tuple[Tag, ...] = ()
    """Tags that may be asked for."""


# ------------------------------------------------------------------------------------------------- conditions


def condition(pen: Pen, depth: int) -> Expr:
    choose = pen.choose
    if depth > 0 and choose.chance(45):
        return nested(choose, [condition(pen, depth - 1) for _ in range(choose.whole(2, 3))])
    if pen.rich and choose.chance(65):
        return rich_condition(pen)
    measured = aggregate(pen)
    op = choose.pick(OPS)
    if pen.knobs.compare_aggregates and choose.chance(8):
        return Compare(op, measured, aggregate(pen))
    threshold = Number(choose.pick(thresholds(measured)))
    if pen.knobs.compare_aggregates and choose.chance(8):
        return Compare(op, threshold, measured)
    return Compare(op, measured, threshold)


def nested(choose: Choices, items: list[Expr]) -> Expr:
    shape = choose.pick(("and", "or", "not", "and not"))
    if shape == "not":
        return Not(items[0])
    if shape == "and not":
        return And((*items[:-1], Not(items[-1])))
    return And(tuple(items)) if shape == "and" else Or(tuple(items))


def rich_condition(pen: Pen) -> Expr:
    choose = pen.choose
    kind = choose.pick(
        (
            "value",
            "value",
            "value",
            "since",
            "since",
            "sequence",
            "sequence",
            "sequence",
            "text",
            "present",
            "both",
            "tag",
        )
    )
    if pen.known and (kind == "tag" or choose.chance(30)):
        return tag_condition(pen)
    if kind == "sequence":
        return sequence(pen)
    if kind == "text":
        return text_condition(pen)
    if kind == "present":
        return Present(number_value(pen))
    if kind == "both":
        return Compare(choose.pick(OPS), still_value(pen), still_value(pen))
    if kind == "since":
        return since_condition(pen)
    measured = number_value(pen)
    sides = (measured, Number(choose.pick(thresholds(measured))))
    return Compare(choose.pick(OPS), *(sides if choose.chance(85) else reversed(sides)))


def since_condition(pen: Pen) -> Expr:
    choose = pen.choose
    if choose.chance(20):
        return Compare(choose.pick(OPS), since(pen), since(pen))
    return Compare(choose.pick(OPS), since(pen), Number(choose.pick(SINCE_DAYS)))


def tag_condition(pen: Pen) -> Expr:
    choose = pen.choose
    other = choose.pick(pen.known)
    asked: Expr = TagRef(other.id)
    if other.tiers and choose.chance(50):
        asked = Compare(choose.pick(EQUALITY), asked, Text(choose.pick(other.tiers).name))
    shape = choose.pick(("alone", "not", "and", "and not"))
    if shape == "alone":
        return asked
    if shape == "not":
        return Not(asked)
    return And((condition(pen, 0), asked if shape == "and" else Not(asked)))


def text_condition(pen: Pen) -> Expr:
    choose = pen.choose
    event = choose.pick(pen.knobs.event_types)
    if not TEXTS[event]:
        return since_condition(pen)
    name = choose.pick(tuple(TEXTS[event]))
    func: Literal["first", "last"] = choose.pick(("last", "first"))
    found = Aggregate(func, event, name, filter_or_none(pen, event), choose.pick(pen.knobs.windows_ms))
    texts = tuple(Text(text) for text in TEXTS[event][name])
    if choose.chance(30):
        return Member(found, texts[: choose.whole(1, len(texts))], choose.chance(40))
    if choose.chance(15):
        return Present(found)
    return Compare(choose.pick(EQUALITY), found, choose.pick(texts))


def sequence(pen: Pen) -> Sequence:
    """Two events, often of one type, so that one event may be both."""
    choose = pen.choose
    first = happening(pen, choose.pick(pen.knobs.event_types))
    second = happening(pen, first.event if choose.chance(30) else choose.pick(pen.knobs.event_types))
    return Sequence(first, second, choose.pick(DURATIONS_MS), choose.chance(50))


def happening(pen: Pen, event: str) -> Happening:
    return Happening(event, filter_or_none(pen, event))


# ----------------------------------------------------------------------------------------------------- values


def number_value(pen: Pen) -> Expr:
    """Anything that is a number, computed from events."""
    kind = pen.choose.pick(
        ("single", "single", "single", "interval", "trend", "ratio", "ratio", "since", "count or sum")
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
        if not any(isinstance(part, Aggregate) and part.func == "days_since" for part in parts(value)):
            return value


def plain_value(pen: Pen, kind: str | None = None) -> Aggregate | Trend:
    """A number that may stand in a ratio."""
    choose = pen.choose
    if kind is None:
        kind = choose.pick(("count or sum", "count or sum", "single", "interval", "trend", "since"))
    if kind == "since":
        return since(pen)
    if kind == "trend":
        return trend(pen)
    event = choose.pick(pen.knobs.event_types)
    if kind == "interval":
        return Aggregate("interval", event, None, filter_or_none(pen, event), choose.pick(pen.knobs.windows_ms))
    if kind == "count or sum" or not SINGLES[event]:
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
    """Numbers that a few events make such a value cross."""
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
    if measured.field is None:
        return COUNTS
    return (SUMS if measured.func == "sum" else SINGLES)[measured.event][measured.field]


# ---------------------------------------------------------------------------------------------------- filters


def filter_or_none(pen: Pen, event: str) -> Expr | None:
    choose = pen.choose
    # Values, unlike counts, are missing while nothing passes the filter; so where they are drawn filters are fewer.
    is_filtered = choose.chance(25 if pen.rich else 45) and (pen.rich or WHERE[event])
    chosen = where(pen, event, pen.knobs.max_depth - 1) if is_filtered else None
    if event == "purchase" and choose.chance(8 if pen.rich else 15):
        # A filter that names the currency changes which money is summed, so it is drawn more often than the others.
        names_currency = Compare(
            choose.pick(EQUALITY), FieldRef("currency"), Text(choose.pick(("USD", DEFAULT_CURRENCY)))
        )
        chosen = names_currency if chosen is None else nested(choose, [names_currency, chosen])
    return chosen


def where(pen: Pen, event: str, depth: int) -> Expr:
    choose = pen.choose
    if depth > 0 and choose.chance(40):
        return nested(choose, [where(pen, event, depth - 1) for _ in range(2)])
    if not WHERE[event] or (pen.rich and choose.chance(45)):
        return rich_filter(choose, event)
    name = choose.pick(tuple(WHERE[event]))
    values = WHERE[event][name]
    texts = tuple(Text(value) for value in values if isinstance(value, str))
    numbers = tuple(Number(value) for value in values if isinstance(value, Fraction))
    if choose.chance(30):
        # One value or all: a list that leaves some out, and one that leaves out only the values that no rule names.
        listed: tuple[Text | Number, ...] = (*texts, *numbers)
        return Member(FieldRef(name), listed[: choose.whole(1, len(listed))], choose.chance(40))
    if texts:
        return Compare(choose.pick(EQUALITY), FieldRef(name), choose.pick(texts))
    return Compare(choose.pick(OPS), FieldRef(name), choose.pick(numbers))


def rich_filter(choose: Choices, event: str) -> Expr:
    kind = choose.pick(("calendar", "starts_with", "present"))
    if kind == "starts_with" and PREFIXES[event]:
        name = choose.pick(tuple(PREFIXES[event]))
        return StartsWith(FieldRef(name), Text(choose.pick(PREFIXES[event][name])))
    if kind == "present" and PRESENT[event]:
        return Present(FieldRef(choose.pick(PRESENT[event])))
    time = choose.pick(("event_time", "event_time", "order_time")) if event == "purchase" else "event_time"
    if choose.chance(35):
        weekday = Calendar("weekday", time)
        if choose.chance(50):
            return Member(weekday, (Number(Fraction(6)), Number(Fraction(7))), choose.chance(50))
        return Compare(choose.pick(OPS), weekday, Number(Fraction(choose.whole(1, 7))))
    hour = Calendar("hour", time)
    if choose.chance(20):
        return Member(hour, (Number(Fraction(2)), Number(Fraction(3)), Number(Fraction(0))), choose.chance(50))
    return Compare(choose.pick(OPS), hour, Number(Fraction(choose.pick((12, 1, 2, 3, 5, 6, 9, 18, 22, 23)))))
