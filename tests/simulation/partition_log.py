"""One partition: offsets, transactions with their markers, what committed readers see, deletion, compaction."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Hashable
from typing import NamedTuple

from tests.simulation.record import Record


class Undecided(NamedTuple):
    """What lies behind the first record of a transaction that is still open."""

    offset: int
    record: Record | None
    """None: the marker that ends the transaction."""
    transaction: Hashable | None


class PartitionLog:
    """Offsets rise by one for each record and each marker, as in Kafka; so what is read has gaps."""

    def __init__(self) -> None:
        self.start = 0
        """What was before is deleted."""
        self.end = 0
        """Behind the last record or marker."""
        self.records: list[Record] = []
        """All that committed readers see, in order of offset."""
        self._offsets: list[int] = []
        """Those of `records`."""
        self._undecided: deque[Undecided] = deque()
        self._ended: dict[Hashable, bool] = {}
        """Transactions whose marker lies in `_undecided`, and whether it was a commit."""

    @property
    def stable_end(self) -> int:
        """Where committed readers meet the end: at the first record of an open transaction, whoever wrote behind it."""
        return max(self.start, self._undecided[0].offset) if self._undecided else self.end

    def append(self, record: Record, transaction: Hashable | None) -> None:
        """`record` has the offset `end`."""
        assert record.at_offset == self.end
        self.end += 1
        if transaction is None and not self._undecided:
            self._show(record)
        else:
            self._undecided.append(Undecided(record.at_offset, record, transaction))

    def mark(self, transaction: Hashable, committed: bool) -> None:
        """End a transaction here. It need not have written anything."""
        self._ended[transaction] = committed
        self._undecided.append(Undecided(self.end, None, transaction))
        self.end += 1
        while self._undecided:
            _, record, of = self._undecided[0]
            if of is not None and of not in self._ended:
                return
            self._undecided.popleft()
            if record is None:
                del self._ended[of]
            elif (of is None or self._ended[of]) and record.at_offset >= self.start:
                self._show(record)

    def _show(self, record: Record) -> None:
        self.records.append(record)
        self._offsets.append(record.at_offset)

    def read(self, position: int, most: int) -> list[Record]:
        first = bisect_left(self._offsets, position)
        return self.records[first : first + most]

    def ready(self, position: int) -> int:
        """How many records `read` could bring."""
        offsets = self._offsets
        # most are asked for at their end
        if not offsets or offsets[-1] < position:
            return 0
        return len(offsets) - bisect_left(offsets, position)

    def delete_before(self, offset: int) -> None:
        if offset > self.start:
            self.start = offset
            self.keep([r for r in self.records if r.at_offset >= offset])

    def compact(self) -> None:
        """Of the records that committed readers see keep the last by key, and none if that is a tombstone. Offsets
        and the start stay as they are."""
        last = {r.given_key: r.at_offset for r in self.records}
        self.keep([r for r in self.records if last[r.given_key] == r.at_offset and r.given_value is not None])

    def keep(self, records: list[Record]) -> None:
        """What committed readers see is this from now on: retention, the cleaner or a damaged disk have been there."""
        self.records = records
        self._offsets = [r.at_offset for r in records]
