"""How far Redis has come, and how long a change takes to come there."""

from __future__ import annotations

from typing import Final, cast

from redis import Redis
from redis.exceptions import RedisError

from schemas.records import Change
from streams.redis_layout import EPOCH, SEQ, Layout

MOST_AWAITED: Final = 32
"""Changes looked for in Redis at a time: a sample is enough, and one round trip asks for all of them."""
GIVE_UP_AFTER_MS: Final = 10_000
"""A customer who lost all tags may have no hash any more, and would be looked for in vain."""


class RedisProbe:
    """Finds out when changes have come to Redis, for some of them."""

    def __init__(self, client: Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._awaited: list[Change] = []

    def clock_ms(self, partitions: int) -> int:
        """Everything up to this time is in Redis; 0 while a partition is missing or Redis does not answer."""
        try:
            clocks = cast(dict[bytes, bytes], self._client.hgetall(self._layout.clock))
        except RedisError:
            return 0
        return min(map(int, clocks.values())) if len(clocks) == partitions else 0

    def expect(self, change: Change) -> None:
        """Looks for this change from now on, unless it looks for enough of them already."""
        if change.after is not None and len(self._awaited) < MOST_AWAITED:
            self._awaited.append(change)

    def arrived(self, now_ms: int) -> list[Change]:
        """Those of the expected changes that Redis has by now; none of them while Redis does not answer."""
        if not self._awaited:
            return []
        pipeline = self._client.pipeline(transaction=False)
        for change in self._awaited:
            pipeline.hmget(self._layout.tags(change.customer_id), [EPOCH, SEQ])
        try:
            positions = pipeline.execute()
        except RedisError:
            return []
        there, awaited = [], []
        for change, (epoch, seq) in zip(self._awaited, positions, strict=True):
            if seq is not None and (int(epoch), int(seq)) >= (change.epoch, change.seq):
                there.append(change)
            elif now_ms < change.effective_at + GIVE_UP_AFTER_MS:
                awaited.append(change)
        self._awaited = awaited
        return there
