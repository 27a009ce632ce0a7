"""Judges a run by what it left behind.

It has no code of the tagger's or the projector's. What should have become of a record stands in its header
(mix.EXPECTED), in which order they were applied in the journal, and what that makes of a customer says the oracle.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from processors.rules.tree import RuleSet
from schemas.outcomes import Outcome
from schemas.records import Change, Current
from streams import topics
from tests.chaos.verifier.changes import Changes, check_current, check_redis
from tests.chaos.verifier.difference import Findings
from tests.chaos.verifier.journal import SOURCES, Steps
from tests.chaos.verifier.sample import Sample
from tests.chaos.verifier.sources import DeadPlace, Kept, SourceLog, check_dead_letters, check_outcomes

__all__ = ["Left", "Stamped", "Verdict", "judge"]


class Stamped(NamedTuple):
    """A change as it stands in its topic."""

    partition: int
    at_ms: int
    """The broker's stamp."""
    change: Change


@dataclass(frozen=True, slots=True)
class Left:
    """What a run has left behind."""

    prefix: str
    """Of the topics' names."""
    steps: Mapping[int, Steps]
    """By partition."""
    logs: list[SourceLog]
    kept: Mapping[str, list[Kept]]
    """By customer of the sample all their records."""
    dead: Mapping[DeadPlace, str]
    """By place the code of each dead letter."""
    changes: Iterable[Stamped]
    """Those of a partition in order of offset."""
    current: Iterable[Current]
    """The last one of each customer."""
    gone: Set[str]
    """Of whom the last one is a tombstone."""
    hashes: Mapping[str, Mapping[str, str]]
    """By customer the fields in Redis."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, and in how much."""

    findings: Findings
    records: int
    """In the merged topics."""
    changes: int
    customers: int
    """Who ever had a tag."""
    judged: int
    """Customers recomputed by the oracle."""
    claims: int
    zombies: int


def judge(
    left: Left, rule_sets: Sequence[RuleSet], most_judged: int, chance: random.Random, findings: Findings
) -> Verdict:
    """Compare all of it. What differs is added to `findings`. `rule_sets`: all that were in force."""
    for partition, steps in left.steps.items():
        steps.check(left.prefix, findings)
        check_outcomes(steps, [log for log in left.logs if log.partition == partition], findings)
    _check_moved(left.logs, findings)
    check_dead_letters(left.dead, left.logs, list(left.steps.values()), findings)
    changes, of_sample = Changes(findings), defaultdict[str, list[Change]](list)
    for partition, at_ms, change in left.changes:
        changes.take(partition, change, at_ms)
        if change.customer_id in left.kept:
            of_sample[change.customer_id].append(change)
    changes.check_complete({p: steps.last_seq for p, steps in left.steps.items()})
    check_current(changes, left.current, left.gone)
    check_redis(changes, left.hashes, left.gone)
    sample = Sample({each.version: each for each in rule_sets}, left.steps, left.kept, of_sample)
    sample.judge(findings, most_judged, chance)
    return Verdict(
        findings,
        sum(len(log.offsets) for log in left.logs),
        changes.count,
        len(changes.holders),
        sample.judged,
        sum(steps.claims for steps in left.steps.values()),
        sum(steps.zombies for steps in left.steps.values()),
    )


def _check_moved(logs: list[SourceLog], findings: Findings) -> None:
    """All that came under a wrong partition was moved, once."""
    wanted = sum(log.expected.count(Outcome.REKEYED) for log in logs)
    moved = sum(len(log.offsets) for log in logs if SOURCES[log.source] is topics.MOVED)
    findings.compare("I5", moved == wanted, f"{moved} records were moved of {wanted}", of=wanted)
