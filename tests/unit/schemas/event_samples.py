"""Events for tests: strategies for whole events as plain values, and readers by fastavro alone."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import fastavro
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from schemas.events import EVENT_TYPES, FIELDS, KINDS, Field
from schemas.registry import SCHEMAS

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine must not fail them."""

LONG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64).filter(lambda s: not s.startswith("@"))

MINIMAL: dict[str, Any] = {"event_id": "e1", "customer_id": "c1", "event_time": 1_700_000_000_000}


def field_values(event_type: str, field: Field) -> st.SearchStrategy[Any]:
    """Every valid value of the field, and None."""
    match field.kind:
        case "text":
            values: st.SearchStrategy[Any] = TEXT
        case "int" if field.low is not None and field.high is not None:
            values = st.integers(int(field.low), int(field.high))
        case "real":
            values = st.floats(field.low, field.high, allow_nan=False)
        case "kind":
            values = st.sampled_from(KINDS[event_type])
        case _:
            values = LONG
    return st.none() | values


@st.composite
def events(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """(event type, values of all its fields)."""
    event_type = draw(st.sampled_from(EVENT_TYPES))
    values = {"event_id": draw(IDS), "customer_id": draw(IDS), "event_time": draw(LONG)}
    values |= {field.name: draw(field_values(event_type, field)) for field in FIELDS[event_type]}
    if event_type == "profile":
        values["attributes"] = draw(st.dictionaries(TEXT, st.none() | TEXT, max_size=5))
    return event_type, values


def bare(schema: Any) -> Any:
    """The schema without logical types, so that times are read as numbers."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def read_canonical(event_type: str, value: bytes) -> dict[str, Any]:
    """The values of a canonical event, read by fastavro; every byte must be consumed."""
    schema = SCHEMAS[event_type]
    assert value[:10] == b"\xc3\x01" + schema.fingerprint
    return read_body(schema.raw, value[10:])


def read_body(raw: dict[str, Any], body: bytes, reader: dict[str, Any] | None = None) -> dict[str, Any]:
    stream = BytesIO(body)
    record = fastavro.schemaless_reader(stream, bare(raw), reader and bare(reader))
    assert stream.tell() == len(body)
    assert isinstance(record, dict)
    return record


def write_body(raw: dict[str, Any], record: dict[str, Any]) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, bare(raw), record)
    return stream.getvalue()
