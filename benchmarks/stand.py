"""The test stand: a broker of our own, and the product's processes on it, each measurement with topics of its own."""

from __future__ import annotations

import http.client
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.data import TYPES, Event, Generator
from schemas.errors import ConfigError
from streams import topics
from streams.clock import SystemClock
from streams.local.child import Child
from streams.local.ports import HOST, free_ports
from streams.settings import KafkaSettings

__all__ = ["PARTITIONS", "ROOT", "Metrics", "Place", "Role", "Stand", "forget_settings", "until"]

ROOT: Final = Path(__file__).parents[1]
PARTITIONS: Final = 4
"""As TagBench-1 has it."""
STARTS_WITHIN_S: Final = 120.0
"""Some seconds; a minute if the engine has to be compiled first."""
STOPS_WITHIN_S: Final = 30.0
FIRST_MS: Final = 1_760_000_000_000
LENGTH_MS: Final = 120 * 86_400_000
"""When the events of a history begin, and how long it is."""
SENT_WITHIN_S: Final = 600.0

Metrics = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""A scrape: by name and sorted labels."""


def until(done: Callable[[], bool], within_s: float, what: str, look_every_s: float = 0.05) -> None:
    """Wait until `done`. Raises TimeoutError that says `what` did not happen."""
    last = time.monotonic() + within_s
    while not done():
        if time.monotonic() > last:
            raise TimeoutError(f"not within {within_s:.0f} s: {what}")
        time.sleep(look_every_s)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process runs."""

    host: str = HOST
    """Its address: there it is asked how it is."""
    through: tuple[str, ...] = ()
    """The command that turns into it; none: it is started as it is."""


class Role:
    """One process of the product. `stop` it."""

    def __init__(
        self, role: str, flags: tuple[str, ...], directory: Path, settings: dict[str, str], place: Place
    ) -> None:
        (self._port,) = free_ports(1)
        self._host = place.host
        self.name = role
        given = settings | {"METRICS__HOST": place.host, "METRICS__PORT": str(self._port), "LOG__LEVEL": "warning"}
        # A user's settings must not change what is measured: those of the environment are left out by __main__, and
        # in this directory lies no file with others.
        self.child = Child(
            (*place.through, sys.executable, "-m", "streams.cli.main", role, *flags),
            log=directory / f"{role}-{self._port}.log",
            env={"PYTHONPATH": str(ROOT), **{f"TAGSTREAM_{name}": value for name, value in given.items()}},
            cwd=directory,
        )

    def check(self) -> None:
        """Raises ConfigError TS-C303 if it has ended."""
        code = self.child.exit_code()
        if code is not None:
            raise ConfigError("TS-C303", f"`tagstream {self.name}` ended with exit code {code}: {self.child.tail(5)}")

    def ready(self) -> bool:
        """Whether it says that it does its work."""
        self.check()
        try:
            return self._get("/readyz")[0] == 200
        except OSError:
            return False

    def metrics(self) -> Metrics:
        """A scrape."""
        families = text_string_to_metric_families(self._get("/metrics")[1])
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        self.child.stop(STOPS_WITHIN_S)

    def _get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()


class Stand:
    """One measurement's topics, groups and processes on a broker. All processes end with `with`."""

    def __init__(self, bootstrap: str, name: str, run_dir: Path, rules: Path) -> None:
        self.kafka = KafkaSettings(
            bootstrap=bootstrap, topic_prefix=f"{name}.", group_id=f"bench-{name}", partitions=PARTITIONS
        )
        self._directory = run_dir / name
        self._directory.mkdir()
        self._rules = rules.resolve()
        self._roles: list[Role] = []

    def __enter__(self) -> Stand:
        return self

    def __exit__(self, *_: object) -> None:
        for role in self._roles:
            role.stop()

    def create_topics(self, event_timestamps: topics.Timestamps) -> None:
        """All of the product's topics."""
        topics.create_missing(
            topics.admin_client(self.kafka), self.kafka, SystemClock(), event_timestamps=event_timestamps
        )

    def load(self, events: int, customers: int) -> None:
        """Create the topics, and write a history of TagBench-1's events."""
        self.create_topics("CreateTime")
        producer = self.producer(linger_ms=20)
        for block in Generator(customers).spread(events, FIRST_MS, LENGTH_MS):
            self.send(producer, block, stamped=True)
        left = producer.flush(SENT_WITHIN_S)
        assert left == 0, f"{left} events were not written"

    def start(self, role: str, *flags: str, **settings: str) -> Role:
        """`tagstream ROLE FLAGS` with settings as variables without `TAGSTREAM_`, defaults for all others."""
        return self.start_at(Place(), role, *flags, **settings)

    def start_at(self, place: Place, role: str, *flags: str, **settings: str) -> Role:
        """The same elsewhere."""
        given = {
            "KAFKA__BOOTSTRAP": self.kafka.bootstrap,
            "KAFKA__TOPIC_PREFIX": self.kafka.topic_prefix,
            "KAFKA__GROUP_ID": self.kafka.group_id,
            "RULES__DIR": str(self._rules),
            "SECRETS_DIR": str(self._directory),
        }
        started = Role(role, flags, self._directory, given | settings, place)
        self._roles.append(started)
        return started

    def producer(self, linger_ms: int) -> Producer:
        """As a shop's systems might have it."""
        return Producer(
            {
                **self.kafka.client_config(),
                "log_level": 0,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                # Without it, a batch that is sent again comes behind its successor, and time goes back.
                "enable.idempotence": True,
                "linger.ms": linger_ms,
                "queue.buffering.max.messages": 2_000_000,
            }
        )

    def send(self, producer: Producer, events: list[Event], stamped: bool) -> None:
        """Hand events to a producer; `stamped`: the record's time is the event's."""
        names = [topics.EVENTS[event_type].named(self.kafka) for event_type in TYPES]
        for event in events:
            producer.produce(names[event.type], event.value, event.key, timestamp=event.at_ms if stamped else 0)
        producer.poll(0)


def forget_settings() -> None:
    """Forget the settings that the user has in the environment."""
    for name in [name for name in os.environ if name.startswith("TAGSTREAM_")]:
        del os.environ[name]
