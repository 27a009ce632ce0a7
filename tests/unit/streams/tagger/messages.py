"""Records as the log gives them, made up."""

from __future__ import annotations

from dataclasses import dataclass

from streams.log import TopicPartition


@dataclass(frozen=True, slots=True)
class Record:
    """One message; see `streams.log.Message`."""

    at_offset: int
    arrival_ms: int = 0
    given_key: bytes | None = None
    given_value: bytes | None = b""

    def offset(self) -> int:
        return self.at_offset

    def key(self) -> bytes | None:
        return self.given_key

    def value(self) -> bytes | None:
        return self.given_value

    def timestamp(self) -> tuple[int, int]:
        return 1, self.arrival_ms


PLACES = [TopicPartition(name, 0) for name in ("a", "b", "c")]
"""Three topics of one partition, in their order."""
