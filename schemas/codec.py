"""Bytes to events and records to bytes: the codecs in one place.

Avro events of schemas that the decode plan knows do not come through here; JSON and everything unusual does, and leaves
as a canonical value that the plan reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from schemas.canonical import canonical_event, time_ms
from schemas.errors import EventError
from schemas.framing import Frame, frame_confluent, frame_single, read_framed, unframe
from schemas.outcomes import Dead
from schemas.resolution import event_from_avro_slow

__all__ = [
    "MAX_JSON_DEPTH",
    "MAX_VALUE_BYTES",
    "Frame",
    "event_from_avro_slow",
    "event_from_json",
    "event_from_json_bytes",
    "frame_confluent",
    "frame_single",
    "json_object",
    "read_framed",
    "time_ms",
    "unframe",
]

MAX_VALUE_BYTES: Final = 1_048_576
"""Largest JSON event: what Kafka takes in one record by default, so a larger one came by a setting made for others."""

MAX_JSON_DEPTH: Final = 32
"""Events are 2 deep. A parser's stack bears some 1,000, which unknown fields, though ignored, could exceed."""

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""One that does not end goes to the end of the text: looking for its end again from each later quote would take time
in the square of the length."""

_BRACKET: Final = re.compile(rb"[\[\]{}]")


def event_from_json(event_type: str, obj: Mapping[str, Any]) -> bytes:
    """A parsed JSON object as a canonical value (single-object encoding) of our newest schema of `event_type`.

    Unknown fields are ignored, `amount` among them: money comes as `amount_cents`. Times are whole milliseconds or
    ISO-8601 (UTC without a zone). Raises EventError as `canonical.canonical_event` does.
    """
    return canonical_event(event_type, obj)


def event_from_json_bytes(event_type: str, value: bytes) -> bytes:
    """As `event_from_json`, from a record's value. Raises EventError: also what `json_object` raises."""
    return canonical_event(event_type, json_object(value))


def json_object(value: bytes) -> dict[str, Any]:
    """A JSON object, parsed. Raises EventError: TOO_LARGE, DEEP_JSON, NOT_UTF8, BAD_JSON."""
    if len(value) > MAX_VALUE_BYTES:
        raise EventError(Dead.TOO_LARGE, f"{len(value)} bytes")
    # Hardly any event has more brackets than it may have levels, so counting them settles it.
    if value.count(b"{") + value.count(b"[") > MAX_JSON_DEPTH:
        _check_depth(value)
    try:
        obj = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise _json_error(value, error) from error
    if not isinstance(obj, dict):
        raise EventError(Dead.BAD_JSON, f"a {type(obj).__name__} where an object belongs")
    return obj


def _check_depth(value: bytes) -> None:
    """Raises EventError(DEEP_JSON). Brackets within strings do not count; what is not JSON is left to the parser."""
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", value)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_JSON_DEPTH:
            raise EventError(Dead.DEEP_JSON, f"more than {MAX_JSON_DEPTH} levels")


def _json_error(value: bytes, error: orjson.JSONDecodeError) -> EventError:
    try:
        value.decode()
    except UnicodeDecodeError as not_utf8:
        return EventError(Dead.NOT_UTF8, f"at byte {not_utf8.start}")
    return EventError(Dead.BAD_JSON, str(error))
