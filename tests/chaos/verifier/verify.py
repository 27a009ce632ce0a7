"""Reads what a run has left behind, all topics and Redis, once, and has it judged."""

from __future__ import annotations

import random
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Final, cast

import redis
from confluent_kafka import Message
from fastavro import schemaless_reader

from processors.oracle.place import murmur2
from processors.rules.tree import RuleSet
from schemas.bounds import BodyCheck
from schemas.framing import single_object_header
from schemas.outcomes import Outcome
from schemas.records import Change, Current
from schemas.registry import SCHEMAS
from streams import topics
from streams.local.server import Say
from streams.settings import KafkaSettings
from tests.chaos.goners import GONE
from tests.chaos.mix import EXPECTED
from tests.chaos.verifier.difference import Findings
from tests.chaos.verifier.journal import SOURCES, Entry, Steps
from tests.chaos.verifier.judge import Left, Stamped, Verdict, judge
from tests.chaos.verifier.reading import hashes, messages
from tests.chaos.verifier.sources import DeadPlace, Kept, SourceLog

__all__ = ["verify"]

ONE_IN: Final = 40
"""Customers of whom one is kept, by a hash of the id, with all who were to be forgotten; of these the oracle judges as
many as it is given time for."""


def verify(
    kafka: KafkaSettings,
    client: redis.Redis,
    journal: Mapping[int, Sequence[Entry]],
    rule_sets: Sequence[RuleSet],
    most_judged: int,
    seed: int,
    findings: Findings,
    say: Say,
) -> Verdict:
    """After all roles have ended and all was applied. `journal`: all that was ever committed to it, in order.
    `findings`: taken on from the run. `client` gives texts."""
    kept: dict[str, list[Kept]] = defaultdict(list)
    say("verifying: reading the sources")
    logs = [log for source in range(len(SOURCES)) for log in _source(kafka, source, kept, findings)]
    current, gone = _current(kafka)
    left = Left(
        prefix=kafka.topic_prefix,
        steps={p: Steps.of(p, entries) for p, entries in journal.items()},
        logs=logs,
        kept=kept,
        dead=_dead(kafka, findings),
        changes=_changes(kafka),
        current=current,
        gone=gone,
        hashes=hashes(client),
    )
    say("verifying: comparing")
    return judge(left, rule_sets, most_judged, random.Random(seed), findings)


def _is_in_sample(key: bytes) -> bool:
    return zlib.crc32(key) % ONE_IN == 0 or key.startswith(GONE.encode())


def _source(kafka: KafkaSettings, source: int, kept: dict[str, list[Kept]], findings: Findings) -> list[SourceLog]:
    logs = [SourceLog(source, partition) for partition in range(kafka.partitions)]
    topic = SOURCES[source]
    for message in messages(kafka, topic):
        partition, offset, key = _place(message)
        expected = Outcome.APPLIED if topic is topics.MOVED else _expected(message)
        arrival_ms = logs[partition].take(offset, message.timestamp()[1], expected)
        if _is_in_sample(key):
            customer, value = key.decode(), message.value()
            kept[customer].append(Kept(source, partition, offset, arrival_ms, customer, value, expected))
        if topic is topics.MOVED:
            right = murmur2(key) % kafka.partitions == partition
            findings.compare("I5", right, f"{key!r} was moved to partition {partition}", message.timestamp()[1])
    return logs


def _expected(message: Message) -> Outcome:
    expected = _texts(message).get(EXPECTED)
    return Outcome.APPLIED if expected is None else Outcome[expected]


def _texts(message: Message) -> dict[str, str]:
    """The headers."""
    headers = cast(list[tuple[str, bytes]] | None, message.headers())
    return {name: value.decode() for name, value in headers} if headers else {}


def _dead(kafka: KafkaSettings, findings: Findings) -> dict[DeadPlace, str]:
    found: dict[DeadPlace, str] = {}
    for message in messages(kafka, topics.DEAD_LETTERS):
        told = _texts(message)
        place = told["topic"].removeprefix(kafka.topic_prefix), int(told["partition"]), int(told["offset"])
        if place in found:
            findings.note("I5", f"two dead letters of {place}", message.timestamp()[1])
        found[place] = told["code"]
    return found


def _changes(kafka: KafkaSettings) -> Iterator[Stamped]:
    for message in messages(kafka, topics.CHANGES):
        yield Stamped(_place(message)[0], message.timestamp()[1], _change(message.value() or b""))


def _change(value: bytes) -> Change:
    """Half the time of `Change.from_value`, which also looks whether the bytes keep all bounds: there are
    millions of them."""
    header = single_object_header("change")
    assert value.startswith(header), f"no change: {value[:20]!r}"
    return Change.from_record(schemaless_reader(BytesIO(value[len(header) :]), _CHANGE))  # type: ignore[arg-type]


_CHANGE: Final = BodyCheck(SCHEMAS["change"].raw).plain


def _current(kafka: KafkaSettings) -> tuple[list[Current], set[str]]:
    """The last value of each customer, and of whom it is a tombstone."""
    last: dict[bytes, bytes | None] = {}
    for message in messages(kafka, topics.CURRENT):
        last[_place(message)[2]] = message.value()
    read = [Current.from_value(value) for value in last.values() if value is not None]
    gone = {key.decode() for key, value in last.items() if value is None}
    return [current for current in read if not current.is_clock], gone


def _place(message: Message) -> tuple[int, int, bytes]:
    partition, offset, key = message.partition(), message.offset(), message.key()
    assert partition is not None and offset is not None and isinstance(key, bytes)
    return partition, offset, key
