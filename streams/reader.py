"""Reads customers' tags from Redis, for apps written in Python.

    >>> import redis
    >>> from streams.reader import TagReader
    >>> reader = TagReader(redis.Redis("localhost"))  # doctest: +SKIP
    >>> reader.tags("c-1024").values                  # doctest: +SKIP
    {'high_value': True, 'tier': 'gold', 'interests': ('garden', 'toys')}

The layout is described in docs/redis-layout.md, for other languages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import redis

from streams.redis_layout import EPOCH, META_PREFIX, PART, SEQ, Layout, value_of

__all__ = ["TagReader", "Tags"]

MAX_ROUND: Final = 1_000
"""Customers asked for at once: as much as Redis answers within a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What Redis says of one customer."""

    values: Mapping[str, bool | str | float | tuple[str, ...]]
    """By tag: True, a level, a number, or a sorted set of keys. A tag that is not there the customer does not have."""
    seq: int | None
    """Number of the customer's newest change in their partition. None: Redis has nothing of this customer."""
    epoch: int | None
    partition: int | None
    fresh_as_of_ms: int | None
    """All changes up to this time (ms since 1970 UTC) of the customer's partition are in `values`. None: not known, as
    for a customer of whom there is nothing, or while the partition is filled anew."""


class TagReader:
    """`client` is the caller's, with or without `decode_responses`; `key_prefix` is the setting `redis.key_prefix`.

    All methods raise what redis-py raises.
    """

    def __init__(self, client: redis.Redis, *, key_prefix: str = "") -> None:
        self._client = client
        self._layout = Layout(key_prefix)

    def tags(self, customer_id: str) -> Tags:
        """The tags of one customer; of one that nothing is known of, no tags."""
        return self.many([customer_id])[customer_id]

    def many(self, customer_ids: Iterable[str]) -> dict[str, Tags]:
        """The tags of several customers, by id, asked for a thousand at a time."""
        ids = list(dict.fromkeys(customer_ids))
        found: dict[str, Tags] = {}
        for first in range(0, len(ids), MAX_ROUND):
            found |= self._round(ids[first : first + MAX_ROUND])
        return found

    def _round(self, ids: list[str]) -> dict[str, Tags]:
        # The clocks come first: whatever is written after them only makes the tags fresher than we say.
        calls = self._client.pipeline(transaction=False)
        calls.hgetall(self._layout.clock)
        for customer_id in ids:
            calls.hgetall(self._layout.tags(customer_id))
        clocks, *hashes = calls.execute()
        clock_of = {int(partition): int(clock) for partition, clock in clocks.items()}
        return {customer_id: _tags(found, clock_of) for customer_id, found in zip(ids, hashes, strict=True)}


def _tags(found: Mapping[Any, Any], clock_of: Mapping[int, int]) -> Tags:
    fields = {_text(name): _text(value) for name, value in found.items()}
    if SEQ not in fields:
        return Tags({}, None, None, None, None)
    values = {name: value_of(text) for name, text in fields.items() if not name.startswith(META_PREFIX)}
    partition = int(fields[PART])
    return Tags(values, int(fields[SEQ]), int(fields[EPOCH]), partition, clock_of.get(partition))


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
