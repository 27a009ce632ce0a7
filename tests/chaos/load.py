"""`python -m tests.chaos.load`: sends the mix at a rate until it is asked to end, then says how much it sent.

A process of its own, so that it goes on whatever the others are waiting for. It never gives a record up: what waits
for a broker that is away waits, up to a bound, and then it makes no more.
"""

from __future__ import annotations

import argparse
import signal
import threading
import time
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from schemas.outcomes import Outcome
from streams.clock import SystemClock
from streams.settings import KafkaSettings
from tests.chaos.goners import Goners
from tests.chaos.mix import EXPECTED, Mix, Sent

__all__ = ["main"]

SLICE_MS: Final = 100
"""Of time, whose records are made at once."""
MOST_WAITING: Final = 1_000_000
"""Records that wait for the broker: 20,000 a second for most of a minute, some 300 MB."""
BEHIND_MOST_S: Final = 2.0
"""What it could not send while it waited is not made up for beyond that: the rate is a load, not a debt."""
DELIVERED_WITHIN_MS: Final = 300_000
"""The longest that a broker is away, and again as long."""


class Sender:
    """Counts what the broker has acknowledged."""

    def __init__(self, kafka: KafkaSettings, mix: Mix, goners: Goners) -> None:
        self._mix = mix
        self._goners = goners
        self._kafka = kafka
        self._producer = Producer(
            {
                **kafka.client_config(),
                "log_level": 0,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                # without it a batch that is sent again may stand in the log twice, or before its predecessor
                "enable.idempotence": True,
                "linger.ms": 20,
                "message.timeout.ms": DELIVERED_WITHIN_MS,
                "queue.buffering.max.messages": 2 * MOST_WAITING,
            }
        )
        self._headers: dict[Outcome, list[tuple[str, bytes]]] = {
            o: [(EXPECTED, o.name.encode())] for o in Outcome if o is not Outcome.APPLIED
        }
        self.made = 0

    def run(self, rate: int, over: threading.Event) -> None:
        """At `rate` records a second until `over`, slower where the broker does not keep up."""
        clock = SystemClock()
        due_s, per_slice = time.monotonic(), max(1, rate * SLICE_MS // 1000)
        while not over.is_set():
            if len(self._producer) < MOST_WAITING:
                now_ms = clock.wall_ms()
                for sent in self._mix.at(now_ms, per_slice):
                    self._put(sent)
                goners = self._goners.at(now_ms)
                for sent in goners:
                    self._put(sent, on_delivery=self._delivered)
                self.made += per_slice + len(goners)
            self._producer.poll(0)
            due_s = max(due_s + SLICE_MS / 1000, time.monotonic() - BEHIND_MOST_S)
            over.wait(max(0.0, due_s - time.monotonic()))

    def finish(self) -> int:
        """Returns how many the broker never acknowledged."""
        return self._producer.flush(DELIVERED_WITHIN_MS / 1000)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        key = message.key()
        if error is None and isinstance(key, bytes):
            self._goners.acknowledged(key.decode(), SystemClock().wall_ms())

    def _put(self, sent: Sent, **given: Any) -> None:
        if sent.partition >= 0:
            given["partition"] = sent.partition
        if sent.expected in self._headers:
            given["headers"] = self._headers[sent.expected]
        self._producer.produce(sent.topic.named(self._kafka), sent.value, sent.key, **given)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    kafka = KafkaSettings(bootstrap=given.bootstrap, topic_prefix=given.prefix, partitions=given.partitions)
    sender = Sender(kafka, Mix(given.customers, given.partitions, given.seed), Goners(given.seed))
    began_s = time.monotonic()
    sender.run(given.rate, over)
    made_s = time.monotonic() - began_s
    left = sender.finish()
    print(f"made {sender.made} records in {made_s:.1f} s, {left} were not acknowledged", flush=True)
    return left > 0


if __name__ == "__main__":
    raise SystemExit(main())
