"""The `Log` protocol on a broker in memory: the same calls, the same meaning, and no thread.

What waits in Kafka advances the clock that was given, by its `sleep`:

- `fetch` and a reader's `read` wait their whole time-out, once, if there are fewer records than they may bring, as
  librdkafka does; then they bring what there is.
- `committed`, and the requests of a transaction, are repeated every 10 ms while the broker wants that, for a minute.

Others have their turn meanwhile only if `sleep`, or a fault at the request's points, gives it to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Final, TypeVar

from schemas.errors import KafkaError
from streams.clock import Clock
from streams.log import Fenced, Fetched, Outgoing, Reader, Sending, Stamp, TopicPartition, Transaction
from tests.simulation.broker import MemoryBroker
from tests.simulation.faults import MustAbort, NoAnswer, Request
from tests.simulation.group import Membership, Standing
from tests.simulation.process import Process
from tests.simulation.reading import MemoryReader, Position, Reading
from tests.simulation.refusals import NotAMember, OutOfRange, ProducerFenced, RecordRefused, TryAgain
from tests.simulation.sending import MemorySending

__all__ = ["MemoryLog"]

ATTEMPTS: Final = 20
AFTER_ABORT_S: Final = 0.02
"""Both as in kafka_log.py."""

T = TypeVar("T")


class MemoryLog:
    """One member of the group: see `log.Log`. A process that is started again has a new one."""

    def __init__(
        self,
        broker: MemoryBroker,
        clock: Clock,
        name: str,
        *,
        instance_id: str | None = None,
        group_id: str = "tagger",
        session_timeout_ms: int = 10_000,
        transaction_timeout_ms: int = 10_000,
        max_poll_interval_ms: int = 300_000,
    ) -> None:
        """`name`: the process, of which its transactional id is made. `instance_id`: its name in the group, if it is a
        static member."""
        self.process = Process(broker, clock, name, max_poll_interval_ms)
        self._clock = clock
        self._broker = broker
        self._instance_id = instance_id
        self._session_timeout_ms = session_timeout_ms
        self._group = broker.group(group_id)
        self._reading = Reading(self.process)
        self._topics: tuple[str, ...] = ()
        self._on_assign: Callable[[set[int]], None]
        self._on_revoke: Callable[[set[int]], None]
        self._membership: Membership | None = None
        """None: not joined yet, or no more."""
        self._assigned = False
        """Whether an assignment was told of and not revoked since."""
        self._generation: Membership | None = None
        """The membership of the last assignment, under which steps are made."""
        self._owned: set[int] = set()
        self._requests, self._sends = count(), count()
        """Numbers for what may be written once only."""
        init, transactional_id = broker.coordinator.init, f"{group_id}.{name}"
        self._producer = self._ask(Request.INIT, lambda: init(transactional_id, transaction_timeout_ms))

    def _ask(self, request: Request, effect: Callable[[], T], code: str = "TS-K101") -> T:
        """Raises KafkaError with this code if it cannot be had."""
        try:
            return self.process.ask(request, effect)
        except (NoAnswer, TryAgain, OutOfRange) as error:
            raise KafkaError(code, f"The broker does not do it: {request} {error}") from None

    # ------------------------------------------------------------------------------------------------- the group

    def subscribe(
        self, topics: Sequence[str], on_assign: Callable[[set[int]], None], on_revoke: Callable[[set[int]], None]
    ) -> None:
        self._topics = tuple(topics)
        self._on_assign, self._on_revoke = on_assign, on_revoke

    def _serve_group(self) -> None:
        """Follow the group: join it, give up what others are to have, take what is ours. Raises Fenced."""
        if not self._topics:
            return
        standing = Standing.UNKNOWN
        if (member := self._membership) is not None:
            standing = self._ask(Request.HEARTBEAT, lambda: self._group.standing(member))
        if standing is Standing.FENCED:
            # nothing is revoked: there is no member left to whom it could be told
            self._topics, self._membership, self._assigned = (), None, False
            self.process.fall_silent()
            raise Fenced(f"another process is {self._instance_id} in the group")
        if standing in (Standing.UNKNOWN, Standing.REBALANCING):
            self._give_up()
            self._join(anew=standing is Standing.UNKNOWN)
            standing = Standing.ASSIGNED
        if standing is Standing.ASSIGNED:
            self._take()

    def _join(self, anew: bool) -> None:
        who = self._membership
        if anew or who is None:
            who = Membership(self._group.new_member_id(), self._instance_id, -1)
        join, topics, session_ms, heart = self._group.join, self._topics, self._session_timeout_ms, self.process.heart
        # the next heartbeat says what has become of a member that was thrown out just now
        with suppress(NotAMember):
            self._membership = self._ask(Request.JOIN, lambda: join(who, topics, session_ms, heart, anew))

    def _take(self) -> None:
        """The assignment, if all have joined."""
        assignment = self._group.assignment(self._membership) if self._membership is not None else None
        if assignment is None:
            return
        self._membership, owned = assignment
        self._reading.read_from({})
        self._generation, self._owned, self._assigned = self._membership, set(owned), True
        self._on_assign(set(owned))

    def _give_up(self) -> None:
        """Whatever is assigned; when the callback returns, it is another's."""
        if self._assigned:
            self._on_revoke(set(self._owned))
            self._assigned, self._owned = False, set()
            self._reading.read_from({})

    # --------------------------------------------------------------------------------------------------- reading

    def read_from(self, positions: Mapping[TopicPartition, int]) -> None:
        self._reading.read_from(positions)

    def fetch(self, most: int, timeout_s: float) -> Fetched:
        self.process.heart.polled_ms = self._broker.clock.monotonic_ms()
        self._serve_group()
        if self._reading.wait(most, timeout_s):
            self._serve_group()
        return self._reading.fetch(Request.FETCH, most)

    def pause(self, partition: TopicPartition, at: int) -> None:
        self._reading.paused.add(partition)
        self._reading.positions[partition] = Position(at)

    def resume(self, partition: TopicPartition) -> None:
        self._reading.paused.discard(partition)

    def committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int | None]:
        return self._ask(Request.COMMITTED, lambda: self._group.committed(partitions))

    def extent(self, partition: TopicPartition) -> tuple[int, int]:
        return self._ask(Request.EXTENT, lambda: self._broker.extent(partition))

    def lag(self, partition: TopicPartition, position: int) -> int | None:
        end = self._reading.ends.get(partition)
        return None if end is None else max(0, end - position)

    def reader(self, partition: TopicPartition, start: int) -> Reader:
        return MemoryReader(self.process, partition, start)

    # ----------------------------------------------------------------------------------------------- transactions

    def transact(self, transaction: Transaction) -> list[Stamp]:
        assert transaction.offsets, "a transaction without offsets is not fenced"
        owned = {place.partition for place in transaction.offsets}
        for _ in range(ATTEMPTS):
            if not owned <= self._owned:
                raise Fenced(f"partitions {sorted(owned - self._owned)} were taken away")
            try:
                return self._attempt(transaction)
            except ProducerFenced as error:
                raise Fenced(str(error)) from None
            except NotAMember as error:
                self._abort()
                raise Fenced(str(error)) from None
            except RecordRefused as error:
                self._abort()
                _replace(transaction, error.record)
            except MustAbort:
                self._abort()
            self._clock.sleep(AFTER_ABORT_S)
        raise KafkaError("TS-K104", f"A transaction was aborted {ATTEMPTS} times in a row")

    def _attempt(self, transaction: Transaction) -> list[Stamp]:
        """Once from begin to commit. Raises refusals, MustAbort."""
        generation = self._generation
        assert generation is not None
        add, offsets = self._broker.add_offsets, transaction.offsets
        self._of_transaction(Request.OFFSETS, lambda: add(self._producer, self._group, generation, offsets))
        for batch in transaction.batches:
            if batch.records:
                self._produce([Outgoing(batch.topic, batch.partition, key, value) for key, value in batch.records])
        if transaction.singles:
            self._produce(transaction.singles)
        stamps = self._produce(transaction.stamped) if transaction.stamped else []
        if transaction.then is not None:
            self._produce(transaction.then(stamps))
        self._of_transaction(Request.COMMIT, lambda: self._broker.coordinator.end(self._producer, commit=True))
        return stamps

    def _produce(self, records: Sequence[Outgoing]) -> list[Stamp]:
        number = next(self._requests)
        return self._of_transaction(Request.PRODUCE, lambda: self._broker.produce(self._producer, number, records))

    def _abort(self) -> None:
        """Raises Fenced, or KafkaError TS-K104."""
        try:
            self._of_transaction(Request.ABORT, lambda: self._broker.coordinator.end(self._producer, commit=False))
        except ProducerFenced as error:
            raise Fenced(str(error)) from None

    def _of_transaction(self, request: Request, effect: Callable[[], T]) -> T:
        return self._ask(request, effect, code="TS-K104")

    # ------------------------------------------------------------------------------------------------ and the rest

    def send(self, records: Sequence[Outgoing]) -> Sending:
        return MemorySending(self.process, records, self._sends)

    def delete_before(self, partition: TopicPartition, offset: int) -> None:
        self._ask(Request.DELETE, lambda: self._broker.delete_before(partition, offset))

    def close(self, leave: bool) -> None:
        """A dead process says nothing, so that an owner may close what it has in a `finally`."""
        if self.process.dead:
            return
        self._give_up()
        member = self._membership
        # a static member says nothing when it closes (KIP-345)
        if member is not None and (leave or member.instance_id is None):
            self._ask(Request.LEAVE, lambda: self._group.leave(member))
        self._topics, self._membership = (), None
        self.process.die()


def _replace(transaction: Transaction, refused: Outgoing) -> None:
    """Put the stand-in of a refused record into the transaction, which is sent again."""
    if refused.instead is not None:
        transaction.singles[transaction.singles.index(refused)] = refused.instead
