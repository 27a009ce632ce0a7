"""Avro events of any writer: evolution in both directions, and bytes that lie."""

from __future__ import annotations

import copy
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bounds import MAX_DEPTH, MAX_VALUES, BodyCheck
from schemas.canonical import long_bytes
from schemas.codec import event_from_avro_slow, event_from_json, frame_confluent, frame_single, unframe
from schemas.errors import EventError
from schemas.events import EVENT_TYPES, FIELDS, KINDS
from schemas.outcomes import Dead
from schemas.registry import OLD_SCHEMAS, SCHEMAS, Writers, crc64_avro
from tests.unit.schemas.event_samples import MINIMAL, bare, events, read_body, read_canonical, relaxed, write_body

OLD = {schema.name: schema.raw for schema in OLD_SCHEMAS}
MANDATORY: list[dict[str, Any]] = SCHEMAS["browse"].raw["fields"][:3]


def writer(name: str, *fields: dict[str, Any], mandatory: list[dict[str, Any]] = MANDATORY) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "shop", "fields": [*copy.deepcopy(mandatory), *fields]}


def field(name: str, avro_type: Any) -> dict[str, Any]:
    return {"name": name, "type": avro_type}


def slow(raw: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """What an event written by `raw` is read as."""
    event_type = raw["name"].lower()
    return read_canonical(event_type, event_from_avro_slow(raw, write_body(raw, record)))


def death(raw: dict[str, Any], body: bytes) -> Dead:
    with pytest.raises(EventError) as caught:
        event_from_avro_slow(raw, body)
    return caught.value.dead


@relaxed
@given(events())
def test_an_event_by_our_newest_schema_comes_out_as_it_went_in(event: tuple[str, dict[str, Any]]) -> None:
    event_type, values = event
    value = event_from_json(event_type, values)
    assert event_from_avro_slow(SCHEMAS[event_type].raw, value[10:]) == value


# ------------------------------------------------------------------------------------------------ evolution


def old_values(event_type: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values as far as the older schema can hold them."""
    kept = {f["name"]: values[f["name"]] for f in OLD[event_type]["fields"]}
    for name in ("dwell_ms", "quantity"):
        if kept.get(name) is not None:
            kept[name] %= 2**31
    if kept.get("kind") is not None:
        kept["kind"] = KINDS[event_type][0]
    if "attributes" in kept:
        kept["attributes"] = {key: item or "" for key, item in kept["attributes"].items()}
    return kept


@relaxed
@given(events())
def test_a_reader_with_the_newer_schema_reads_an_older_writer(event: tuple[str, dict[str, Any]]) -> None:
    event_type, values = event
    written = old_values(event_type, values)
    absent: dict[str, Any] = {f.name: None for f in FIELDS[event_type]}
    assert slow(OLD[event_type], written) == absent | written


@relaxed
@given(events(), st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.integers(0, 9)))
def test_a_reader_with_the_older_schema_reads_a_newer_writer(
    event: tuple[str, dict[str, Any]], device: str, scores: list[int]
) -> None:
    event_type, values = event
    raw = copy.deepcopy(SCHEMAS[event_type].raw)
    raw["namespace"] = "tagstream.events.v2"
    nested = {
        "type": "record",
        "name": "Device",
        "fields": [field("name", "string"), field("model", ["null", "Device"])],
    }
    raw["fields"].insert(2, field("scores", {"type": "array", "items": "int"}))
    raw["fields"].insert(5 if event_type != "profile" else 3, field("device", ["null", nested]))
    raw["fields"].append(field("extra", {"type": "map", "values": "bytes"}))
    written = values | {"scores": scores, "device": {"name": device, "model": None}, "extra": {"a": b"\xff"}}
    assert slow(raw, written) == values


def test_the_order_of_the_writers_fields_does_not_matter() -> None:
    raw = copy.deepcopy(SCHEMAS["purchase"].raw)
    raw["fields"].reverse()
    record = MINIMAL | {"amount_cents": 5, "kind": "refund"}
    assert slow(raw, record).items() >= record.items()


@pytest.mark.parametrize(
    ("event_type", "name", "avro_type", "written", "taken"),
    [
        ("Browse", "dwell_ms", "int", 7, 7),
        ("Browse", "dwell_ms", ["int", "null", "string"], 7, 7),
        ("Browse", "channel", "bytes", b"web", "web"),
        ("Browse", "channel", ["null", "bytes", "string"], "web", "web"),
        ("Purchase", "amount_cents", "int", -7, -7),
        ("Purchase", "order_time", {"type": "long", "logicalType": "timestamp-micros"}, -1, -1),
        ("Purchase", "order_time", ["null", {"type": "long", "logicalType": "timestamp-micros"}], 1_999, 1),
        ("Purchase", "order_time", ["null", {"type": "long", "logicalType": "timestamp-micros"}], None, None),
        ("Purchase", "order_time", {"type": "long", "logicalType": "timestamp-nanos"}, 2_999_999, 2),
        ("Purchase", "order_time", "long", 5, 5),
        ("Purchase", "kind", "string", "refund", "refund"),
        ("Purchase", "kind", ["null", "string"], None, None),
        ("Purchase", "kind", ["null", "string"], "cancel", "cancel"),
        ("Purchase", "kind", {"type": "enum", "name": "K", "symbols": ["gift", "cancel"]}, "cancel", "cancel"),
        ("Service", "satisfaction", "long", 5, 5),
        ("Service", "sentiment", "float", 0.5, 0.5),
        ("Service", "sentiment", "long", -1, -1.0),
        ("Profile", "attributes", {"type": "map", "values": "string"}, {"a": "b"}, {"a": "b"}),
        ("Profile", "attributes", ["null", {"type": "map", "values": "string"}], None, {}),
    ],
)
def test_types_that_lose_nothing_are_promoted(
    event_type: str, name: str, avro_type: Any, written: Any, taken: Any
) -> None:
    raw = writer(event_type, field(name, avro_type))
    read = slow(raw, MINIMAL | {name: written})[name]
    assert (read, type(read)) == (taken, type(taken))


def test_event_time_in_microseconds_is_read_in_milliseconds() -> None:
    micros = [MANDATORY[0], MANDATORY[1], field("event_time", {"type": "long", "logicalType": "timestamp-micros"})]
    assert slow(writer("Browse", mandatory=micros), MINIMAL | {"event_time": 1_700_000_000_123_999}).items() >= {
        ("event_time", 1_700_000_000_123)
    }


def test_a_type_named_in_an_earlier_field_is_found() -> None:
    kinds = {"type": "enum", "name": "K", "symbols": ["order", "refund"]}
    raw = writer("Purchase", field("last_kind", kinds), field("kind", ["null", "K"]))
    assert slow(raw, MINIMAL | {"last_kind": "order", "kind": "refund"})["kind"] == "refund"


@pytest.mark.parametrize(
    ("event_type", "name", "avro_type", "written", "dead"),
    [
        ("Purchase", "kind", "string", "purchase", Dead.UNKNOWN_KIND),
        ("Purchase", "kind", {"type": "enum", "name": "K", "symbols": ["order", "gift"]}, "gift", Dead.UNKNOWN_KIND),
        ("Purchase", "kind", "int", 1, Dead.WRONG_TYPE),
        ("Purchase", "kind", ["string", "int"], 1, Dead.WRONG_TYPE),
        ("Purchase", "amount_cents", "double", 1.0, Dead.WRONG_TYPE),
        ("Purchase", "amount_cents", ["long", "double"], 1.5, Dead.WRONG_TYPE),
        ("Purchase", "order_time", "string", "2024-01-01", Dead.WRONG_TYPE),
        ("Browse", "channel", "int", 1, Dead.WRONG_TYPE),
        ("Browse", "channel", {"type": "array", "items": "string"}, ["web"], Dead.WRONG_TYPE),
        ("Browse", "channel", "bytes", b"\xff", Dead.NOT_UTF8),
        ("Service", "sentiment", "double", math.nan, Dead.NOT_A_NUMBER),
        ("Service", "sentiment", "float", math.inf, Dead.NOT_A_NUMBER),
        ("Service", "sentiment", "double", 1.5, Dead.OUT_OF_RANGE),
        ("Service", "satisfaction", "long", 6, Dead.OUT_OF_RANGE),
        ("Profile", "attributes", {"type": "map", "values": "int"}, {"a": 1}, Dead.WRONG_TYPE),
    ],
)
def test_what_cannot_be_read_as_ours_is_dead(
    event_type: str, name: str, avro_type: Any, written: Any, dead: Dead
) -> None:
    raw = writer(event_type, field(name, avro_type))
    assert death(raw, write_body(raw, MINIMAL | {name: written})) is dead


@pytest.mark.parametrize(
    ("changed", "dead"),
    [
        ({"event_id": None}, Dead.MISSING_FIELD),
        ({"customer_id": None}, Dead.MISSING_FIELD),
        ({"event_time": None}, Dead.MISSING_FIELD),
        ({"event_id": ""}, Dead.EMPTY_ID),
        ({"customer_id": "@clock"}, Dead.RESERVED_ID),
        ({"customer_id": "x" * 257}, Dead.LONG_ID),
    ],
)
def test_ids_and_time_are_demanded_also_where_the_writer_may_leave_them_out(changed: Any, dead: Dead) -> None:
    nullable = [field(f["name"], ["null", f["type"]]) for f in MANDATORY]
    raw = writer("Browse", mandatory=nullable)
    assert death(raw, write_body(raw, MINIMAL | changed)) is dead


@pytest.mark.parametrize(
    ("raw", "dead"),
    [
        (writer("PageView"), Dead.UNKNOWN_SCHEMA),
        ("string", Dead.UNKNOWN_SCHEMA),
        ({"type": "record", "name": "Browse"}, Dead.UNKNOWN_SCHEMA),
        (writer("Browse", field("a", "text")), Dead.UNKNOWN_SCHEMA),
        (writer("Browse", mandatory=MANDATORY[:2]), Dead.MISSING_FIELD),
    ],
)
def test_a_schema_that_cannot_be_used_makes_each_of_its_events_dead(raw: Any, dead: Dead) -> None:
    assert [death(raw, b""), death(raw, b"abc")] == [dead, dead]


def test_an_event_of_another_type_than_the_topics_is_dead() -> None:
    raw = SCHEMAS["purchase"].raw
    body = write_body(raw, MINIMAL)
    assert event_from_avro_slow(raw, body, "purchase")
    with pytest.raises(EventError) as caught:
        event_from_avro_slow(raw, body, "browse")
    assert caught.value.dead is Dead.WRONG_TYPE_FOR_TOPIC


def test_both_framings_lead_to_the_same_event() -> None:
    newer = writer("Browse", field("channel", "string"), field("device", "string"))
    writers = Writers([newer], fetch_by_id={7: newer}.get)
    body = write_body(newer, MINIMAL | {"channel": "web", "device": "phone"})
    framed = (b"\xc3\x01" + crc64_avro(newer) + body, b"\x00\x00\x00\x00\x07" + body)
    events_read = [event_from_avro_slow(frame.writer_schema(writers), frame.body) for frame in map(unframe, framed)]
    assert events_read == [event_from_json("browse", MINIMAL | {"channel": "web"})] * 2


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_frames_are_taken_apart_as_they_were_made(event_type: str) -> None:
    single = unframe(frame_single(event_type, dict(MINIMAL)))
    confluent = unframe(frame_confluent(2**32 - 1, event_type, dict(MINIMAL)))
    assert (single.fingerprint, single.schema_id) == (SCHEMAS[event_type].fingerprint, None)
    assert (confluent.fingerprint, confluent.schema_id) == (None, 2**32 - 1)
    assert single.body == confluent.body == event_from_json(event_type, MINIMAL)[10:]


@pytest.mark.parametrize(
    ("value", "dead"),
    [
        (b"", Dead.UNKNOWN_SCHEMA),
        (b"hello", Dead.UNKNOWN_SCHEMA),
        (b"\xc3", Dead.UNKNOWN_SCHEMA),
        (b"\xc3\x02" + bytes(20), Dead.UNKNOWN_SCHEMA),
        (b"\xc3\x01" + bytes(7), Dead.TRUNCATED),
        (b"\xc3\x01" + bytes(8), Dead.UNKNOWN_SCHEMA),
        (b"\x00", Dead.TRUNCATED),
        (b"\x00\x00\x00\x00", Dead.TRUNCATED),
        (b"\x00\x00\x00\x00\x01", Dead.UNKNOWN_SCHEMA),
    ],
)
def test_a_value_without_a_known_header_is_dead(value: bytes, dead: Dead) -> None:
    with pytest.raises(EventError) as caught:
        unframe(value).writer_schema(Writers())
    assert caught.value.dead is dead


# -------------------------------------------------------------------------------------------- bytes that lie

BROWSE = SCHEMAS["browse"].raw
IDS = b"\x02e\x02c\x02"
"""event_id, customer_id and event_time of the least event."""


@pytest.mark.parametrize(
    ("body", "dead"),
    [
        (b"", Dead.TRUNCATED),
        (IDS, Dead.TRUNCATED),
        (IDS + bytes(5), Dead.TRUNCATED),
        (IDS + bytes(7), Dead.TRAILING_BYTES),
        (IDS + bytes(6) + b"\x00\xff", Dead.TRAILING_BYTES),
        (b"\x04e", Dead.BAD_LENGTH),
        (b"\x01", Dead.BAD_LENGTH),
        (long_bytes(2**62) + b"e", Dead.BAD_LENGTH),
        (long_bytes(2**63 - 1), Dead.BAD_LENGTH),
        (long_bytes(-(2**63)), Dead.BAD_LENGTH),
        (b"\xff" * 10, Dead.BAD_VARINT),
        (b"\xff" * 9 + b"\x02", Dead.BAD_VARINT),
        (b"\xff" * 9, Dead.TRUNCATED),
        (IDS[:-1] + b"\x80", Dead.TRUNCATED),
        (IDS + b"\x04", Dead.BAD_VARINT),
        (IDS + b"\x01", Dead.BAD_VARINT),
        (IDS + b"\x02\x02\xff" + bytes(5), Dead.NOT_UTF8),
        (b"\x02\xff\x02c\x02" + bytes(6), Dead.NOT_UTF8),
        (b"\x00\x02c\x02" + bytes(6), Dead.EMPTY_ID),
    ],
)
def test_bytes_that_are_not_one_event_are_dead_for_their_own_reason(body: bytes, dead: Dead) -> None:
    assert death(BROWSE, body) is dead


def test_the_greatest_and_the_least_long_are_read() -> None:
    for edge in (2**63 - 1, -(2**63)):
        assert slow(BROWSE, MINIMAL | {"event_time": edge})["event_time"] == edge


@pytest.mark.parametrize(
    ("avro_type", "tail", "dead"),
    [
        ("boolean", b"\x02", Dead.BAD_VARINT),
        ("boolean", b"", Dead.TRUNCATED),
        ("double", bytes(7), Dead.TRUNCATED),
        ("float", bytes(3), Dead.TRUNCATED),
        ({"type": "fixed", "name": "F", "size": 4}, bytes(3), Dead.TRUNCATED),
        ("bytes", b"\x03", Dead.BAD_LENGTH),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02", Dead.UNKNOWN_KIND),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x01", Dead.UNKNOWN_KIND),
        ({"type": "array", "items": "null"}, long_bytes(2**60) + b"\x00", Dead.BAD_LENGTH),
        ({"type": "array", "items": "null"}, (long_bytes(MAX_VALUES // 2) * 3) + b"\x00", Dead.BAD_LENGTH),
        ({"type": "array", "items": "null"}, long_bytes(-(2**63)) + b"\x00\x00", Dead.BAD_LENGTH),
        ({"type": "array", "items": "long"}, long_bytes(2**40) + b"\x00", Dead.BAD_LENGTH),
        ({"type": "array", "items": "long"}, b"\x06\x00", Dead.TRUNCATED),
        ({"type": "array", "items": "long"}, b"\x01\x04\x02\x00", Dead.BAD_LENGTH),
        ({"type": "array", "items": "long"}, b"\x01\x01\x02\x00", Dead.BAD_LENGTH),
        ({"type": "map", "values": "long"}, b"\x02\x02\xff\x00\x00", Dead.NOT_UTF8),
        ({"type": "map", "values": "long"}, b"\x02\x02a\x02", Dead.TRUNCATED),
    ],
)
def test_fields_that_we_skip_are_checked_as_well(avro_type: Any, tail: bytes, dead: Dead) -> None:
    raw = writer("Browse", field("extra", avro_type))
    assert death(raw, IDS + tail) is dead


def test_blocks_with_their_size_are_read() -> None:
    raw = writer("Browse", field("extra", {"type": "array", "items": "long"}), field("channel", "string"))
    value = event_from_avro_slow(raw, IDS + b"\x03\x04\x02\x04\x00" + b"\x06web")
    assert read_canonical("browse", value)["channel"] == "web"


NODE = {"type": "record", "name": "Node", "fields": [field("next", ["null", "Node"])]}


def test_a_value_that_contains_itself_too_deep_is_dead() -> None:
    raw = writer("Browse", field("extra", NODE))
    assert event_from_avro_slow(raw, IDS + b"\x02" * (MAX_DEPTH - 2) + b"\x00")
    assert death(raw, IDS + b"\x02" * (MAX_DEPTH - 1) + b"\x00") is Dead.DEEP_JSON
    assert death(raw, IDS + b"\x02" * 1_000_000 + b"\x00") is Dead.DEEP_JSON


def test_a_record_that_must_contain_itself_is_dead() -> None:
    raw = writer("Browse", field("extra", {"type": "record", "name": "Loop", "fields": [field("loop", "Loop")]}))
    assert death(raw, IDS) is Dead.DEEP_JSON


def test_a_schema_whose_empty_values_double_at_each_level_is_dead() -> None:
    level: Any = {"type": "record", "name": "L0", "fields": []}
    for n in range(1, 28):
        level = {"type": "record", "name": f"L{n}", "fields": [field("a", level), field("b", f"L{n - 1}")]}
    assert death(writer("Browse", field("extra", level)), IDS) is Dead.BAD_LENGTH


@st.composite
def mutated(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """(writer's schema, a body in which some bytes were changed, cut out or put in)."""
    event_type, values = draw(events())
    raw = draw(st.sampled_from([SCHEMAS[event_type].raw, OLD[event_type]]))
    written = values if raw is SCHEMAS[event_type].raw else old_values(event_type, values)
    body = bytearray(write_body(raw, written))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(body)))
        cut = draw(st.integers(0, 3))
        body[place : place + cut] = draw(st.binary(max_size=3) | st.sampled_from([b"\xff" * 10, long_bytes(2**62)]))
    return raw, bytes(body)


@relaxed
@given(mutated())
def test_changed_bytes_are_an_event_error_or_what_fastavro_reads(case: tuple[dict[str, Any], bytes]) -> None:
    raw, body = case
    event_type = raw["name"].lower()
    try:
        value = event_from_avro_slow(raw, body)
    except EventError:
        return
    read = read_canonical(event_type, value)
    expected = read_body(raw, body)
    assert {name: read[name] for name in expected} == expected


@relaxed
@given(st.sampled_from([*SCHEMAS.values(), *OLD_SCHEMAS]), st.binary(max_size=120))
def test_random_bytes_that_pass_the_check_are_read_by_fastavro_to_the_end(schema: Any, body: bytes) -> None:
    try:
        BodyCheck(schema.raw).check(body)
    except EventError:
        return
    read_body(schema.raw, body)


def skeleton(schema: Any, draw: st.DrawFn) -> Any:
    """A value of a bare schema."""
    match schema:
        case list():
            return skeleton(draw(st.sampled_from(schema)), draw)
        case "null":
            return None
        case "boolean":
            return draw(st.booleans())
        case "bytes":
            return draw(st.binary(max_size=5))
        case "string":
            return draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
        case "int":
            return draw(st.integers(-(2**31), 2**31 - 1))
        case "long":
            return draw(st.integers(-(2**63), 2**63 - 1))
        case "double":
            return struct.unpack("<d", draw(st.binary(min_size=8, max_size=8)))[0]
        case {"type": "enum"}:
            return draw(st.sampled_from(schema["symbols"]))
        case {"type": "array"}:
            return [skeleton(schema["items"], draw) for _ in range(draw(st.integers(0, 3)))]
        case {"type": "map"}:
            return {str(n): skeleton(schema["values"], draw) for n in range(draw(st.integers(0, 3)))}
        case {"type": "record"}:
            return {f["name"]: skeleton(f["type"], draw) for f in schema["fields"]}
        case _:
            return skeleton(schema["type"], draw)


@relaxed
@given(st.sampled_from([*SCHEMAS.values(), *OLD_SCHEMAS]), st.data())
def test_every_body_that_fastavro_writes_passes_the_check_and_none_of_its_beginnings(
    schema: Any, data: st.DataObject
) -> None:
    record = data.draw(st.composite(lambda draw: skeleton(bare(schema.raw), draw))())
    body = write_body(schema.raw, record)
    check = BodyCheck(schema.raw)
    check.check(body)
    for end in range(len(body)):
        with pytest.raises(EventError):
            check.check(body[:end])
