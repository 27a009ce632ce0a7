"""The compiled decoding equals fastavro and the slow path on any writer's schema, and never misreads damaged bytes."""

from __future__ import annotations

import math
import os
import random
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import config as numba_config

from processors import layout as L
from processors.decode_plan import make_plan
from processors.decoder import Decoded, Decoder
from schemas.codec import event_from_avro_slow, event_from_json
from schemas.errors import EventError
from schemas.events import EVENT_TYPES, FIELDS, KINDS
from schemas.outcomes import Dead
from schemas.registry import OLD_SCHEMAS, OWN_WRITERS, SCHEMAS, RawSchema, Writers, crc64_avro
from schemas.resolution import units_per_ms
from tests.properties.writers import WriterDraw, damaged
from tests.unit.schemas.event_samples import MINIMAL, events, read_body, relaxed, write_body

BLOCKS = 10
WRITERS = int(os.environ.get("DECODE_WRITERS", 100 if numba_config.DISABLE_JIT else 600))
"""Schemas drawn, each with EVENTS events, and each of these damaged DAMAGES times; some 10 s."""
EVENTS = 12
DAMAGES = 6


def decode(payloads: list[bytes | None], writers: Writers = OWN_WRITERS, source: str | None = None) -> Decoded:
    zeros = np.zeros(len(payloads), np.int64)
    return Decoder([source], writers).decode(payloads, zeros, zeros, zeros)


def codes(payloads: list[bytes | None], writers: Writers = OWN_WRITERS, source: str | None = None) -> list[int]:
    return [int(code) for code in decode(payloads, writers, source).events[:, L.EV_CODE]]


def text_at(decoded: Decoded, ref: int) -> str:
    return decoded.buf[ref >> 32 : (ref >> 32) + (ref & 0xFFFFFFFF)].tobytes().decode()


def values_in(decoded: Decoded, row: int) -> dict[str, Any]:
    """The decoded row's values by name; a field that is missing is left out."""
    line = decoded.events[row].tolist()
    event_type = EVENT_TYPES[line[L.EV_TYPE]]
    values: dict[str, Any] = {
        "event_id": text_at(decoded, line[L.EV_ID]),
        "customer_id": text_at(decoded, line[L.EV_CUSTOMER]),
        "event_time": line[L.EV_TIME],
    }
    for position, field in enumerate(FIELDS[event_type]):
        if line[L.EV_PRESENT] >> position & 1:
            word = line[L.EV_FIELDS + position]
            match field.kind:
                case "text":
                    values[field.name] = text_at(decoded, word)
                case "real":
                    values[field.name] = float(decoded.reals[row, L.EV_FIELDS + position])
                case "kind":
                    values[field.name] = KINDS[event_type][word]
                case _:
                    values[field.name] = word
    return values


def values_by_fastavro(schema: RawSchema, event_type: str, body: bytes) -> dict[str, Any]:
    """The same by fastavro; raises if it does not read exactly the whole body."""
    read = read_body(schema, body)
    types = {field["name"]: field["type"] for field in schema["fields"]}
    values: dict[str, Any] = {}
    for name in ("event_id", "customer_id", "event_time", *(field.name for field in FIELDS[event_type])):
        value = read.get(name)
        if name in ("event_time", "order_time") and value is not None:
            value //= units_per_ms(types[name])
        if isinstance(value, bytes):
            value = value.decode()
        if value is None and name == "kind":
            value = KINDS[event_type][0]
        if value is not None:
            values[name] = value
    return values


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Equal, and reals equal to the bit."""
    bits = [{k: struct.pack("<d", v) if isinstance(v, float) else v for k, v in d.items()} for d in (ours, theirs)]
    return bits[0] == bits[1]


def slow_judgement(schema: RawSchema, body: bytes) -> Dead | bytes:
    try:
        return event_from_avro_slow(schema, body)
    except EventError as error:
        return error.dead


class Tally:
    """What a campaign met, so that it cannot prove nothing unnoticed."""

    def __init__(self) -> None:
        self.codes: set[int] = set()
        self.accepted = self.planned = 0

    def judge(self, schema: RawSchema, event_type: str, bodies: list[bytes], *, one_fault: bool) -> None:
        """Compare the decoding of bodies by one writer's schema with both judges."""
        header = b"\xc3\x01" + crc64_avro(schema)
        decoded = decode([header + body for body in bodies], Writers([schema]))
        self.planned += make_plan(schema, event_type) is not None
        for row, body in enumerate(bodies):
            code = int(decoded.events[row, L.EV_CODE])
            self.codes.add(code)
            slow = slow_judgement(schema, body)
            shown = f"{schema} {body.hex()} code {code} slow {slow!r}"
            assert (code == L.CODE_OK) == isinstance(slow, bytes), shown
            if code == L.CODE_OK:
                self.accepted += 1
                ours = values_in(decoded, row)
                assert same(ours, values_by_fastavro_promoted(schema, event_type, body)), f"{shown} {ours}"
            elif one_fault:
                assert code == slow, shown
            else:
                assert code in set(Dead), shown


def values_by_fastavro_promoted(schema: RawSchema, event_type: str, body: bytes) -> dict[str, Any]:
    """As `values_by_fastavro`, whole numbers as reals where our field is a real."""
    values = values_by_fastavro(schema, event_type, body)
    for field in FIELDS[event_type]:
        if field.kind == "real" and field.name in values:
            values[field.name] = float(values[field.name])
    return values


# ---------------------------------------------------------------------------------------------------- any writer


@pytest.mark.parametrize("block", range(BLOCKS))
def test_any_writers_events_are_read_as_fastavro_reads_them_whole_or_damaged(block: int) -> None:
    tally = Tally()
    share = WRITERS // BLOCKS
    for seed in range(block * share, (block + 1) * share):
        rng = random.Random(seed)
        draw = WriterDraw(rng)
        schema = draw.schema()
        bodies = [write_body(schema, draw.values(rng)) for _ in range(EVENTS)]
        tally.judge(schema, draw.event_type, bodies, one_fault=False)
        broken = [damaged(body, rng) for body in bodies for _ in range(DAMAGES)]
        tally.judge(schema, draw.event_type, broken, one_fault=False)
    assert tally.accepted > share
    assert share // 2 < tally.planned < 2 * share, "both ways of reading must be tried"


OLD_EVENTS = [schema for schema in OLD_SCHEMAS if schema.name in EVENT_TYPES]


@pytest.mark.parametrize("schema", [*(SCHEMAS[t] for t in EVENT_TYPES), *OLD_EVENTS], ids=lambda s: s.raw["namespace"])
def test_our_own_schemas_newest_and_older_survive_every_damage(schema: Any) -> None:
    tally = Tally()
    rng = random.Random(schema.raw["namespace"] + schema.name)
    body = write_body(schema.raw, full(schema.raw, schema.name))
    tally.judge(schema.raw, schema.name, [body[:size] for size in range(len(body) + 1)], one_fault=True)
    flipped = [body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :] for at in range(len(body)) for bit in range(8)]
    tally.judge(schema.raw, schema.name, flipped, one_fault=False)
    tally.judge(schema.raw, schema.name, [damaged(body, rng) for _ in range(300)], one_fault=False)
    assert {L.CODE_OK, Dead.TRUNCATED, Dead.BAD_LENGTH, Dead.BAD_VARINT} <= tally.codes


def full(schema: RawSchema, event_type: str) -> dict[str, Any]:
    """An event with a value in every field of the schema."""
    values: dict[str, Any] = dict(MINIMAL)
    kinds = {f.name: f.kind for f in FIELDS[event_type]}
    for name in {field["name"] for field in schema["fields"]} - values.keys():
        match kinds.get(name):
            case "text":
                values[name] = "客户 é"
            case "real":
                values[name] = -0.3
            case "kind":
                values[name] = KINDS[event_type][1]
            case None:
                values[name] = {"sex": "f", "region": "华东"}
            case _:
                values[name] = 3
    return values


@relaxed
@given(st.lists(events(), max_size=6))
def test_a_batch_of_our_events_is_read_as_it_was_written(batch: list[tuple[str, dict[str, Any]]]) -> None:
    decoded = decode([event_from_json(*event) for event in batch])
    for row, (event_type, values) in enumerate(batch):
        body = write_body(SCHEMAS[event_type].raw, values)
        assert decoded.events[row, L.EV_CODE] == L.CODE_OK
        assert same(values_in(decoded, row), values_by_fastavro(SCHEMAS[event_type].raw, event_type, body))


@relaxed
@given(st.lists(st.binary(max_size=60), max_size=10), st.sampled_from(["single", "confluent", "none"]), st.data())
def test_arbitrary_bytes_are_dead_or_read_alike(bodies: list[bytes], framing: str, data: st.DataObject) -> None:
    event_type = data.draw(st.sampled_from(EVENT_TYPES))
    raw = SCHEMAS[event_type].raw
    writers = Writers(fetch_by_id=lambda schema_id: raw if schema_id == 7 else None)
    head = {"single": b"\xc3\x01" + SCHEMAS[event_type].fingerprint, "confluent": b"\0\0\0\0\x07", "none": b""}[framing]
    for code, body in zip(codes([head + b for b in bodies], writers), bodies, strict=True):
        if framing != "none":
            assert (code == L.CODE_OK) == isinstance(slow_judgement(raw, body), bytes)
        else:
            assert code in set(Dead)


# --------------------------------------------------------------------------------------------- one fault at a time


def by_json(event_type: str = "browse", **values: Any) -> bytes:
    return event_from_json(event_type, {**MINIMAL, **values})


def body_of(event_type: str, **values: Any) -> bytes:
    raw = SCHEMAS[event_type].raw
    return write_body(raw, {**dict.fromkeys(f["name"] for f in raw["fields"]), "attributes": {}, **MINIMAL, **values})


FAULTS: list[tuple[str, bytes, Dead]] = [
    ("browse", body_of("browse", event_id=""), Dead.EMPTY_ID),
    ("browse", body_of("browse", customer_id=""), Dead.EMPTY_ID),
    ("browse", body_of("browse", event_id="x" * 257), Dead.LONG_ID),
    ("browse", body_of("browse", customer_id="é" * 129), Dead.LONG_ID),
    ("browse", body_of("browse", customer_id="@clock"), Dead.RESERVED_ID),
    ("service", body_of("service", sentiment=math.nan), Dead.NOT_A_NUMBER),
    ("service", body_of("service", sentiment=-math.inf), Dead.NOT_A_NUMBER),
    ("service", body_of("service", sentiment=1.0000000000000002), Dead.OUT_OF_RANGE),
    ("service", body_of("service", satisfaction=0), Dead.OUT_OF_RANGE),
    ("service", body_of("service", satisfaction=6), Dead.OUT_OF_RANGE),
    ("service", body_of("service", satisfaction=2**31 - 1), Dead.OUT_OF_RANGE),
    ("browse", body_of("browse") + b"\0", Dead.TRAILING_BYTES),
    ("browse", body_of("browse")[:-1], Dead.TRUNCATED),
    ("browse", b"", Dead.TRUNCATED),
    ("browse", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", Dead.BAD_LENGTH),
    ("browse", b"\x01", Dead.BAD_LENGTH),
    ("browse", b"\xff" * 9 + b"\x02", Dead.BAD_VARINT),
    ("browse", b"\xff" * 11, Dead.BAD_VARINT),
    ("browse", b"\x02\xff" + body_of("browse")[3:], Dead.NOT_UTF8),
    ("purchase", body_of("purchase", kind="refund").replace(b"\x02\x02", b"\x02\x06"), Dead.UNKNOWN_KIND),
    ("profile", body_of("profile")[:-1] + b"\x01\x06\0\0\0", Dead.BAD_LENGTH),
    ("profile", body_of("profile")[:-1] + b"\xff" * 9 + b"\x01", Dead.TRUNCATED),
]  # fmt: skip


@pytest.mark.parametrize(("event_type", "body", "dead"), FAULTS, ids=lambda v: v.name if isinstance(v, Dead) else "")
def test_one_fault_has_one_code_on_either_path(event_type: str, body: bytes, dead: Dead) -> None:
    assert codes([b"\xc3\x01" + SCHEMAS[event_type].fingerprint + body]) == [dead]
    assert slow_judgement(SCHEMAS[event_type].raw, body) == dead


@pytest.mark.parametrize(
    ("payload", "dead"),
    [
        (b"", Dead.TRUNCATED),
        (b"\xc3", Dead.UNKNOWN_SCHEMA),
        (b"\xc3\x01", Dead.TRUNCATED),
        (b"\xc3\x02" + b"x" * 20, Dead.UNKNOWN_SCHEMA),
        (b"\xc3\x01" + b"nobody's" + b"x", Dead.UNKNOWN_SCHEMA),
        (b"\xc3\x01" + SCHEMAS["change"].fingerprint + b"x", Dead.UNKNOWN_SCHEMA),
        (b"\0\0\0\0", Dead.TRUNCATED),
        (b"\0\0\0\0\x09x", Dead.UNKNOWN_SCHEMA),
        (b"[1]", Dead.UNKNOWN_SCHEMA),
        (b"\xef\xbb\xbf{}", Dead.UNKNOWN_SCHEMA),
        (b"{", Dead.BAD_JSON),
        (b"{}", Dead.MISSING_FIELD),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", Dead.DEEP_JSON),
        (b'{"a":' * 100_000, Dead.DEEP_JSON),
        (b'{"event_id": "\xff"}', Dead.NOT_UTF8),
        (b'{"event_id": "' + b"x" * 1_048_576 + b'"}', Dead.TOO_LARGE),
        (by_json("purchase"), Dead.WRONG_TYPE_FOR_TOPIC),
    ],
    ids=lambda value: value.name if isinstance(value, Dead) else "",
)
def test_what_is_no_browse_event_is_dead_with_its_code_and_the_next_is_read(payload: bytes, dead: Dead) -> None:
    assert codes([by_json(), payload, by_json()], source="browse") == [L.CODE_OK, dead, L.CODE_OK]


def test_an_empty_batch_and_tombstones_are_no_trouble() -> None:
    assert codes([]) == []
    assert codes([None]) == [L.CODE_TOMBSTONE]
    assert codes([None, by_json(), None, None], source="browse") == [L.CODE_TOMBSTONE, 0, L.CODE_TOMBSTONE, -1]


def test_json_is_not_taken_on_a_source_of_moved_events() -> None:
    value = b'{"event_id": "e", "customer_id": "c", "event_time": 1700000000000}'
    assert codes([value]) == [Dead.UNKNOWN_SCHEMA]
    assert codes([value], source="browse") == [L.CODE_OK]


def test_a_megabyte_in_a_text_is_read_and_a_megabyte_of_noise_is_dead() -> None:
    head = b"\xc3\x01" + SCHEMAS["browse"].fingerprint
    decoded = decode([by_json(search_query="客" * 350_000), head + random.Random(1).randbytes(1 << 20)])
    assert values_in(decoded, 0)["search_query"] == "客" * 350_000
    assert int(decoded.events[1, L.EV_CODE]) in set(Dead)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "record", "name": "Browse"},
        {"type": "record", "name": "Browse", "fields": [{"name": "event_id"}]},
        {
            "type": "record",
            "name": "Browse",
            "fields": [*SCHEMAS["browse"].raw["fields"][:3], {"name": "x", "type": {}}],
        },
        {"type": "record", "name": "Browse", "fields": 3},
        {"type": "record", "name": "Other", "fields": []},
        {"type": "record"},
        "string",
    ],
)
def test_a_registry_with_a_senseless_schema_kills_its_events_alone(schema: Any) -> None:
    writers = Writers(fetch_by_id=lambda schema_id: schema if schema_id == 7 else None)
    assert codes([b"\0\0\0\0\x07x", by_json()], writers, "browse") == [Dead.UNKNOWN_SCHEMA, L.CODE_OK]


@pytest.mark.parametrize(
    ("name", "avro_type", "dead"),
    [
        ("attributes", "string", Dead.WRONG_TYPE),
        ("event_time", "double", Dead.WRONG_TYPE),
        (None, "", Dead.MISSING_FIELD),
    ],
)
def test_a_schema_that_can_never_be_ours_says_so_for_each_event(name: str | None, avro_type: str, dead: Dead) -> None:
    fields = [f for f in SCHEMAS["profile"].raw["fields"] if f["name"] not in (name, "customer_id" if not name else "")]
    fields += [{"name": name, "type": avro_type}] if name else []
    schema = {"type": "record", "name": "Profile", "fields": fields}
    payload = b"\xc3\x01" + crc64_avro(schema) + b"\0" * 20
    assert codes([payload, payload], Writers([schema])) == [dead, dead]


@pytest.mark.parametrize("order", [1, -1])
def test_many_writers_mixed_in_one_batch_are_each_read_by_their_own_schema(order: int) -> None:
    rng = random.Random(5)
    draws = [WriterDraw(rng) for _ in range(40)]
    schemas = [draw.schema() for draw in draws]
    bodies = [[write_body(s, d.values(rng)) for _ in range(3)] for s, d in zip(schemas, draws, strict=True)]
    payloads: list[bytes | None] = []
    wanted: list[bool] = []
    for turn in range(3):
        for place in range(len(draws)):
            # half of them by id, half by fingerprint
            head = b"\0" + place.to_bytes(4, "big") if place % 2 else b"\xc3\x01" + crc64_avro(schemas[place])
            payloads.append(head + bodies[place][turn])
            wanted.append(isinstance(slow_judgement(schemas[place], bodies[place][turn]), bytes))
    got = codes(payloads[::order], Writers(schemas, lambda schema_id: schemas[schema_id]))
    assert [code == L.CODE_OK for code in got] == wanted[::order]
    assert 0 < sum(wanted) < len(wanted)
