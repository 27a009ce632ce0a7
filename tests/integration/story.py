"""Draws a history of many customers over some months, dense enough that most tags come and go.

The oracle's own histories are a few events each, drawn for one short rule set; here many customers share the partitions
of a real broker for as long as the starter rules need.
"""

from __future__ import annotations

import random
from typing import Final, Literal

from processors.oracle.event import Command, Record
from processors.oracle.judge import DAY_MS, HOUR_MS, MINUTE_MS, Event, aggregates_of, leaves_at_ms
from processors.rules.tree import RuleSet
from processors.rules.walk import level_names
from schemas.events import AHEAD_IS_DEAD_MS, AHEAD_IS_NOW_MS, EARLIEST_EVENT_MS
from tests.oracle.generate import FIELD_VALUES

START_MS: Final = 1_704_067_200_000
"""2024-01-01: brokers take no record from the future."""

TYPES: Final = ("browse", "browse", "browse", "purchase", "purchase", "service", "profile")
MORE_VALUES: Final[dict[str, dict[str, tuple[int | str, ...]]]] = {
    "purchase": {"amount_cents": (300_000, 80_000, 150_000)},
    "browse": {"page_type": ("cart", "checkout"), "channel": ("app",)},
    "service": {"kind": ("campaign_click", "campaign_reply", "return")},
}
"""What the starter rules ask for, beside what the oracle's do."""


def story(rules: RuleSet, seed: int, events: int, customers: int, start_ms: int = START_MS) -> list[Record]:
    """In order of arrival. The same seed, the same story."""
    chance = random.Random(seed)
    windows_ms = sorted({a.window_ms for a in aggregates_of(rules) if a.window_ms is not None})
    now_ms = start_ms
    told: list[Record] = []
    for number in range(events):
        now_ms = max(now_ms, _next_arrival(chance, now_ms, told, windows_ms))
        event_type, event_id = chance.choice(TYPES), f"s{seed}-{number}"
        if told and chance.random() < 0.05:
            again = chance.choice(told[-50:])
            event_type, event_id = again.type, again.event_id
        # some customers do most of it
        customer_id = f"顾客-{min(chance.randrange(customers), chance.randrange(customers))}"
        if event_type == "command" or chance.random() < 0.04:
            told.append(_command(chance, rules, event_id, customer_id, now_ms))
            continue
        told.append(
            Event(
                type=event_type,
                event_id=event_id,
                customer_id=customer_id,
                event_time_ms=_event_time(chance, now_ms, windows_ms),
                arrival_ms=now_ms,
                fields=_fields(chance, event_type),
            )
        )
    return told


def _command(chance: random.Random, rules: RuleSet, command_id: str, customer_id: str, now_ms: int) -> Command:
    """What a person or a model says of a tag; sometimes what the tag cannot be, or to erase the customer."""
    if chance.random() < 0.1:
        return Command(command_id, customer_id, now_ms, "erase")
    tag = chance.choice(rules.tags)
    values = [None, True, 0.5, *level_names(tag)]
    until_ms = now_ms + chance.choice((HOUR_MS, DAY_MS, 30 * DAY_MS)) if chance.random() < 0.5 else None
    kind: Literal["assign", "remove", "score"] = chance.choice(("assign", "assign", "remove", "score"))
    return Command(command_id, customer_id, now_ms, kind, tag.id, chance.choice(values), until_ms)


def _next_arrival(chance: random.Random, now_ms: int, told: list[Record], windows_ms: list[int]) -> int:
    step = chance.random()
    if step < 0.2:
        return now_ms
    if step < 0.5:
        return now_ms + chance.randrange(1, 20_000)
    if step < 0.7 and told:
        edge_ms = leaves_at_ms(chance.choice(told[-20:]).event_time_ms, chance.choice(windows_ms))
        return edge_ms + chance.choice((-1, 0, 1)) if edge_ms < now_ms + HOUR_MS else now_ms
    if step < 0.95:
        return now_ms + chance.randrange(1, HOUR_MS)
    return now_ms + (DAY_MS if step < 0.995 else 25 * DAY_MS)


def _event_time(chance: random.Random, now_ms: int, windows_ms: list[int]) -> int:
    kind = chance.random()
    if kind < 0.75:
        return now_ms
    if kind < 0.85:
        return now_ms - chance.randrange(3 * HOUR_MS)
    if kind < 0.93:
        return now_ms - chance.choice(windows_ms) - chance.choice((0, MINUTE_MS, HOUR_MS)) + chance.choice((-1, 0, 1))
    if kind < 0.97:
        return now_ms + chance.choice((1, AHEAD_IS_NOW_MS, AHEAD_IS_NOW_MS + 1, HOUR_MS))
    return chance.choice((now_ms + AHEAD_IS_DEAD_MS, now_ms + AHEAD_IS_DEAD_MS + 1, EARLIEST_EVENT_MS - 1))


def _fields(chance: random.Random, event_type: str) -> dict[str, int | float | str | None]:
    fields: dict[str, int | float | str | None] = {}
    for name, values in FIELD_VALUES[event_type].items():
        more = MORE_VALUES.get(event_type, {}).get(name, ())
        if chance.random() < 0.7:
            fields[name] = chance.choice((*values, *more))
    return fields
