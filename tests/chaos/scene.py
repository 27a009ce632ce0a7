"""What faults are done to: the servers, the product's processes, the load; and what is promised of them."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis
from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.processes import Process
from benchmarks.stand import PARTITIONS
from streams import topics
from streams.clock import SystemClock
from streams.local.kafka import LocalKafka
from streams.local.redis import LocalRedis
from tests.chaos.fleet import Fleet, Name
from tests.chaos.verifier.difference import Findings
from tests.chaos.watch import Watch

__all__ = ["ENDS_WITHIN_S", "LEFT_WITHIN_S", "PROJECTOR_SESSION_S", "SESSION_S", "Scene"]

SESSION_S: Final = 6
"""Session time-out of taggers; that of projectors is no setting."""
PROJECTOR_SESSION_S: Final = 10
ENDS_WITHIN_S: Final = 10.0
"""From SIGTERM to the end of a process."""
LEFT_WITHIN_S: Final = 10.0
"""From SIGTERM, with --leave, until its partitions run elsewhere."""
LOOK_EVERY_S: Final = 0.05
JOINED_WITHIN_S: Final = 120.0
"""A start takes some seconds; on a busy machine many."""
ASK_WITHIN_S: Final = 2.0
TAGGED: Final = "tagstream_partitions"
PROJECTED: Final = "tagstream_projector_position_offset"
"""Of each partition that a projector has, one."""


@dataclass(slots=True)
class Scene:
    """One run."""

    kafka: LocalKafka
    redis_server: LocalRedis
    client: redis.Redis
    """To Redis; gives texts."""
    fleet: Fleet
    watch: Watch
    chance: random.Random
    findings: Findings
    patience: float
    """What the promised times are multiplied by: more than 1 on a machine that has other work."""
    broker_away_most_s: float
    """How long the broker is held at most."""
    rules: list[Path]
    """Directories; those of the first one are in force."""
    hits: Counter[str] = field(default_factory=Counter)
    """How often a fault met what it was aimed at."""

    def wait(self, seconds: float) -> None:
        """Let time pass; who ends meanwhile is started again."""
        self.until(lambda: False, seconds)

    def until(self, done: Callable[[], bool], within_s: float) -> bool:
        """Whether it came so far in time."""
        last = time.monotonic() + within_s
        while not done():
            if time.monotonic() > last:
                return False
            self.fleet.tend()
            time.sleep(LOOK_EVERY_S)
        return True

    def promise(self, what: str, took_s: float, within_s: float) -> None:
        """Something that is promised to take no longer."""
        within_s *= self.patience
        text = f"{what} took {took_s:.1f} s, not {within_s:.0f} s"
        self.findings.compare("I6", took_s <= within_s, text, SystemClock().wall_ms())

    def wait_until_still(self, for_s: float, within_s: float) -> None:
        """Until nothing more moves in the journal or in Redis."""
        seen, since_s = (-1, -1), time.monotonic()

        def still() -> bool:
            nonlocal seen, since_s
            now = self.watch.length(), self.watch.shown_ms()
            if now != seen:
                seen, since_s = now, time.monotonic()
            return time.monotonic() - since_s > for_s

        self.until(still, within_s)

    # --------------------------------------------------------------------------------------------- the members

    def running(self, kind: Name, member_name: str) -> int:
        """Partitions that run on a member; 0 while it cannot be asked."""
        member = self.fleet.members.get(member_name)
        try:
            scrape = member.role.metrics() if member is not None else {}
        except OSError:
            return 0
        if kind == "tagger":
            state = ("state", "running")
            return int(sum(v for (name, labels), v in scrape.items() if name == TAGGED and state in labels))
        return sum(name == PROJECTED for name, _ in scrape)

    def wait_until_all_run(self, kind: Name, names: list[str], within_s: float = JOINED_WITHIN_S) -> bool:
        """Whether these members together came to run all partitions, each of them one at least."""

        def done() -> bool:
            counts = [self.running(kind, name) for name in names]
            return sum(counts) == PARTITIONS and all(counts)

        return self.until(done, within_s)

    def joined(self, kind: Name) -> None:
        """Wait until all members of the kind have partitions."""
        self.wait_until_all_run(kind, [member.name for member in self.fleet.of(kind)])

    def hit(self, what: str) -> None:
        """A fault has met what it was aimed at."""
        self.hits[what] += 1

    def other_rules(self) -> Path:
        """The directory of those that come in force now."""
        self.rules.append(self.rules.pop(0))
        return self.rules[0]

    # ------------------------------------------------------------------------------------------------- servers

    @contextmanager
    def broker_stopped(self) -> Iterator[None]:
        """It answers nobody, and nobody is told."""
        broker = Process.of_broker()
        assert broker is not None
        _send(broker.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            _send(broker.pid, signal.SIGCONT)

    def open_transactions(self) -> set[tuple[int, int]]:
        """Partitions in whose journal stands a record of a transaction that is not decided, with the journal's end."""
        ends = []
        name = topics.JOURNAL.named(self.fleet.stand.kafka)
        for consumer in self._asking.values():
            try:
                places = [TopicPartition(name, p) for p in range(PARTITIONS)]
                told = [consumer.get_watermark_offsets(place, timeout=ASK_WITHIN_S, cached=False) for place in places]
            except KafkaException:
                return set()
            ends.append([high for _, high in told])
        return {(p, high) for p, (stable, high) in enumerate(zip(*ends, strict=True)) if stable < high}

    _asking: dict[str, Consumer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for isolation in ("read_committed", "read_uncommitted"):
            config = {"group.id": "chaos-aim", "isolation.level": isolation, "log_level": 0}
            self._asking[isolation] = Consumer({**self.fleet.stand.kafka.client_config(), **config})

    def close(self) -> None:
        for consumer in self._asking.values():
            consumer.close()


def _send(pid: int, number: int) -> None:
    os.kill(pid, number)
