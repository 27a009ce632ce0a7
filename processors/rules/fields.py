"""Fields of events as rules name them: those of the event, and `amount`, which is `amount_cents` in units."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from schemas.events import FIELDS, Field

CENTS: Final = 100
"""Cents in one unit of `amount`."""

PROFILE: Final = "profile"
"""The event that carries attributes; in a rule `profile.NAME` is the customer's attribute, no field of one event."""

EVENT_TIME: Final = "event_time"
"""The time that every event has; it is no column among the fields."""


def field_of(event: str, name: str) -> Field | None:
    """The stored field behind a name in a rule; None if the event has no such field."""
    stored = "amount_cents" if name == "amount" else name
    return next((f for f in FIELDS[event] if f.name == stored), None)


def names_of(event: str) -> list[str]:
    """Every name that a rule may use for a field of `event`."""
    names = [f.name for f in FIELDS[event]]
    return ["amount", *names] if "amount_cents" in names else names


def times_of(event: str) -> list[str]:
    """Every time of `event` that `hour` and `weekday` may take."""
    return [EVENT_TIME, *(f.name for f in FIELDS[event] if f.kind == "time")]


def is_numeric(field: Field) -> bool:
    return field.kind in ("int", "cents", "real")


def is_textual(field: Field) -> bool:
    return field.kind in ("text", "kind")


def step_of(name: str, field: Field) -> Fraction | None:
    """The number of which every value is a whole multiple; None for reals, which have none."""
    if field.kind == "real":
        return None
    return Fraction(1, CENTS) if name == "amount" else Fraction(1)
