"""What the codes of tags' values stand for (CH_BEFORE, CH_AFTER, and entries of a customer's tag block)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from processors import assigned, evidence, sets
from processors import layout as L
from processors.partition import StepOutput
from processors.rules.program import I64
from processors.rules.tag_tables import kind_of
from processors.rules.tree import Tag
from processors.rules.walk import level_names
from processors.texts import text_of
from schemas.records import Value


def listed_values(tag: Tag) -> list[Value | None]:
    """By code the values of a tag that has only so many: code 0 is absent. Of a score or a set only that one."""
    if kind_of(tag) != assigned.PLAIN:
        return [None]
    levels: list[Value] = [*level_names(tag)]
    return [None, *(levels or [True])]


def keys_of(m: I64, block: int) -> tuple[str, ...]:
    """The keys of a set, smallest first."""
    return tuple(text_of(m, key) for key in sets.texts_of(m, block))


def without_memory(output: StepOutput, tags: Sequence[Tag], g: I64) -> StepOutput:
    """A step's output that does not need the partition's memory any more: with the sets and texts that it names."""
    of_sets = np.array([kind_of(tag) == assigned.SET for tag in tags])[output.changes[:, L.CH_TAG]]
    codes = np.unique(output.changes[of_sets][:, [L.CH_BEFORE, L.CH_AFTER]])
    found = {code: keys_of(output.m, code) for code in codes.tolist() if code != 0}
    texts = {place: text_of(output.m, place) for place in evidence.texts_in(output.evidence, g)}
    return replace(output, sets=found, texts=texts, m=np.zeros(0, np.int64))


class TagValues:
    """The values of one rule set's tags."""

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._kinds = [kind_of(tag) for tag in tags]
        self._listed = [listed_values(tag) for tag in tags]

    def value(self, m: I64, tag: int, code: int) -> Value | None:
        """The value of this code; `m` is the partition's memory after the step in which it was written."""
        if code == 0 or self._kinds[tag] == assigned.PLAIN:
            return self._listed[tag][code]
        if self._kinds[tag] == assigned.SCORE:
            return float(np.int64(code).view(np.float64)) + 0.0  # the code of 0.0 is that of -0.0
        return keys_of(m, code)

    def changed(self, output: StepOutput, tag: int, code: int) -> Value | None:
        """The value of a code in a step's changes."""
        return output.sets.get(code) or self.value(output.m, tag, code)

    def is_score(self, tag: int) -> bool:
        """Whether the tag's value is a number."""
        return self._kinds[tag] == assigned.SCORE

    def is_listed(self, tag: int) -> bool:
        """Whether the tag has only so many values, so that a code says it all."""
        return self._kinds[tag] == assigned.PLAIN
