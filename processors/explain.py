"""Where a customer stands with a tag: what it is and by whose word, which conditions hold, and what it waits for.

For a person who asks "why" or "why not". Nothing of it is on the way of an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from processors import assigned, entries, series, sets
from processors import layout as L
from processors.partition import Partition
from processors.reasons import Reasons, next_flip_of
from processors.rules import program as G
from processors.rules.clauses import SCORE
from processors.rules.program import I64, look
from processors.rules.tag_tables import entry_words, kind_of
from processors.rules.tree import Tag
from processors.texts import text_of
from processors.values import TagValues, listed_values
from schemas.records import Evidence, NextFlip, Value

MOST_KEYS: Final = 50
"""Keys of a set of which the conditions are told: those that are in, then others in order."""

Owner = Literal["rule", "hand", "model"]
_OWNERS: Final[tuple[Owner, ...]] = ("rule", "hand", "model")
"""By the part of an entry's index that is above the tags' (entries.py)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a tag, as it stands for a customer."""

    part: str
    """Key of the tag's YAML in which it stands: `when`, `leave`, `score`, or `tier[i]`."""
    expression: str
    """With `not` if it stands under one."""
    seen: Evidence
    holds: bool | None
    """Whether the expression is true; None for a score's number, which is neither true nor false."""


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody says the tag is. Value None: absent."""

    by: Owner
    value: Value | None
    until: int | None
    """When it ends (ms); None: never, and of a rule whenever its conditions say so."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What keeps the rule from doing at once what its conditions say."""

    why: Literal["dwell", "cooldown", "term", "spent"]
    """They must hold longer; it was left too recently; it ends then, whatever they say; it has ended so, and they must
    first be false."""
    to: Value | None
    """The value that the tag takes then, if nothing happens."""
    until: int | None
    """Time in ms."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A customer and a tag at one time."""

    tag: Tag
    at: int
    """The time, in ms."""
    words: tuple[Word, ...]
    """All that is said of it; the first one counts, the rule's is the last."""
    waiting: tuple[Waiting, ...]
    conditions: tuple[Condition, ...]
    """Of each level and then of `leave`; of a set all of them for each key."""
    next_flip: NextFlip

    @property
    def value(self) -> Value | None:
        """What the tag is for the customer."""
        return self.words[0].value


class Explainer:
    """Explains a partition between two steps; what the last step put out is gone after the first question."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._tags = partition.rule_set.tags
        self._reasons = Reasons(partition.rule_set)
        self._values = TagValues(self._tags)
        self._words = entry_words(self._tags)

    def standing(self, customer_id: str, number: int) -> Standing:
        """Of the tag of this number in the rule set. Somebody unknown stands as one who did nothing yet."""
        partition, tag = self._partition, self._tags[number]
        row = partition.row_of(customer_id)
        words = self._said(row, number) if row else ()
        keys = [0] if kind_of(tag) != assigned.SET else self._keys(row, number) if row else []
        return Standing(
            tag=tag,
            at=partition.clock,
            words=words or (Word("rule", None, None),),
            waiting=self._waiting(row, number) if row else (),
            conditions=tuple(each for key in keys for each in self._conditions(customer_id, number, key)),
            next_flip=next_flip_of(partition.next_flip_at(customer_id, number)) or "never",
        )

    def _entry(self, row: int, index: int) -> int:
        st = self._partition.state
        return int(entries.find_entry(st.m, st.m32, self._partition.program.g, row, index))

    def _said(self, row: int, number: int) -> tuple[Word, ...]:
        """By people, by models, by the rule."""
        st, g = self._partition.state, self._partition.program.g
        words = []
        for owner in (1, 2, 0):
            at = self._entry(row, owner * len(self._tags) + number)
            if at == 0:
                continue
            code = int(assigned.code_of(st.m, st.m32, g, at, number)) if st.m32[at * 2 + L.TAG_VALUE32] else 0
            until = int(st.m[at + L.ASSIGNED_UNTIL]) if owner else L.FAR
            value = self._values.value(st.m, number, code)
            words.append(Word(_OWNERS[owner], value, None if until == L.FAR else until))
        if words and words[-1].by != "rule":
            words.append(Word("rule", None, None))
        return tuple(words)

    def _waiting(self, row: int, number: int) -> tuple[Waiting, ...]:
        """What the entry of a tag with timing waits for."""
        at = self._entry(row, number)
        if at == 0 or self._words[number] != L.TIMED_TAG_WORDS:
            return ()
        m, m32, tag = self._partition.state.m, self._partition.state.m32, self._tags[number]
        levels = listed_values(tag)
        value, candidate = levels[m32[at * 2 + L.TAG_VALUE32]], levels[m32[at * 2 + L.TAG_CANDIDATE32]]
        since, left_at, expires_at = (int(m[at + word]) for word in (L.TAG_SINCE, L.TAG_LEFT_AT, L.TAG_EXPIRES_AT))
        found = []
        if since != L.NEVER:
            found.append(Waiting("dwell", candidate, since + tag.dwell_ms))
        if left_at != L.NEVER and left_at + tag.cooldown_ms > self._partition.clock:
            found.append(Waiting("cooldown", candidate, left_at + tag.cooldown_ms))
        if value is not None and expires_at != L.FAR:
            found.append(Waiting("term", None, expires_at))
        if m32[at * 2 + L.TAG_FLAGS32] & L.FLAG_BLOCKED:
            found.append(Waiting("spent", None, None))
        return tuple(found)

    def _conditions(self, customer_id: str, number: int, key: int) -> list[Condition]:
        """The conditions for one key, or for none (0)."""
        output, place, truths = self._partition.ask(customer_id, number, key)
        found = []
        for each, truth in zip(self._reasons.evidence(output, place, output.clock), truths.tolist(), strict=False):
            clause = self._reasons.clauses[each.condition]
            text = f"not {clause.text}" if clause.negated else clause.text
            holds = None if clause.part == SCORE else (truth == 1) != clause.negated
            found.append(Condition(clause.part, text, each, holds))
        return found

    def _keys(self, row: int, number: int) -> list[int]:
        """Texts of the keys that are in the set, then of others that are known, in order; MOST_KEYS of them."""
        st = self._partition.state
        entry = self._entry(row, number)
        block = int(st.m32[entry * 2 + L.TAG_SET32]) if entry else 0
        held = sets.texts_of(st.m, block) if block else []
        others = _known_keys(st.m, st.m32, self._partition.program.g, row, number) - set(held)
        return (held + sorted(others, key=lambda key: text_of(st.m, key).encode()))[:MOST_KEYS]


def _known_keys(m: I64, m32: NDArray[np.int32], g: I64, row: int, number: int) -> set[int]:
    """Texts of the keys of which the tag's series have cells."""
    found: set[int] = set()
    for i in range(look(g, G.TAG_KEYS, number), look(g, G.TAG_KEYS, number + 1)):
        sid = int(look(g, G.KEY_SERIES, i))
        group = int(series.find_group(m, m32, g, row, sid))
        if group == 0:
            continue
        words = int(look(g, G.SERIES_KEY_WORDS, sid))
        first = int(m32[group * 2 + L.GROUP_BLOCK32])
        found |= set(m[first + words - 1 : first + int(m32[group * 2 + L.GROUP_USED32]) : words].tolist())
    return found
