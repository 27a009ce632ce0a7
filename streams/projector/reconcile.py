"""Compares what Redis holds with what `tags.current` says, slowly and for ever, and repairs what differs.

While the flow goes on, customers change under the hands of whoever compares; and neither the log nor Redis fits into
memory. So a pass first looks for suspects, cheaply, in bounded memory and without claiming to be exact, and then
settles those few exactly:

1. The log is read from its start to where Redis stood when the pass began. A customer whose hash is not there, or is
   older than the record, is suspect. All contents that the log has are kept in a Bloom filter, those that are written
   meanwhile as well.
2. Redis' keys are scanned. A hash of our partitions whose content the log does not have is suspect.
3. For the suspects alone the log is read once more, up to exactly where Redis stands (`settle.py`). What differs then
   is counted, told and repaired by the script that all writes go through. It asks for the position, so nothing newer is
   ever overwritten.

All this is done between two batches of the flow, in slices of a few milliseconds, as many in a second as the settings
allow. Why so and not otherwise: docs/decisions/0014-reconciling-by-suspicion.md.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import orjson
import structlog

from streams.clock import Clock
from streams.metrics import PROJECTOR_COMPARED, PROJECTOR_DIFFERENCES, Difference
from streams.projector.batch import Batch, build_batch
from streams.projector.seen import PLACES, Seen, content
from streams.projector.settle import Finding, Settlement, expected_hash, repairs
from streams.projector.source import Fetched, LogReader
from streams.projector.store import Hash, Standing, Store
from streams.redis_layout import PART
from streams.settings import ProjectorSettings

__all__ = ["Reconciler"]

SLICE: Final = 200
"""Customers compared at once: some 2 ms."""
SETTLE_SLICE: Final = 2_000
SETTLE_COST: Final = 0.05
"""Of comparing one customer, to read over one record whose customer is no suspect."""
MAX_SUSPECTS: Final = 500
"""Held at once, with their tags. When there are so many, they are settled before the search goes on."""
MAX_REPAIRS: Final = 250
"""In a partition and a pass. If as many differ, more has gone wrong than should be mended one by one: the partition is
rebuilt."""
ASKED_EVERY_MS: Final = 1_000
NOTHING_MS: Final = 20
"""To wait where what is to be read has not come yet."""

_LOG = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """What came of comparing one partition, in customers."""

    compared: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    rebuilt: bool = False
    """There were so many that the partition is rebuilt; the rest of it was not compared."""

    @property
    def differences(self) -> int:
        return self.missing + self.extra + self.different

    def add(self, kind: Difference) -> None:
        setattr(self, kind, getattr(self, kind) + 1)


@dataclass(slots=True)
class _Pass:
    ends: dict[int, int]
    """Where Redis stood when the pass began, of each partition being compared."""
    asked: dict[int, bytes]
    """Who asked for it; empty: nobody, it was due."""
    seen: Seen
    tallies: dict[int, Tally]
    suspects: dict[int, set[bytes]]
    reading: dict[int, int]
    """The next offset of each partition whose log is not read to its end."""
    cursor: int | None = 0
    """Where to scan on; None: all keys were looked at."""
    settlement: Settlement | None = None


class Reconciler:
    """For the projector's thread. `chance` returns numbers in [0, 1). Calls raise what `Store` raises; `drop` then."""

    def __init__(
        self, reader: LogReader, store: Store, clock: Clock, settings: ProjectorSettings, chance: Callable[[], float]
    ) -> None:
        self._reader = reader
        self._store = store
        self._clock = clock
        self._settings = settings
        self._chance = chance
        self._pass: _Pass | None = None
        self._slice_at_ms = 0
        self._ask_at_ms = 0
        self._pass_at_ms: float = 0
        self._wait_for_next()

    def patience_s(self) -> float:
        """Until there is something to do here; infinite if nothing is under way."""
        if self._pass is None:
            return float("inf")
        return max(0, self._slice_at_ms - self._clock.monotonic_ms()) / 1000

    def drop(self) -> None:
        """The partitions are not what they were, or where they stand is in doubt: a pass under way is given up."""
        if self._pass is not None:
            self._pass = None
            self._reader.stop()

    def written(self, batches: Mapping[int, Batch]) -> None:
        """These batches are about to be written."""
        if self._pass is not None:
            for batch in batches.values():
                self._pass.seen.add(content(customer, held) for customer, held in _newest(batch).items() if held)

    def turn(self, standings: Mapping[int, Standing]) -> None:
        """One slice of work, if one is due. No batch may be on its way to Redis."""
        now_ms = self._clock.monotonic_ms()
        if now_ms >= self._ask_at_ms:
            self._ask_at_ms = now_ms + ASKED_EVERY_MS
            self._begin_if_asked(standings)
        if self._pass is None:
            if now_ms < self._pass_at_ms:
                return
            self._begin(standings, {})
        if self._pass is not None and now_ms >= self._slice_at_ms:
            cost = self._slice(self._pass, standings)
            self._slice_at_ms = now_ms + (self._pause_ms(cost) if cost else NOTHING_MS)

    def _pause_ms(self, cost: float) -> int:
        """After a slice; somebody who waits for the result is not kept waiting."""
        if self._pass is not None and self._pass.asked:
            return 0
        return round(1000 * cost / self._settings.reconcile_per_second)

    def _wait_for_next(self) -> None:
        """Several projectors do not all compare at one time."""
        every_ms = self._settings.reconcile_every_minutes * 60_000
        self._pass_at_ms = self._clock.monotonic_ms() + every_ms * (0.5 + self._chance()) if every_ms else float("inf")

    # --------------------------------------------------------------------------------------------- searching

    def _begin_if_asked(self, standings: Mapping[int, Standing]) -> None:
        asked = self._store.asked_to_reconcile([p for p, standing in standings.items() if not standing.build])
        under_way = self._pass.asked if self._pass is not None else {}
        if asked.items() - under_way.items():
            # Who asks wants to know how things are now, so what was compared before does not count.
            self.drop()
            self._begin({p: standings[p] for p in asked}, asked)

    def _begin(self, standings: Mapping[int, Standing], asked: dict[int, bytes]) -> None:
        """What is being rebuilt needs no comparing, or waits until it is built."""
        ends = {p: int(standing.position) for p, standing in standings.items() if not standing.build}
        self._wait_for_next()
        if not ends:
            return
        self._pass = _Pass(
            ends,
            asked,
            Seen([secrets.randbits(64) | 1 for _ in range(PLACES)]),
            {p: Tally() for p in ends},
            {p: set() for p in ends},
            dict.fromkeys(ends, 0),
        )
        self._slice_at_ms = self._clock.monotonic_ms()
        self._reader.read_from(self._pass.reading)

    def _slice(self, run: _Pass, standings: Mapping[int, Standing]) -> float:
        """Returns what it cost, in customers compared; 0: there was nothing to do yet."""
        if run.settlement is not None:
            return self._settle(run, run.settlement, standings)
        if sum(map(len, run.suspects.values())) >= MAX_SUSPECTS:
            return self._begin_to_settle(run)
        if run.reading:
            return self._compare_log(run)
        if run.cursor is not None:
            return self._compare_keys(run)
        if any(run.suspects.values()):
            return self._begin_to_settle(run)
        self._end(run)
        return 0

    def _compare_log(self, run: _Pass) -> float:
        """Some records of the log with the hashes of their customers."""
        fetched = self._reader.poll(SLICE)
        compared = 0
        for partition, end in run.ends.items():
            records = [record for record in fetched.records.get(partition, ()) if record[0] < end]
            if partition not in run.reading:
                continue
            if records:
                run.reading[partition] = records[-1][0] + 1
                compared += self._compare_records(run, partition, build_batch(partition, records))
            if len(records) < len(fetched.records.get(partition, ())) or partition in fetched.ended:
                del run.reading[partition]
        if not run.reading:
            self._reader.stop()
        return compared

    def _compare_records(self, run: _Pass, partition: int, batch: Batch) -> int:
        newest = _newest(batch)
        run.seen.add(content(customer, held) for customer, held in newest.items() if held)
        part = str(partition).encode()
        for (customer, said), has in zip(newest.items(), self._store.versions(list(newest)), strict=True):
            if has is None or (said and (has[2] != part or _version(has) < _version(tuple(said.values())))):
                run.suspects[partition].add(customer)
            elif not said and has[2] == part:
                # Erased, and there: perhaps they came back later.
                run.suspects[partition].add(customer)
        self._count(run, partition, len(newest))
        return len(newest)

    def _compare_keys(self, run: _Pass) -> float:
        """Some hashes in Redis with the contents that the log has."""
        cursor, customers = self._store.scan(run.cursor or 0, SLICE)
        run.cursor = cursor or None
        parts = {str(partition).encode(): partition for partition in run.ends}
        ours = []
        for customer, held in zip(customers, self._store.hashes(customers), strict=True):
            partition = parts.get(held.get(PART.encode(), b"")) if held else None
            if held and partition is not None:
                ours.append((partition, customer, content(customer, held)))
        known = run.seen.has(of for _, _, of in ours)
        for (partition, customer, _), is_known in zip(ours, known, strict=True):
            self._count(run, partition, 1)
            if not is_known:
                run.suspects[partition].add(customer)
        return SLICE

    def _count(self, run: _Pass, partition: int, compared: int) -> None:
        run.tallies[partition].compared += compared
        PROJECTOR_COMPARED.inc(compared)

    # ---------------------------------------------------------------------------------------------- settling

    def _begin_to_settle(self, run: _Pass) -> float:
        run.settlement = Settlement({p: of for p, of in run.suspects.items() if of})
        run.suspects = {p: set() for p in run.ends}
        self._reader.read_from(dict.fromkeys(run.settlement.open, 0))
        return 0

    def _settle(self, run: _Pass, settlement: Settlement, standings: Mapping[int, Standing]) -> float:
        fetched = self._reader.poll(SETTLE_SLICE) if settlement.wants_more else Fetched()
        positions = {p: int(standings[p].position) for p in settlement.open}
        settlement.take(fetched, positions)
        for partition, position in positions.items():
            if settlement.is_due(partition, position):
                held = self._store.hashes(settlement.suspects(partition))
                self._repair(run, partition, settlement.judge(partition, held), standings[partition])
        if not settlement.open:
            run.settlement = None
            self._reader.stop()
            if run.reading:
                self._reader.read_from(run.reading)
        return SETTLE_COST * sum(map(len, fetched.records.values()))

    def _repair(self, run: _Pass, partition: int, findings: list[Finding], standing: Standing) -> None:
        if findings:
            self._store.send({partition: (standing, repairs(findings, int(standing.position)))})
            self._store.receive()
        tally = run.tallies[partition]
        for finding in findings:
            PROJECTOR_DIFFERENCES.labels(finding.kind).inc()
            tally.add(finding.kind)
        if findings:
            # not whose: a log may live longer than a customer may be known
            _LOG.warning("projector.differences", partition=partition, kinds=dict(Counter(f.kind for f in findings)))
        if tally.differences >= MAX_REPAIRS:
            _LOG.warning("projector.many_differences", partition=partition, found=tally.differences)
            tally.rebuilt = True
            self._tell(run, partition)
            # The next call of the script is refused, and what follows is what follows then.
            self._store.ask_rebuild([partition], "differences")

    def _end(self, run: _Pass) -> None:
        for partition in run.asked:
            self._tell(run, partition)
        compared, found = (sum(getattr(t, of) for t in run.tallies.values()) for of in ("compared", "differences"))
        _LOG.info("projector.reconciled", partitions=sorted(run.ends), compared=compared, differences=found)
        self._pass = None
        self._wait_for_next()

    def _tell(self, run: _Pass, partition: int) -> None:
        """To whoever asked."""
        name = run.asked.get(partition)
        if name is not None:
            told = {"name": name.decode(), **asdict(run.tallies[partition])}
            self._store.tell_reconciled(partition, orjson.dumps(told))


def _newest(batch: Batch) -> dict[bytes, Hash]:
    """What a batch says of each of its customers, in the end; empty: erased."""
    return {
        customer: expected_hash(fields)
        for chunk in batch.chunks
        for customer, fields in zip(chunk.customers, chunk.hashes, strict=True)
    }


def _version(held: Sequence[bytes | None]) -> tuple[int, ...]:
    """Epoch and seq, which stand first; -1 for what is not there or no number."""
    return tuple(int(text) if text is not None and text.isdigit() else -1 for text in held[:2])
