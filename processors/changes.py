"""The numbers of a step's changes as records: what replay prints, and what the tagger writes if it writes JSON."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

import numpy as np

from processors import customers
from processors import layout as L
from processors.decoder import Decoded
from processors.partition import StepOutput
from processors.rules.compile import is_timed
from processors.rules.program import I64
from processors.rules.tree import RuleSet, Tag
from schemas.records import Change, Current, Op, TagValue, Value, change_id


def tag_values(tag: Tag) -> list[Value | None]:
    """What the value codes of a tag stand for: code 0 is absent."""
    levels: list[Value] = [level.name for level in tag.tiers] if tag.tiers else [True]
    return [None, *levels]


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


class ChangeWriter:
    """Turns the numbers of one rule set's changes into records."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._version = rule_set.version
        self._names = [tag.id for tag in rule_set.tags]
        self._values = [tag_values(tag) for tag in rule_set.tags]
        self._words = [L.TIMED_TAG_WORDS if is_timed(tag) else L.PLAIN_TAG_WORDS for tag in rule_set.tags]

    def changes(
        self, output: StepOutput, decoded: Decoded, *, partition: int, epoch: int, emitted_at: int | None = None
    ) -> Iterator[Change]:
        """The step's changes, in order of seq. `emitted_at` (ms) None: the clock when each was found."""
        customers: dict[int, str] = {}
        for row in output.changes.tolist():
            place, tag, before, after, at, seq, prev, event, clock = row
            if place not in customers:
                customers[place] = customer_at(output.touched, place)
            yield Change(
                id=change_id(partition, seq),
                customer_id=customers[place],
                tag=self._names[tag],
                op=op_of(before, after),
                before=self._values[tag][before],
                after=self._values[tag][after],
                effective_at=at,
                emitted_at=clock if emitted_at is None else emitted_at,
                seq=seq,
                prev_seq=prev,
                rule_version=self._version,
                epoch=epoch,
                origin="live" if event >= 0 else "timer",
                cause=event_id_of(decoded, event) if event >= 0 else at,
            )

    def current(self, output: StepOutput, m: I64, *, partition: int, epoch: int) -> Iterator[Current]:
        """All tags of each customer with changes in the step, in order of their first change."""
        place = L.TO_FIRST
        while place < output.touched.size:
            yield Current(
                customer_id=customer_at(output.touched, place),
                partition=partition,
                epoch=epoch,
                seq=int(output.touched[place + L.TO_SEQ]),
                clock=output.clock,
                rule_version=self._version,
                tags=self.tags_of(m, int(output.touched[place + L.TO_ROW])),
            )
            place += L.TO_ID + customers.id_words(int(output.touched[place + L.TO_ID_BYTES]))

    def tags_of(self, m: I64, row: int) -> tuple[TagValue, ...]:
        """All tags of the customer in a row of a partition's memory, in order of tag; row 0: none."""
        if row == 0:
            return ()
        m32 = m.view(np.int32)
        at = int(m32[row * 2 + L.ROW_TAGS32])
        end = at + int(m32[row * 2 + L.ROW_TAGS_USED32])
        found = []
        while at < end:
            tag, value = int(m32[at * 2 + L.TAG_INDEX32]), int(m32[at * 2 + L.TAG_VALUE32])
            if value != 0:
                found.append((tag, self._values[tag][value]))
            at += self._words[tag]
        found.sort(key=itemgetter(0))
        return tuple(TagValue(self._names[tag], value) for tag, value in found if value is not None)
