"""Which records were seen before: by type and id, in this day of the clock and the one before."""

from __future__ import annotations

from processors.oracle.event import DAY_MS

__all__ = ["Sightings"]


class Sightings:
    """The ids of one partition, of all its customers: a second record of a type and id is a duplicate, whoever sent it.

    What is kept of an id is a 64-bit hash, some 90 bytes in all. Two ids that share one would take each other for a
    duplicate: at 4 million ids, once in 10^12 events. The hash is another than the engine's.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        """How many ids are remembered, half of them in each generation, as the setting `tagger.dedupe_max_ids` has it;
        None: all."""
        self._generation = 0
        self._now: set[int] = set()
        self._before: set[int] = set()

    def add(self, record_type: str, event_id: str, clock_ms: int) -> bool:
        """Whether it was seen in this generation or the one before; from now on it was. The clock never goes back."""
        generation = clock_ms // DAY_MS
        if generation > self._generation:
            self._before = self._now if generation == self._generation + 1 else set()
            self._now = set()
            self._generation = generation
        identity = hash((record_type, event_id))
        if identity in self._now:
            return True
        was_seen = identity in self._before
        if self.most is not None and len(self._now) >= max(1, self.most // 2):
            self._before, self._now = self._now, set()
        self._now.add(identity)
        return was_seen
