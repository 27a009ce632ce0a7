"""One run: an installation in memory, its processes, whoever sends, and the scheduler that gives them turns.

All of it is one thread. A process has its turn from the scheduler, or from within a request of another one (chaos.py),
so that processes are interleaved at every request. Whatever is drawn is drawn from the plan's seed, and time is moved
by hand: the same seed is the same run.
"""

from __future__ import annotations

import random
from typing import Final
from unittest import mock

from processors.rules.tree import RuleSet
from streams.clock import ManualClock
from streams.log import TopicPartition
from streams.tagger.topics import Topics
from tests.oracle.tables import START_MS
from tests.simulation.broker import MemoryBroker
from tests.simulation.chaos import Chaos
from tests.simulation.chronicle import Archive, Chronicle
from tests.simulation.faults import NoAnswer
from tests.simulation.kinds import Kind
from tests.simulation.meddler import Meddler
from tests.simulation.member import Member
from tests.simulation.plan import LEAPS_MS, Mode, Plan
from tests.simulation.sender import SENDER, Sender
from tests.simulation.topics import create_topics
from tests.simulation.trace import Trace

__all__ = ["NotCaughtUp", "World"]

QUIET_TURNS: Final = 6_000
"""By then everything has to be caught up, once nothing goes wrong any more."""
TURN_S: Final = 0.0002
"""A turn takes some time even where it waits for nothing: rounding must not make it wait for nothing for ever."""
SET_BACK_MOST_MS: Final = 3_000


class NotCaughtUp(AssertionError):
    """Nothing went wrong any more, and yet the taggers did not get to the end."""


class BrokerClock(ManualClock):
    """Its wall time may be set back, as when another machine becomes the leader."""

    def __init__(self, wall_ms: int) -> None:
        super().__init__(wall_ms)
        self.behind_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() - self.behind_ms


class ArchivingBroker(MemoryBroker):
    """Keeps what is cut off a journal, for the judge."""

    def __init__(self, clock: ManualClock, faults: Chaos, archive: Archive, journal: str, trace: Trace) -> None:
        super().__init__(clock, faults)
        self._archive = archive
        self._journal = journal
        self._trace = trace

    def delete_before(self, place: TopicPartition, offset: int) -> None:
        gone = [r for r in self.partition(place).records if r.at_offset < offset]
        super().delete_before(place, offset)
        if place.topic == self._journal:
            self._archive.cut.setdefault(place, []).extend(gone)
            self._trace.count(Kind.JOURNAL_CUT, bool(gone))


class RuleHistory:
    """The rules in force, one set after the other."""

    def __init__(self, plan: Plan, trace: Trace) -> None:
        self._plan = plan
        self._trace = trace
        self._in_force = 0

    def now(self, share: float) -> None:
        """So much of the time in which things go wrong is over."""
        number = min(int(len(self._plan.rule_sets) * share), len(self._plan.rule_sets) - 1)
        if number != self._in_force:
            self._in_force = number
            self._trace.met(Kind.OTHER_RULES, "", self.in_force().version[-2:])

    def in_force(self) -> RuleSet:
        return self._plan.rule_sets[self._in_force]

    def of(self, version: str) -> RuleSet | None:
        known = self._plan.rule_sets if not self._plan.forgets_rules else (self.in_force(),)
        return next((r for r in known if r.version == version), None)


class World:
    """`run` it once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.settings = plan.settings()
        self.topics = Topics.of(self.settings.kafka, plan.partitions)
        self.clock = BrokerClock(START_MS)
        self.trace = Trace(self.clock)
        self.chaos = Chaos(plan, self.clock, self.trace)
        self.archive = Archive()
        self.chronicle = Chronicle(self.topics)
        self.broker = ArchivingBroker(self.clock, self.chaos, self.archive, self.topics.journal, self.trace)
        create_topics(self.broker, self.settings.kafka, "LogAppendTime" if plan.mode is Mode.LIVE else "CreateTime")
        self.sender = Sender(plan, self.broker, self.clock, self.trace)
        self.meddler = Meddler(plan, self.broker, self.topics, self.chronicle, self.trace)
        self.members: list[Member] = []
        """Those that are not over; two of a name, where a successor was started too early."""
        self.stack: list[Member] = []
        self._rng = random.Random(f"world {plan.seed}")
        self.rules = RuleHistory(plan, self.trace)
        self._round = 0

    @property
    def final_rules(self) -> RuleSet:
        return self.plan.rule_sets[-1]

    # ------------------------------------------------------------------------------------------------------- the run

    def run(self) -> None:
        """To the very end. Raises what is wrong with the product, NotCaughtUp among it."""
        with (
            mock.patch("streams.tagger.loop.FETCH_MOST", self.plan.fetch_most),
            mock.patch("streams.tagger.loop.CHANGE_S", 0.0),
        ):
            self._go_wrong()
            self.settle()
            # what the dead have open is over, and all markers are written
            self.clock.sleep(self.plan.transaction_ms / 1000 + 1)
            self.broker.tick()
            self.settle()
            if self.plan.follow_wall:
                self.clock.behind_ms = 0
                for _ in range(2):
                    self.clock.sleep(self._rng.choice(LEAPS_MS) / 1000 + 1)
                    self.settle()

    def play(self, rounds: int) -> None:
        """So many rounds of all that are to be there, for a run that is made by hand."""
        self._complete()
        for _ in range(rounds):
            self._one_round()

    def end_all(self) -> None:
        """All processes end as they are asked to."""
        for member in list(self.members):
            self._stop(member, leave=False)

    def _go_wrong(self) -> None:
        """All that is planned."""
        self.chaos.others = self
        if self.plan.mode is Mode.BEFORE:
            self.clock.sleep((self.sender.last_ms - START_MS) / 1000)
            while not self.sender.done:
                self._send()
        for name in self._names():
            if not self.members or self._rng.random() < 0.7:
                self._start(name)
        while self._round < self.plan.rounds or not self.sender.done:
            self._one_round()

    def _names(self) -> list[str]:
        return [f"tagger-{n}" for n in range(self.plan.members)]

    def _one_round(self) -> None:
        self._round += 1
        self.rules.now(self._round / (self.plan.rounds + 1))
        self.trace.note("", f"round {self._round}")
        if not self.sender.done and self._rng.random() < 0.4:
            self._send()
        self._change_members()
        self.meddler.turn()
        self._let_time_pass()
        for member in self._rng.sample(self.members, len(self.members)):
            if not member.over and self._rng.random() < 0.8:
                self._give_turn(member)

    def _send(self) -> None:
        try:
            self.sender.turn(alone=not self.stack)
        except NoAnswer:
            self.trace.note(SENDER, "had no answer")

    def _let_time_pass(self) -> None:
        rates = self.plan.rates
        if self._rng.random() < rates.get(Kind.TIME_JUMP, 0):
            seconds = self._rng.choice((1.0, 3.5, 12.0))
            self.trace.met(Kind.TIME_JUMP, "", f"{seconds} s")
            self.clock.sleep(seconds)
        if self._rng.random() < rates.get(Kind.CLOCK_SET_BACK, 0):
            self.clock.behind_ms += self._rng.randint(1, SET_BACK_MOST_MS)
            self.trace.met(Kind.CLOCK_SET_BACK, "", f"by {self.clock.behind_ms} ms in all")

    # ----------------------------------------------------------------------------------------------------- processes

    def _give_turn(self, member: Member) -> None:
        self.trace.note(member.name, "turn")
        self.clock.sleep(TURN_S)
        self.stack.append(member)
        try:
            member.turn()
        finally:
            self.stack.pop()
            self._bury()

    def _bury(self) -> None:
        self.members = [m for m in self.members if not m.over]

    def _start(self, name: str) -> None:
        self.members.append(Member(self, name, self._rng.choice((0, 0, -86_400_000, 3_600_000))))

    def _change_members(self) -> None:
        """Start who is not there; restart one, or let one go."""
        for name in self._names():
            if not any(m.name == name for m in self.members) and self._rng.random() < 0.3:
                self._start(name)
        for kind, leave in ((Kind.RESTARTED, False), (Kind.LEFT, True)):
            if self.members and self._rng.random() < self.plan.rates.get(kind, 0):
                member = self._rng.choice(self.members)
                self.trace.met(kind, member.name)
                self._stop(member, leave)
                if not leave:
                    self._start(member.name)

    def _stop(self, member: Member, leave: bool) -> None:
        self.stack.append(member)
        try:
            member.stop(leave)
        finally:
            self.stack.pop()
            self._bury()

    # ------------------------------------------------------------------------------ within a request: chaos.Others

    def let_work(self, turns: int) -> None:
        """Give others so many turns."""
        for _ in range(turns):
            free = [m for m in self.members if not m.busy and not m.over]
            chosen = self._rng.randrange(len(free) + 1)
            if chosen < len(free):
                self._give_turn(free[chosen])
            elif not self.sender.done:
                self._send()

    def succeed(self, member: Member) -> None:
        """Start a successor of a process that is still there."""
        self._start(member.name)

    # ------------------------------------------------------------------------------------------------- when all is over

    def settle(self) -> None:
        """No more faults: until all is caught up. Raises NotCaughtUp."""
        self.chaos.others = None
        self.rules.now(1)
        for turn in range(QUIET_TURNS):
            if turn % 8 == 0 or not self.members:
                self._complete()
                if self._is_settled():
                    return
            self._give_turn(self.members[turn % len(self.members)])
        raise NotCaughtUp("\n".join([self._how_it_stands(), *self.trace.lines[-20:]]))

    def _complete(self) -> None:
        """All of them there."""
        for name in self._names():
            if not any(m.name == name for m in self.members):
                self._start(name)

    def _is_settled(self) -> bool:
        owners: list[int] = []
        for member in self.members:
            if member.tagger is None or member.tagger.why_not_ready():
                return False
            for partition, running in member.tagger._running.items():
                owners.append(partition)
                if running.work.rule_set.version != self.final_rules.version:
                    return False
                if running.work.engine.due() or any(s.held for s in running.work.sources):
                    return False
        return sorted(owners) == list(range(self.plan.partitions)) and all(map(self._is_read, owners))

    def _is_read(self, partition: int) -> bool:
        """Whether the journal has all records of the partition's sources."""
        journal = TopicPartition(self.topics.journal, partition)
        records = self.archive.of(journal, self.broker.partition(journal).records)
        # a manifest is of an earlier moment than its place in the journal
        steps = [r for r in self.chronicle.counted(partition, records) if r.kind != "snapshot"]
        ends = {s.topic: s.next for s in steps[-1].sources} if steps else {}
        for place in self.topics.sources_of(partition):
            there = self.broker.partition(place).records
            if there and there[-1].at_offset >= ends.get(place.topic, 0):
                return False
        return True

    def _how_it_stands(self) -> str:
        lines = [f"seed {self.plan.seed} did not settle"]
        for member in self.members:
            waiting = "not started" if member.tagger is None else member.tagger.why_not_ready()
            lines.append(f"  {member.name}: {waiting}")
        return "\n".join(lines)
