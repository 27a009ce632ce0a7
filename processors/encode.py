"""A step's output as Kafka records in Avro, written by compiled loops: what the tagger sends.

The bytes are those of `schemas.records` as `ChangeWriter` fills them, at some hundredth of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from processors import encode_loops as E
from processors import encode_tables as T
from processors import layout as L
from processors.decoder import Decoded
from processors.partition import StepOutput
from processors.rules.program import I64
from processors.rules.tree import RuleSet
from schemas.records import CLOCK_KEY, Current

_LEAST_TOUCHED_WORDS: Final = L.TO_ID + 1
"""Words of a customer in a step's list, whose id has a byte at least."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Records of one topic: key and value of record i are buf[key_starts[i] : key_ends[i]] and likewise its value.

    The arrays are the encoder's own and hold until it next encodes records of the same kind.
    """

    buf: NDArray[np.uint8]
    key_starts: I64
    key_ends: I64
    value_starts: I64
    value_ends: I64

    def records(self) -> list[tuple[bytes, bytes | None]]:
        """(key, value) of each record, copied. No value: a tombstone."""
        data = self.buf.tobytes()
        # Slices of bytes, in one comprehension over lists: the cheapest way in Python to make a bytes object.
        return [
            (data[key:key_end], data[value:value_end] or None)
            for key, key_end, value, value_end in zip(
                self.key_starts.tolist(),
                self.key_ends.tolist(),
                self.value_starts.tolist(),
                self.value_ends.tolist(),
                strict=True,
            )
        ]


class _Sheet:
    """What records of one kind are written on, and how far; kept from step to step and grown at need."""

    def __init__(self, most: int) -> None:
        """`most`: bytes of the longest record, without its stamp."""
        self._most = most
        self.out: NDArray[np.uint8] = np.empty(0, np.uint8)
        self.spans: I64 = np.empty((E.SPAN_ROWS, 0), np.int64)
        self.at: I64 = np.zeros(E.AT_WORDS, np.int64)
        self.stamp: NDArray[np.uint8] = np.zeros(0, np.uint8)

    def begin(self, stamp: tuple[bytes, bytes, bytes], records: int) -> None:
        """Start anew, for at most so many records."""
        self.at[E.AT_DONE] = self.at[E.AT_USED] = 0
        self.at[E.AT_PLACE] = L.TO_FIRST
        self.at[E.AT_STAMP_1 : E.AT_STAMP_3 + 1] = np.cumsum([len(part) for part in stamp])
        self.stamp = np.frombuffer(b"".join(stamp) + bytes(T.OVERRUN), np.uint8)
        if self.spans.shape[1] < records:
            self.spans = np.empty((E.SPAN_ROWS, 2 * records), np.int64)

    def grow(self) -> None:
        """Twice the room, and enough for one more record at least; what was written stays."""
        used = int(self.at[E.AT_USED])
        needed = self._most + int(self.at[E.AT_NEEDED]) + self.stamp.size
        larger = np.empty(max(2 * self.out.size, used + needed), np.uint8)
        larger[:used] = self.out[:used]
        self.out = larger

    def encoded(self) -> Encoded:
        """What was written since `begin`."""
        done, used = int(self.at[E.AT_DONE]), int(self.at[E.AT_USED])
        ks, ke, vs, ve = self.spans[:, :done]
        return Encoded(self.out[:used], key_starts=ks, key_ends=ke, value_starts=vs, value_ends=ve)


class AvroEncoder:
    """Writes the records of one partition under one rule set. Not for two threads at once."""

    def __init__(
        self,
        rule_set: RuleSet,
        partition: int,
        source: str,
        change_schema_id: int | None,
        current_schema_id: int | None,
    ) -> None:
        """`source` is CloudEvents' (who says so). The ids are those of our schemas in a schema registry; None: there is
        none, and values are in single-object encoding.
        """
        self._version = rule_set.version
        self._partition = partition
        self._current_schema_id = current_schema_id
        self._tables = T.encode_tables(rule_set, partition, source, change_schema_id, current_schema_id)
        self._changes = _Sheet(int(self._tables.t[T.MOST_CHANGE]))
        self._current = _Sheet(int(self._tables.t[T.MOST_CURRENT]))
        tags = len(rule_set.tags)
        self._marks: I64 = np.zeros((tags >> 6) + 1 + tags, np.int64)

    def changes(
        self, output: StepOutput, decoded: Decoded, *, epoch: int, emitted_at: int, run_id: str | None = None
    ) -> Encoded:
        """The step's changes, in order of seq, for `tags.changes`. `decoded` is what the step was made of; `emitted_at`
        is in ms.
        """
        stamp = (
            T.field_bytes("change", emitted_at=emitted_at),
            T.field_bytes("change", rule_version=self._version, epoch=epoch),
            T.field_bytes("change", run_id=run_id),
        )
        sheet = self._changes
        sheet.begin(stamp, output.changes.shape[0])
        while not E.encode_changes(
            *(self._tables.t, self._tables.texts, sheet.stamp, output.m, output.changes, output.touched),
            *(output.evidence, decoded.events, decoded.buf, sheet.out, sheet.spans, sheet.at),
        ):
            sheet.grow()
        return sheet.encoded()

    def current(self, output: StepOutput, m: I64, *, epoch: int, clock: int) -> Encoded:
        """All tags of each customer with changes in the step, in order of their first change, for `tags.current`; of
        one who was erased a tombstone. `m` is the partition's memory after the step, `clock` its clock (ms).
        """
        stamp = (
            T.field_bytes("current", partition=self._partition, epoch=epoch),
            T.field_bytes("current", clock=clock, rule_version=self._version),
            b"",
        )
        sheet = self._current
        sheet.begin(stamp, output.touched.size // _LEAST_TOUCHED_WORDS)
        while not E.encode_current(
            *(self._tables.t, self._tables.texts, sheet.stamp, m, m.view(np.int32), output.touched),
            *(self._marks, sheet.out, sheet.spans, sheet.at),
        ):
            sheet.grow()
        return sheet.encoded()

    def clock_record(self, epoch: int, seq: int, clock: int) -> bytes:
        """The value in `tags.current` under CLOCK_KEY: how far the partition has come (`clock` in ms)."""
        record = Current(
            customer_id=CLOCK_KEY,
            partition=self._partition,
            epoch=epoch,
            seq=seq,
            clock=clock,
            rule_version=self._version,
        )
        return record.to_avro(self._current_schema_id)
