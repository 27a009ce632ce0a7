"""The tagger's loop: fetch, step each partition that can go on, write it all in one transaction, again.

It knows only the `Log` protocol and an injected clock. A transaction is always over before the log is asked for more,
so no rebalance ever meets an open one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from schemas.errors import KafkaError, StateError
from schemas.registry import WriterSchemas
from streams import metrics
from streams.clock import Clock
from streams.log import Fenced, Log, Stamp, TopicPartition, Transaction
from streams.sealing import Keyring
from streams.settings import Settings
from streams.tagger.backfill import against_published, backfill
from streams.tagger.changeover import Changeover
from streams.tagger.count import count_step
from streams.tagger.recovery import Recovered, claim, recover
from streams.tagger.rules import RuleShelf, RuleSource
from streams.tagger.snapshots import Saved, Snapshots, Written
from streams.tagger.sources import Source, ready
from streams.tagger.topics import Topics
from streams.tagger.work import Erasures, Step, Work

__all__ = ["Tagger"]

_LOG = structlog.get_logger(__name__)

FETCH_MOST: Final = 20_000
IDLE_WAIT_S: Final = 0.02
"""How long a fetch waits when there is nothing to do."""
TICK_MS: Final = 1_000
"""An idle partition's clock moves at least so often: apps judge by it how fresh the tags are."""
BEHIND_WALL_MS: Final = 100
"""The clock stays so far behind wall time, for records that are on their way to the broker with an earlier stamp."""
HOLD_MOST: Final = 200_000
"""Records held of one topic while it waits for the others; beyond, it is not fetched."""
HOLD_AGAIN: Final = 50_000
"""It is fetched again when so few are left."""
MILLISECONDS: Final = 1e-3
TELL_LAG_EVERY_S: Final = 1.0
CHANGE_S: Final = 0.02
"""At least so long a turn works on a change of rules."""


@dataclass(slots=True)
class Running:
    """A partition that is stepped, and the broker's time when its journal was last written."""

    work: Work
    stamp: Stamp
    stamped_s: float
    """Monotonic time when that was."""
    stepped_s: float
    saved: Saved
    paused: set[int] = field(default_factory=set)
    """Sources that are not fetched for now."""

    def wall_ms(self, now_s: float) -> int:
        """Wall time by the broker's clock."""
        return self.stamp.timestamp_ms + int((now_s - self.stamped_s) * 1000)


class Tagger:
    """One member of the group. `run` returns when `stop` says so; it raises KafkaError if the process must end."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        settings: Settings,
        rules: RuleSource,
        topics: Topics,
        schemas: WriterSchemas,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self._clock = clock
        self._settings = settings
        self._rules = RuleShelf(rules)
        self._topics = topics
        self._schemas = schemas
        self._keyring = Keyring.by(settings.encryption)
        self._on_turn = on_turn
        self._running: dict[int, Running] = {}
        self._kept: dict[int, Running] = {}
        """What was running when a rebalance began: most of it comes back at its end."""
        self._recovering: dict[int, Iterator[None]] = {}
        self._stopped: dict[int, str] = {}
        """Partitions that cannot go on, and why."""
        self._changing: Changeover | None = None
        """The one partition that other rules are being made ready for."""
        self._kept_rules: dict[int, str] = {}
        """Partitions that keep the rules they have, for with those of this version their state cannot be had."""
        self._assigned = False
        self._committed_s = clock.monotonic_s()
        self._lag_told_s = 0.0
        self._snapshots = Snapshots(
            log, topics, clock, settings.tagger.snapshot_interval_s, settings.tagger.snapshots_kept
        )

    # ------------------------------------------------------------------------------------------------- the group

    def _on_assign(self, partitions: set[int]) -> None:
        metrics.REBALANCES.labels("assigned").inc()
        _LOG.info("tagger.assigned", partitions=sorted(partitions))
        self._assigned = True
        self._snapshots.forget()
        self._changing = None
        self._kept_rules.clear()
        self._running.clear()
        self._kept = {p: running for p, running in self._kept.items() if p in partitions}
        self._stopped.clear()
        self._recovering = {p: self._take(p) for p in sorted(partitions)}
        self._count_partitions()

    def _on_revoke(self, partitions: set[int]) -> None:
        metrics.REBALANCES.labels("revoked").inc()
        _LOG.info("tagger.revoked", partitions=sorted(partitions))
        self._snapshots.forget()
        self._changing = None
        for p in partitions:
            if p in self._running:
                # no step of it is under way, for a transaction is always over before the log is asked for more
                self._kept[p] = self._running.pop(p)
            self._recovering.pop(p, None)
            self._stopped.pop(p, None)
            metrics.forget_partition(p)
        self._count_partitions()

    def _take(self, partition: int) -> Iterator[None]:
        """Everything from an assigned partition to a running one, in bounded pieces."""
        began_s = self._clock.monotonic_s()
        recovered = claim(self._log, self._topics, partition, lambda positions: self._work(partition, positions))
        yield
        before = self._kept.pop(partition, None)
        yield from recover(
            self._log,
            self._topics,
            recovered,
            rules_of=self._rules.of,
            kept=None if before is None else before.work,
            accept_loss=self._settings.tagger.accept_lost_events,
        )
        if recovered.changed or recovered.published:
            found = against_published(recovered.work, recovered.published)
            wall_ms = self._clock.wall_ms()
            work, changed = recovered.work, recovered.changed
            stamp = yield from backfill(self._log, self._topics, work, found, wall_ms, changed)
            recovered.stamp = stamp or recovered.stamp
        now_s = self._clock.monotonic_s()
        if before is not None and recovered.work is before.work:
            saved = before.saved
        else:
            saved = Saved(now_s, recovered.manifests, recovered.records, wanted=recovered.changed)
            if recovered.work.engine.sizes()["erased"]:
                self._snapshots.erased(saved)  # whether before or after these were written is not known any more
        self._start(recovered, saved)
        metrics.RECOVERY_SECONDS.observe(now_s - began_s)
        work = recovered.work
        _LOG.info(
            "tagger.partition_running", partition=partition, epoch=work.epoch, step=work.number,
            customers=work.engine.sizes()["rows"], again=recovered.records, seconds=round(now_s - began_s, 3),
        )  # fmt: skip

    def _work(self, partition: int, positions: dict[TopicPartition, int]) -> Work:
        return Work(
            rules=self._rules.in_force(),
            topics=self._topics,
            partition=partition,
            positions=positions,
            schemas=self._schemas,
            dedupe_max_ids=self._settings.tagger.dedupe_max_ids,
            erasures=Erasures.by(self._settings.tagger),
            keyring=self._keyring,
            as_json=self._settings.output_format == "json",
        )

    def _start(self, recovered: Recovered, saved: Saved) -> None:
        now_s = self._clock.monotonic_s()
        # the claim's stamp is old by now, but monotonic time since is known only from here: it would put the clock back
        running = Running(recovered.work, recovered.stamp, now_s, now_s, saved)
        for source in recovered.work.sources:
            source.at_end = False
        self._running[recovered.work.partition] = running
        partition = recovered.work.partition
        metrics.watch_clock_lag(partition, lambda: self._clock_lag_s(running))
        metrics.SNAPSHOT_AGE.labels(str(partition)).set_function(lambda: self._clock.monotonic_s() - saved.since_s)
        self._read_on()

    def _clock_lag_s(self, running: Running) -> float:
        """Seconds that what a partition has done is behind wall time."""
        return max(0.0, (running.wall_ms(self._clock.monotonic_s()) - running.work.engine.settled()) * MILLISECONDS)

    def _read_on(self) -> None:
        """Fetch all sources of the running partitions from behind what is in hand."""
        positions = {}
        for running in self._running.values():
            running.paused.clear()
            for source in running.work.sources:
                source.at_end = False
                positions[source.place] = source.fetch_from
        self._log.read_from(positions)

    def _count_partitions(self) -> None:
        metrics.PARTITIONS.labels("recovering").set(len(self._recovering))
        metrics.PARTITIONS.labels("running").set(len(self._running))
        metrics.PARTITIONS.labels("stopped").set(len(self._stopped))

    # -------------------------------------------------------------------------------------------------- the loop

    def run(self, stop: Callable[[], bool], leave: Callable[[], bool] = lambda: False) -> None:
        """Until `stop`; then the log is closed, leaving the group if `leave` says so."""
        self._log.subscribe(self._topics.sources, self._on_assign, self._on_revoke)
        try:
            while not stop():
                self.turn()
        finally:
            self._log.close(leave())

    def turn(self) -> None:
        """One round: fetch, recover a little, step and commit what is ready."""
        self._on_turn()
        try:
            self._fetch()
            self._recover_some()
            began_s = self._clock.monotonic_s()
            steps = self._step_all()
            if steps:
                self._commit(steps)
            self._change_over(self._clock.monotonic_s() - began_s)
            self._snapshots.turn(self._to_snapshot())
            self._tell_lag()
        except Fenced as error:
            # whoever took over has the committed truth; this state is of no use to anybody
            raise KafkaError("TS-K105", f"Another process has taken over: {error}") from error

    def _to_snapshot(self) -> list[Written]:
        """What can be copied."""
        changing = self._changing
        saves = changing.work.partition if changing is not None and changing.saves else None
        found = [Written(r.work, r.stamp.offset + 1, r.saved) for p, r in self._running.items() if p != saves]
        return found if changing is None else found + changing.to_snapshot()

    def _fetch(self) -> None:
        waiting = any(ready(r.work.sources) != [0] * len(r.work.sources) for r in self._running.values())
        is_busy = self._recovering or (self._changing is not None and not self._changing.waits)
        with metrics.STEP_STAGE_SECONDS.labels("fetch").time():
            fetched = self._log.fetch(FETCH_MOST, 0.0 if is_busy else self._wait_s(waiting))
        for place, messages in fetched.messages.items():
            source = self._source(place)
            if source is not None:
                source.add(messages)
                self._hold_back(place)
        for place in fetched.at_end:
            source = self._source(place)
            if source is not None:
                source.at_end = True

    def _wait_s(self, waiting: bool) -> float:
        """How long to gather: nothing to do, or the rest of the commit interval."""
        if not waiting:
            return IDLE_WAIT_S
        since_s = self._clock.monotonic_s() - self._committed_s
        return max(0.0, self._settings.tagger.commit_interval_ms * MILLISECONDS - since_s)

    def _source(self, place: TopicPartition) -> Source | None:
        """The source of a running partition; None for what was fetched before the partition went away."""
        running = self._running.get(place.partition)
        if running is None:
            return None
        return running.work.sources[self._topics.sources.index(place.topic)]

    def _hold_back(self, place: TopicPartition) -> None:
        """Fetch no more of a topic of which too much waits for the others: memory is bounded."""
        running = self._running[place.partition]
        index = self._topics.sources.index(place.topic)
        source = running.work.sources[index]
        if source.held > HOLD_MOST and index not in running.paused:
            running.paused.add(index)
            self._log.pause(place, source.fetch_from)

    def _recover_some(self) -> None:
        """One piece of work for each partition that is being taken."""
        for partition, work in list(self._recovering.items()):
            try:
                next(work)
                continue
            except StopIteration:
                pass
            except StateError as error:
                _LOG.error("tagger.partition_stopped", partition=partition, error=str(error))
                self._stopped[partition] = str(error)
                if error.code == "TS-S102":
                    metrics.DIGEST_MISMATCHES.labels("same").inc()
            self._recovering.pop(partition, None)
            self._count_partitions()

    # ------------------------------------------------------------------------------------------------- stepping

    def _step_all(self) -> list[tuple[Running, Step]]:
        """A step of each partition that has records ready, or whose clock is due to move."""
        now_s = self._clock.monotonic_s()
        gathering = now_s - self._committed_s < self._settings.tagger.commit_interval_ms * MILLISECONDS
        steps = []
        for running in self._running.values():
            if self._stands_still(running):
                continue
            counts = ready(running.work.sources)
            if gathering and sum(counts) < self._settings.tagger.max_step_events // len(self._running):
                continue
            step = self._step(running, counts, now_s)
            if step is not None:
                steps.append((running, step))
        return steps

    def _step(self, running: Running, counts: list[int], now_s: float) -> Step | None:
        """One step of one partition; None if there is nothing to do."""
        work = running.work
        at_end = all(s.at_end and s.held == n for s, n in zip(work.sources, counts, strict=True))
        clock = 0
        if at_end and self._settings.clock.follow_wall:
            clock = max(0, running.wall_ms(now_s) - BEHIND_WALL_MS)
        ticking = clock > work.engine.clock and now_s - running.stepped_s >= TICK_MS * MILLISECONDS
        if not any(counts) and not ticking and not work.engine.due():
            return None
        most = self._settings.tagger.max_step_events
        if sum(counts) > most:
            clock = 0
        running.stepped_s = now_s
        step = work.step(counts, most, clock, self._settings.tagger.max_step_timers, self._clock.wall_ms())
        self._fetch_again(running)
        return step

    def _fetch_again(self, running: Running) -> None:
        for index in list(running.paused):
            source = running.work.sources[index]
            if source.held <= HOLD_AGAIN:
                running.paused.discard(index)
                self._log.resume(source.place)

    def _commit(self, steps: list[tuple[Running, Step]]) -> None:
        """Everything that was decided, in one transaction; counted only when it is done."""
        transaction = Transaction()
        for running, step in steps:
            running.work.add_to(transaction, step)
        stamps = self._log.transact(transaction)
        metrics.TRANSACTIONS.labels("committed").inc()
        now_s = self._clock.monotonic_s()
        self._committed_s = now_s
        for (running, step), stamp in zip(steps, stamps, strict=True):
            running.stamp = stamp
            running.stamped_s = now_s
            running.saved.records += sum(step.output.outcomes)
            if step.erases:
                self._snapshots.erased(running.saved)
            count_step(running.work, step, stamp.timestamp_ms)
            if self._changing is not None and self._changing.work.partition == running.work.partition:
                self._changing.follow(step.journal, stamp)

    # ------------------------------------------------------------------------------------------------- other rules

    def _stands_still(self, running: Running) -> bool:
        changing = self._changing
        return changing is not None and changing.stands_still and changing.work.partition == running.work.partition

    def _change_over(self, stepped_s: float) -> None:
        """Make other rules ready for one partition after the other, in as much time as the steps of this turn took."""
        if self._changing is None or not self._changing.stands_still:
            self._look_for_other_rules()
        changing = self._changing
        if changing is None:
            return
        partition = changing.work.partition
        until_s = self._clock.monotonic_s() + max(stepped_s, CHANGE_S)
        try:
            done = changing.turn()
            while not done and not changing.waits and self._clock.monotonic_s() < until_s:
                done = changing.turn()
        except StateError as error:
            _LOG.error(
                "changeover.failed", partition=partition, version=changing.work.rule_set.version, error=str(error)
            )
            metrics.CHANGEOVERS.labels("failed").inc()
            self._kept_rules[partition] = changing.work.rule_set.version
            self._changing = None
            return
        if done:
            self._changing = None
            metrics.CHANGEOVERS.labels("done").inc()
            self._start(Recovered(changing.work, changing.stamp), changing.saved)
            self._rules.keep({running.work.rule_set.version for running in self._running.values()})
            _LOG.info("changeover.done", partition=partition, version=changing.work.rule_set.version)

    def _look_for_other_rules(self) -> None:
        """If others are in force than those of some running partition, begin with the first such one."""
        version = self._rules.version()
        if self._changing is not None and self._changing.work.rule_set.version != version:
            self._changing = None
        for partition, running in sorted(self._running.items()):
            wrong = running.work.rule_set.version != version and self._kept_rules.get(partition) != version
            if self._changing is None and wrong:
                _LOG.info("changeover.begun", partition=partition, version=version)
                self._changing = Changeover(
                    self._log, self._topics, running.work, self._rules.in_force(),
                    stamp=running.stamp, saved=running.saved, now_ms=self._clock.wall_ms(),
                )  # fmt: skip

    def _tell_lag(self) -> None:
        """Now and then, how far the running partitions are behind the ends of their topics."""
        now_s = self._clock.monotonic_s()
        if now_s - self._lag_told_s < TELL_LAG_EVERY_S:
            return
        self._lag_told_s = now_s
        for running in self._running.values():
            for source in running.work.sources:
                lag = self._log.lag(source.place, source.next)
                if lag is not None:
                    metrics.CONSUMER_LAG.labels(source.place.topic, str(source.place.partition)).set(lag)

    def why_not_ready(self) -> list[str]:
        """What keeps this tagger from doing its work; empty if nothing does."""
        reasons = [f"partition {p} is stopped: {why}" for p, why in self._stopped.items()]
        if not self._assigned:
            reasons.append("no partitions have been assigned yet")
        if self._recovering:
            reasons.append(f"recovering partitions {sorted(self._recovering)}")
        return reasons
