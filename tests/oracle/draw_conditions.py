"""Draws conditions: values beside thresholds that they cross, sequences, what is known of a customer, other tags."""

from __future__ import annotations

from typing import Final

from processors.oracle.moments import is_since
from processors.oracle.tagstate import is_number
from processors.rules.tree import (
    Age,
    And,
    Compare,
    Expr,
    Happening,
    Member,
    Not,
    Number,
    Present,
    ProfileRef,
    Ratio,
    Sequence,
    TagRef,
    Text,
    Top,
)
from tests.oracle.draw_filters import filter_or_none, own_condition
from tests.oracle.draw_values import (
    aggregate,
    number_value,
    plain_value,
    since,
    still_value,
    text_value,
    texts_of,
    thresholds,
)
from tests.oracle.pen import Pen, nested
from tests.oracle.tables import DURATIONS_MS, EQUALITY, MODEL_NUMBERS, OPS, SINCE_DAYS, TEXT_ATTRIBUTES


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


RICH: Final = ("value",) * 3 + ("since",) * 2 + ("sequence",) * 3 + ("text", "present", "both", "tag")


def rich_condition(pen: Pen) -> Expr:
    choose = pen.choose
    kinds = [*RICH, *(["profile", "profile", "age", "age"] if pen.may("profile") else [])]
    kind = choose.pick([*kinds, *(["text"] if pen.may("top") else [])])
    if pen.known and (kind == "tag" or choose.chance(30)):
        return tag_condition(pen)
    if kind == "sequence":
        return sequence(pen)
    if kind == "text":
        return text_condition(pen)
    if kind == "present":
        return Present(number_value(pen))
    if kind == "both":
        return both_condition(pen)
    if kind == "since":
        return since_condition(pen)
    if kind == "profile":
        return profile_condition(pen)
    measured = Age("birthday") if kind == "age" else number_value(pen)
    sides = (measured, Number(choose.pick(thresholds(measured))))
    return Compare(choose.pick(OPS), *(sides if choose.chance(85) else reversed(sides)))


def both_condition(pen: Pen) -> Expr:
    """Two values, of which one may be a ratio that moves by itself."""
    choose = pen.choose
    left = number_value(pen) if pen.may("days") and choose.chance(30) else still_value(pen)
    if is_since(left):
        return Compare(choose.pick(OPS), left, Number(choose.pick(SINCE_DAYS)))
    sides = (left, still_value(pen))
    return Compare(choose.pick(OPS), *(sides if choose.chance(70) else reversed(sides)))


def since_condition(pen: Pen) -> Expr:
    choose = pen.choose
    if choose.chance(20):
        return Compare(choose.pick(OPS), since(pen), since(pen))
    if pen.may("days") and choose.chance(30):
        sides = (since(pen), beside_since(pen))
        return Compare(choose.pick(OPS), *(sides if choose.chance(60) else reversed(sides)))
    return Compare(choose.pick(OPS), since(pen), Number(choose.pick(SINCE_DAYS)))


def beside_since(pen: Pen) -> Expr:
    """What a `days_since` may be compared with, besides another one and a constant."""
    choose = pen.choose
    kind = choose.pick(("interval", "value", "ratio", "profile", "age"))
    if kind == "interval":
        return plain_value(pen, "interval")
    if kind == "ratio":
        sides = (since(pen), plain_value(pen, "count or sum"))
        return Ratio(*(sides if choose.chance(70) else reversed(sides)))
    if kind == "profile" and pen.may("profile"):
        return ProfileRef("limit")
    if kind == "age" and pen.may("profile"):
        return Age("birthday")
    return still_value(pen)


def profile_condition(pen: Pen) -> Expr:
    """What is known of the customer, alone or beside what they did."""
    choose = pen.choose
    kind = choose.pick(("own", "own", "value", "text", "present"))
    if kind == "value":
        sides: tuple[Expr, ...] = (choose.pick((number_value(pen), Age("birthday"))), ProfileRef("limit"))
        return Compare(choose.pick(OPS), *(sides if choose.chance(60) else reversed(sides)))
    if kind == "text":
        found = text_value(pen, choose.pick(pen.knobs.event_types))
        if found is not None:
            sides = (found, ProfileRef(choose.pick(TEXT_ATTRIBUTES)))
            return Compare(choose.pick(EQUALITY), *(sides if choose.chance(60) else reversed(sides)))
    if kind == "present":
        asked: tuple[ProfileRef | Age, ...] = (ProfileRef("favourite"), ProfileRef("limit"), Age("birthday"))
        return Present(choose.pick(asked))
    return own_condition(choose)


def tag_condition(pen: Pen) -> Expr:
    choose = pen.choose
    other = choose.pick(pen.known)
    asked: Expr = TagRef(other.id)
    levels = other.levels or tuple(level.name for level in other.tiers)
    if levels and choose.chance(50):
        asked = Compare(choose.pick(EQUALITY), asked, Text(choose.pick(levels)))
    elif is_number(other) and choose.chance(70):
        bounds = MODEL_NUMBERS if other.score is None else thresholds(other.score)
        beside = number_value(pen) if choose.chance(15) else Number(choose.pick(bounds))
        asked = Compare(choose.pick(OPS), asked, Number(bounds[0]) if is_moving(pen, beside) else beside)
    shape = choose.pick(("alone", "not", "and", "and not"))
    if shape == "alone":
        return asked
    if shape == "not":
        return Not(asked)
    return And((condition(pen, 0), asked if shape == "and" else Not(asked)))


def is_moving(pen: Pen, value: Expr) -> bool:
    """Whether it is a `days_since` where that may stand beside a constant alone."""
    return is_since(value) and not pen.may("days")


def text_condition(pen: Pen) -> Expr:
    choose = pen.choose
    event = choose.pick(pen.knobs.event_types)
    found = text_value(pen, event)
    if found is None:
        return since_condition(pen)
    texts = texts_of(found)
    if choose.chance(30):
        return Member(found, texts[: choose.whole(1, len(texts))], choose.chance(40))
    if choose.chance(15):
        return Present(found)
    if pen.may("top") and choose.chance(15) and isinstance(found, Top) and found.field != "kind":
        other = text_value(pen, choose.pick(pen.knobs.event_types), kinds=False)
        if other is not None:
            return Compare(choose.pick(EQUALITY), found, other)
    return Compare(choose.pick(EQUALITY), found, choose.pick(texts))


def sequence(pen: Pen) -> Sequence:
    """Two events, often of one type, so that one event may be both."""
    choose = pen.choose
    first = happening(pen, choose.pick(pen.knobs.event_types))
    second = happening(pen, first.event if choose.chance(30) else choose.pick(pen.knobs.event_types))
    return Sequence(first, second, choose.pick(DURATIONS_MS), choose.chance(50))


def happening(pen: Pen, event: str) -> Happening:
    return Happening(event, filter_or_none(pen, event))
