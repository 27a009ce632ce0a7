"""How late a tag is: from an event's arrival in Kafka to its committed change, and to Redis.

All of it on this machine, so that one clock stamps everything: the broker stamps the arrival of an event (a change by
an event carries it as `effective_at`), and here is noted when a consumer of committed changes gets the change, and when
Redis first shows it.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import redis
from confluent_kafka import Consumer, TopicPartition

from benchmarks.data import Event, Generator
from benchmarks.journal import Journal
from benchmarks.stand import STARTS_WITHIN_S, Stand, until
from schemas.records import Change
from streams import topics
from streams.local.choose import choose_redis
from streams.local.server import Say
from streams.redis_layout import SEQ, Layout
from streams.settings import KafkaSettings

__all__ = ["delay"]

WARM_UP_S: Final = 10
"""The broker is slow until its Java has been compiled, which takes about so long."""
MEASURED_S: Final = 20
SEND_EVERY_S: Final = 0.002
LOOK_EVERY_S: Final = 0.001
"""How often Redis is asked: what it says is as late as this at most."""
WATCHED_OF: Final = 5
"""Redis is asked for one of so many changes: asking for all of them would slow down what is measured."""
EVENTS_PER_CUSTOMER: Final = 20
"""As in the throughput's data, so that a like share of events brings a change."""
AHEAD_MS: Final = 2_000
"""The events are made before the first one is sent."""
DONE_WITHIN_S: Final = 60.0


def delay(bootstrap: str, run_dir: Path, rules: Path, rate: int, say: Say) -> dict[str, Any]:
    """Delays in ms at `rate` events/s."""
    with ExitStack() as held:
        server = choose_redis(run_dir, say=say)
        held.enter_context(server)
        stand = held.enter_context(Stand(bootstrap, "delay", run_dir, rules))
        stand.create_topics("LogAppendTime")
        say("delay: starting tagger and projector")
        roles = [stand.start("tagger"), stand.start("projector", REDIS__URL=server.url)]
        for role in roles:
            until(role.ready, STARTS_WITHIN_S, f"the {role.name} is ready")
        client = held.enter_context(redis.Redis.from_url(server.url))
        watch = Watch(stand.kafka, client)
        held.callback(watch.stop)
        events = rate * (WARM_UP_S + MEASURED_S)
        say(f"delay: {rate:,} events/s for {WARM_UP_S + MEASURED_S} s")
        start_ms = time.time_ns() // 1_000_000 + AHEAD_MS
        _send(stand, Generator(events // EVENTS_PER_CUSTOMER), events, start_ms)
        journal = Journal(stand.kafka)
        held.callback(journal.close)
        until(lambda: journal.events_now() >= events, DONE_WITHIN_S, "all was applied", 0)
        until(watch.idle, DONE_WITHIN_S, "Redis shows all changes")
        for role in roles:
            role.check()
        since_ms = start_ms + WARM_UP_S * 1000
        return {
            "events_per_s": rate,
            "seconds": MEASURED_S,
            "to_commit": _summary(watch.committed, since_ms),
            "to_redis": _summary(watch.shown, since_ms),
        }


def _send(stand: Stand, generator: Generator, events: int, start_ms: int) -> None:
    """Send each event at its time; they come at random, not in step."""
    waiting: list[Event] = []
    for block in generator.spread(events, start_ms, (WARM_UP_S + MEASURED_S) * 1000):
        waiting += block
    producer = stand.producer(linger_ms=2)
    sent = 0
    while sent < events:
        now_ms = time.time_ns() // 1_000_000
        due = sent
        while due < events and waiting[due].at_ms <= now_ms:
            due += 1
        stand.send(producer, waiting[sent:due], stamped=False)
        sent = due
        time.sleep(SEND_EVERY_S)
    left = producer.flush(DONE_WITHIN_S)
    assert left == 0, f"{left} events were not written"


def _summary(found: list[tuple[int, float]], since_ms: int) -> dict[str, float]:
    """Of (arrival, delay): those that arrived after the warm-up, all in ms."""
    delays = np.array([delay_ms for at_ms, delay_ms in found if at_ms >= since_ms])
    assert delays.size, "no event brought a change"
    p50, p99 = np.percentile(delays, [50, 99]).tolist()
    return {"p50_ms": p50, "p99_ms": p99, "max_ms": float(delays.max()), "changes": int(delays.size)}


class Watch:
    """Notes when changes are committed and when Redis shows them, on two threads, from construction until `stop`."""

    def __init__(self, kafka: KafkaSettings, client: redis.Redis) -> None:
        self.committed: list[tuple[int, float]] = []
        """(arrival in ms, delay in ms), as `shown`."""
        self.shown: list[tuple[int, float]] = []
        self._pending: list[Change] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._consumer = Consumer(
            {
                **kafka.client_config(),
                "log_level": 0,
                "group.id": "bench-delay",
                "isolation.level": "read_committed",
            }
        )
        topic = topics.CHANGES.named(kafka)
        self._consumer.assign([TopicPartition(topic, p, 0) for p in range(kafka.partitions)])
        self._client = client
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._follow, self._look)]
        for thread in self._threads:
            thread.start()

    def idle(self) -> bool:
        """Whether Redis shows all that is watched."""
        with self._lock:
            return not self._pending

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._consumer.close()

    def _follow(self) -> None:
        """Changes as they are committed. Those by time have no arrival."""
        number = 0
        while not self._over.is_set():
            # A batch is handed over only when it is full or its time is up, so the first record is awaited alone.
            first = self._consumer.poll(0.05)
            if first is None:
                continue
            messages = [first, *self._consumer.consume(1_000, 0)]
            now_ms = time.time_ns() / 1e6
            changes = [Change.from_value(m.value() or b"") for m in messages if m.error() is None]
            for change in changes:
                if change.origin != "live":
                    continue
                number += 1
                self.committed.append((change.effective_at, now_ms - change.effective_at))
                if number % WATCHED_OF == 0:
                    with self._lock:
                        self._pending.append(change)

    def _look(self) -> None:
        """Asks Redis again and again for the customers whose changes it does not show yet."""
        layout = Layout()
        while not self._over.wait(LOOK_EVERY_S):
            with self._lock:
                asked = list(self._pending)
            if not asked:
                continue
            calls = self._client.pipeline(transaction=False)
            for change in asked:
                calls.hget(layout.tags(change.customer_id), SEQ)
            seqs = calls.execute()
            now_ms = time.time_ns() / 1e6
            seen = {c.id for c, seq in zip(asked, seqs, strict=True) if seq is not None and int(seq) >= c.seq}
            self.shown += [(c.effective_at, now_ms - c.effective_at) for c in asked if c.id in seen]
            with self._lock:
                self._pending = [c for c in self._pending if c.id not in seen]
