"""How far the pipeline is behind the present, told by its own clocks, and the journal as it was written.

A partition's clock is the arrival of the record that was applied last, or wall time less a moment where nothing comes.
So whoever knows when a fault was over waits until the clocks in the journal and in Redis have passed that moment: then
all that had arrived by then is applied, and can be read by apps.

The journal is followed while it grows, since behind the older snapshot it is cut off.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

import redis
from confluent_kafka import Consumer, TopicPartition

from schemas.records import JournalRecord
from streams import topics
from streams.redis_layout import Layout
from streams.settings import KafkaSettings
from tests.chaos.verifier.journal import Entry

__all__ = ["Watch"]

WAIT_S: Final = 0.05
REDIS_WITHIN_S: Final = 1.0
NEVER_MS: Final = -1


class Watch:
    """Runs in a thread from construction on. `close` it."""

    def __init__(self, kafka: KafkaSettings, redis_url: str) -> None:
        self._partitions = range(kafka.partitions)
        self._consumer = Consumer(
            {
                **kafka.client_config(),
                "log_level": 0,
                "group.id": "chaos-watch",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
            }
        )
        name = topics.JOURNAL.named(kafka)
        self._consumer.assign([TopicPartition(name, p, 0) for p in self._partitions])
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=REDIS_WITHIN_S, socket_connect_timeout=REDIS_WITHIN_S
        )
        self._clock_key = Layout().clock
        self._over = threading.Event()
        self._failed: BaseException | None = None
        self.journal: dict[int, list[Entry]] = {p: [] for p in self._partitions}
        """By partition, in order of offset."""
        self._applied_ms = dict.fromkeys(self._partitions, NEVER_MS)
        self._shown_ms = dict.fromkeys(self._partitions, NEVER_MS)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def applied_ms(self) -> int:
        """The clock of the partition that is least far, by the journal; negative: one has none yet."""
        self._check()
        return min(self._applied_ms.values())

    def shown_ms(self) -> int:
        """The same, as apps read it in Redis."""
        self._check()
        return min(self._shown_ms.values())

    def length(self) -> int:
        """Records of the journal so far."""
        return sum(map(len, self.journal.values()))

    def close(self) -> None:
        """A second time it does nothing. What was read stays."""
        if self._over.is_set():
            return
        self._over.set()
        self._thread.join()
        self._consumer.close()
        self._redis.close()

    def _check(self) -> None:
        assert self._failed is None, f"the journal cannot be followed: {self._failed!r}"

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._follow()
                self._look_at_redis()
        except BaseException as error:
            self._failed = error

    def _follow(self) -> None:
        for message in self._consumer.consume(1_000, WAIT_S):
            error = message.error()
            if error is not None:
                # a broker that is away comes back; what is gone for good is not a fault of ours to overlook
                assert error.retriable() or error.code() < 0, str(error)
                assert "reset" not in str(error).lower(), str(error)
                continue
            record = JournalRecord.from_value(message.value() or b"")
            partition, offset = message.partition(), message.offset()
            assert partition is not None and offset is not None
            self.journal[partition].append(Entry(offset, message.timestamp()[1], record))
            if record.kind != "claim":
                self._applied_ms[partition] = record.clock_after

    def _look_at_redis(self) -> None:
        shown = dict.fromkeys(self._partitions, NEVER_MS)
        with suppress(redis.RedisError):
            told: dict[bytes, bytes] = self._redis.hgetall(self._clock_key)  # type: ignore[assignment]
            shown |= {int(partition): int(clock) for partition, clock in told.items()}
        self._shown_ms = shown
        time.sleep(WAIT_S)
