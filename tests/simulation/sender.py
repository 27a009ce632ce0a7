"""Who sends events into a simulation: in bursts, twice, to wrong places, and things that are no events."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from processors.hashing import partition_of_key
from processors.oracle.event import Command, Record
from streams import topics
from streams.clock import ManualClock
from streams.log import Outgoing
from tests.properties.engine_run import payload
from tests.simulation.broker import MemoryBroker
from tests.simulation.kinds import Kind
from tests.simulation.plan import Mode, Plan
from tests.simulation.sending import MemoryProducer
from tests.simulation.trace import Trace

__all__ = ["SENDER", "Sender", "home_of"]

SENDER: Final = "sender"
"""Its name among the processes."""
BURST_MOST: Final = 9
NO_EVENT_PERCENT: Final = 4
BEHIND: Final = {Mode.BEFORE: 0.15, Mode.LIVE: 0.0, Mode.BEHIND: 0.5}
"""How likely an event has an earlier time than the one before it."""
BEHIND_MOST_MS: Final = (4_000, 86_400_000)
SOON_MS: Final = 1_500
"""So far the clock may be moved while others are in the middle of something."""


def home_of(record: Record) -> topics.Topic:
    """The topic where such records belong."""
    return topics.COMMANDS if isinstance(record, Command) else topics.EVENTS[record.type]


@dataclass(frozen=True, slots=True)
class Letter:
    """One record to send, and when."""

    kind: Kind
    at_ms: int
    record: Outgoing


class Sender:
    """Sends the plan's events in their order. What is sent does not depend on what goes wrong, but for repetitions."""

    def __init__(self, plan: Plan, broker: MemoryBroker, clock: ManualClock, trace: Trace) -> None:
        self.meanings: dict[bytes, Record] = {}
        """Events by their bytes: what is not in it is none."""
        self._clock = clock
        self._trace = trace
        self._producer = MemoryProducer(broker, clock, SENDER)
        self._rng = random.Random(f"sender {plan.seed}")
        self._mode = plan.mode
        self._partitions = plan.partitions
        self._letters = [letter for event in plan.events for letter in self._letters_of(plan, event)]
        self._next = 0

    @property
    def done(self) -> bool:
        return self._next == len(self._letters)

    @property
    def last_ms(self) -> int:
        """The latest arrival that is planned."""
        return max(letter.at_ms for letter in self._letters)

    def leave_it(self) -> None:
        """Send nothing: the events are there already."""
        self._next = len(self._letters)

    def turn(self, alone: bool) -> None:
        """A burst. `alone`: nobody is in the middle of anything, so that the clock may go on to the next event."""
        for _ in range(self._rng.randint(1, BURST_MOST)):
            if self.done or not self._wait(self._letters[self._next].at_ms, alone):
                return
            letter = self._letters[self._next]
            self._next += 1
            self._trace.count(letter.kind)
            self._producer.send(letter.record)

    def _wait(self, at_ms: int, alone: bool) -> bool:
        """Whether it is time."""
        ahead_ms = 0 if self._mode is Mode.BEFORE else at_ms - self._clock.wall_ms()
        if ahead_ms > SOON_MS and not alone:
            return False
        self._clock.sleep(ahead_ms / 1000)
        return True

    # --------------------------------------------------------------------------------------------------- letters

    def _letters_of(self, plan: Plan, event: Record) -> list[Letter]:
        """The event, and now and then something beside it."""
        value = payload(event)
        self.meanings[value] = event
        at_ms = event.arrival_ms
        if self._rng.random() < BEHIND[plan.mode]:
            at_ms -= self._rng.randint(0, self._rng.choice(BEHIND_MOST_MS))
        home = home_of(event)
        kind = Kind.EVENT
        if isinstance(event, Command):
            kind = Kind.ERASURE if event.kind == "erase" else Kind.COMMAND
        partition = partition_of_key(event.customer_id.encode(), plan.partitions)
        # a command that is dead by the rules of its time may be none by later ones, and was never moved
        if self._rng.randrange(100) < plan.misplaced_percent and kind is Kind.EVENT and plan.partitions > 1:
            kind, partition = Kind.WRONG_PARTITION, (partition + 1) % plan.partitions
        letters = [Letter(kind, event.arrival_ms, self._record(home, partition, event, value, at_ms))]
        if self._rng.randrange(100) < NO_EVENT_PERCENT:
            letters.append(self._no_event(event, partition, value, at_ms))
        return letters

    def _no_event(self, event: Record, partition: int, value: bytes, at_ms: int) -> Letter:
        kind = self._rng.choice((Kind.TOMBSTONE, Kind.GARBAGE, Kind.WRONG_TOPIC))
        home = home_of(event)
        if kind is Kind.WRONG_TOPIC:
            others = [t for t in (topics.EVENTS["browse"], topics.EVENTS["purchase"]) if t is not home]
            home = self._rng.choice(others)
        spoilt = {Kind.TOMBSTONE: None, Kind.GARBAGE: value[: len(value) // 2] + b"\xff", Kind.WRONG_TOPIC: value}
        return Letter(kind, event.arrival_ms, self._record(home, partition, event, spoilt[kind], at_ms))

    def _record(self, topic: topics.Topic, partition: int, event: Record, value: bytes | None, at_ms: int) -> Outgoing:
        return Outgoing(topic.name, partition, event.customer_id.encode(), value, timestamp_ms=at_ms)
