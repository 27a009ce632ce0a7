"""A process that talks to the broker: how it asks, how it dies, how it is stopped for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from streams.clock import Clock
from tests.simulation.broker import MemoryBroker
from tests.simulation.faults import MAY_ABORT, Crash, Moment, MustAbort, NoAnswer, Point, Request
from tests.simulation.group import Heart
from tests.simulation.refusals import TryAgain

__all__ = ["Process"]

RETRY_S: Final = 0.01
ANSWERED_WITHIN_S: Final = 60.0
"""With all repetitions, as in kafka_log.py."""

T = TypeVar("T")


class Process:
    """Every request to the broker goes through `ask`, where faults lie in wait."""

    def __init__(self, broker: MemoryBroker, clock: Clock, name: str, max_poll_interval_ms: int = 300_000) -> None:
        """`clock`: the process' own, by which it waits. Its monotonic time must go as the broker's does."""
        self.broker = broker
        self.clock = clock
        self.name = name
        self.heart = Heart(max_poll_interval_ms, broker.clock.monotonic_ms())
        self.dead = False
        """Then it may ask for nothing more."""

    def ask(self, request: Request, effect: Callable[[], T]) -> T:
        """Repeats the request while no answer comes or the broker wants it; so `effect` must bear repetition.

        Raises what `effect` and the faults raise; NoAnswer and TryAgain only after ANSWERED_WITHIN_S.
        """
        until = self.clock.monotonic_s() + ANSWERED_WITHIN_S
        while True:
            try:
                self._at(request, Moment.BEFORE)
                self.broker.tick()
                answer = effect()
                self._at(request, Moment.AFTER)
                return answer
            except (NoAnswer, TryAgain):
                if self.clock.monotonic_s() > until:
                    raise
            self.clock.sleep(RETRY_S)

    def _at(self, request: Request, moment: Moment) -> None:
        assert not self.dead, f"{self.name} is dead and asks"
        point = Point(request, moment)
        try:
            self.broker.faults.at(self.name, point)
        except Crash:
            self.die()
            raise
        except MustAbort:
            assert point in MAY_ABORT, f"nothing can be aborted {point}"
            raise
        if self.dead:
            # somebody who had his turn meanwhile has killed it
            raise Crash

    def die(self) -> None:
        """As if it were killed: nothing more is said to anybody."""
        self.dead = True
        self.fall_silent()

    def fall_silent(self) -> None:
        """Its membership is kept up no longer."""
        if self.heart.stopped_ms is None:
            self.heart.stopped_ms = self.broker.clock.monotonic_ms()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """As if it were stopped (SIGSTOP) for as long as the block lasts."""
        self.fall_silent()
        yield
        # the broker looks before it is heard of again
        self.broker.tick()
        if not self.dead:
            self.heart.stopped_ms = None
