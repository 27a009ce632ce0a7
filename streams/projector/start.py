"""Decides from where a partition is read: from where Redis stands, or whole from the log's start. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streams.metrics import RebuildReason
from streams.projector.store import Standing

__all__ = ["MAX_IDLE_S", "Extent", "rebuild_reason"]

MAX_IDLE_S: Final = 12 * 3600.0
"""A compacted topic forgets an erased customer's tombstone some time after it was written (`delete.retention.ms`, a day
by default). Whoever reads on from an older position misses it and keeps the customer, so half of that is the limit."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A partition of `tags.current` as the broker has it."""

    topic_id: bytes
    """Changes if the topic is deleted and created again; empty: unknown."""
    low: int
    """The first offset that is still there."""
    high: int
    """The offset after the last record."""


def rebuild_reason(standing: Standing, extent: Extent, *, stood_before: bool) -> RebuildReason | None:
    """Why the partition must be rebuilt whole; None: reading goes on from Redis' position.

    `stood_before`: this process has already seen a position of this partition in this Redis.
    """
    if standing.asked:
        return "differences" if standing.asked == b"differences" else "asked"
    if not standing.position:
        return "emptied" if stood_before else "first"
    if not standing.position.isdigit() or not extent.low <= int(standing.position) <= extent.high:
        return "position"
    if standing.topic != extent.topic_id or standing.idle_s > MAX_IDLE_S:
        return "position"
    return None
