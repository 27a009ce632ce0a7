"""What Redis says of customers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import redis

from schemas.errors import RedisError
from streams.clock import Clock
from streams.partition_records import READ_WAIT_S
from streams.redis_layout import META_PREFIX, SEQ, Layout

__all__ = ["Held", "RedisSide"]

ROUND: Final = 1_000
"""Customers asked for at once: as much as Redis answers within a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Held:
    """One customer's hash."""

    seq: int
    """Number of the change that it holds; 0: it does not tell, or there is no hash."""
    tags: dict[str, str]
    arrived: bool
    """Whether Redis had all that tags.current had up to the point, before the hash was read."""


class RedisSide:
    """Reads; never writes. Raises RedisError TS-P101 if Redis does not answer."""

    def __init__(self, client: redis.Redis, layout: Layout, clock: Clock) -> None:
        """`client` must not decode responses."""
        self._client = client
        self._layout = layout
        self._clock = clock

    def wait_for(self, partition: int, position: int, wait_s: float) -> bool:
        """Whether Redis has come as far as `position` in tags.current, within `wait_s`."""
        last_s = self._clock.monotonic_s() + wait_s
        while not self._has(partition, position):
            if self._clock.monotonic_s() >= last_s:
                return False
            self._clock.sleep(READ_WAIT_S)
        return True

    def _has(self, partition: int, position: int) -> bool:
        found = self._ask(lambda: self._client.hget(self._layout.position, str(partition)))
        return found is not None and int(found) >= position

    def read(self, customers: Iterable[str], partition: int, position: int) -> dict[str, Held]:
        """The hashes of these customers of a partition."""
        ids = list(customers)
        found: dict[str, Held] = {}
        for start in range(0, len(ids), ROUND):
            some = ids[start : start + ROUND]
            # first the position: what is written after it only makes the hashes newer than we say
            arrived = self._has(partition, position)
            hashes = self._ask(lambda some=some: self._hashes(some))
            found |= {name: _held(fields, arrived) for name, fields in zip(some, hashes, strict=True)}
        return found

    def _hashes(self, ids: list[str]) -> list[dict[bytes, bytes]]:
        calls = self._client.pipeline(transaction=False)
        for customer_id in ids:
            calls.hgetall(self._layout.tags(customer_id))
        return list(calls.execute())

    def _ask(self, ask: Any) -> Any:
        try:
            return ask()
        except redis.RedisError as error:
            raise RedisError("TS-P101", f"Redis does not answer: {error}") from None


def _held(fields: dict[bytes, bytes], arrived: bool) -> Held:
    texts = {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in fields.items()}
    seq = texts.get(SEQ, "")
    tags = {tag: text for tag, text in texts.items() if not tag.startswith(META_PREFIX)}
    return Held(int(seq) if seq.isdecimal() else 0, tags, arrived)
