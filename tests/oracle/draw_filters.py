"""Draws filters, and what is asked of attributes."""

from __future__ import annotations

from fractions import Fraction

from processors.rules.tree import (
    Age,
    Calendar,
    Compare,
    Expr,
    FieldRef,
    Member,
    Number,
    Present,
    ProfileRef,
    StartsWith,
    Text,
)
from tests.oracle.choices import Choices
from tests.oracle.pen import Pen, nested
from tests.oracle.tables import (
    AGES,
    ATTRIBUTE_PREFIXES,
    ATTRIBUTES,
    DEFAULT_CURRENCY,
    EQUALITY,
    LIMITS,
    OPS,
    PREFIXES,
    PRESENT,
    SINGLES,
    TEXT_ATTRIBUTES,
    TEXTS,
    WHERE,
)


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
    if pen.may("profile") and choose.chance(20):
        return profile_filter(pen, event)
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


def profile_filter(pen: Pen, event: str) -> Expr:
    """What is known of the customer when the event comes, often beside a field of the event."""
    choose = pen.choose
    favourite, limit = ProfileRef(choose.pick(TEXT_ATTRIBUTES)), ProfileRef("limit")
    texts = [name for name in TEXTS[event] if name != "coupon_id"]
    numbers = list(SINGLES[event])
    kind = choose.pick(("field", "number", "own", "age", "age and limit", "present"))
    if kind == "field" and texts:
        sides = (FieldRef(choose.pick(texts)), favourite)
        return Compare(choose.pick(EQUALITY), *(sides if choose.chance(50) else reversed(sides)))
    if kind == "number" and numbers:
        values = (FieldRef(choose.pick(numbers)), limit)
        return Compare(choose.pick(OPS), *(values if choose.chance(50) else reversed(values)))
    if kind == "age":
        return Compare(choose.pick(OPS), Age("birthday"), Number(choose.pick(AGES)))
    if kind == "age and limit":
        return Compare(choose.pick(OPS), Age("birthday"), limit)
    if kind == "present":
        asked: tuple[ProfileRef | Age, ...] = (favourite, limit, Age("birthday"))
        return Present(choose.pick(asked))
    return own_condition(choose)


def own_condition(choose: Choices) -> Expr:
    """Of attributes alone, which may stand in filters and outside of them."""
    favourite, other = (ProfileRef(name) for name in shuffled_pair(choose, TEXT_ATTRIBUTES))
    texts = tuple(Text(text) for text in ATTRIBUTES[favourite.name])
    kind = choose.pick(("text", "text", "number", "number", "list", "prefix", "two"))
    if kind == "number":
        return Compare(choose.pick(OPS), ProfileRef("limit"), Number(choose.pick(LIMITS)))
    if kind == "list":
        return Member(favourite, texts[: choose.whole(1, len(texts) - 1)], choose.chance(50))
    if kind == "prefix":
        return StartsWith(favourite, Text(choose.pick(ATTRIBUTE_PREFIXES)))
    if kind == "two":
        return Compare(choose.pick(EQUALITY), favourite, other)
    return Compare(choose.pick(EQUALITY), favourite, choose.pick(texts))


def shuffled_pair(choose: Choices, names: tuple[str, str]) -> tuple[str, str]:
    return (names[1], names[0]) if choose.chance(40) else names
