"""A record as the log gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CREATE_TIME, LOG_APPEND_TIME = 1, 2
"""Kafka's types of timestamps."""


@dataclass(frozen=True, slots=True)
class Record:
    """One message; see `streams.log.Message`."""

    at_offset: int
    arrival_ms: int = 0
    given_key: bytes | None = None
    given_value: bytes | None = b""
    given_headers: Sequence[tuple[str, str | bytes | None]] = ()
    timestamp_type: int = CREATE_TIME

    def offset(self) -> int:
        return self.at_offset

    def key(self) -> bytes | None:
        return self.given_key

    def value(self) -> bytes | None:
        return self.given_value

    def timestamp(self) -> tuple[int, int]:
        return self.timestamp_type, self.arrival_ms
