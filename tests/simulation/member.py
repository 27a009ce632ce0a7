"""A tagger as a process of the simulation: it starts, has its turns, dies, and is started again by others."""

from __future__ import annotations

from typing import Protocol

from schemas.errors import KafkaError
from schemas.registry import OWN_WRITERS
from streams.clock import Clock, ManualClock
from streams.settings import Settings
from streams.tagger.loop import Tagger
from streams.tagger.rules import RuleSource
from streams.tagger.topics import Topics
from tests.simulation.broker import MemoryBroker
from tests.simulation.faults import Crash
from tests.simulation.kinds import Kind
from tests.simulation.memory_log import MemoryLog
from tests.simulation.plan import Plan
from tests.simulation.trace import Trace

__all__ = ["Member", "PartitionStopped"]


class PartitionStopped(AssertionError):
    """A tagger has given a partition up, which no fault here excuses."""


class SkewedClock:
    """A process' own clock: its wall time is wrong, for no decision may rest on it."""

    def __init__(self, clock: ManualClock, ahead_ms: int) -> None:
        self._clock = clock
        self._ahead_ms = ahead_ms
        self.monotonic_ms, self.monotonic_s, self.sleep = clock.monotonic_ms, clock.monotonic_s, clock.sleep

    def wall_ms(self) -> int:
        return self._clock.wall_ms() + self._ahead_ms


class Site(Protocol):
    """What a member needs of the world around it."""

    plan: Plan
    trace: Trace
    settings: Settings
    topics: Topics

    @property
    def rules(self) -> RuleSource: ...

    @property
    def broker(self) -> MemoryBroker: ...

    @property
    def clock(self) -> ManualClock: ...


class Member:
    """One life of a process. `turn` lets it work a little; nothing of the product's errors comes out of it but bugs."""

    def __init__(self, site: Site, name: str, wall_ahead_ms: int) -> None:
        self.name = name
        self.busy = False
        """It is in the middle of a turn, in which others have theirs."""
        self.over = False
        self.tagger: Tagger | None = None
        self.log: MemoryLog | None = None
        self._site = site
        self._clock: Clock = SkewedClock(site.clock, wall_ahead_ms)

    def turn(self) -> None:
        """Start, or one turn of the loop."""
        self.busy = True
        try:
            if self.tagger is None:
                self._start()
            else:
                self.tagger.turn()
                self._look()
        except Crash:
            self.over = True
        except KafkaError as error:
            self._ended(error)
        finally:
            self.busy = False

    def stop(self, leave: bool) -> None:
        """As SIGTERM does it: between two turns."""
        self.busy = True
        try:
            if self.log is not None:
                self.log.close(leave)
        except (Crash, KafkaError) as error:
            self._site.trace.note(self.name, f"could not close: {error!r}")
        finally:
            self.busy = False
            self.kill()

    def kill(self) -> None:
        """It is gone; if it is in the middle of a turn, as soon as it is its turn again."""
        if self.log is not None:
            self.log.process.die()
        self.over = self.over or not self.busy

    def _start(self) -> None:
        site, plan = self._site, self._site.plan
        self.log = MemoryLog(
            site.broker,
            self._clock,
            self.name,
            instance_id=self.name if plan.static else None,
            session_timeout_ms=plan.session_ms,
            transaction_timeout_ms=plan.transaction_ms,
            max_poll_interval_ms=plan.max_poll_ms,
        )
        tagger = Tagger(self.log, self._clock, site.settings, site.rules, site.topics, OWN_WRITERS)
        self.log.subscribe(site.topics.sources, tagger._on_assign, tagger._on_revoke)
        self.tagger = tagger
        site.trace.met(Kind.STARTED, self.name, site.rules.in_force().version[-2:])

    def _look(self) -> None:
        """Raise PartitionStopped if one is."""
        assert self.tagger is not None
        for why in self.tagger.why_not_ready():
            if " is stopped: " in why:
                raise PartitionStopped(f"{self.name}: {why}")

    def _ended(self, error: KafkaError) -> None:
        """As in Tagger.run: the log is closed whatever has happened."""
        self._site.trace.note(self.name, f"ends: {error}")
        if error.code == "TS-K105":
            self._site.trace.count(Kind.FENCED)
        self.stop(leave=False)
