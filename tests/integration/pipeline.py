"""Runs the pipeline's roles as processes, sends events, reads topics whole, and says what should have come of it all.

What should have come of it is worked out from the journal, which is the definition of the order: the records of each
step, merged, then judged by the oracle. The events are those that were sent, not those that can be read again.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from redis import Redis
from typer.testing import CliRunner
from typer.testing import Result as CommandResult

from processors.oracle import judge as oracle
from processors.oracle.event import Command, Record
from processors.oracle.judge import Event, Result
from processors.oracle.place import partition_of
from processors.rules.clauses import clauses_of
from processors.rules.load import load_rules
from processors.rules.tree import RuleSet
from schemas.codec import event_from_json
from schemas.framing import unframe
from schemas.outcomes import Outcome
from schemas.records import Change, Current, JournalRecord
from schemas.registry import SCHEMAS
from streams import topics
from streams.cli.main import app
from streams.clock import SystemClock
from streams.local.child import Child
from streams.order_of_application import Source, merged
from streams.redis_layout import Layout, text_of
from streams.rules_dir import read_rules_dir
from streams.settings import KafkaSettings, RedisSettings
from streams.tagger.journal import Entry, counted
from streams.verify.told import oracle_change
from tests.oracle.difference import diff
from tests.properties.engine_run import payload, seen_of

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*topics.HISTORY, topics.MOVED], key=lambda t: t.name)
"""The merged topics, in the order in which ties between them are decided."""

Place = tuple[str, int, int]
"""Topic without prefix, partition, offset."""


def until(
    done: Callable[[], object], within_s: float = 60, what: Callable[[], str] = lambda: "", every_s: float = 0.2
) -> None:
    """Wait until `done` gives something true; `what` says how things stand if it never does."""
    last = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < last, f"not within {within_s} s: {what()}"
        time.sleep(every_s)


@dataclass(slots=True)
class Applied:
    """One record of a partition, in the order in which it was applied."""

    place: Place
    arrival_ms: int
    """The partition's clock at that moment."""
    message: Message


@dataclass(slots=True)
class Pipeline:
    """One installation: its topics, its processes, what was sent into it. `stop` it at the end."""

    kafka: KafkaSettings
    redis: RedisSettings
    directory: Path
    """Logs, rules and the working directory of its processes: where no settings of the user's lie."""
    follow_wall: bool = False
    event_timestamps: topics.Timestamps = "CreateTime"
    settings: dict[str, str] = field(default_factory=dict)
    """More settings of all its processes, as variables without `TAGSTREAM_`."""
    sent: dict[Place, Record] = field(default_factory=dict)
    """Events by where the broker put them; what cannot be read as an event is not in it."""
    others: set[Place] = field(default_factory=set)
    """Records that are no event, or one that must not come through."""
    children: list[Child] = field(default_factory=list)
    _producer: Producer | None = None

    def create_topics(self) -> None:
        topics.create_missing(
            topics.admin_client(self.kafka), self.kafka, SystemClock(), event_timestamps=self.event_timestamps
        )

    # ------------------------------------------------------------------------------------------------ processes

    def start(self, role: str, instance: str | None = None, *options: str, **settings: str) -> Child:
        """A role as a process. With an instance's name it has its partitions back as soon as it is started again."""
        given = self.environment(**settings)
        if instance is not None:
            given["TAGSTREAM_KAFKA__INSTANCE_ID"] = instance
        child = Child(
            (sys.executable, "-m", "streams.cli.main", role, *options),
            log=self.directory / f"{role}-{len(self.children)}.log",
            env={"PYTHONPATH": str(ROOT), **given},
            cwd=self.directory,
        )
        self.children.append(child)
        return child

    def environment(self, **settings: str) -> dict[str, str]:
        """The settings of this installation, and `settings` besides, as variables."""
        given = {
            "KAFKA__BOOTSTRAP": self.kafka.bootstrap,
            "KAFKA__TOPIC_PREFIX": self.kafka.topic_prefix,
            "KAFKA__GROUP_ID": self.kafka.group_id,
            "REDIS__URL": self.redis.url,
            "REDIS__KEY_PREFIX": self.redis.key_prefix,
            "RULES__DIR": str(self.rules_dir),
            "CLOCK__FOLLOW_WALL": str(self.follow_wall).lower(),
            "SECRETS_DIR": str(self._empty_dir()),
            # the least that brokers allow by default, so that a dead member is soon noticed
            "TAGGER__SESSION_TIMEOUT_MS": "6000",
            **self.settings,
            **settings,
        }
        return {f"TAGSTREAM_{name}": value for name, value in given.items()}

    def _empty_dir(self) -> Path:
        path = self.directory / "no-secrets"
        path.mkdir(exist_ok=True)
        return path

    @property
    def rules_dir(self) -> Path:
        return self.directory / "rules"

    def write_rules(self, *files: str | Path) -> None:
        """Make these the rules: texts, or files to copy."""
        self.rules_dir.mkdir(exist_ok=True)
        for old in self.rules_dir.iterdir():
            old.unlink()
        for number, file in enumerate(files):
            text = file.read_text("utf-8") if isinstance(file, Path) else file
            (self.rules_dir / f"rules{number}.yaml").write_text(text, "utf-8")

    def rules(self) -> RuleSet:
        """The rules as its processes read them."""
        return load_rules(read_rules_dir(self.rules_dir), time_zone="UTC", default_currency="CNY")

    def tagstream(self, *arguments: str) -> CommandResult:
        """A command, with the settings of this installation."""
        return CliRunner().invoke(app, list(arguments), env=self.environment())

    def stop(self) -> None:
        """Kill what still runs, and show what all of it logged."""
        for child in self.children:
            child.kill()
            print(f"---- {child.log.name}\n{child.tail(40)}")

    # --------------------------------------------------------------------------------------------------- events

    def send(self, events: Iterable[Record], encode: Callable[[Event], bytes] | None = None) -> None:
        """Write events to their topics, keyed by customer; returns when the broker has them all."""
        for event in events:
            self.put(event, payload(event) if isinstance(event, Command) else (encode or as_avro)(event))
        self.flush()

    def flush(self) -> None:
        """Return when the broker has all that was put."""
        assert self.producer.flush(30) == 0

    @property
    def producer(self) -> Producer:
        if self._producer is None:
            config = {
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "enable.idempotence": True,
                # brokers limit what is sent, compressed: more may come out of it
                "compression.type": "lz4",
                "message.max.bytes": 8_000_000,
            }
            self._producer = Producer({**self.kafka.client_config(), **config})
        return self._producer

    def put(self, event: Record, value: bytes, partition: int = -1, moved: bool = False) -> None:
        """One event, to be noted under the place that the broker gives it."""
        home = topics.COMMANDS if isinstance(event, Command) else topics.EVENTS[event.type]
        topic = topics.MOVED if moved else home

        def delivered(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            self.sent[(topic.name, message.partition() or 0, message.offset() or 0)] = event

        self.producer.produce(
            topic.named(self.kafka),
            value,
            event.customer_id,
            partition=partition,
            timestamp=event.arrival_ms,
            on_delivery=delivered,
        )
        self.producer.poll(0)

    # --------------------------------------------------------------------------------------------------- topics

    def read(self, topic: topics.Topic) -> list[Message]:
        """All committed records of a topic, each partition's in order of offset."""
        consumer = Consumer(
            {
                **self.kafka.client_config(),
                "group.id": f"{self.kafka.group_id}.reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
            }
        )
        name = topic.named(self.kafka)
        try:
            partitions = list(consumer.list_topics(name, timeout=20).topics[name].partitions)
            consumer.assign([TopicPartition(name, p, 0) for p in partitions])
            open_partitions, found = set(partitions), []
            last = time.monotonic() + 30
            while open_partitions:
                assert time.monotonic() < last, f"{name} does not end"
                for message in consumer.consume(1_000, 0.02):
                    error = message.error()
                    if error is None:
                        found.append(message)
                    else:
                        assert error.code() == KafkaError._PARTITION_EOF, error
                        open_partitions.discard(message.partition())
        finally:
            consumer.close()
        return sorted(found, key=lambda m: (m.partition(), m.offset()))

    def changes(self) -> list[Change]:
        """In order of partition and offset."""
        return [Change.from_value(m.value() or b"") for m in self.read(topics.CHANGES)]

    def journal(self) -> dict[int, list[JournalRecord]]:
        """By partition the steps that count: what an older owner wrote behind a newer claim does not."""
        entries: dict[int, list[Entry]] = {p: [] for p in range(self.kafka.partitions)}
        for message in self.read(topics.JOURNAL):
            record = JournalRecord.from_value(message.value() or b"")
            partition = message.partition()
            assert partition is not None and partition == record.partition
            entries[partition].append(Entry(message.offset() or 0, record))
        return {
            p: [e.record for e in counted(of) if e.record.kind in ("step", "changeover")] for p, of in entries.items()
        }

    def is_caught_up(self) -> bool:
        """Whether all that was sent, and all that was moved, is in the journal."""
        ends: dict[tuple[str, int], int] = {}
        for record in (r for records in self.journal().values() for r in records):
            for source in record.sources:
                ends[source.topic, record.partition] = source.next
        sent = self.sent.keys() | self.others
        sent |= {(topics.MOVED.name, m.partition() or 0, m.offset() or 0) for m in self.read(topics.MOVED)}
        prefix = self.kafka.topic_prefix
        return all(ends.get((prefix + name, partition), 0) > offset for name, partition, offset in sent)

    def wait_until_caught_up(self, within_s: float = 90) -> None:
        """Also until no timers are left that a step's bound has put off."""
        work_before = -1

        def done() -> bool:
            nonlocal work_before
            assert any(child.exit_code() is None for child in self.children), "all processes have ended"
            before = work_before
            work_before = sum(r.timers_fired + sum(r.outcomes) for rs in self.journal().values() for r in rs)
            return work_before == before and self.is_caught_up()

        until(done, within_s, lambda: "\n".join(child.tail(15) for child in self.children), every_s=0.4)

    # --------------------------------------------------------------------------------------------- what should be

    def applied(self) -> dict[int, list[Applied]]:
        """By partition all records in the order in which the journal says that they were applied."""
        read = {topic: self._by_partition(topic) for topic in SOURCES}
        found: dict[int, list[Applied]] = {}
        for partition, steps in self.journal().items():
            sources = [Source(place, read[topic][partition]) for place, topic in enumerate(SOURCES)]
            clock, found[partition] = 0, []
            for step in steps:
                if step.kind != "step":
                    continue
                assert [s.topic for s in step.sources] == [topic.named(self.kafka) for topic in SOURCES]
                for arrival, place, offset, message in merged(sources, [s.next for s in step.sources]):
                    assert offset >= step.sources[place].first, "no step has applied it"
                    clock = max(clock, arrival)
                    found[partition].append(Applied((SOURCES[place].name, partition, offset), clock, message))
                assert clock <= step.clock_after
                clock = step.clock_after
        return found

    def _by_partition(self, topic: topics.Topic) -> dict[int, list[Message]]:
        found: dict[int, list[Message]] = defaultdict(list)
        for message in self.read(topic):
            found[message.partition() or 0].append(message)
        return found

    def expected(self, rule_set: RuleSet, partition: int, applied: Iterable[Applied], until_ms: int | None) -> Result:
        """What the oracle makes of one partition's records. What lies in a wrong partition is sent on."""
        events = []
        for record in applied:
            event = self._event(record)
            if event is not None and self.partition_of(event.customer_id) == partition:
                events.append(replace(event, arrival_ms=record.arrival_ms))
        return oracle.run(rule_set, events, until_ms)

    def _event(self, record: Applied) -> Record | None:
        if record.place in self.others:
            return None
        if record.place[0] != topics.MOVED.name or record.place in self.sent:
            return self.sent[record.place]
        key, value = (record.message.key() or b"").decode(), record.message.value() or b""
        fitting = [e for e in self.sent.values() if e.customer_id == key and _same(e, value)]
        assert fitting, f"an event was moved that was never sent: {key}"
        return fitting[0]

    def partition_of(self, customer_id: str) -> int:
        """Where Kafka's murmur2 puts a customer."""
        return partition_of(customer_id, self.kafka.partitions)

    def differences(self, rule_set: RuleSet, to_ms: Callable[[int], int | None] = lambda p: None) -> list[str]:
        """Where changes, tags or outcomes of any partition are not the oracle's. `to_ms`: until when time passed."""
        changes = self.changes()
        journal = self.journal()
        clauses = clauses_of(rule_set)
        found = []
        for partition, records in self.applied().items():
            wanted = self.expected(rule_set, partition, records, to_ms(partition))
            mine = [c for c in changes if c.id.startswith(f"{partition}-")]
            reasons = [tuple(seen_of(clauses, each) for each in c.evidence) for c in mine]
            got = Result([oracle_change(c) for c in mine], dict(wanted.outcomes), tags_after(mine), reasons)
            counted = sum_of_outcomes(journal[partition])
            for outcome in (Outcome.ERASED, Outcome.DUPLICATE, Outcome.LATE, Outcome.APPLIED):
                got.outcomes[outcome] = counted[outcome]
            events = [e for r in records if (e := self._event(r)) is not None]
            difference = diff(wanted, got, events)
            if difference:
                found.append(f"partition {partition}: {difference}")
        return found

    def assert_numbered(self) -> None:
        """Every change has its own number: no gap and no repeat in a partition, and each names its customer's last.

        Nothing is remembered of a customer without tags for whom no window holds anything: there the last is unknown.
        """
        last_seq: dict[int, int] = defaultdict(int)
        last_of: dict[str, int] = defaultdict(int)
        tags: dict[str, set[str]] = defaultdict(set)
        for message in self.read(topics.CHANGES):
            change = Change.from_value(message.value() or b"")
            partition, customer = message.partition() or 0, change.customer_id
            assert change.id == f"{partition}-{change.seq}"
            assert change.seq == last_seq[partition] + 1, f"{change.id} comes after {last_seq[partition]}"
            known = last_of[customer] if tags[customer] or change.prev_seq else 0
            assert change.prev_seq == known, f"{change.id} of {customer}, who had {tags[customer]} by {known}"
            assert (message.key() or b"").decode() == customer
            assert self.partition_of(customer) == partition
            last_seq[partition] = last_of[customer] = change.seq
            (tags[customer].discard if change.op == "left" else tags[customer].add)(change.tag)

    def assert_nothing_is_lost(self) -> None:
        """Each step read as many records as it has outcomes, and all steps together read each record once."""
        journal = self.journal()
        for partition, records in journal.items():
            numbers = [r.step for r in records]
            assert numbers == list(range(1, len(numbers) + 1)), f"partition {partition}"
        read: Counter[str] = Counter()
        for topic in SOURCES:
            offsets: dict[int, list[int]] = defaultdict(list)
            for message in self.read(topic):
                offsets[message.partition() or 0].append(message.offset() or 0)
            for partition, records in journal.items():
                at = 0
                for record in records:
                    (source,) = [s for s in record.sources if s.topic == topic.named(self.kafka)]
                    assert source.first >= at and not any(at <= o < source.first for o in offsets[partition])
                    at = source.next
                    read[f"{partition}.{record.step}"] += sum(
                        source.first <= o < source.next for o in offsets[partition]
                    )
                assert not [o for o in offsets[partition] if o >= at], "not all has been read"
        for partition, records in journal.items():
            for record in records:
                assert sum(record.outcomes) == read[f"{partition}.{record.step}"]

    # ----------------------------------------------------------------------------------------------------- Redis

    def published(self) -> dict[str, dict[str, str]]:
        """By customer the tags in `tags.current`, as Redis should hold them; customers without tags are left out."""
        found: dict[str, dict[str, str]] = {}
        for message in self.read(topics.CURRENT):
            value = message.value()
            if value is None:
                found.pop((message.key() or b"").decode(), None)
                continue
            current = Current.from_value(value)
            if not current.is_clock:
                found[current.customer_id] = {t.tag: text_of(t.value) for t in current.tags}
        return {customer: tags for customer, tags in found.items() if tags}

    def redis_tags(self, client: Redis) -> dict[str, dict[str, str]]:
        """By customer the tags in Redis; customers without tags are left out. `client` gives texts."""
        layout = Layout(self.redis.key_prefix)
        found = {}
        for key in client.scan_iter(match=layout.tags_pattern, count=1000):
            hash_of = cast(dict[str, str], client.hgetall(key))
            tags = {name: value for name, value in hash_of.items() if not name.startswith("_")}
            if tags:
                found[cast(str, key).removeprefix(layout.tags_prefix.decode())] = tags
        return found

    def wait_for_redis(self, client: Redis, tags: Mapping[str, Mapping[str, str]], within_s: float = 30) -> None:
        until(lambda: self.redis_tags(client) == tags, within_s, lambda: f"{self.redis_tags(client)} is not {tags}")


# ------------------------------------------------------------------------------------------------------- encodings


def as_object(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "customer_id": event.customer_id,
        "event_time": event.event_time_ms,
        **{name: value for name, value in event.fields.items() if value is not None},
    }


def as_avro(event: Event) -> bytes:
    """Single-object encoding, by our newest schema."""
    return event_from_json(event.type, as_object(event))


def as_confluent(ids: Mapping[str, int]) -> Callable[[Event], bytes]:
    """Confluent framing, by our newest schemas; `ids` are theirs by event type."""
    return lambda event: b"\0" + ids[event.type].to_bytes(4, "big") + unframe(as_avro(event)).body


def as_json(event: Event) -> bytes:
    return json.dumps(as_object(event)).encode()


def _same(event: Record, value: bytes) -> bool:
    """Whether a moved value is this event, told by its schema and its id."""
    frame = unframe(value)
    body = event.event_id.encode()
    return frame.fingerprint == SCHEMAS[event.type].fingerprint and frame.body[1:].startswith(body)


# --------------------------------------------------------------------------------------------------- comparisons


def tags_after(changes: Iterable[Change]) -> dict[str, dict[str, oracle.TagValue]]:
    """What these changes, in order, come to; customers without tags are left out."""
    tags: dict[str, dict[str, oracle.TagValue]] = defaultdict(dict)
    for change in changes:
        assert tags[change.customer_id].get(change.tag) == change.before, f"{change.id} does not follow the last one"
        if change.after is None:
            del tags[change.customer_id][change.tag]
        else:
            tags[change.customer_id][change.tag] = change.after  # type: ignore[assignment]
    return {customer: held for customer, held in tags.items() if held}


def texts(tags: Mapping[str, Mapping[str, oracle.TagValue]]) -> dict[str, dict[str, str]]:
    """Tags as Redis holds them."""
    return {c: {tag: text_of(v) for tag, v in held.items() if v is not None} for c, held in tags.items() if held}


def sum_of_outcomes(records: Iterable[JournalRecord]) -> Counter[Outcome]:
    total: Counter[Outcome] = Counter()
    for record in records:
        total.update(dict(zip(Outcome, record.outcomes, strict=True)))
    return total


def kill(child: Child) -> None:
    """As the kernel does when memory runs out."""
    child.signal(signal.SIGKILL)
    child.kill()


def ask(child: Child, path: str) -> str:
    """What a process answers on the port that it has logged. Raises OSError if it does not."""
    found = re.search(r"health.listening\S* .*port=(\d+)", child.tail(10_000))
    if found is None:
        raise OSError("it listens to nobody yet")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}{path}", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()
