"""What is said of a customer: events as rules see them (fields, the time at which they count, how long a window holds
them), and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from typing import Final, Literal
from zoneinfo import ZoneInfo

from processors.oracle.profile import EPOCH, age_of
from processors.rules.tree import Age, Calendar, FieldRef, ProfileRef, RuleSet
from schemas.events import FIELDS, KINDS

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

LONGEST_WINDOW_OF_MINUTES_MS: Final = 25 * HOUR_MS
"""Windows up to this length are made of panes of one minute, longer ones of panes of one hour."""

TagValue = str | float | tuple[str, ...] | Literal[True] | None
"""Value of a tag: None is absent, True is present, a text is a level, a float a number, texts in order are keys."""

Attributes = dict[str, str | None]
"""By name; None removes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One record as its sender meant it; it can be read, but it may still be dead by its time, a duplicate or late."""

    type: str
    event_id: str
    customer_id: str
    event_time_ms: int
    arrival_ms: int
    fields: Mapping[str, int | float | str | Attributes | None] = field(default_factory=dict)
    """By name, `kind` as text, money as `amount_cents`, times in ms; one that is None or not there is missing. A
    profile event has `attributes` alone."""

    @property
    def attributes(self) -> Attributes:
        """What a profile event says."""
        found = self.fields.get("attributes")
        assert found is None or isinstance(found, dict), f"not attributes: {found!r}"
        return found or {}


@dataclass(frozen=True, slots=True)
class Command:
    """What a person or a model says of one tag of a customer; or that the customer is to be forgotten."""

    event_id: str
    """The command's id."""
    customer_id: str
    arrival_ms: int
    kind: Literal["assign", "remove", "score", "erase"]
    tag: str = ""
    """Empty where the customer is to be forgotten."""
    value: bool | str | float | tuple[str, ...] | None = None
    """What the tag is to be; None: absent. It may be one that the tag cannot take."""
    until_ms: int | None = None
    """When the assignment ends; None: never."""
    type: Literal["command"] = "command"

    @property
    def event_time_ms(self) -> int:
        """A command has no other time than that at which it arrives."""
        return self.arrival_ms


Record = Event | Command


@dataclass(frozen=True, slots=True)
class Placed:
    """An event that was applied, at the time at which it counts: as it says, or as of arrival if that is ahead."""

    event: Event
    time_ms: int
    clock_ms: int = 0
    """When it was applied."""
    profile: Mapping[str, str] = field(default_factory=dict)
    """What was known of the customer when it was applied; by attribute."""


def pane_end_ms(time_ms: int, window_ms: int) -> int:
    """End of the pane [start, end) in which a window of this length keeps an event."""
    pane_ms = MINUTE_MS if window_ms <= LONGEST_WINDOW_OF_MINUTES_MS else HOUR_MS
    return time_ms // pane_ms * pane_ms + pane_ms


def leaves_at_ms(time_ms: int, window_ms: int, lengths: int = 1) -> int:
    """The first instant at which an event is no longer held: by a window of this length, or by one so many times as
    long that is made of the same panes."""
    return pane_end_ms(time_ms, window_ms) + lengths * window_ms


def field_value(
    placed: Placed, name: FieldRef | Calendar | ProfileRef | Age, rule_set: RuleSet
) -> Fraction | int | str | None:
    """What a name in a filter is worth for an event; None is missing."""
    if isinstance(name, ProfileRef):
        return placed.profile.get(name.name)
    if isinstance(name, Age):
        return age_of(placed.profile.get(name.name), placed.clock_ms, rule_set.time_zone)
    if isinstance(name, Calendar):
        return calendar_value(placed, name, rule_set)
    return stored_value(placed.event, name.name, rule_set)


def stored_value(event: Event, name: str, rule_set: RuleSet) -> Fraction | int | str | None:
    """A field as rules see it: `amount` in units, a missing kind and currency filled in, reals in whole 10^-9."""
    if name == "amount":
        cents = event.fields.get("amount_cents")
        assert cents is None or isinstance(cents, int), f"not money: {cents!r}"
        return None if cents is None else Fraction(cents, 100)
    if name not in {known.name for known in FIELDS[event.type]}:
        raise KeyError(f"{event.type} has no field {name}")
    found = event.fields.get(name)
    if found is None and name == "kind":
        return KINDS[event.type][0]
    if found is None and name == "currency":
        return rule_set.default_currency
    if isinstance(found, float):
        return Fraction(round(found * 1e9), 10**9)
    assert not isinstance(found, dict), f"attributes are no field: {found!r}"
    return found


def calendar_value(placed: Placed, name: Calendar, rule_set: RuleSet) -> int | None:
    """Hour (0 to 23) or weekday (1 Monday to 7 Sunday) of one of the event's times, by the clocks of the zone."""
    time_ms = placed.time_ms if name.field == "event_time" else placed.event.fields.get(name.field)
    if time_ms is None:
        return None
    assert isinstance(time_ms, int), f"not a time: {name.field}"
    there = (EPOCH + timedelta(seconds=time_ms // 1000)).astimezone(ZoneInfo(rule_set.time_zone))
    return there.hour if name.unit == "hour" else there.isoweekday()
