"""The names of the topics as the tagger sees them: with the prefix, and the merged ones in their order."""

from __future__ import annotations

from dataclasses import dataclass

from processors.decoder import COMMANDS
from streams import topics as catalogue
from streams.log import TopicPartition
from streams.settings import KafkaSettings

__all__ = ["Topics"]


@dataclass(frozen=True, slots=True)
class Topics:
    """Names on the broker.

    Sources stand in the order of their names without prefix: of two records that arrive together that of the earlier
    one is applied first, so the order of names is part of the result.
    """

    sources: tuple[str, ...]
    source_types: tuple[str | None, ...]
    """Event type of each source, `command` for commands; None: any."""
    moved_source: int
    moved: str
    changes: str
    current: str
    journal: str
    snapshots: str
    dead_letters: str
    partitions: int

    @staticmethod
    def of(kafka: KafkaSettings, partitions: int) -> Topics:
        """Those of an installation with this many partitions."""
        types = {topic: event_type for event_type, topic in catalogue.EVENTS.items()} | {catalogue.COMMANDS: COMMANDS}
        merged = sorted([*types, catalogue.MOVED], key=lambda t: t.name)
        return Topics(
            sources=tuple(t.named(kafka) for t in merged),
            source_types=tuple(types.get(t) for t in merged),
            moved_source=merged.index(catalogue.MOVED),
            moved=catalogue.MOVED.named(kafka),
            changes=catalogue.CHANGES.named(kafka),
            current=catalogue.CURRENT.named(kafka),
            journal=catalogue.JOURNAL.named(kafka),
            snapshots=catalogue.SNAPSHOTS.named(kafka),
            dead_letters=catalogue.DEAD_LETTERS.named(kafka),
            partitions=partitions,
        )

    def sources_of(self, partition: int) -> list[TopicPartition]:
        """This partition of every merged topic, in order."""
        return [TopicPartition(topic, partition) for topic in self.sources]
