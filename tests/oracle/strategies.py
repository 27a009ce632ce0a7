"""Hypothesis strategies over the scenarios of `generate.py`; they shrink towards few tags and few, plain events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

from processors.oracle.judge import Record
from processors.rules.tree import RuleSet
from tests.oracle import generate
from tests.oracle.generate import Knobs, Scenario

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DrawnChoices:
    """Decisions that Hypothesis makes, remembers and shrinks."""

    draw: st.DrawFn

    def whole(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def pick(self, options: Sequence[T]) -> T:
        return options[self.draw(st.integers(0, len(options) - 1))]

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent


@st.composite
def scenarios(draw: st.DrawFn, knobs: Knobs = Knobs()) -> Scenario:  # noqa: B008 (frozen)
    """A rule set, a history that crosses its thresholds, and when to stop."""
    return generate.scenario(DrawnChoices(draw), knobs)


@st.composite
def rule_sets(draw: st.DrawFn, knobs: Knobs = Knobs()) -> RuleSet:  # noqa: B008 (frozen)
    return generate.rule_set(DrawnChoices(draw), knobs)


@st.composite
def histories(draw: st.DrawFn, rule_set: RuleSet, knobs: Knobs = Knobs()) -> list[Record]:  # noqa: B008 (frozen)
    """Events in the order of their lines, aimed at the edges of the given rule set."""
    return generate.history(DrawnChoices(draw), rule_set, knobs)
