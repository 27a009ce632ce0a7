"""Waiting until every partition works by a rule set: what the journals say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from schemas.errors import EventError
from schemas.records import JournalRecord
from streams.clock import Clock
from streams.kafka_log import KafkaReader
from streams.log import TopicPartition
from streams.settings import KafkaSettings
from streams.tagger.journal import DONE
from streams.topics import JOURNAL, admin_client, ends

__all__ = ["Changeovers"]

READ_MOST: Final = 1_000
READ_WAIT_S: Final = 0.05


class Changeovers:
    """Follows the journals from where they end when it is made. Use it in `with`. Raises KafkaError TS-K101."""

    def __init__(self, kafka: KafkaSettings, partitions: int) -> None:
        name = JOURNAL.named(kafka)
        found = ends(admin_client(kafka), kafka, JOURNAL, range(partitions))
        config = {"log_level": 0, **kafka.client_config()}
        self._readers = {p: KafkaReader(config, TopicPartition(name, p), end) for p, end in found.items()}
        self.notes: dict[int, str] = {}
        """What the journal says of each partition that has changed."""

    def wait(self, version: str, clock: Clock, timeout_s: float, progress: Callable[[int, int], None]) -> set[int]:
        """Until all partitions work by the rules of `version`, or the time is up. Returns those that do not.

        `progress` is told how many do, and of how many.
        """
        until_s = clock.monotonic_s() + timeout_s
        left = set(self._readers)
        while left and clock.monotonic_s() < until_s:
            left = {partition for partition in left if not self._has_changed(partition, version)}
            progress(len(self._readers) - len(left), len(self._readers))
        return left

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()

    def _has_changed(self, partition: int, version: str) -> bool:
        for message in self._readers[partition].read(READ_MOST, READ_WAIT_S):
            try:
                record = JournalRecord.from_value(message.value() or b"")
            except EventError:
                continue  # the taggers tell of it
            done = record.kind == "step" or (record.kind == "changeover" and (record.note or "").startswith(DONE))
            if done and record.rule_version == version:
                self.notes[partition] = record.note or ""
                return True
        return False
