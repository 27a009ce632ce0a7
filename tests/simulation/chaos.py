"""What goes wrong at the requests of a run, decided by its seed; and who has a turn in the middle of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from streams.clock import ManualClock
from streams.log import TopicPartition
from tests.simulation.faults import MAY_ABORT, Crash, Faults, Moment, MustAbort, NoAnswer, Point, Request
from tests.simulation.kinds import Kind
from tests.simulation.member import Member
from tests.simulation.plan import AT_POINTS, Plan
from tests.simulation.process import ANSWERED_WITHIN_S
from tests.simulation.sender import SENDER
from tests.simulation.trace import Trace

__all__ = ["Chaos"]

DEEPEST: Final = 3
"""So many processes may be in the middle of something at once."""
IN_DANGER: Final = {Request.COMMIT: 4.0, Request.SEND: 5.0, Request.DELETE: 5.0}
"""A request that is made less often than others, or where more can go wrong, is met by more faults."""
OPEN: Final = (Request.OFFSETS, Request.PRODUCE, Request.COMMIT)

COMMITS: Final = frozenset(Point(Request.COMMIT, moment) for moment in Moment)


class Others(Protocol):
    """The rest of the world, from within a request of one process."""

    stack: list[Member]
    """Processes that are in the middle of a turn, the one whose request it is last."""

    def let_work(self, turns: int) -> None:
        """Give others so many turns."""
        ...

    def succeed(self, member: Member) -> None:
        """Start a successor of a process that is still there."""
        ...


class Chaos(Faults):
    """See `Faults`. It is quiet until `others` is set, and again once it is None."""

    def __init__(self, plan: Plan, clock: ManualClock, trace: Trace) -> None:
        super().__init__()
        self.others: Others | None = None
        self._plan = plan
        self._clock = clock
        self._trace = trace
        self._rng = random.Random(f"chaos {plan.seed}")
        self._rates = [(kind, rate) for kind, rate in plan.rates.items() if kind in AT_POINTS]
        self._last: dict[str, Point] = {}
        """By process where it was last."""
        self._most = sum(rate for _, rate in self._rates) * max(IN_DANGER.values())

    def at(self, process: str, point: Point) -> None:
        super().at(process, point)
        if self.others is None:
            return
        # a commit that is asked for again may have taken place
        repeated = point.request is self._last.get(process, point._replace(request=Request.PUT)).request
        self._last[process] = point
        drawn = self._rng.random()
        if drawn >= self._most * self._trace.danger:
            return
        danger = IN_DANGER.get(point.request, 1.0) * self._trace.danger
        for kind, rate in self._rates:
            drawn -= rate * danger
            if drawn < 0:
                if kind is not Kind.MUST_ABORT or (point in MAY_ABORT and not (repeated and point in COMMITS)):
                    self._happen(kind, process, point, self.others)
                return

    def _happen(self, kind: Kind, process: str, point: Point, others: Others) -> None:
        """One fault, if it can happen to this process here."""
        if kind is Kind.NO_ANSWER:
            self._trace.met(kind, process, point)
            if process == SENDER and point.moment is Moment.AFTER:
                self._trace.count(Kind.SENT_TWICE)
            raise NoAnswer
        if process == SENDER or not others.stack:
            return
        member = others.stack[-1]
        if kind is Kind.CRASH:
            self._trace.met(kind, process, point)
            if point.request in (Request.SEND, Request.DELETE):
                self._trace.count(Kind.CRASH_IN_SNAPSHOT)
            raise Crash
        if kind is Kind.UNANSWERED:
            self._trace.met(kind, process, point)
            self._clock.sleep(ANSWERED_WITHIN_S + 1)
            raise NoAnswer
        if kind is Kind.MUST_ABORT:
            self._trace.met(kind, process, point)
            raise MustAbort
        if len(others.stack) <= DEEPEST:
            self._trace.met(kind, process, point)
            self._meanwhile(kind, member, point, others)

    def _meanwhile(self, kind: Kind, member: Member, point: Point, others: Others) -> None:
        """Time passes and others work, before the request goes on."""
        rng, plan = self._rng, self._plan
        if kind is Kind.INTERLEAVED:
            others.let_work(rng.randint(1, 4))
        elif kind is Kind.SLOW:
            self._clock.sleep(rng.choice((0.05, 0.5, 2.5, 9.0)))
            others.let_work(rng.randint(0, 3))
        elif kind is Kind.TWIN:
            others.succeed(member)
            others.let_work(rng.randint(1, 6))
        elif member.log is not None:
            with member.log.process.paused():
                if kind is Kind.STOPPED:
                    self._clock.sleep(rng.uniform(0, plan.session_ms * 0.9 / 1000))
                    others.let_work(rng.randint(0, 3))
                else:
                    self._sleep_as_zombie(point, others)
        self._trace.note(member.name, f"goes on {point}")

    def _sleep_as_zombie(self, point: Point, others: Others) -> None:
        """Until its session is over and, mostly, others have its partitions; its transaction may be over too."""
        if point.request in OPEN and point != (Request.COMMIT, Moment.AFTER):
            self._trace.count(Kind.ZOMBIE_IN_TRANSACTION)
        self._clock.sleep(self._plan.session_ms / 1000)
        others.let_work(self._rng.randint(2, 10))
        self._clock.sleep(self._rng.choice((0, 0, 1.0, self._plan.transaction_ms / 1000)))
        others.let_work(self._rng.randint(2, 20))

    # ------------------------------------------------------------------------------------------------- the log

    def share(self, process: str, ready: Mapping[TopicPartition, int]) -> Iterable[tuple[TopicPartition, int]]:
        if self.others is None or self._rng.random() >= self._plan.rates.get(Kind.SMALL_FETCH, 0):
            return ready.items()
        self._trace.count(Kind.SMALL_FETCH)
        places = [place for place in ready if self._rng.random() < 0.8]
        self._rng.shuffle(places)
        return [(place, self._rng.randint(0, ready[place])) for place in places]

    def marker_delay_ms(self, place: TopicPartition | None) -> int:
        if self.others is None or self._rng.random() >= self._plan.rates.get(Kind.LATE_MARKER, 0):
            return 0
        self._trace.count(Kind.LATE_MARKER)
        return self._rng.choice((30, 200, 1_500))
