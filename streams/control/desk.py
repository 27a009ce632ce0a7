"""Where requests are handled: in batches, each request acknowledged only when all that follows from it is in Kafka.

The order within a batch is what makes a crash at any moment harmless. First the commands, and only when the broker has
them the rows that remember the requests: so a remembered request has its command, and whoever takes a partition need
only look at its last commands (`commands.py`) to know those that are not remembered. Answers come last, and are given
again for every record that is read again.

A partition's requests are taken in the order of their offsets, from what is committed on. What comes ahead of its turn
is left over from before a rebalance (`requests.py`): it is dropped, and all from that turn on is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from faust.types import TP, EventT, TopicT

from schemas.errors import EventError
from schemas.records import Answer, Command
from streams import metrics
from streams.clock import Clock
from streams.control.commands import Commands
from streams.control.decide import Arrival, Decider, Decision, Row
from streams.control.memory import Memory
from streams.control.requests import Requests, Turn
from streams.log import TopicPartition
from streams.tagger.dead_letters import dead_letter

__all__ = ["Desk", "Outputs"]

_LOG = structlog.get_logger(__name__)

MOST_IN_BATCH: Final = 500
"""A batch costs three trips to the broker, some milliseconds, however long it is."""
MOST_WAITING: Final = 2_000
"""Requests read and not begun; Faust reads no more until there is room."""
HAND_OVER_WITHIN_S: Final = 5.0
"""How long partitions are held back for a batch in hand. Without it the next owner does the batch once more."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written."""

    commands: Commands
    results: TopicT
    dead_letters: TopicT


@dataclass(slots=True)
class _Place:
    """A partition since we were given it."""

    written: dict[str, Command]
    """The commands without a row."""
    turn: Turn


class Desk:
    """`take` fills, `work` empties. An error is raised by `work` alone, and nothing of its batch is acknowledged."""

    def __init__(
        self,
        decider: Decider,
        memory: Memory,
        requests: Requests,
        outputs: Outputs,
        clock: Clock,
        encode: Callable[[Answer], bytes],
        assigned: Callable[[], set[TP]],
        read_again: Callable[[TP, int], Awaitable[None]],
    ) -> None:
        """`assigned` says which partitions of requests are ours; `read_again` hands a partition's requests to `take`
        once more, from an offset on."""
        self._decider = decider
        self._memory = memory
        self._requests = requests
        self._outputs = outputs
        self._clock = clock
        self._encode = encode
        self._assigned = assigned
        self._read_again = read_again
        self._places: dict[int, _Place] = {}
        """By partition that we have looked at since we were given it."""
        self._waiting: asyncio.Queue[EventT[Any]] = asyncio.Queue(MOST_WAITING)
        self._busy = asyncio.Lock()

    async def take(self, event: EventT[Any]) -> None:
        """A request, not to be acknowledged by whoever read it. Waits while there is no room."""
        await self._waiting.put(event)

    async def work(self) -> None:
        """For ever."""
        while True:
            events = [await self._waiting.get()]
            while len(events) < MOST_IN_BATCH and not self._waiting.empty():
                events.append(self._waiting.get_nowait())
            async with self._busy:
                await self._handle(events)

    async def give_up(self) -> None:
        """Before partitions are taken away: what was not begun is dropped, for it will be read again, by us or by
        their next owner; what is in hand is ended."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        # A new one: a batch in hand goes on with what it has.
        self._places = {}
        try:
            async with asyncio.timeout(HAND_OVER_WITHIN_S), self._busy:
                pass
        except TimeoutError:
            _LOG.warning("control.handed_over_in_mid_batch")

    async def _handle(self, events: Sequence[EventT[Any]]) -> None:
        assigned, places = self._assigned(), self._places
        events = [event for event in events if event.message.tp in assigned]
        await self._look_at_new({event.message.partition for event in events} - places.keys(), places)
        events = await self._in_turn(events, places)
        past = _Past(self._memory, places)
        decisions = [(event, self._decide(event, past)) for event in events]
        commands = [(event.message.partition, d.command) for event, d in decisions if d.command is not None]
        if commands:
            await asyncio.to_thread(self._outputs.commands.write, commands)
        await _all([await self._dead_letter(event, d.dead) for event, d in decisions if d.dead is not None])
        sent = [
            await self._memory.put(event.message.partition, decision.row)
            for event, decision in decisions
            if decision.row is not None
        ]
        partitions = {tp.partition for tp in assigned}
        sent += await self._memory.forget(partitions, self._clock.wall_ms())
        await _all(sent)
        await _all([await self._answer(event, d.answer) for event, d in decisions if d.answer is not None])
        now_ms = self._clock.wall_ms()
        for event, decision in decisions:
            event.ack()
            metrics.REQUESTS.labels(decision.result).inc()
            metrics.REQUEST_SECONDS.observe(max(0, now_ms - _arrived_ms(event)) / 1000)
        metrics.REQUESTS_REMEMBERED.set(len(self._memory))

    async def _look_at_new(self, partitions: set[int], places: dict[int, _Place]) -> None:
        """Look at partitions that we were given: where they begin, and their last commands."""
        for partition in partitions:
            begin = await asyncio.to_thread(self._requests.begin, partition)
            found = await asyncio.to_thread(self._outputs.commands.last, partition, MOST_IN_BATCH)
            missing = {i: command for i, command in found.items() if self._memory.get(partition, i) is None}
            places[partition] = _Place(missing, Turn(begin))

    async def _in_turn(self, events: Sequence[EventT[Any]], places: Mapping[int, _Place]) -> list[EventT[Any]]:
        """Those whose turn it is. Where one came too soon, all from the first missing one on are read again."""
        in_turn, too_soon = [], set()
        for event in events:
            if await self._is_its_turn(event, places[event.message.partition].turn):
                in_turn.append(event)
            else:
                too_soon.add(event.message.tp)
        for tp in too_soon:
            turn = places[tp.partition].turn
            _LOG.warning("control.requests_missing", partition=tp.partition, next=turn.next)
            await self._read_again(tp, turn.next)
        return in_turn

    async def _is_its_turn(self, event: EventT[Any], turn: Turn) -> bool:
        """Whether every request of its partition before it was handled. What was handled itself may come again."""
        partition, offset = event.message.partition, event.message.offset
        if turn.unclear(offset):
            # whoever had the partition before may have acknowledged more since we asked where to begin
            turn.next = max(turn.next, await asyncio.to_thread(self._requests.begin, partition))
        if turn.unclear(offset):
            turn.there = await asyncio.to_thread(self._requests.first_from, partition, turn.next)
        return turn.take(offset)

    def _decide(self, event: EventT[Any], past: _Past) -> Decision:
        message = event.message
        arrival = Arrival(message.partition, message.offset, _arrived_ms(event), message.key, message.value)
        decision = self._decider.decide(arrival, past)
        if decision.row is not None:
            past.rows[message.partition, decision.row.answer.request_id] = decision.row
        return decision

    async def _dead_letter(self, event: EventT[Any], dead: EventError) -> Awaitable[Any]:
        """Send it; what is returned is done when the broker has it."""
        message = event.message
        _LOG.warning("control.unreadable_request", partition=message.partition, offset=message.offset,
                     code=dead.code, error=dead.message)  # fmt: skip
        metrics.count_dead(dead.dead)
        topic = self._outputs.dead_letters
        place = TopicPartition(message.topic, message.partition)
        letter = dead_letter(topic.get_topic_name(), place, _Original(event), dead.dead, dead.detail)
        headers: Any = letter.headers
        return await topic.send(key=letter.key, value=letter.value, headers=headers)

    async def _answer(self, event: EventT[Any], answer: Answer) -> Awaitable[Any]:
        """Send it, into the partition of the same number, where the one who asked looks for it; done as above."""
        message = event.message
        return await self._outputs.results.send(
            key=message.key, value=self._encode(answer), partition=message.partition
        )


class _Past:
    """See `decide.Past`: what is remembered, and what this batch is about to add to it."""

    def __init__(self, memory: Memory, places: Mapping[int, _Place]) -> None:
        self._memory = memory
        self._places = places
        self.rows: dict[tuple[int, str], Row] = {}

    def row(self, partition: int, request_id: str) -> Row | None:
        return self.rows.get((partition, request_id)) or self._memory.get(partition, request_id)

    def written(self, partition: int, request_id: str) -> Command | None:
        return self._places[partition].written.get(request_id)


class _Original:
    """A request as a dead letter wants it."""

    def __init__(self, event: EventT[Any]) -> None:
        self._event = event

    def offset(self) -> int | None:
        return self._event.message.offset

    def key(self) -> bytes | None:
        return self._event.message.key

    def value(self) -> bytes | None:
        return self._event.message.value

    def timestamp(self) -> tuple[int, int]:
        return self._event.message.timestamp_type, _arrived_ms(self._event)


def _arrived_ms(event: EventT[Any]) -> int:
    """The broker's stamp; Faust has it in seconds."""
    return round(event.message.timestamp * 1000)


async def _all(sent: Sequence[Awaitable[Any]]) -> None:
    """Wait until the broker has all of it; an error of one is raised when all are done."""
    for outcome in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
