"""Reading what must be there: a reader that says when it does not come."""

from __future__ import annotations

from typing import Final

from streams.log import Log, Message, TopicPartition

__all__ = ["READ_MOST", "PatientReader", "Silence"]

READ_MOST: Final = 10_000
READ_WAIT_S: Final = 0.05
SILENT_READS: Final = 1_200
"""Empty reads in a row, a minute, after which what should be there is taken as gone."""


class Silence(Exception):
    """Nothing came for so long that nothing will."""


class PatientReader:
    """Committed records of one partition from an offset on, of which at least one more is awaited at each `read`."""

    def __init__(self, log: Log, place: TopicPartition, start: int) -> None:
        self._reader = log.reader(place, start)
        self._silent = 0

    def read(self, most: int = READ_MOST) -> list[Message]:
        """Up to `most` messages in order of offset; none if none came yet. Raises Silence."""
        # a wait for many lasts until all of them have come: it is for the first one alone
        messages = self._reader.read(most, 0.0) or self._reader.read(1, READ_WAIT_S)
        self._silent = 0 if messages else self._silent + 1
        if self._silent > SILENT_READS:
            raise Silence
        return messages

    def close(self) -> None:
        self._reader.close()
