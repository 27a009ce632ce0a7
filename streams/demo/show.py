"""The demo from beginning to end: place, history, pipeline, live stream, view; and what is shown where Kafka can't run.

The order matters. The history comes before the first tagger, because a partition's clock never goes back; while it is
loaded the event topics take their times from the producer, and from the broker before the first live event.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis import Redis
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from processors.rules.load import load_rules
from schemas.errors import ConfigError
from streams import topics
from streams.changes_feed import ChangesFeed
from streams.clock import Clock
from streams.demo.generator import Shop
from streams.demo.hints import where_to_look
from streams.demo.history import CDNOW, Past, load, read_past
from streams.demo.live import LiveStream, producer_for
from streams.demo.offline import show_replay
from streams.demo.pipeline import Pipeline, environment
from streams.demo.place import Place, open_place
from streams.demo.redis_probe import RedisProbe
from streams.demo.tally import Tally
from streams.demo.view import Label, View, figures, labels_of
from streams.local.ports import free_ports
from streams.local.run_directory import new_run_directory
from streams.redis_layout import Layout
from streams.rules_dir import read_rules_dir
from streams.settings import KafkaSettings, Settings

FIRST_CHANGE_WITHIN_MS: Final = 240_000
"""Two seconds if the engine's code is compiled; a minute if not, and more on a machine that has other work."""
WAIT_S: Final = 0.02
"""For the next change; this is also how evenly the live events are sent, since one thread does both."""
CANNOT_RUN_HERE: Final = ("TS-C201", "TS-C202")
STARTER: Final = CDNOW.with_name("starter")
"""A few tags, which have caught up with the history within seconds; those of the library need a minute."""
SEED: Final = 20_240_229
"""Any number: two demos show the same shop."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for."""

    seconds: int | None
    """Ends this long after the live stream began; None: when interrupted."""
    rules: Path | None
    """Directory of the rules; None: the starter's."""
    kafka: str | None
    """Addresses of a broker; None: start one."""
    redis: str | None
    """URL of a Redis; None: start one."""
    yes: bool
    """Whether a Kafka on another machine may be written to."""
    rate: float
    """Live events a second, on average."""


def show(wishes: Wishes, settings: Settings, console: Console, clock: Clock) -> None:
    """Runs the demo until its time is over or KeyboardInterrupt; then, and on any error, stops all that it started.

    Raises TagstreamError: RuleErrors for unusable rules, TS-C301 to TS-C303, and those of the servers it starts.
    """
    rules, directory = settings.rules, wishes.rules or STARTER
    files = read_rules_dir(directory)
    rule_set = load_rules(files, time_zone=rules.time_zone, default_currency=rules.default_currency)
    past = read_past(clock.wall_ms())
    run_dir = new_run_directory()
    with ExitStack() as held:
        try:
            place = open_place(
                held, run_dir, settings, kafka=wishes.kafka, redis=wishes.redis, yes=wishes.yes, say=console.print
            )
        except ConfigError as error:
            if error.code not in CANNOT_RUN_HERE:
                raise
            console.print(f"{error.code}: {error.message}. {error.cure}", style="yellow", soft_wrap=True)
            show_replay(past, directory, run_dir, clock.wall_ms(), console, labels_of(rule_set))
            return
        _Demo(wishes, directory, place, run_dir, console, clock).run(held, past, labels_of(rule_set))
    if not place.owns_kafka:
        console.print(f"The topics {place.kafka.topic_prefix}* stay on {place.kafka.bootstrap}.", soft_wrap=True)


@dataclass(slots=True)
class _Scene:
    """Who takes part while the shop is open."""

    pipeline: Pipeline
    customers: Sequence[str]
    stream: LiveStream
    feed: ChangesFeed
    probe: RedisProbe
    tally: Tally
    view: View
    place: Place
    metrics_port: int


class _Demo:
    def __init__(
        self, wishes: Wishes, rules_dir: Path, place: Place, run_dir: Path, console: Console, clock: Clock
    ) -> None:
        self._wishes = wishes
        self._rules_dir = rules_dir
        self._place = place
        self._run_dir = run_dir
        self._console = console
        self._clock = clock

    def run(self, held: ExitStack, past: Past, labels: dict[str, Label]) -> None:
        """`held` stops what is started here, in reverse order."""
        place = self._place
        feed = ChangesFeed(place.kafka, from_beginning=self._prepare_topics(past))
        held.callback(feed.close)
        redis = held.enter_context(Redis.from_url(place.redis.url, **_login(place)))
        (metrics_port,) = free_ports(1)
        pipeline = Pipeline(self._run_dir, environment(place, self._rules_dir, metrics_port))
        held.callback(pipeline.stop)
        self._console.print(f"started tagstream run (log: {pipeline.log})", soft_wrap=True)
        stream = LiveStream(producer_for(place.kafka), place.kafka)
        held.callback(stream.close)
        tally = Tally(since_ms=self._clock.wall_ms())
        probe = RedisProbe(redis, Layout(place.redis.key_prefix))
        try:
            with View(self._console, labels) as view:
                self._watch(_Scene(pipeline, past.customers, stream, feed, probe, tally, view, place, metrics_port))
        finally:
            self._console.print(figures(self._clock.wall_ms(), tally), soft_wrap=True)
            self._console.print("stopping")

    def _prepare_topics(self, past: Past) -> bool:
        """Whether the history was loaded just now: topics that an earlier demo left on a given broker have it."""
        kafka = self._place.kafka
        admin = topics.admin_client(kafka)
        created = topics.create_missing(admin, kafka, self._clock, event_timestamps="CreateTime")
        is_new = topics.EVENTS["purchase"].named(kafka) in created
        if is_new:
            self._load(past, kafka)
        else:
            self._console.print("The topics have a history from an earlier demo, which goes on.")
        topics.set_event_timestamps(admin, kafka, "LogAppendTime", self._clock)
        return is_new

    def _load(self, past: Past, kafka: KafkaSettings) -> None:
        columns = (TextColumn("loading the history"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        total = len(past.purchases)
        with Progress(*columns, console=self._console, disable=not self._console.is_terminal) as progress:
            bar = progress.add_task("history", total=total)
            topic = topics.EVENTS["purchase"].named(kafka)
            load(producer_for(kafka), topic, past, lambda done: progress.update(bar, completed=done))
        self._console.print(f"loaded {total:,} purchases of {len(past.customers):,} customers")

    def _watch(self, scene: _Scene) -> None:
        """Until the time is over. The shop opens when the history has been taken in: before, live events would wait."""
        self._take_in(scene)
        began_ms = self._clock.monotonic_ms()
        opens_ms = scene.tally.live_since_ms = self._clock.wall_ms()
        shop = Shop(seed=SEED, customers=scene.customers, events_per_s=self._wishes.rate, opens_ms=opens_ms)
        seconds = self._wishes.seconds
        while seconds is None or self._clock.monotonic_ms() < began_ms + 1000 * seconds:
            now_ms = self._clock.wall_ms()
            scene.tally.add_sent(now_ms, scene.stream.send(shop.events_until(now_ms)))
            self._turn(scene)

    def _take_in(self, scene: _Scene) -> None:
        """Until all that was there when the demo began is in Redis, and was shown here."""
        started_ms = self._clock.monotonic_ms()
        while self._turn(scene) > 0 or scene.probe.clock_ms(self._place.kafka.partitions) < scene.tally.since_ms:
            if not scene.tally.newest and self._clock.monotonic_ms() > started_ms + FIRST_CHANGE_WITHIN_MS:
                within_s = FIRST_CHANGE_WITHIN_MS // 1000
                raise ConfigError("TS-C303", f"No tag changed within {within_s} s; the log is {scene.pipeline.log}")

    def _turn(self, scene: _Scene) -> int:
        """Reads and shows once; returns how many changes came."""
        scene.pipeline.check()
        tally = scene.tally
        changes = list(scene.feed.poll(WAIT_S))
        read_ms = self._clock.wall_ms()
        if changes and not tally.newest:
            scene.view.say(where_to_look(scene.place, self._rules_dir, changes[0].customer_id, scene.metrics_port))
        tally.add_changes(read_ms, changes)
        for change in changes:
            if tally.is_live(change):
                scene.probe.expect(change)
        arrived = scene.probe.arrived(read_ms)
        in_redis_ms = self._clock.wall_ms()
        for change in arrived:
            tally.to_redis.add(in_redis_ms, in_redis_ms - change.effective_at)
        scene.view.show(in_redis_ms, tally)
        return len(changes)


def _login(place: Place) -> dict[str, str | float | None]:
    password = place.redis.password
    return {
        "username": place.redis.username,
        "password": password.get_secret_value() if password is not None else None,
        # The view must not stand still while Redis does.
        "socket_timeout": 1.0,
        "socket_connect_timeout": 1.0,
    }
