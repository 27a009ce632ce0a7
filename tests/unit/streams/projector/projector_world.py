"""A log in memory, a projector on it, and what Redis should come to in the end, worked out the plain way."""

from __future__ import annotations

from collections.abc import Mapping

import redis
from confluent_kafka import KafkaError, KafkaException

from schemas.records import CLOCK_KEY, Current, TagValue, Value
from streams.clock import ManualClock
from streams.projector.batch import Record
from streams.projector.loop import Projector
from streams.projector.reconcile import Reconciler
from streams.projector.source import Fetched
from streams.projector.start import Extent
from streams.projector.store import Store
from streams.redis_layout import Layout
from streams.settings import ProjectorSettings


def current(
    customer_id: str, seq: int, tags: Mapping[str, Value], *, epoch: int = 1, partition: int = 0, clock: int = 1_000
) -> bytes:
    return Current(
        customer_id=customer_id,
        partition=partition,
        epoch=epoch,
        seq=seq,
        clock=clock,
        rule_version="v1",
        tags=tuple(TagValue(tag, value) for tag, value in tags.items()),
    ).to_avro()


class MemoryLog:
    """`tags.current` and the broker that shares out its partitions, as the projector sees them."""

    def __init__(self, partitions: int = 1) -> None:
        self.records: dict[int, list[Record]] = {p: [] for p in range(partitions)}
        self.topic_id = b"topic-1"

    def write(
        self, customer_id: str, seq: int, tags: Mapping[str, Value], *, epoch: int = 1, partition: int = 0
    ) -> None:
        self._append(partition, customer_id, current(customer_id, seq, tags, epoch=epoch, partition=partition))

    def erase(self, customer_id: str, partition: int = 0) -> None:
        self._append(partition, customer_id, None)

    def tick(self, clock: int, *, epoch: int = 1, partition: int = 0) -> None:
        self._append(partition, CLOCK_KEY, current(CLOCK_KEY, 0, {}, epoch=epoch, partition=partition, clock=clock))

    def recreate(self) -> None:
        self.records = {p: [] for p in self.records}
        self.topic_id += b"'"

    def _append(self, partition: int, key: str, value: bytes | None) -> None:
        log = self.records[partition]
        log.append((len(log), key.encode(), value))


class MemorySource:
    """Brings `at_once` records of each partition a poll."""

    def __init__(self, log: MemoryLog, at_once: int = 1_000) -> None:
        self.log = log
        self.at_once = at_once
        self.assigned: frozenset[int] = frozenset(log.records)
        self.reading: dict[int, int] = {}
        self.closed = False
        self.patience_s: list[float] = []
        """How long each poll would have waited."""
        self.cannot_tell_extents = False
        self.astray = False
        self._at_end: set[int] = set()
        self._reassigned = True

    def assign(self, *partitions: int) -> None:
        self.assigned, self._reassigned = frozenset(partitions), True

    def poll(self, timeout_s: float) -> Fetched:
        self.patience_s.append(timeout_s)
        if self.astray:
            return Fetched(astray=bool(self.reading))
        if self._reassigned:
            self._reassigned, self.reading = False, {}
            return Fetched(reassigned=True)
        fetched = Fetched()
        for partition, at in self.reading.items():
            taken = self.log.records[partition][at : at + self.at_once]
            if taken:
                fetched.records[partition] = taken
                self.reading[partition] = at + len(taken)
                self._at_end.discard(partition)
            if self.reading[partition] == len(self.log.records[partition]) and partition not in self._at_end:
                self._at_end.add(partition)
                fetched.ended[partition] = self.reading[partition]
        return fetched

    def extents(self) -> dict[int, Extent]:
        if self.cannot_tell_extents:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return {p: Extent(self.log.topic_id, 0, len(self.log.records[p])) for p in self.assigned}

    def read_from(self, offsets: Mapping[int, int]) -> None:
        self.reading = dict(offsets)
        self._at_end = set()

    def stop_reading(self) -> None:
        self.reading = {}

    def lags(self) -> dict[int, int]:
        return {p: len(self.log.records[p]) - at for p, at in self.reading.items()}

    def close(self, leave: bool) -> None:
        self.closed = True


class MemoryReader:
    """Reads the log once more, `at_once` records of all partitions a poll."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self._source: MemorySource | None = None

    def read_from(self, offsets: Mapping[int, int]) -> None:
        self._source = MemorySource(self.log)
        self._source.poll(0)
        self._source.read_from(offsets)

    def poll(self, most: int) -> Fetched:
        assert self._source is not None
        self._source.at_once = min(most, 7)
        return self._source.poll(0)

    def stop(self) -> None:
        self._source = None


class World:
    """A projector on a log in memory and a real Redis; time passes only by `run`."""

    def __init__(
        self, log: MemoryLog, client: redis.Redis, *, at_once: int = 1_000, layout: Layout | None = None
    ) -> None:
        self.log = log
        self.client = client
        self.clock = ManualClock(wall_ms=5_000)
        self.source = MemorySource(log, at_once)
        self.layout = Layout() if layout is None else layout
        self.store = Store(client, self.layout)
        self.reader = MemoryReader(log)
        self.projector = Projector(
            self.source,
            self.store,
            self.clock,
            topic="tags.current",
            chance=lambda: 0.5,
            reconciler=Reconciler(self.reader, self.store, self.clock, ProjectorSettings(), lambda: 0.5),
        )

    def run(self, turns: int = 20, pass_s: float = 1.5) -> None:
        """By default long enough for all of a short log, with every check and every wait that is due."""
        for _ in range(turns):
            self.projector.turn()
            self.clock.sleep(pass_s)

    def hashes(self) -> dict[str, dict[str, str]]:
        """All customers' hashes, without the marks that rebuilds leave."""
        return hashes(self.client, self.layout)


def hashes(client: redis.Redis, layout: Layout | None = None) -> dict[str, dict[str, str]]:
    layout = Layout() if layout is None else layout
    found = {}
    for key in client.scan_iter(match=layout.tags_pattern, count=1_000):
        fields = {name.decode(): value.decode() for name, value in client.hgetall(key).items()}
        fields.pop("_build", None)
        found[key.removeprefix(layout.tags_prefix).decode()] = fields
    return found


def folded(log: MemoryLog) -> dict[str, dict[str, str]]:
    """What the hashes should be: record by record, the newest (epoch, seq), none after a tombstone."""
    expected: dict[str, dict[str, str]] = {}
    for partition, records in log.records.items():
        for _, key, value in records:
            assert key is not None
            if key == CLOCK_KEY.encode():
                continue
            if value is None:
                expected.pop(key.decode(), None)
                continue
            read = Current.from_avro(value)
            had = expected.get(read.customer_id)
            if had is not None and (int(had["_epoch"]), int(had["_seq"])) >= (read.epoch, read.seq):
                continue
            expected[read.customer_id] = {
                "_epoch": str(read.epoch),
                "_seq": str(read.seq),
                "_part": str(partition),
            } | {tag.tag: _text(tag.value) for tag in read.tags}
    return expected


def _text(value: Value) -> str:
    if value is True:
        return "1"
    if isinstance(value, tuple):
        return "[" + ",".join('"' + key + '"' for key in sorted(value)) + "]"
    return str(value)
