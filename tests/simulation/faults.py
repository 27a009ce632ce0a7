"""What can go wrong between a process and the broker, and where: every request has a point before and one after it.

A simulation overrides `Faults`. What it may do at a point:

| | |
|---|---|
| raise `Crash` | the process dies there; after a request, its effect stays and nobody knows of it |
| raise `NoAnswer` | the request or its answer is lost; it is repeated, as clients do |
| raise `MustAbort`, at a point in MAY_ABORT | the broker wants the transaction aborted; the same bytes are sent again |
| let others work, or time pass, then return | everything that lies between two requests of a process |
| the same within `Process.paused()` | the process is stopped meanwhile, so its membership may run out: a zombie |
| say something else by `share` | fetches that bring less, or in another order |
| say something else by `marker_delay_ms` | commits that readers see late |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from streams.log import TopicPartition


class Request(StrEnum):
    """What a process asks of the broker."""

    INIT = "init"
    HEARTBEAT = "heartbeat"
    JOIN = "join"
    LEAVE = "leave"
    FETCH = "fetch"
    READ = "read"
    COMMITTED = "committed"
    EXTENT = "extent"
    OFFSETS = "offsets"
    PRODUCE = "produce"
    COMMIT = "commit"
    ABORT = "abort"
    SEND = "send"
    DELETE = "delete"
    PUT = "put"
    """By a producer that is not idempotent: a repeated one is a duplicate."""


class Moment(StrEnum):
    BEFORE = "before"
    AFTER = "after"


class Point(NamedTuple):
    request: Request
    moment: Moment

    def __str__(self) -> str:
        return f"{self.moment} {self.request}"


POINTS: Final = tuple(Point(request, moment) for request in Request for moment in Moment)

MAY_ABORT: Final = frozenset(
    point
    for point in POINTS
    if point.request in (Request.OFFSETS, Request.PRODUCE) or point == (Request.COMMIT, Moment.BEFORE)
)
"""Once it is committed, a transaction cannot be aborted."""


class Crash(BaseException):
    """The process dies, here. Not an Exception, so that nothing in the product handles it."""


class NoAnswer(Exception):
    """The request was lost on its way, or its answer was."""


class MustAbort(Exception):
    """The broker wants the transaction to be aborted; a new one may go well."""


class Faults:
    """Nothing goes wrong; it is counted where something could have."""

    def __init__(self) -> None:
        self.reached: Counter[Point] = Counter()

    def at(self, process: str, point: Point) -> None:
        """Called at each point, in the name of the process. May raise Crash, NoAnswer, MustAbort."""
        self.reached[point] += 1

    def share(self, process: str, ready: Mapping[TopicPartition, int]) -> Iterable[tuple[TopicPartition, int]]:
        """Which partitions a fetch brings, in this order, and how many records of each at most.

        `ready`: how many there are, by partition. One that is left out brings nothing, not even its end.
        """
        return ready.items()

    def marker_delay_ms(self, place: TopicPartition | None) -> int:
        """How long after a transaction was decided readers of this partition get to know; None: of its offsets."""
        return 0
