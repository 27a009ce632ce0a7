"""A consumer group of the classic protocol: members, generations, range assignment, offsets.

All members rejoin at each rebalance (the eager protocol), and the assignment is made as soon as the last one has: the
step in which Kafka's leader makes it and the others fetch it is left out. There is no time-out for members that are
there and do not rejoin, for they count as gone once they have asked for no records for too long.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from streams.clock import Clock
from streams.log import TopicPartition
from tests.simulation.refusals import NotAMember, TryAgain

__all__ = ["Group", "Heart", "Membership", "Standing", "by_range"]


@dataclass(slots=True)
class Heart:
    """Whether a member is heard of. Its client's own thread beats while the process runs, whatever that does: unless
    it asks for no records for too long."""

    max_poll_interval_ms: int
    polled_ms: int
    """Monotonic time when records were last asked for."""
    stopped_ms: int | None = None
    """Since when the process does not run."""

    def last_beat_ms(self, now_ms: int) -> int:
        last = min(now_ms, self.polled_ms + self.max_poll_interval_ms)
        return last if self.stopped_ms is None else min(last, self.stopped_ms)

    def polls_too_rarely(self, now_ms: int) -> bool:
        """Whether the client has told the group that it leaves: only a process that runs can."""
        return self.stopped_ms is None and now_ms - self.polled_ms > self.max_poll_interval_ms


class Membership(NamedTuple):
    """What a member shows of itself: Kafka's group metadata."""

    member_id: str
    instance_id: str | None
    generation: int
    """-1: it has joined and was assigned nothing yet."""


class Standing(Enum):
    """What the group says to a member that shows itself."""

    SETTLED = auto()
    """All is as it was."""
    WAITING = auto()
    """Others have to join first."""
    ASSIGNED = auto()
    """There is an assignment that it has not fetched."""
    REBALANCING = auto()
    """It has to join again."""
    UNKNOWN = auto()
    """It was thrown out: it has to join anew."""
    FENCED = auto()
    """Another process has joined under its instance id."""


@dataclass(slots=True)
class _Member:
    member_id: str
    instance_id: str | None
    topics: tuple[str, ...]
    session_timeout_ms: int
    heart: Heart
    joined: bool = False
    """Since the rebalance under way began."""
    assigned: frozenset[int] = field(default_factory=frozenset)


class Group:
    """What a member asks for, it asks after a `tick`."""

    def __init__(self, clock: Clock, partitions: Callable[[str], int]) -> None:
        """`partitions`: how many a topic has."""
        self._clock = clock
        self._partitions = partitions
        self.generation = 0
        self.rebalancing = False
        self._members: dict[str, _Member] = {}
        self._instances: dict[str, str] = {}
        """Member id by instance id."""
        self._names = 0
        self._offsets: dict[TopicPartition, tuple[int, int]] = {}
        """The number of the request that set it, and the offset: the later request counts, whichever commits last."""
        self._pending: dict[Hashable, dict[TopicPartition, tuple[int, int]]] = {}
        """The same by open transaction."""
        self._requests = 0

    # ------------------------------------------------------------------------------------------------- members

    def new_member_id(self) -> str:
        """A dynamic member has it before it joins (KIP-394), so that to ask twice is not to join twice."""
        self._names += 1
        return f"member-{self._names:06}"

    def join(
        self, who: Membership, topics: Sequence[str], session_timeout_ms: int, heart: Heart, anew: bool
    ) -> Membership:
        """Join, anew or again. Returns the membership without a generation. Raises NotAMember."""
        waiting = who._replace(generation=-1)
        if anew and who.member_id not in self._members:
            member = _Member(who.member_id, who.instance_id, tuple(topics), session_timeout_ms, heart)
            if self._add(member):
                return waiting
        elif anew and not self.rebalancing:
            # asked twice, for the first answer was lost
            return waiting
        self._check(who)
        if not self.rebalancing:
            self._rebalance()
        self._members[who.member_id].joined = True
        self._settle_if_all_joined()
        return waiting

    def _add(self, member: _Member) -> bool:
        """Whether it is a static member that is back: then nothing moves."""
        former = self._members.pop(self._instances.get(member.instance_id or "", ""), None)
        self._members[member.member_id] = member
        if member.instance_id is not None:
            self._instances[member.instance_id] = member.member_id
        if former is None or former.topics != member.topics or self.rebalancing:
            return False
        member.assigned = former.assigned
        return True

    def standing(self, who: Membership) -> Standing:
        if self._is_fenced(who):
            return Standing.FENCED
        member = self._members.get(who.member_id)
        if member is None:
            return Standing.UNKNOWN
        if self.rebalancing:
            return Standing.WAITING if member.joined else Standing.REBALANCING
        if who.generation < 0:
            return Standing.ASSIGNED
        return Standing.SETTLED if who.generation == self.generation else Standing.REBALANCING

    def assignment(self, who: Membership) -> tuple[Membership, frozenset[int]] | None:
        """The membership of this generation and its partition numbers; None if that is over already."""
        if self.standing(who) is not Standing.ASSIGNED:
            return None
        return who._replace(generation=self.generation), self._members[who.member_id].assigned

    def leave(self, who: Membership) -> None:
        """Nothing happens if it is no member."""
        if self.standing(who) not in (Standing.FENCED, Standing.UNKNOWN):
            self._remove(self._members[who.member_id])

    def tick(self) -> None:
        """Take those out who were not heard of for too long."""
        now_ms = self._clock.monotonic_ms()
        for member in list(self._members.values()):
            silent_ms = now_ms - member.heart.last_beat_ms(now_ms)
            # a static member says nothing when it goes (KIP-345)
            says_so = member.instance_id is None and member.heart.polls_too_rarely(now_ms)
            if silent_ms >= member.session_timeout_ms or says_so:
                self._remove(member)

    def _check(self, who: Membership) -> None:
        if self._is_fenced(who):
            raise NotAMember(f"another process is {who.instance_id}")
        if who.member_id not in self._members:
            raise NotAMember(f"{who.member_id} is no member")

    def _is_fenced(self, who: Membership) -> bool:
        """Whether another process has joined under its instance id."""
        return who.instance_id is not None and self._instances.get(who.instance_id, who.member_id) != who.member_id

    def _remove(self, member: _Member) -> None:
        del self._members[member.member_id]
        if member.instance_id is not None:
            del self._instances[member.instance_id]
        if not self.rebalancing:
            self._rebalance()
        self._settle_if_all_joined()

    def _rebalance(self) -> None:
        self.rebalancing = True
        for member in self._members.values():
            member.joined = False

    def _settle_if_all_joined(self) -> None:
        if not all(member.joined for member in self._members.values()):
            return
        self.rebalancing = False
        self.generation += 1
        assigned = by_range({m.instance_id or m.member_id: m.topics for m in self._members.values()}, self._partitions)
        for member in self._members.values():
            member.assigned = assigned[member.instance_id or member.member_id]

    # ------------------------------------------------------------------------------------------------- offsets

    def add_offsets(self, transaction: Hashable, who: Membership, offsets: Mapping[TopicPartition, int]) -> None:
        """Offsets that count once the transaction is committed. Raises NotAMember."""
        self._check(who)
        if who.generation != self.generation:
            raise NotAMember(f"generation {who.generation} is over, this is {self.generation}")
        self._requests += 1
        pending = self._pending.setdefault(transaction, {})
        pending |= {place: (self._requests, offset) for place, offset in offsets.items()}

    def mark(self, transaction: Hashable, committed: bool) -> None:
        """A transaction with offsets of this group has ended."""
        for place, found in self._pending.pop(transaction, {}).items():
            if committed and found > self._offsets.get(place, (-1, -1)):
                self._offsets[place] = found

    def committed(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int | None]:
        """None: never committed. Raises TryAgain while an open transaction may change one of them."""
        asked = list(places)
        if any(not pending.keys().isdisjoint(asked) for pending in self._pending.values()):
            raise TryAgain("a transaction with offsets is open")
        return {place: self._offsets[place][1] if place in self._offsets else None for place in asked}


def by_range(members: Mapping[str, Sequence[str]], partitions: Callable[[str], int]) -> dict[str, frozenset[int]]:
    """Kafka's range assignment: topics by member, to partition numbers by member.

    Topics with equally many partitions that all subscribe to are shared out alike, so a number says it for all.
    """
    assigned: dict[str, set[int]] = {name: set() for name in members}
    for topic in sorted({topic for topics in members.values() for topic in topics}):
        names = sorted(name for name, topics in members.items() if topic in topics)
        each, more = divmod(partitions(topic), len(names))
        first = 0
        for place, name in enumerate(names):
            n = each + (place < more)
            assigned[name] |= set(range(first, first + n))
            first += n
    return {name: frozenset(found) for name, found in assigned.items()}
