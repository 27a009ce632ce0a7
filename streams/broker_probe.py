"""Whether the broker answers, for readiness: a role that waits for it looks just like one that has nothing to do."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaException

from streams.clock import Clock
from streams.settings import KafkaSettings
from streams.topics import admin_client

__all__ = ["SILENT_S", "BrokerProbe"]

ASK_EVERY_S: Final = 2.0
ANSWER_WITHIN_S: Final = 2.0
SILENT_S: Final = 5.0
"""Of no answer, after which the process is not ready. A broker that is restarted has other owners' partitions moved
within some seconds; that is told by readiness as well."""


class BrokerProbe:
    """Asks in a thread of its own, in a `with` statement."""

    def __init__(self, kafka: KafkaSettings, clock: Clock) -> None:
        self._bootstrap = kafka.bootstrap
        self._admin = admin_client(kafka)
        self._clock = clock
        self._answered_s = clock.monotonic_s()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="broker-probe", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()

    def why_not_ready(self) -> list[str]:
        """At once, from any thread."""
        silent_s = self._clock.monotonic_s() - self._answered_s
        return [f"Kafka at {self._bootstrap} has not answered for {silent_s:.0f} s"] if silent_s > SILENT_S else []

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                self._admin.list_topics(timeout=ANSWER_WITHIN_S)
                self._answered_s = self._clock.monotonic_s()
            except KafkaException:
                pass  # which is what `why_not_ready` tells
            self._over.wait(ASK_EVERY_S)
