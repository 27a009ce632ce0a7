"""Draws what is said of customers beside what they do: attributes with birthdays soon to come, and commands."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from processors.oracle.event import DAY_MS, HOUR_MS, Attributes, Command
from processors.oracle.profile import EPOCH
from processors.oracle.tagstate import is_number
from processors.rules.tree import Tag
from tests.oracle.choices import Choices
from tests.oracle.tables import ATTRIBUTES, CLOCK_CHANGES_MS, MODEL_NUMBERS, NO_BIRTHDAYS

Said = bool | str | float | tuple[str, ...] | None


def attributes(choose: Choices, now_ms: int, ages: tuple[int, ...]) -> Attributes:
    """Some attributes, some of them taken back, and now and then one that no rule reads. `ages`: those that matter."""
    found: Attributes = {}
    for name, values in ATTRIBUTES.items():
        if choose.chance(50):
            found[name] = None if choose.chance(15) else choose.pick(values)
    if choose.chance(60):
        found["birthday"] = None if choose.chance(10) else birthday(choose, now_ms, ages)
    if choose.chance(10):
        found["shoe size"] = "44"
    return found


def birthday(choose: Choices, now_ms: int, ages: tuple[int, ...]) -> str:
    """A date of which a birthday that matters is soon, mostly; or a leap day, a day without a midnight, or no date."""
    kind = choose.pick(("soon", "soon", "soon", "leap", "clocks", "none"))
    if kind == "none":
        return choose.pick(NO_BIRTHDAYS)
    if kind == "leap":
        return choose.pick(("2000-02-29", "2023-03-01", "1984-02-29", "2024-02-29", "2020-02-29T12:00:00Z"))
    day_ms = choose.pick(CLOCK_CHANGES_MS) if kind == "clocks" else now_ms + choose.whole(-1, 40) * DAY_MS
    day = (EPOCH + timedelta(milliseconds=day_ms)).date()
    year = day.year - choose.pick(ages) + choose.pick((0, 0, -1, 1))
    text = f"{year:04}-{day.month:02}-{day.day:02}"
    return text + choose.pick(("T00:00:00Z", " ", "T")) if choose.chance(15) else text


def command(choose: Choices, tag: Tag, event_id: str, customer_id: str, now_ms: int, ends_ms: list[int]) -> Command:
    """What somebody says of a tag now, mostly what it takes. `ends_ms`: instants at which a term may well end."""
    kinds: list[Literal["assign", "remove", "score"]] = []
    kinds += ["assign", "assign", "remove"] if tag.manual else []
    kinds += ["score", "score", "score"] if tag.model else []
    kind = choose.pick(kinds if kinds and not choose.chance(4) else ("assign", "score", "remove"))
    return Command(
        event_id=event_id,
        customer_id=customer_id,
        arrival_ms=now_ms,
        kind=kind,
        tag="nobody" if choose.chance(3) else tag.id,
        value=None if kind == "remove" else said(choose, tag),
        until_ms=end_ms(choose, now_ms, ends_ms),
    )


def erasure(event_id: str, customer_id: str, now_ms: int) -> Command:
    """The customer is to be forgotten now."""
    return Command(event_id, customer_id, now_ms, "erase")


def said(choose: Choices, tag: Tag) -> Said:
    """A value for a tag; now and then one that it cannot take."""
    if choose.chance(8):
        unfit: tuple[Said, ...] = (False, "nothing", 0.25, ("shoes",), True)
        return choose.pick(unfit)
    if choose.chance(25) or tag.for_each is not None:
        return None
    levels = tag.levels or tuple(level.name for level in tag.tiers)
    if levels:
        return choose.pick(levels)
    return float(choose.pick(MODEL_NUMBERS)) if is_number(tag) else True


def end_ms(choose: Choices, now_ms: int, ends_ms: list[int]) -> int | None:
    """When an assignment ends: never, soon, at an instant at which something else happens, or before now."""
    kind = choose.pick(("never", "soon", "soon", "edge", "days", "over"))
    if kind == "soon":
        return now_ms + choose.whole(1, 3 * HOUR_MS)
    if kind == "edge" and ends_ms:
        return choose.pick(ends_ms) + choose.pick((0, -1, 1))
    if kind == "days":
        return now_ms + choose.whole(1, 40) * DAY_MS
    return now_ms - choose.pick((0, 1, DAY_MS)) if kind == "over" else None
