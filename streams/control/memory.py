"""What the control role remembers of requests: a Faust table, one row a request, kept in a compacted topic."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Set
from heapq import nsmallest
from typing import Any, Final, cast

from faust.types import TableT

from streams.control.decide import Row
from streams.settings import ControlSettings

__all__ = ["Memory"]

DAY_MS: Final = 86_400_000
FORGET_EVERY: Final = 1_000
"""Rows between two looks for what can be forgotten: a look goes over all rows, 10 ms for 100,000."""
FORGET_AT_ONCE: Final = 2_000
"""More than are added between two looks, so that what is old goes faster than new rows come."""


class Memory:
    """The rows of all partitions of this process.

    Faust's own way of setting a row takes the partition from the event in hand, and requests are handled in batches:
    so a row is set here, and sent to the changelog's partition, which is what Faust does as well.
    """

    def __init__(self, table: TableT[Any, Any], settings: ControlSettings) -> None:
        self._table = table
        self._changelog = table.changelog_topic
        self._settings = settings
        self._until_look = FORGET_EVERY

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def _rows(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self._table.data)

    def get(self, partition: int, request_id: str) -> Row | None:
        """What is remembered of a request."""
        found = self._rows.get(_key(partition, request_id))
        return None if found is None else Row.from_plain(found)

    async def put(self, partition: int, row: Row) -> Awaitable[Any]:
        """Remember; what is returned is done when the changelog has the row."""
        self._until_look -= 1
        key, plain = _key(partition, row.answer.request_id), row.to_plain()
        self._rows[key] = plain
        return await self._changelog.send(key=key, value=plain, partition=partition)

    async def forget(self, partitions: Set[int], now_ms: int) -> list[Awaitable[Any]]:
        """Now and then, forget the rows of these partitions that are too old or too many."""
        if self._until_look > 0:
            return []
        self._until_look = FORGET_EVERY
        sent: list[Awaitable[Any]] = []
        for partition in partitions:
            for key in self._superfluous(f"{partition}:", now_ms):
                del self._rows[key]
                sent.append(
                    await self._changelog.send(key=key, value=None, partition=partition, value_serializer="raw")
                )
        return sent

    def _superfluous(self, prefix: str, now_ms: int) -> Iterator[str]:
        ages = [(row["answer"]["arrived_at"], key) for key, row in self._rows.items() if key.startswith(prefix)]
        oldest_ms = now_ms - self._settings.remember_days * DAY_MS
        too_many = len(ages) - self._settings.remember_most
        for place, (arrived_ms, key) in enumerate(nsmallest(FORGET_AT_ONCE, ages)):
            if place >= too_many and arrived_ms >= oldest_ms:
                return
            yield key


def _key(partition: int, request_id: str) -> str:
    """All partitions of a process share one table, and ids are known per partition."""
    return f"{partition}:{request_id}"
