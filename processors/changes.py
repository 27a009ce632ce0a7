"""The numbers of a step's changes as records: what replay prints, and what the tagger writes if it writes JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from processors import assigned, customers
from processors import layout as L
from processors.decoder import Decoded
from processors.partition import StepOutput
from processors.reasons import GROUPS, Reasons, next_flip_of
from processors.rules.program import I64
from processors.rules.tag_tables import entry_words
from processors.rules.tree import RuleSet
from processors.step import COMMAND, COMMAND_KIND
from processors.values import TagValues
from schemas.records import Change, Current, Op, Origin, TagValue, Value, change_id

_PRECEDENCE: Final = (0, 2, 1)
"""Of the rule, of people, of models: whose word counts."""
_ORIGINS: Final[dict[int, Origin]] = {assigned.BY_MODEL: "model", assigned.ERASE: "erasure"}
"""Of a command, by its kind, where that is not people's."""


def op_of(before: int, after: int) -> Op:
    """`entered` from nothing, `left` to nothing, `changed` between levels."""
    if before == 0:
        return "entered"
    return "left" if after == 0 else "changed"


def op_of_values(before: Value | None, after: Value | None) -> Op:
    """As `op_of`, for values; they must differ."""
    return op_of(int(before is not None), int(after is not None) * 2)


def customer_at(touched: I64, place: int) -> str:
    """The id of the customer at this place of a step's list."""
    length = int(touched[place + L.TO_ID_BYTES])
    words = touched[place + L.TO_ID : place + L.TO_ID + (length + 7) // 8]
    return words.tobytes()[:length].decode()


def event_id_of(decoded: Decoded, row: int) -> str:
    """The event_id of a decoded row."""
    ref = int(decoded.events[row, L.EV_ID])
    start = ref >> 32
    return decoded.buf[start : start + (ref & 0xFFFFFFFF)].tobytes().decode()


def origin_of(decoded: Decoded, event: int) -> Origin:
    """What brought a change about: the event in this row, or, below 0, a timer."""
    if event < 0:
        return "timer"
    if decoded.events[event, L.EV_TYPE] != COMMAND:
        return "live"
    return _ORIGINS.get(int(decoded.events[event, L.EV_FIELDS + COMMAND_KIND]), "manual")


class ChangeWriter:
    """Turns the numbers of one rule set's changes into records."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._version = rule_set.version
        self._names = [tag.id for tag in rule_set.tags]
        self._values = TagValues(rule_set.tags)
        self._words = entry_words(rule_set.tags)
        self._reasons = Reasons(rule_set)

    def changes(
        self, output: StepOutput, decoded: Decoded, *, partition: int, epoch: int, emitted_at: int | None = None
    ) -> Iterator[Change]:
        """The step's changes, in order of seq. `emitted_at` (ms) None: the clock when each was found."""
        customers: dict[int, str] = {}
        for row in output.changes.tolist():
            place, tag, before, after, at, seq, prev, event, clock, why, group, flip = row
            if place not in customers:
                customers[place] = customer_at(output.touched, place)
            yield Change(
                id=change_id(partition, seq),
                customer_id=customers[place],
                tag=self._names[tag],
                op=op_of(before, after),
                before=self._values.changed(output, tag, before),
                after=self._values.changed(output, tag, after),
                effective_at=at,
                emitted_at=clock if emitted_at is None else emitted_at,
                seq=seq,
                prev_seq=prev,
                rule_version=self._version,
                epoch=epoch,
                origin=origin_of(decoded, event),
                cause=event_id_of(decoded, event) if event >= 0 else at,
                group=GROUPS[group],
                evidence=self._reasons.evidence(output, why, at),
                next_flip_at=next_flip_of(flip),
            )

    def current(
        self, output: StepOutput, m: I64, *, partition: int, epoch: int
    ) -> Iterator[tuple[str, Current | None]]:
        """By id all tags of each customer with changes in the step, in order of their first change; None: erased."""
        place = L.TO_FIRST
        while place < output.touched.size:
            customer_id, row = customer_at(output.touched, place), int(output.touched[place + L.TO_ROW])
            if row == L.ERASED:
                yield customer_id, None
            else:
                yield (
                    customer_id,
                    Current(
                        customer_id=customer_id,
                        partition=partition,
                        epoch=epoch,
                        seq=int(output.touched[place + L.TO_SEQ]),
                        clock=output.clock,
                        rule_version=self._version,
                        tags=self.tags_of(m, row),
                    ),
                )
            place += L.TO_ID + customers.id_words(int(output.touched[place + L.TO_ID_BYTES]))

    def tags_of(self, m: I64, row: int) -> tuple[TagValue, ...]:
        """All tags of the customer in a row of a partition's memory, in order of tag; row 0: none."""
        if row == 0:
            return ()
        m32 = m.view(np.int32)
        at = int(m32[row * 2 + L.ROW_TAGS32])
        end = at + int(m32[row * 2 + L.ROW_TAGS_USED32])
        # of each tag the entry whose owner counts most: an index is owner * count + tag
        deciding: dict[int, tuple[int, int]] = {}
        while at < end:
            index = int(m32[at * 2 + L.TAG_INDEX32])
            owner, tag = divmod(index, len(self._names))
            deciding[tag] = max(deciding.get(tag, (-1, 0)), (_PRECEDENCE[owner], at))
            at += self._words[index]
        found = []
        for tag, (owner, at) in sorted(deciding.items()):
            if m32[at * 2 + L.TAG_VALUE32] != 0:
                value = self._values.value(m, tag, self._code(m, m32, tag, at, owner > 0))
                assert value is not None, "an entry that is not 0 has a value"
                found.append(TagValue(self._names[tag], value))
        return tuple(found)

    def _code(self, m: I64, m32: NDArray[np.int32], tag: int, at: int, is_assigned: bool) -> int:
        """The code of the value in an entry."""
        if self._values.is_listed(tag):
            return int(m32[at * 2 + L.TAG_VALUE32])
        if self._values.is_score(tag):
            bits = int(m[at + (L.ASSIGNED_NUMBER if is_assigned else L.TAG_NUMBER)])
            return bits or assigned.NEGATIVE_ZERO
        return int(m32[at * 2 + L.TAG_SET32])
