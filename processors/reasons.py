"""What the words of evidence say (evidence.py): the conditions that decided a change, as records."""

from __future__ import annotations

import numpy as np

from processors import evidence as E
from processors import layout as L
from processors.partition import StepOutput
from processors.rules.clauses import Side, clauses_of
from processors.rules.tree import RuleSet, TagRef
from processors.texts import text_of
from processors.values import listed_values
from schemas.records import Evidence, Group, NextFlip, Value

OTHER_TEXT = "…"
"""Stands for a text of which only a hash is kept, and which is none that the rule names."""

GROUPS: tuple[Group | None, ...] = (None, "treatment", "control")
"""By CH_GROUP."""


def next_flip_of(word: int) -> NextFlip | None:
    """What CH_FLIP says."""
    if word in (L.NEVER, L.UNKNOWN):
        return "never" if word == L.NEVER else "unknown"
    return word or None


class Reasons:
    """The evidence of one rule set's changes."""

    def __init__(self, rule_set: RuleSet) -> None:
        self.clauses = clauses_of(rule_set)
        self._levels = {tag.id: listed_values(tag) for tag in rule_set.tags}

    def evidence(self, output: StepOutput, place: int, at: int) -> tuple[Evidence, ...]:
        """The evidence at a place (CH_EVIDENCE) of a step's, of a change that became true at `at` (ms)."""
        if place == 0:
            return ()
        return tuple(self._item(output, at, *item) for item in E.items_in(output.evidence, place).tolist())

    def _item(self, output: StepOutput, at: int, number: int, key: int, value: int, against: int) -> Evidence:
        clause = self.clauses[number]
        threshold = self._value(output, clause.against, against, clause.constants)
        start, end = clause.window_at(at)
        return Evidence(
            condition=number,
            key=_text(output, key),
            value=self._value(output, clause.value, value, clause.constants),
            threshold=clause.constant if clause.against.sort == E.NONE else threshold,
            window_start=start,
            window_end=end,
        )

    def _value(self, output: StepOutput, side: Side, word: int, constants: tuple[str, ...]) -> Value | None:
        if side.sort in (E.NUMBER, E.WAITS):
            return None if word == E.NO_NUMBER else float(np.int64(word).view(np.float64))
        if side.sort == E.TRUTH:
            return word != 0
        if side.sort == E.LEVEL:
            assert isinstance(side.expr, TagRef), "levels are those of a tag"
            return self._levels[side.expr.tag][word]
        if side.sort == E.HELD:
            return _text(output, word)
        if side.sort == E.NAMED and word != 0:
            return OTHER_TEXT if word == E.OTHER else constants[word - 1]
        return None


def _text(output: StepOutput, place: int) -> str | None:
    if place == 0:
        return None
    return output.texts[place] if place in output.texts else text_of(output.m, place)
