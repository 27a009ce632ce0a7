"""An event as rules see it: its fields, the time at which it counts, and how long a window holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

from processors.rules.tree import Calendar, FieldRef, RuleSet
from schemas.events import FIELDS, KINDS

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

LONGEST_WINDOW_OF_MINUTES_MS: Final = 25 * HOUR_MS
"""Windows up to this length are made of panes of one minute, longer ones of panes of one hour."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Event:
    """One record as its sender meant it; it can be read, but it may still be dead by its time, a duplicate or late."""

    type: str
    event_id: str
    customer_id: str
    event_time_ms: int
    arrival_ms: int
    fields: dict[str, int | float | str | None] = field(default_factory=dict)
    """By name, `kind` as text, money as `amount_cents`, times in ms; one that is None or not there is missing."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An event that was applied, at the time at which it counts: as it says, or as of arrival if that is ahead."""

    event: Event
    time_ms: int


def pane_end_ms(time_ms: int, window_ms: int) -> int:
    """End of the pane [start, end) in which a window of this length keeps an event."""
    pane_ms = MINUTE_MS if window_ms <= LONGEST_WINDOW_OF_MINUTES_MS else HOUR_MS
    return time_ms // pane_ms * pane_ms + pane_ms


def leaves_at_ms(time_ms: int, window_ms: int, lengths: int = 1) -> int:
    """The first instant at which an event is no longer held: by a window of this length, or by one so many times as
    long that is made of the same panes."""
    return pane_end_ms(time_ms, window_ms) + lengths * window_ms


def field_value(placed: Placed, name: FieldRef | Calendar, rule_set: RuleSet) -> Fraction | int | str | None:
    """What a name in a filter is worth for an event; None is missing."""
    if isinstance(name, Calendar):
        return calendar_value(placed, name, rule_set)
    return stored_value(placed.event, name.name, rule_set)


def stored_value(event: Event, name: str, rule_set: RuleSet) -> Fraction | int | str | None:
    """A field as rules see it: `amount` in units, a missing kind and currency filled in, reals in whole 10^-9."""
    if name == "amount":
        cents = event.fields.get("amount_cents")
        return None if cents is None else Fraction(int(cents), 100)
    if name not in {known.name for known in FIELDS[event.type]}:
        raise KeyError(f"{event.type} has no field {name}")
    found = event.fields.get(name)
    if found is None and name == "kind":
        return KINDS[event.type][0]
    if found is None and name == "currency":
        return rule_set.default_currency
    if isinstance(found, float):
        return Fraction(round(found * 1e9), 10**9)
    return found


def calendar_value(placed: Placed, name: Calendar, rule_set: RuleSet) -> int | None:
    """Hour (0 to 23) or weekday (1 Monday to 7 Sunday) of one of the event's times, by the clocks of the zone."""
    time_ms = placed.time_ms if name.field == "event_time" else placed.event.fields.get(name.field)
    if time_ms is None:
        return None
    assert isinstance(time_ms, int), f"not a time: {name.field}"
    there = (EPOCH + timedelta(seconds=time_ms // 1000)).astimezone(ZoneInfo(rule_set.time_zone))
    return there.hour if name.unit == "hour" else there.isoweekday()
