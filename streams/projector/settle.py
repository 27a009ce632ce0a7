"""What the log says of some customers, as of exactly where Redis stands. Pure.

The log is read from its start for these customers alone. When everything before Redis' position has been read, and
nothing behind it counted, what Redis should hold is known without a doubt: erasures, late records of an older owner and
what is still on its way are accounted for.

One thing could still deceive: compaction removes a record once a later one of its customer lies in the log. Was that
later one still to be written to Redis when the earlier one was gone, nothing would be found of a customer whom Redis
rightly has. So the judgement also waits until Redis stands behind what was the log's end when it was first reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import EventError
from streams.metrics import Difference
from streams.projector.batch import Chunk, Record
from streams.projector.decode import read_current
from streams.projector.source import Fetched
from streams.projector.store import Hash
from streams.redis_layout import EPOCH, PART, SEQ

__all__ = ["Finding", "Settlement", "expected_hash"]

REPAIRED_AT_ONCE = 100
"""Customers in one call of the script."""

_Said = tuple[int, int, list[str]]
"""Epoch, seq, and the tags as Redis holds them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A customer in whom Redis differs from the log."""

    customer: bytes
    kind: Difference
    fields: list[str]
    """What the hash should hold: field, value, …; empty: there should be none."""


class Settlement:
    """`suspects` are the customers to judge, by partition."""

    def __init__(self, suspects: Mapping[int, Iterable[bytes]]) -> None:
        self._said: dict[int, dict[bytes, _Said | None]] = {p: dict.fromkeys(of) for p, of in suspects.items()}
        """None: nothing was met yet, or an erasure was the last."""
        self._waiting: dict[int, list[Record]] = {p: [] for p in suspects}
        """Records that Redis has not taken yet."""
        self._read_to = dict.fromkeys(suspects, 0)
        self._behind: dict[int, int] = {}
        """Where Redis must stand at least: behind the last record that the log had when its end was first reached."""

    @property
    def open(self) -> frozenset[int]:
        """Partitions still to be judged."""
        return frozenset(self._said)

    @property
    def wants_more(self) -> bool:
        """Whether to read on. While Redis has yet to take what was read, no more of it is held."""
        return not any(self._waiting.values())

    def suspects(self, partition: int) -> list[bytes]:
        """Those of a partition that is not judged yet."""
        return list(self._said[partition])

    def take(self, fetched: Fetched, positions: Mapping[int, int]) -> None:
        """What was read since, and where Redis stands now."""
        for partition in self.open:
            waiting = self._waiting[partition]
            waiting += fetched.records.get(partition, ())
            if waiting:
                self._read_to[partition] = waiting[-1][0] + 1
            if partition in fetched.ended:
                self._behind.setdefault(partition, self._read_to[partition])
                self._read_to[partition] = max(self._read_to[partition], fetched.ended[partition])
            taken = [record for record in waiting if record[0] < positions[partition]]
            del waiting[: len(taken)]
            self._fold(partition, taken)

    def _fold(self, partition: int, records: Iterable[Record]) -> None:
        said = self._said[partition]
        for _, key, value in records:
            if key is None or key not in said:
                continue
            if value is None:
                said[key] = None
                continue
            try:
                tags = read_current(value)
            except EventError:
                continue  # as when it was written
            had = said[key]
            if had is None or (tags.epoch, tags.seq) > had[:2]:
                said[key] = (tags.epoch, tags.seq, tags.fields)

    def is_due(self, partition: int, position: int) -> bool:
        """Whether all before Redis' position, and nothing else, has been taken into account."""
        behind = self._behind.get(partition)
        return behind is not None and behind <= position <= self._read_to[partition]

    def judge(self, partition: int, held: Sequence[Hash | None]) -> list[Finding]:
        """`held` is what Redis has of the suspects, in their order. The partition is judged then."""
        said = self._said.pop(partition)
        del self._waiting[partition]
        findings = []
        for (customer, last), has in zip(said.items(), held, strict=True):
            fields = [] if last is None else [EPOCH, str(last[0]), SEQ, str(last[1]), PART, str(partition), *last[2]]
            kind = _difference(fields, has, partition)
            if kind is not None:
                findings.append(Finding(customer, kind, fields))
        return findings


def expected_hash(fields: Sequence[str]) -> Hash:
    """Field, value, field, value, … as Redis gives it."""
    return {name.encode(): value.encode() for name, value in zip(fields[::2], fields[1::2], strict=True)}


def repairs(findings: Sequence[Finding], position: int) -> list[Chunk]:
    """Calls of the script that make it right, all or none of each, given that Redis stands at `position`: whatever was
    written since would have moved it."""
    chunks = []
    for first in range(0, len(findings), REPAIRED_AT_ONCE):
        chunk = Chunk(position)
        for finding in findings[first : first + REPAIRED_AT_ONCE]:
            # Removed first, for the script leaves alone what says of itself that it is newer.
            if finding.kind != "missing":
                chunk.customers.append(finding.customer)
                chunk.hashes.append([])
            if finding.fields:
                chunk.customers.append(finding.customer)
                chunk.hashes.append(finding.fields)
        chunks.append(chunk)
    return chunks


def _difference(fields: Sequence[str], held: Hash | None, partition: int) -> Difference | None:
    if fields:
        if held is None or held:
            return "different" if held is None or held != expected_hash(fields) else None
        return "missing"
    # What names another partition, or none, is not this one's to judge.
    return "extra" if held and held.get(PART.encode()) == str(partition).encode() else None
