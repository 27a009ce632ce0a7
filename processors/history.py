"""A history in memory: events as canonical values, one behind another, with the arrival and the line of each.

Some hundred bytes an event, so that a history of millions fits where as many Python objects would not.
"""

from __future__ import annotations

from array import array

import numpy as np

from processors.rules.program import I64


class History:
    """Events in the order in which they were read; an event's place is its number in it, from 0."""

    def __init__(self) -> None:
        self._payloads = bytearray()
        self._ends = array("q", [0])
        self._arrivals = array("q")
        self._lines = array("q")

    def add(self, payload: bytes, arrival_ms: int, line: int) -> None:
        """One more event: its canonical value (schemas.codec), when it arrived, and where it was read."""
        self._payloads += payload
        self._ends.append(len(self._payloads))
        self._arrivals.append(arrival_ms)
        self._lines.append(line)

    def __len__(self) -> int:
        return len(self._arrivals)

    def arrivals(self) -> I64:
        """Arrival (ms) of every event. While it is held, nothing can be added."""
        return np.frombuffer(self._arrivals, np.int64)

    def line(self, place: int) -> int:
        """Where the event was read."""
        return self._lines[place]

    def payloads(self, places: I64) -> list[bytes | None]:
        """The values of these events. (None, a tombstone, does not occur, but a decoder takes it.)"""
        ends = np.frombuffer(self._ends, np.int64)
        starts, stops = ends[places].tolist(), ends[places + 1].tolist()
        return [bytes(self._payloads[start:stop]) for start, stop in zip(starts, stops, strict=True)]
