"""The projector's loop: read, write, and find back to where Redis stands whenever that is in doubt.

Partitions are open or not, all together. To open is to read from Redis where it stands, decide for each partition
whether to go on from there or to rebuild it, and start reading. They are closed by whatever puts the positions in
doubt: other partitions were assigned, Redis refused a script, failed, or did not answer. These are rare, and one way
back for all of them is a way that is well trodden.

A rebuild has a name that Redis keeps from its beginning to its end. All hashes written meanwhile carry it, so when the
log's end is reached, those that don't were not met and are removed, a thousand keys a turn, between batches. A
projector that dies leaves the rebuild to its successor.

A batch is written while the next one is read and decoded; it is settled before the next one is written, and at once
when nothing more comes. Between two batches Redis is also compared with the log, a little at a time (`reconcile.py`).

Where no records come, a call without customers is made once a second: it notices a Redis that was emptied, and tells
Redis that this projector has seen everything up to now.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import redis
import structlog
from confluent_kafka import KafkaException

from streams.clock import Clock
from streams.metrics import (
    ARRIVAL_TO_REDIS,
    CONSUMER_LAG,
    PROJECTOR_CUSTOMERS,
    PROJECTOR_POSITION,
    PROJECTOR_REBUILDS,
    PROJECTOR_RECORDS,
    PROJECTOR_REDIS_ERRORS,
    forget_partition,
)
from streams.projector.backoff import Backoff
from streams.projector.batch import Batch, Chunk, build_batch
from streams.projector.faults import fault_of, operators_error
from streams.projector.reconcile import Reconciler
from streams.projector.source import Fetched, Source
from streams.projector.start import Extent, rebuild_reason
from streams.projector.store import Refused, Standing, Store, Work

__all__ = ["Projector"]

IDLE_POLL_S: Final = 0.2
"""How long a poll waits when nothing comes, and so how soon a request to stop is seen."""
CHECK_EVERY_MS: Final = 1_000
"""How often quiet partitions are checked in Redis, and the lag is told."""

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Flight:
    """A batch on its way to Redis."""

    records: Mapping[int, int]
    """How many, by partition."""
    batches: Mapping[int, Batch]
    ended: frozenset[int]
    """Partitions whose end it reaches."""
    then: dict[int, Standing]
    """Where Redis stands when it has been written."""


@dataclass(slots=True)
class _Sweep:
    """One pass over all keys, for the rebuilds (partition -> name) that had read the whole log when it began."""

    builds: dict[int, bytes]
    cursor: int = 0
    removed: int = 0


class Projector:
    """For use by one thread; `why_not_ready` alone may be called from other threads.

    `topic` is the name of `tags.current`, for metrics. `on_turn` is called once a turn, which takes a second at most
    unless Redis or Kafka keeps it waiting for an answer. `chance` returns numbers in [0, 1).
    """

    def __init__(
        self,
        source: Source,
        store: Store,
        clock: Clock,
        *,
        topic: str,
        chance: Callable[[], float],
        reconciler: Reconciler,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._store = store
        self._clock = clock
        self._topic = topic
        self._reconciler = reconciler
        self._on_turn = on_turn
        self._flight: _Flight | None = None
        self._backoff = Backoff(chance)
        self._retry_at_ms = 0
        self._check_at_ms = 0
        self._open: dict[int, Standing] | None = None
        self._known: dict[int, int] = {}
        """The last position seen in Redis of each partition that is ours."""
        self._to_sweep: dict[int, bytes] = {}
        """Rebuilds that have read the whole log and wait for a sweep."""
        self._sweep: _Sweep | None = None
        self._not_ready = "no partitions were assigned yet"

    def run(self, stop: Callable[[], bool], leave: bool) -> None:
        """Turns until `stop` says so, then ends with the batch written and the group closed, and left at once if
        `leave`. Raises KafkaError for what cannot be cured by waiting."""
        try:
            while not stop():
                self.turn()
        finally:
            self._end(leave)

    def _end(self, leave: bool) -> None:
        self._reconciler.drop()
        try:
            # Before the group is left: whoever gets the partitions next finds Redis where it stays.
            if self._flight is not None and self._open is not None:
                self._settle_flight(self._flight, self._open)
        except (Refused, redis.RedisError) as error:
            _LOG.warning("projector.last_batch_unsure", reason=str(error))
        finally:
            self._source.close(leave)
            self._store.close()

    def why_not_ready(self) -> list[str]:
        """Reasons why Redis does not follow `tags.current` just now; none if it does."""
        return [self._not_ready] if self._not_ready else []

    def turn(self) -> None:
        """Polls once and writes what came."""
        self._on_turn()
        fetched = self._source.poll(self._patience_s())
        try:
            if fetched.reassigned:
                self._forget_revoked()
                # A projector beyond the number of partitions has nothing to do, and that is well.
                self._close("partitions were assigned" if self._source.assigned else "")
            elif fetched.astray:
                self._wait("the topic is another one, or does not reach back to the position")
            if self._open is None:
                self._open_when_due()
            else:
                self._go_on(fetched, self._open)
        except (Refused, redis.exceptions.NoScriptError) as refusal:
            _LOG.warning("projector.refused", reason=str(refusal))
            self._wait("Redis does not stand where it was left")
        except redis.RedisError as error:
            PROJECTOR_REDIS_ERRORS.labels(fault_of(error)).inc()
            self._wait(str(operators_error(error)))
        except KafkaException as error:
            self._wait(f"Kafka does not say where the log begins and ends: {error}")

    def _patience_s(self) -> float:
        if not self._source.assigned:
            return IDLE_POLL_S
        if self._open is None:
            return min(IDLE_POLL_S, max(0, self._retry_at_ms - self._clock.monotonic_ms()) / 1000)
        if self._flight or self._to_sweep or self._sweep:
            return 0.0
        return min(IDLE_POLL_S, self._reconciler.patience_s())

    # ------------------------------------------------------------------------------------------ opening, closing

    def _close(self, reason: str) -> None:
        """From now on no partition is read, until where Redis stands has been read again."""
        self._store.drop()
        self._reconciler.drop()
        self._flight = None
        self._open = None
        self._to_sweep = {}
        self._sweep = None
        self._not_ready = reason
        self._source.stop_reading()

    def _wait(self, reason: str) -> None:
        wait_s = self._backoff.failed()
        self._retry_at_ms = self._clock.monotonic_ms() + round(wait_s * 1000)
        if self._backoff.failures == 1:
            _LOG.warning("projector.waiting", reason=reason)
        self._close(reason)

    def _forget_revoked(self) -> None:
        for partition in self._known.keys() - self._source.assigned:
            del self._known[partition]
            forget_partition(partition)

    def _open_when_due(self) -> None:
        if not self._source.assigned or self._clock.monotonic_ms() < self._retry_at_ms:
            return
        standings = self._store.open(sorted(self._source.assigned))
        extents = self._source.extents()
        for partition, standing in standings.items():
            standings[partition] = self._settle(partition, standing, extents[partition])
        self._source.read_from({partition: int(standing.position) for partition, standing in standings.items()})
        self._open = standings
        # A Redis that answers does not always write: the first check, at once, shows it.
        self._check_at_ms = self._clock.monotonic_ms()

    def _settle(self, partition: int, standing: Standing, extent: Extent) -> Standing:
        """Decides from where to read; returns where Redis then stands."""
        known = self._known.get(partition)
        reason = rebuild_reason(standing, extent, stood_before=known is not None)
        if reason is not None:
            PROJECTOR_REBUILDS.labels(reason).inc()
            _LOG.warning("projector.rebuild", partition=partition, reason=reason, found=standing.position.decode())
            build = secrets.token_hex(4).encode()
            standing = self._store.begin(partition, standing, start=extent.low, build=build, topic=extent.topic_id)
        elif known is not None and int(standing.position) < known:
            PROJECTOR_REBUILDS.labels("position").inc()
            _LOG.warning("projector.goes_back", partition=partition, to=int(standing.position), back_from=known)
        self._note_position(partition, standing)
        return standing

    def _note_position(self, partition: int, standing: Standing) -> None:
        self._known[partition] = int(standing.position)
        PROJECTOR_POSITION.labels(str(partition)).set(self._known[partition])

    # ----------------------------------------------------------------------------------------------- writing

    def _go_on(self, fetched: Fetched, standings: dict[int, Standing]) -> None:
        # Decoding comes first: it is what goes on while the batch before is written.
        batches = {partition: build_batch(partition, records) for partition, records in fetched.records.items()}
        if self._flight is not None:
            self._settle_flight(self._flight, standings)
        # Between two batches: the end of a rebuild must not overtake a batch that still is of it.
        self._sweep_on(standings)
        self._reconciler.turn(standings)
        self._reconciler.written(batches)
        work = self._work(batches, standings)
        if work or fetched.ended:
            records = {partition: len(found) for partition, found in fetched.records.items()}
            self._flight = _Flight(records, batches, frozenset(fetched.ended), self._store.send(work))

    def _work(self, batches: Mapping[int, Batch], standings: dict[int, Standing]) -> Work:
        work = {partition: (standings[partition], batch.chunks) for partition, batch in batches.items()}
        if self._clock.monotonic_ms() >= self._check_at_ms:
            self._check_at_ms = self._clock.monotonic_ms() + CHECK_EVERY_MS
            for partition in standings.keys() - work.keys():
                work[partition] = (standings[partition], [Chunk(int(standings[partition].position))])
            for partition, records in self._source.lags().items():
                CONSUMER_LAG.labels(self._topic, str(partition)).set(records)
        return work

    def _settle_flight(self, flight: _Flight, standings: dict[int, Standing]) -> None:
        self._flight = None
        changed = self._store.receive()
        wall_ms = self._clock.wall_ms()
        standings.update(flight.then)
        if self._backoff.failures:
            _LOG.info("projector.goes_on", failures=self._backoff.failures)
        self._backoff.succeeded()
        self._tell_readiness(standings)
        offered = 0
        for partition, batch in flight.batches.items():
            PROJECTOR_RECORDS.inc(flight.records[partition])
            self._note_position(partition, standings[partition])
            offered += sum(len(chunk.customers) for chunk in batch.chunks)
            # In a rebuild the tags were in Redis long before; how long ago they came says nothing.
            if not standings[partition].build:
                clocks_ms = np.array(batch.clocks_ms, dtype=np.float64)
                ARRIVAL_TO_REDIS.observe_many((wall_ms - clocks_ms) / 1000.0)
            for offset, error in batch.unreadable:
                _LOG.error("projector.unreadable", partition=partition, offset=offset, error=str(error))
        PROJECTOR_CUSTOMERS.labels("written").inc(changed)
        PROJECTOR_CUSTOMERS.labels("older").inc(offered - changed)
        for partition in flight.ended:
            build = standings[partition].build
            if build and not (self._sweep and partition in self._sweep.builds):
                self._to_sweep[partition] = build

    def _tell_readiness(self, standings: dict[int, Standing]) -> None:
        building = sorted(partition for partition, standing in standings.items() if standing.build)
        self._not_ready = f"partitions being rebuilt: {building}" if building else ""

    # ---------------------------------------------------------------------------------------------- sweeping

    def _sweep_on(self, standings: dict[int, Standing]) -> None:
        """One turn of the sweep, if there is anything to sweep; after its last one the rebuilds are over."""
        if self._sweep is None:
            if not self._to_sweep:
                return
            self._sweep, self._to_sweep = _Sweep(self._to_sweep), {}
        sweep = self._sweep
        sweep.cursor, removed = self._store.sweep(sweep.builds, sweep.cursor)
        sweep.removed += removed
        if sweep.cursor != 0:
            return
        for partition, build in sweep.builds.items():
            self._store.finish(partition, build)
            standings[partition] = Standing(standings[partition].position, b"", standings[partition].topic, 0.0)
        _LOG.info("projector.rebuilt", partitions=sorted(sweep.builds), removed=sweep.removed)
        self._sweep = None
        self._tell_readiness(standings)
