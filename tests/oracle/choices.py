"""Where the decisions of a drawing come from, and how far they may go.

All that is drawn is drawn through `Choices`, where the plainest option comes first: so the same code serves a seeded
`random.Random` (fast, for long runs) and Hypothesis (`strategies.py`, which shrinks).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from processors.oracle.event import DAY_MS, HOUR_MS, MINUTE_MS

T = TypeVar("T")

WINDOWS_MS: Final[tuple[int | None, ...]] = (
    HOUR_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    30 * MINUTE_MS,
    DAY_MS,
    25 * HOUR_MS,
    25 * HOUR_MS + MINUTE_MS,
    26 * HOUR_MS,
    7 * DAY_MS,
    30 * DAY_MS,
    90 * DAY_MS,
    400 * DAY_MS,
    None,
)
"""Both sizes of panes, both sides of the length at which they change, and `ever`."""


FEATURES: Final = ("profile", "distinct", "top", "for_each", "score", "assigned", "days")
"""Parts of the language that can be left out of what is drawn: attributes and ages, the aggregates `distinct` and
`top`, tags with keys, scores, tags that are set by hand or by a model, `days_since` beside any number."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """How large and how odd what is drawn may be."""

    max_tags: int = 4
    max_depth: int = 2
    """How deep and, or, not are nested, in rules and in filters."""
    max_events: int = 30
    customers: int = 3
    windows_ms: tuple[int | None, ...] = WINDOWS_MS
    event_types: tuple[str, ...] = ("purchase", "browse", "service", "profile")
    overlapping_leave: bool = False
    """Whether `leave` may hold together with `when`. Such a tag flips at each evaluation, relevant to it or not."""
    tier_expires: bool = True
    compare_aggregates: bool = True
    """Whether an aggregate may stand on the right, or on both sides."""
    long_silences: bool = True
    rich_percent: int = 50
    """Of a hundred rule sets, how many use more than counts, sums and plain filters: other values, sequences, tags
    that ask for tags, groups, the calendar, and the features below."""
    features: tuple[str, ...] = FEATURES
    """What of FEATURES may be used."""
    commands: bool = False
    """Whether people and models say things of customers too; a file of events has no place for that."""


class Choices(Protocol):
    """Where decisions come from."""

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included; `low` is the plainest."""

    def pick(self, options: Sequence[T]) -> T:
        """One of the options; the first is the plainest."""

    def chance(self, percent: int) -> bool:
        """True about so often; false is the plainest."""


@dataclass(frozen=True, slots=True)
class SeededChoices:
    """Decisions of a `random.Random`: the same seed, the same scenario."""

    rng: random.Random

    def whole(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.rng.randrange(len(options))]

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent
