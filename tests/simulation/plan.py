"""What a seed stands for: an installation, its rules, what is sent into it, and how much goes wrong.

Each run draws which faults there are at all and how often each comes ("swarm testing"), for faults that are always all
there hide each other: a process that crashes every few requests never lives to see a snapshot.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from functools import lru_cache
from typing import Final

from processors.oracle.event import DAY_MS, HOUR_MS, Record
from processors.rules.tree import RuleSet
from streams.settings import Settings
from tests.oracle.generate import Knobs, SeededChoices, history, rule_set
from tests.oracle.other_rules import alike, other_rules, unsteady_tags
from tests.simulation.kinds import Kind

__all__ = ["Mode", "Plan", "draw"]

RULE_SETS: Final = 60
"""So many are drawn from: compiling takes longer than a run."""
KEEP_ALL: Final = 1_000
KNOBS: Final = Knobs(max_tags=3, customers=9, commands=True, overlapping_leave=True)


class Mode(StrEnum):
    """How events come."""

    BEFORE = auto()
    """All are there before the first tagger starts, with their own times: their order is that of their arrival."""
    LIVE = auto()
    """Among the taggers' work, stamped by the broker; clocks follow wall time."""
    BEHIND = auto()
    """Among the taggers' work, with times of their own, also such as are behind the clock."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before it begins."""

    seed: int
    mode: Mode
    partitions: int
    members: int
    static: bool
    """Whether they are static members of the group."""
    rule_sets: tuple[RuleSet, ...]
    """More than one: the rules are changed, one after another."""
    forgets_rules: bool
    """Nobody knows rules any more that are not in force."""
    events: tuple[Record, ...]
    """In order of sending."""
    misplaced_percent: int
    """Of the events so many go to wrong partitions. What is moved from there comes when its step is committed."""
    follow_wall: bool
    snapshot_interval_s: float
    snapshots_kept: int
    max_step_events: int
    max_step_timers: int
    commit_interval_ms: int
    fetch_most: int
    session_ms: int
    transaction_ms: int
    max_poll_ms: int
    rounds: int
    """Turns that are given, all in all, while things go wrong."""
    rates: Mapping[Kind, float]
    """How likely a kind of fault is wherever it could be; one that is left out never comes."""

    @property
    def strict(self) -> bool:
        """Whether the order of the records does not depend on when who came to look."""
        return self.mode is Mode.BEFORE and self.misplaced_percent == 0

    @property
    def may_rebuild(self) -> bool:
        """Whether all snapshots may be lost: the journal is whole, or the order of arrival says as much."""
        return self.strict or self.snapshots_kept >= KEEP_ALL

    @property
    def changes_rules(self) -> bool:
        return len(self.rule_sets) > 1

    @property
    def unchanged_tags(self) -> set[str]:
        """Ids of the tags that decide alike in all rule sets, and by what is known of the customer alone."""
        first, *others = self.rule_sets
        steady = {tag.id for tag in first.tags} - unsteady_tags(first)
        return steady.intersection(*(alike(first, other) for other in others))

    def settings(self) -> Settings:
        settings = Settings()
        tagger = settings.tagger.model_copy(
            update={
                # shorter than a user may ask for: a run lasts but some seconds
                "snapshot_interval_s": self.snapshot_interval_s,
                "snapshots_kept": self.snapshots_kept,
                "max_step_events": self.max_step_events,
                "max_step_timers": self.max_step_timers,
                "commit_interval_ms": self.commit_interval_ms,
            }
        )
        clock = settings.clock.model_copy(update={"follow_wall": self.follow_wall})
        kafka = settings.kafka.model_copy(update={"partitions": self.partitions})
        return settings.model_copy(update={"tagger": tagger, "clock": clock, "kafka": kafka})


@lru_cache(maxsize=RULE_SETS)
def rules_of(number: int) -> RuleSet:
    """One of the rule sets, by its own version."""
    drawn = rule_set(SeededChoices(random.Random(f"rules {number}")), KNOBS)
    return replace(drawn, version=f"{number:016x}")


AT_POINTS: Final = {
    Kind.CRASH: 0.003,
    Kind.NO_ANSWER: 0.01,
    Kind.UNANSWERED: 0.001,
    Kind.MUST_ABORT: 0.02,
    Kind.INTERLEAVED: 0.04,
    Kind.SLOW: 0.002,
    Kind.STOPPED: 0.002,
    Kind.ZOMBIE: 0.002,
    Kind.TWIN: 0.0015,
}
"""The most that each is likely, at one point of one request; a turn with a transaction has some twenty points."""
AT_ROUNDS: Final = {
    Kind.RESTARTED: 0.02,
    Kind.LEFT: 0.01,
    Kind.TIME_JUMP: 0.02,
    Kind.CLOCK_SET_BACK: 0.01,
    Kind.DAMAGED_CHUNK: 0.02,
    Kind.LOST_CHUNKS: 0.01,
    Kind.COMPACTED: 0.02,
    Kind.STRAY_STEP: 0.03,
    Kind.STRAY_MANIFEST: 0.03,
}
"""The same, for one turn."""
OF_THE_LOG: Final = {Kind.LATE_MARKER: 0.2, Kind.SMALL_FETCH: 0.5}


def draw(seed: int) -> Plan:
    rng = random.Random(seed)
    mode = rng.choice((Mode.BEFORE, Mode.BEFORE, Mode.LIVE, Mode.LIVE, Mode.BEHIND))
    rule_sets = _rules(rng)
    knobs = replace(KNOBS, max_events=rng.choice((40, 80, 120)), long_silences=rng.random() < 0.3)
    events = _events(rng, rule_sets[0], knobs)
    misplaced_percent = rng.choice((0, 0, 6))
    follow_wall = mode is Mode.LIVE or (mode is Mode.BEHIND and rng.random() < 0.5)
    return Plan(
        seed=seed,
        mode=mode,
        partitions=rng.choice((1, 2, 2, 3)),
        members=rng.choice((1, 2, 2, 3)),
        static=rng.random() < 0.5,
        rule_sets=rule_sets,
        forgets_rules=rng.random() < 0.3,
        events=tuple(events),
        misplaced_percent=misplaced_percent,
        follow_wall=follow_wall,
        snapshot_interval_s=rng.choice((0.1, 0.2, 0.4, 1_000.0)),
        snapshots_kept=rng.choice((1, 2, 2, 3, KEEP_ALL)),
        max_step_events=rng.choice((2, 5, 20, 50_000)),
        max_step_timers=rng.choice((1, 3, 50_000)),
        commit_interval_ms=rng.choice((1, 20, 50)),
        fetch_most=rng.choice((5, 20_000)),
        session_ms=3_000,
        transaction_ms=rng.choice((2_000, 6_000)),
        # where the clock jumps from event to event everybody would be thrown out each time
        max_poll_ms=rng.choice((8_000, 1 << 50)) if mode is Mode.BEFORE else 1 << 50,
        rounds=rng.choice((20, 40, 70)),
        rates=_rates(rng),
    )


def _rules(rng: random.Random) -> tuple[RuleSet, ...]:
    """Mostly one; where they change, some tags are the same in all of them more often than not, and the third set is
    the first again more often than not."""
    drawn = [rules_of(rng.randrange(RULE_SETS)) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    if rng.random() < 0.7:
        others = [other_rules(drawn[0], more, rng) for more in drawn[1:]]
        drawn[1:] = [replace(rules, version=f"{RULE_SETS + n:016x}") for n, rules in enumerate(others)]
    if len(drawn) == 3 and rng.random() < 0.5:
        drawn[2] = drawn[0]
    return tuple(drawn)


def _events(rng: random.Random, rules: RuleSet, knobs: Knobs) -> list[Record]:
    """In order of arrival where the drawing has none of its own: it swaps neighbours now and then."""
    events: list[Record] = []
    while len(events) < 15:
        events = history(SeededChoices(rng), rules, knobs)
    return events


def _rates(rng: random.Random) -> dict[Kind, float]:
    rates: dict[Kind, float] = {}
    for kind, most in (AT_POINTS | AT_ROUNDS | OF_THE_LOG).items():
        if rng.random() < 0.55:
            rates[kind] = most * rng.choice((0.2, 0.5, 1.0))
    return rates


LEAPS_MS: Final = (0, 1_000, 90_000, HOUR_MS, 3 * DAY_MS, 40 * DAY_MS)
"""How much time may pass when all is over."""
