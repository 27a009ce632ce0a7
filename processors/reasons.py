"""What the words of evidence say (evidence.py): the conditions that decided a change, as records."""

from __future__ import annotations

from processors import evidence as E
from processors import layout as L
from processors.partition import StepOutput
from processors.rules.clauses import clauses_of
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
        start, end = clause.window_at(at)
        return Evidence(
            condition=number,
            key=self.text(output, key),
            value=self.value(output, number, 0, value),
            threshold=clause.constant if clause.against.sort == E.NONE else self.value(output, number, 1, against),
            window_start=start,
            window_end=end,
        )

    def value(self, output: StepOutput, number: int, which: int, word: int) -> Value | None:
        """What a word says that stands on a side (0, or 1 of what it is compared with) of a clause."""
        clause = self.clauses[number]
        side = clause.against if which else clause.value
        if side.sort in (E.NUMBER, E.WAITS):
            return E.number_of(word)
        if side.sort == E.TRUTH:
            return word != 0
        if side.sort == E.LEVEL:
            assert isinstance(side.expr, TagRef), "levels are those of a tag"
            return self._levels[side.expr.tag][word]
        if side.sort == E.HELD:
            return self.text(output, word)
        if side.sort == E.NAMED and word != 0:
            return OTHER_TEXT if word == E.OTHER else clause.constants[word - 1]
        return None

    def text(self, output: StepOutput, place: int) -> str | None:
        """The text at a place, None for 0."""
        if place == 0:
            return None
        return output.texts[place] if place in output.texts else text_of(output.m, place)
