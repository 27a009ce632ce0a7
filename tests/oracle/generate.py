"""Draws rule sets and histories that meet each other: thresholds get crossed, times fall on the edges that matter.

Random numbers alone almost never put an event on the very millisecond at which another one leaves a window. So a
history is drawn with the rule set in hand: most steps of the clock and most event times aim at an edge (of a pane, a
window, a dwell, a cooldown, a term, a sequence, a `days_since`, a birthday, a dedupe generation, an hour of a wall
clock) and miss it by -1, 0 or 1 ms.

Where decisions come from stands in `choices.py`; what is drawn from, in `tables.py`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from processors.oracle.event import DAY_MS, HOUR_MS, Record
from processors.rules.tree import RuleSet
from tests.oracle.choices import FEATURES, WINDOWS_MS, Choices, Knobs, SeededChoices
from tests.oracle.draw_history import history
from tests.oracle.draw_rules import rule_set
from tests.oracle.tables import DEFAULT_CURRENCY, FIELD_VALUES, START_MS

__all__ = [
    "DEFAULT_CURRENCY",
    "FEATURES",
    "FIELD_VALUES",
    "START_MS",
    "WINDOWS_MS",
    "Choices",
    "Knobs",
    "Scenario",
    "SeededChoices",
    "history",
    "random_scenario",
    "rule_set",
    "scenario",
]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A rule set with a history for it."""

    rule_set: RuleSet
    events: list[Record]
    """In the order of their lines, which is not always that of their arrivals."""
    until_ms: int | None


def random_scenario(rng: random.Random, knobs: Knobs | None = None) -> Scenario:
    """A rule set and a history, all of it decided by `rng`."""
    return scenario(SeededChoices(rng), knobs or Knobs())


def scenario(choose: Choices, knobs: Knobs) -> Scenario:
    rules = rule_set(choose, knobs)
    events = history(choose, rules, knobs)
    until_ms = None
    if choose.chance(70):
        last_ms = max((event.arrival_ms for event in events), default=START_MS)
        until_ms = last_ms + choose.pick((0, HOUR_MS, -HOUR_MS, 32 * DAY_MS, 402 * DAY_MS))
    return Scenario(rules, events, until_ms)
