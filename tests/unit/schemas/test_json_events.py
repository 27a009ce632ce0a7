"""JSON events: what is taken, what is refused, and for which reason."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.codec import MAX_VALUE_BYTES, event_from_json, event_from_json_bytes
from schemas.errors import EventError
from schemas.events import EVENT_TYPES, FIELDS
from schemas.outcomes import Dead
from schemas.registry import SCHEMAS
from tests.unit.schemas.event_samples import MINIMAL, events, read_canonical, relaxed, write_body


@relaxed
@given(events())
def test_a_valid_event_becomes_the_bytes_that_fastavro_writes(event: tuple[str, dict[str, Any]]) -> None:
    event_type, values = event
    schema = SCHEMAS[event_type]
    expected = b"\xc3\x01" + schema.fingerprint + write_body(schema.raw, values)
    assert event_from_json(event_type, values) == expected


@relaxed
@given(events())
def test_a_valid_event_survives_json_text_and_missing_is_null(event: tuple[str, dict[str, Any]]) -> None:
    event_type, values = event
    text = orjson.dumps({name: value for name, value in values.items() if value is not None})
    assert read_canonical(event_type, event_from_json_bytes(event_type, text)) == values


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_an_event_of_mandatory_fields_alone_has_all_others_missing(event_type: str) -> None:
    record = read_canonical(event_type, event_from_json(event_type, MINIMAL))
    expected: dict[str, Any] = MINIMAL | {field.name: None for field in FIELDS[event_type]}
    if event_type == "profile":
        expected["attributes"] = {}
    assert record == expected


@pytest.mark.parametrize(
    ("event_type", "given_fields", "taken"),
    [
        ("browse", {"event_time": "2023-11-14T22:13:20Z"}, {"event_time": 1_700_000_000_000}),
        ("browse", {"event_time": "2023-11-14 22:13:20"}, {"event_time": 1_700_000_000_000}),
        ("browse", {"event_time": "2023-11-15T06:13:20.0009+08:00"}, {"event_time": 1_700_000_000_000}),
        ("browse", {"event_time": 1.7e12}, {"event_time": 1_700_000_000_000}),
        ("browse", {"event_time": -1}, {"event_time": -1}),
        ("browse", {"dwell_ms": 3.0}, {"dwell_ms": 3}),
        ("browse", {"dwell_ms": 2**40}, {"dwell_ms": 2**40}),
        ("browse", {"channel": ""}, {"channel": ""}),
        ("browse", {"search_query": "x" * 5000}, {"search_query": "x" * 5000}),
        ("browse", {"event_id": "x" * 256}, {"event_id": "x" * 256}),
        ("browse", {"customer_id": "a@b"}, {"customer_id": "a@b"}),
        ("browse", {"unknown": {"a": [1, {}]}, "type": "purchase"}, {}),
        ("purchase", {"order_time": "1997-01-01"}, {"order_time": 852_076_800_000}),
        ("purchase", {"order_time": None}, {"order_time": None}),
        ("purchase", {"amount_cents": -4200}, {"amount_cents": -4200}),
        ("purchase", {"amount_cents": -(2**63)}, {"amount_cents": -(2**63)}),
        ("purchase", {"amount": 42.5}, {"amount_cents": None}),
        ("purchase", {"kind": "cancel"}, {"kind": "cancel"}),
        ("service", {"sentiment": 1}, {"sentiment": 1.0}),
        ("service", {"sentiment": -1.0}, {"sentiment": -1.0}),
        ("service", {"satisfaction": 5.0}, {"satisfaction": 5}),
        ("service", {"kind": "campaign_reply"}, {"kind": "campaign_reply"}),
        ("profile", {"attributes": {"sex": "f", "level": None}}, {"attributes": {"sex": "f", "level": None}}),
        ("profile", {"attributes": None}, {"attributes": {}}),
    ],
)
def test_json_is_brought_into_the_form_of_the_schema(
    event_type: str, given_fields: dict[str, Any], taken: dict[str, Any]
) -> None:
    record = read_canonical(event_type, event_from_json_bytes(event_type, orjson.dumps(MINIMAL | given_fields)))
    assert {name: record[name] for name in taken} == taken
    assert all(type(record[name]) is type(value) for name, value in taken.items())
    assert "unknown" not in record


@pytest.mark.parametrize(
    ("event_type", "given_fields", "dead"),
    [
        ("browse", {"event_id": None}, Dead.MISSING_FIELD),
        ("browse", {"customer_id": None}, Dead.MISSING_FIELD),
        ("browse", {"event_time": None}, Dead.MISSING_FIELD),
        ("browse", {"event_id": ""}, Dead.EMPTY_ID),
        ("browse", {"customer_id": ""}, Dead.EMPTY_ID),
        ("browse", {"event_id": "x" * 257}, Dead.LONG_ID),
        ("browse", {"customer_id": "ü" * 129}, Dead.LONG_ID),
        ("browse", {"customer_id": "@clock"}, Dead.RESERVED_ID),
        ("browse", {"event_id": "@"}, Dead.RESERVED_ID),
        ("browse", {"event_id": 17}, Dead.WRONG_TYPE),
        ("browse", {"customer_id": ["c"]}, Dead.WRONG_TYPE),
        ("browse", {"channel": 1}, Dead.WRONG_TYPE),
        ("browse", {"channel": False}, Dead.WRONG_TYPE),
        ("browse", {"dwell_ms": "3"}, Dead.WRONG_TYPE),
        ("browse", {"dwell_ms": True}, Dead.WRONG_TYPE),
        ("browse", {"dwell_ms": 3.5}, Dead.WRONG_TYPE),
        ("browse", {"dwell_ms": {}}, Dead.WRONG_TYPE),
        ("browse", {"dwell_ms": math.nan}, Dead.NOT_A_NUMBER),
        ("browse", {"dwell_ms": math.inf}, Dead.NOT_A_NUMBER),
        ("browse", {"dwell_ms": 2**63}, Dead.OUT_OF_RANGE),
        ("browse", {"dwell_ms": 1e300}, Dead.OUT_OF_RANGE),
        ("browse", {"dwell_ms": 10**5000}, Dead.OUT_OF_RANGE),
        ("browse", {"channel": "\ud800"}, Dead.NOT_UTF8),
        ("browse", {"customer_id": "\udfff"}, Dead.NOT_UTF8),
        ("browse", {"event_time": "yesterday"}, Dead.BAD_TIME),
        ("browse", {"event_time": True}, Dead.BAD_TIME),
        ("browse", {"event_time": 1.5}, Dead.BAD_TIME),
        ("browse", {"event_time": math.nan}, Dead.BAD_TIME),
        ("browse", {"event_time": math.inf}, Dead.BAD_TIME),
        ("browse", {"event_time": []}, Dead.BAD_TIME),
        ("browse", {"event_time": 2**63}, Dead.BAD_TIME),
        ("browse", {"event_time": 10**5000}, Dead.BAD_TIME),
        ("purchase", {"order_time": "then"}, Dead.BAD_TIME),
        ("purchase", {"kind": "purchase"}, Dead.UNKNOWN_KIND),
        ("purchase", {"kind": ""}, Dead.UNKNOWN_KIND),
        ("purchase", {"kind": "Order"}, Dead.UNKNOWN_KIND),
        ("purchase", {"kind": "enquiry"}, Dead.UNKNOWN_KIND),
        ("purchase", {"kind": 0}, Dead.WRONG_TYPE),
        ("purchase", {"amount_cents": 1.5}, Dead.WRONG_TYPE),
        ("service", {"sentiment": 1.0000001}, Dead.OUT_OF_RANGE),
        ("service", {"sentiment": -2}, Dead.OUT_OF_RANGE),
        ("service", {"sentiment": math.nan}, Dead.NOT_A_NUMBER),
        ("service", {"sentiment": -math.inf}, Dead.NOT_A_NUMBER),
        ("service", {"sentiment": 10**400}, Dead.OUT_OF_RANGE),
        ("service", {"sentiment": "good"}, Dead.WRONG_TYPE),
        ("service", {"sentiment": True}, Dead.WRONG_TYPE),
        ("service", {"satisfaction": 0}, Dead.OUT_OF_RANGE),
        ("service", {"satisfaction": 6}, Dead.OUT_OF_RANGE),
        ("profile", {"attributes": []}, Dead.WRONG_TYPE),
        ("profile", {"attributes": "sex=f"}, Dead.WRONG_TYPE),
        ("profile", {"attributes": {"level": 3}}, Dead.WRONG_TYPE),
        ("profile", {"attributes": {"level": {"a": "b"}}}, Dead.WRONG_TYPE),
        ("profile", {"attributes": {"level": "\ud800"}}, Dead.NOT_UTF8),
        ("profile", {"attributes": {"\ud800": "x"}}, Dead.NOT_UTF8),
    ],
)
def test_a_bad_field_makes_the_event_dead_for_its_own_reason(
    event_type: str, given_fields: dict[str, Any], dead: Dead
) -> None:
    with pytest.raises(EventError) as caught:
        event_from_json(event_type, MINIMAL | given_fields)
    assert caught.value.dead is dead
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("value", "dead"),
    [
        (b"", Dead.BAD_JSON),
        (b"{", Dead.BAD_JSON),
        (b"{}x", Dead.BAD_JSON),
        (b"[]", Dead.BAD_JSON),
        (b"1", Dead.BAD_JSON),
        (b"null", Dead.BAD_JSON),
        (b"\xef\xbb\xbf{}", Dead.BAD_JSON),
        (b'{"event_id": NaN}', Dead.BAD_JSON),
        (b'{"event_id": Infinity}', Dead.BAD_JSON),
        (b'{"event_id": 1e999}', Dead.BAD_JSON),
        (b'{"event_id": "\\ud800"}', Dead.BAD_JSON),
        (b'{"event_id": "\xff"}', Dead.NOT_UTF8),
        (b'{"event_id": "M\xfcller"}', Dead.NOT_UTF8),
        (b"{}", Dead.MISSING_FIELD),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", Dead.DEEP_JSON),
        (b"{" * 100_000, Dead.DEEP_JSON),
        (b'{"a":"' + b"[" * 100 + b'"}', Dead.MISSING_FIELD),
        (b'{"a":"\\"' + b"[" * 100 + b'"}', Dead.MISSING_FIELD),
        (b'{"a":[' + b"[],[]," * 100 + b"[]]}", Dead.MISSING_FIELD),
        (b"[" * 50 + b'"' * 51, Dead.DEEP_JSON),
        (b'{"a":"' + b"x" * MAX_VALUE_BYTES + b'"}', Dead.TOO_LARGE),
        (b'{"a":"' + b"[" * (MAX_VALUE_BYTES - 8) + b'"}', Dead.MISSING_FIELD),
        (b'"\\' * (MAX_VALUE_BYTES // 2 - 50) + b"[" * 40, Dead.BAD_JSON),
    ],
)
def test_a_value_that_is_not_an_event_in_json_is_dead(value: bytes, dead: Dead) -> None:
    with pytest.raises(EventError) as caught:
        event_from_json_bytes("browse", value)
    assert caught.value.dead is dead


def test_the_deepest_nesting_allowed_is_read() -> None:
    value = orjson.dumps(MINIMAL)[:-1] + b',"a":' + b"[" * 31 + b"]" * 31 + b"}"
    assert event_from_json_bytes("browse", value) == event_from_json("browse", MINIMAL)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@relaxed
@given(st.sampled_from(EVENT_TYPES), st.data())
def test_whatever_the_fields_hold_it_is_an_event_or_an_event_error(event_type: str, data: st.DataObject) -> None:
    names = ["event_id", "customer_id", "event_time", "attributes", *(field.name for field in FIELDS[event_type])]
    changed = data.draw(st.dictionaries(st.sampled_from(names), JSON_VALUES, max_size=4))
    try:
        value = event_from_json(event_type, MINIMAL | changed)
    except EventError:
        return
    read_canonical(event_type, value)


@relaxed
@given(st.binary(max_size=200))
@example(b'{"event_id":"1","customer_id":"2","event_time":3}')
def test_whatever_the_bytes_are_it_is_an_event_or_an_event_error(value: bytes) -> None:
    try:
        event = event_from_json_bytes("browse", b"{" + value)
    except EventError:
        return
    read_canonical("browse", event)
