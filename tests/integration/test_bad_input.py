"""Whatever producers send: what cannot be used is set aside whole, with the reason, and the flow goes on."""

from __future__ import annotations

import hashlib
import json
import math
import random
import string
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

import fastavro
import redis
from confluent_kafka import KafkaError, Message

from processors.oracle.event import Command
from processors.oracle.judge import DAY_MS, Event
from schemas.events import EVENT_TYPES
from schemas.framing import single_object_header
from schemas.outcomes import Dead, Outcome
from schemas.registry import SCHEMAS
from streams import topics
from streams.tagger.dead_letters import KEPT_BYTES
from tests.integration.pipeline import ROOT, SOURCES, Pipeline, as_avro, as_json, sum_of_outcomes, texts, until
from tests.integration.registry_server import schema_answer, serve
from tests.integration.story import START_MS, story

STARTER_RULES = sorted((ROOT / "examples/starter").glob("*.yaml"))

GOOD: dict[str, Any] = {"event_id": "e", "customer_id": "c", "event_time": START_MS}
AVRO = {event_type: as_avro(Event(event_type, "e", "c", START_MS, START_MS)) for event_type in EVENT_TYPES}


def json_of(**fields: Any) -> bytes:
    """A purchase with these fields; None leaves one out."""
    return json.dumps({name: value for name, value in {**GOOD, **fields}.items() if value is not None}).encode()


def avro_of(event_type: str, **fields: Any) -> bytes:
    """A record as its schema allows it, whether or not we do."""
    names = [field["name"] for field in SCHEMAS[event_type].raw["fields"]]
    stream = BytesIO()
    fastavro.schemaless_writer(stream, SCHEMAS[event_type].parsed, dict.fromkeys(names) | GOOD | fields)
    return single_object_header(event_type) + stream.getvalue()


HEADER = AVRO["purchase"][:10]
VARINT_TOO_LONG = b"\xff" * 12
LENGTH_2_60 = b"\x80\x80\x80\x80\x80\x80\x80\x80\x20"
LENGTH_MINUS_3 = b"\x05"

BAD: dict[str, tuple[Dead, bytes] | tuple[Dead, bytes, str]] = {
    "no framing": (Dead.UNKNOWN_SCHEMA, b"hello"),
    "nothing at all": (Dead.TRUNCATED, b""),
    "an unknown fingerprint": (Dead.UNKNOWN_SCHEMA, b"\xc3\x01" + b"\x55" * 8 + AVRO["purchase"][10:]),
    "an id without a registry": (Dead.UNKNOWN_SCHEMA, b"\0\0\0\0\x63" + AVRO["purchase"][10:]),
    "another type": (Dead.WRONG_TYPE_FOR_TOPIC, AVRO["browse"]),
    "the header alone": (Dead.TRUNCATED, HEADER),
    "half a header": (Dead.TRUNCATED, HEADER[:6]),
    "the last byte missing": (Dead.TRUNCATED, AVRO["purchase"][:-1]),
    "a byte too many": (Dead.TRAILING_BYTES, AVRO["purchase"] + b"\0"),
    "two events in one": (Dead.TRAILING_BYTES, AVRO["purchase"] + AVRO["purchase"][10:]),
    "a length beyond all": (Dead.BAD_LENGTH, HEADER + LENGTH_2_60 + b"e"),
    "a length below nothing": (Dead.BAD_LENGTH, HEADER + LENGTH_MINUS_3 + b"e"),
    "a number without an end": (Dead.BAD_VARINT, HEADER + VARINT_TOO_LONG),
    "not UTF-8": (Dead.NOT_UTF8, AVRO["purchase"].replace(b"\x02c", b"\x02\xfc")),
    "not a number": (Dead.NOT_A_NUMBER, avro_of("service", sentiment=math.nan), "service"),
    "infinite": (Dead.NOT_A_NUMBER, avro_of("service", sentiment=-math.inf), "service"),
    "out of range": (Dead.OUT_OF_RANGE, avro_of("service", satisfaction=10), "service"),
    "out of range in JSON": (Dead.OUT_OF_RANGE, json_of(sentiment=1.5), "service"),
    "a text for a number": (Dead.WRONG_TYPE, json_of(quantity="two")),
    "a truth for a number": (Dead.WRONG_TYPE, json_of(quantity=True)),
    "no customer": (Dead.MISSING_FIELD, json_of(customer_id=None)),
    "an empty id": (Dead.EMPTY_ID, avro_of("purchase", event_id="")),
    "an empty id in JSON": (Dead.EMPTY_ID, json_of(customer_id="")),
    "an id of 257 bytes": (Dead.LONG_ID, avro_of("purchase", customer_id="é" * 128 + "e")),
    "an id of 257 bytes in JSON": (Dead.LONG_ID, json_of(event_id="é" * 128 + "e")),
    "a reserved id": (Dead.RESERVED_ID, avro_of("purchase", customer_id="@clock")),
    "an unknown kind": (Dead.UNKNOWN_KIND, json_of(kind="purchase")),
    "a time in words": (Dead.BAD_TIME, json_of(event_time="yesterday")),
    "a time in seconds": (Dead.TIME_TOO_OLD, avro_of("purchase", event_time=1_700_000_000)),
    "a time before 1990": (Dead.TIME_TOO_OLD, json_of(event_time="1989-12-31T23:59:59Z")),
    "a time far ahead": (Dead.TIME_AHEAD, avro_of("purchase", event_time=START_MS + 3_650 * DAY_MS)),
    "not JSON": (Dead.BAD_JSON, b'{"event_id": }'),
    "NaN in JSON": (Dead.BAD_JSON, b'{"event_id": "e", "sentiment": NaN}'),
    "JSON nested deep": (Dead.DEEP_JSON, b'{"event_id": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "large JSON": (Dead.TOO_LARGE, json_of(coupon_id="x" * 1_500_000)),
    "JSON too large to be kept": (Dead.TOO_LARGE, json_of(coupon_id="x" * 4_000_000)),
}
"""What it is, why it is dead, the value, and the event type of its topic if that is not purchase."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record that must not come through, as it was sent."""

    what: str
    reason: Dead | None
    """None: a tombstone, which is skipped."""
    topic: str
    value: bytes | None
    key: bytes | None


def test_bad_input_is_set_aside_with_its_reason_and_the_flow_goes_on(
    pipeline: Pipeline, redis_client: redis.Redis
) -> None:
    pipeline.write_rules(*STARTER_RULES)
    rules = pipeline.rules()
    events = story(rules, 12, 3 * len(BAD), 12)
    # what is in range for the events is so for the records between them
    last_ms = START_MS + DAY_MS // 2
    tagger, projector = pipeline.start("tagger", "t"), pipeline.start("projector")
    sent: dict[tuple[str, int, int], Sent] = {}
    for place, (what, (reason, value, *event_type)) in enumerate(BAD.items()):
        pipeline.send(events[3 * place : 3 * place + 3])
        topic = topics.EVENTS[event_type[0] if event_type else "purchase"]
        put(pipeline, sent, Sent(what, reason, topic.name, value, f"key {place}".encode()), last_ms)
    tombstones = 4
    for partition in range(tombstones):
        put(pipeline, {}, Sent("a tombstone", None, "events.browse", None, b"gone"), last_ms, partition % 3)
    misplaced = send_misplaced(pipeline, sent, events[-1].arrival_ms)
    pipeline.wait_until_caught_up()

    assert pipeline.differences(rules) == []
    pipeline.assert_numbered()
    pipeline.assert_nothing_is_lost()
    check_dead_letters(pipeline, sent)
    check_counts(pipeline, sent, tombstones, misplaced)
    wanted = {p: pipeline.expected(rules, p, applied, None) for p, applied in pipeline.applied().items()}
    pipeline.wait_for_redis(redis_client, texts({c: tags for r in wanted.values() for c, tags in r.tags.items()}))

    # recovery meets all of it again, and finds the same
    assert tagger.stop(10) == 0
    again = pipeline.start("tagger", "t")
    until(lambda: again.tail(100).count("partition_running") == pipeline.kafka.partitions, 60, again.tail)
    assert "partition_stopped" not in again.tail(100)
    assert again.stop(10) == 0
    assert projector.stop(10) == 0


def put(
    pipeline: Pipeline, sent: dict[tuple[str, int, int], Sent], what: Sent, at_ms: int, partition: int = -1
) -> None:
    """Write a record that must not come through."""

    def delivered(error: KafkaError | None, message: Message) -> None:
        assert error is None, f"{what.what}: {error}"
        place = (what.topic, message.partition() or 0, message.offset() or 0)
        sent[place] = what
        pipeline.others.add(place)

    (topic,) = [t for t in SOURCES if t.name == what.topic]
    pipeline.producer.produce(
        topic.named(pipeline.kafka),
        what.value,
        what.key,
        partition=partition,
        timestamp=at_ms,
        on_delivery=delivered,
    )
    pipeline.flush()


def send_misplaced(pipeline: Pipeline, sent: dict[tuple[str, int, int], Sent], at_ms: int) -> int:
    """Events in partitions where they do not belong. Returns how many are sent on to the right one."""
    here = [c for c in (f"m{n}" for n in range(100)) if pipeline.partition_of(c) == 1][:6]
    for place, customer in enumerate(here):
        event = Event("purchase", f"misplaced-{place}", customer, at_ms, at_ms, {"amount_cents": 90_000})
        pipeline.put(event, (as_json if place % 2 else as_avro)(event), partition=(0, 2)[place % 2])
    # once more in the wrong one
    event = Event("browse", "astray", here[0], at_ms, at_ms)
    put(pipeline, sent, Sent("astray", Dead.MOVED_TWICE, topics.MOVED.name, as_avro(event), b"k"), at_ms, partition=2)
    value = as_json(event)
    put(pipeline, sent, Sent("moved JSON", Dead.UNKNOWN_SCHEMA, topics.MOVED.name, value, b"k"), at_ms, partition=1)
    # as large as a record can be where it came, too large with the key that it gets on the way
    customer = here[1] + "x" * 200
    room = LARGEST_BATCH_BYTES - BATCH_AND_RECORD_BYTES - len(as_avro(Event("browse", "large", customer, at_ms, at_ms)))
    noise = "".join(random.Random(1).choices(string.ascii_letters, k=room))
    value = as_avro(Event("browse", "large", customer, at_ms, at_ms, {"search_query": noise}))
    refused = Sent("too large to move", Dead.REFUSED_BY_BROKER, "events.browse", value, None)
    put(pipeline, sent, refused, at_ms, partition=(pipeline.partition_of(customer) + 1) % 3)
    return len(here) + 1


LARGEST_BATCH_BYTES = 1_048_588
"""What a topic takes by default."""
BATCH_AND_RECORD_BYTES = 100
"""What a batch and a record in it take, beside the record's key and value, and some to spare."""


STAGES = {
    Dead.TIME_TOO_OLD: "time",
    Dead.TIME_AHEAD: "time",
    Dead.MOVED_TWICE: "partition",
    Dead.REFUSED_BY_BROKER: "produce",
}


def check_dead_letters(pipeline: Pipeline, sent: Mapping[tuple[str, int, int], Sent]) -> None:
    """Each of them once, as it was, with where it came from and why."""
    prefix = pipeline.kafka.topic_prefix
    found = set()
    for message in pipeline.read(topics.DEAD_LETTERS):
        given = cast(list[tuple[str, bytes]], message.headers())
        headers = {name: value.decode() for name, value in given}
        place = (headers["topic"].removeprefix(prefix), int(headers["partition"]), int(headers["offset"]))
        if place in pipeline.sent:
            event = pipeline.sent[place]
            fitting = ("TS-D125",) if isinstance(event, Command) else ("TS-D117", "TS-D118")
            assert headers["code"] in fitting, event
            continue
        was = sent[place]
        assert place not in found
        found.add(place)
        assert was.reason is not None and was.value is not None
        assert headers["code"] == f"TS-D{was.reason.value}", was.what
        assert headers["stage"] == STAGES.get(was.reason, "decode"), was.what
        assert headers["message"], was.what
        assert message.key() == was.key
        value = message.value() or b""
        if len(was.value) < 2_000_000:
            assert value == was.value, was.what
            assert "sha256" not in headers
        else:
            assert value == was.value[:KEPT_BYTES]
            assert headers["sha256"] == hashlib.sha256(was.value).hexdigest()
            assert headers["length"] == str(len(was.value))
    assert found == sent.keys()


def check_counts(
    pipeline: Pipeline, sent: Mapping[tuple[str, int, int], Sent], tombstones: int, misplaced: int
) -> None:
    """The journal counts each of them, by outcome and by reason."""
    records = [record for records in pipeline.journal().values() for record in records]
    outcomes = sum_of_outcomes(records)
    dead: Counter[int] = Counter()
    for record in records:
        assert sum(d.count for d in record.dead) == record.outcomes[Outcome.DEAD]
        dead.update({d.code: d.count for d in record.dead})
    assert outcomes[Outcome.SKIPPED] == tombstones
    assert outcomes[Outcome.REKEYED] == misplaced
    wanted = Counter(was.reason for was in sent.values() if was.reason is not Dead.REFUSED_BY_BROKER)
    for reason in wanted.keys() - {Dead.TIME_AHEAD, Dead.TIME_TOO_OLD}:  # the story has some of its own
        assert reason is not None and dead[reason] == wanted[reason], reason
    assert outcomes[Outcome.DEAD] == len(pipeline.read(topics.DEAD_LETTERS)) - 1


def with_id_7(event: Event) -> bytes:
    return b"\0\0\0\0\x07" + as_avro(event)[10:]


def test_only_the_registrys_own_word_makes_a_schema_unknown_and_then_for_good(pipeline: Pipeline) -> None:
    pipeline.write_rules(*STARTER_RULES)
    rules = pipeline.rules()
    events = [e for e in story(rules, 13, 80, 5) if e.type == "browse"]
    with serve({}) as registry:
        registry.broken = (503, b"")
        pipeline.settings["SCHEMA_REGISTRY__URL"] = registry.url
        pipeline.send(events[:5], with_id_7)
        tagger = pipeline.start("tagger", "t")
        until(lambda: len(registry.asked) >= 3, what=tagger.tail)
        assert tagger.stop(10) == 0, "it ends in good order while it waits"
        assert pipeline.read(topics.DEAD_LETTERS) == []
        tagger = pipeline.start("tagger", "t")
        asked = len(registry.asked)
        until(lambda: len(registry.asked) > asked, what=tagger.tail)
        registry.broken = None  # from now on it says that it does not have the schema
        pipeline.wait_until_caught_up()
        assert tagger.stop(10) == 0
        pipeline.others |= pipeline.sent.keys()
        registry.answers[7] = schema_answer(SCHEMAS["browse"].raw)
        # the next start meets what was dead, the one after it also what was not
        for more in (events[5:], []):
            tagger = pipeline.start("tagger", "t")
            pipeline.send(more, with_id_7)
            until(lambda tagger=tagger: tagger.tail(100).count("partition_running") == 3, 60, tagger.tail)  # type: ignore[misc]
            pipeline.wait_until_caught_up()
            assert tagger.stop(10) == 0
    assert pipeline.differences(rules) == []
    records = [record for records in pipeline.journal().values() for record in records]
    assert sum(d.count for r in records for d in r.dead if d.code == Dead.UNKNOWN_SCHEMA) == 5
    assert {name for r in records for name in r.found_schemas} == {"id 7"}
    pipeline.assert_nothing_is_lost()
