"""Reads an event written by another schema than ours: the path for whatever the decode plan cannot do.

`bounds` proves the bytes sound, fastavro resolves the writer's schema with ours by Avro's rules, `canonical` validates
the values and writes them by our newest schema. Three things are taken beyond Avro's rules, since writers do them and
nothing is lost: `kind` may be a plain string, or an enum of another name or with other symbols, of which those that an
event uses must be ours; a long may stand where we have an int; and times in `timestamp-micros` or `-nanos` are
turned into milliseconds (rounded down), which Avro would take for milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import fastavro

from schemas.bounds import BodyCheck
from schemas.canonical import canonical_event
from schemas.errors import EventError
from schemas.events import FIELDS
from schemas.identity_cache import IdentityCache
from schemas.outcomes import Dead
from schemas.registry import RawSchema, event_type_of

_UNITS_PER_MS: Final = {
    "timestamp-micros": 1000,
    "local-timestamp-micros": 1000,
    "timestamp-nanos": 1_000_000,
    "local-timestamp-nanos": 1_000_000,
}

_READ_AS: Final = {"text": "string", "int": "long", "cents": "long", "time": "long", "real": "double"}

_ACCEPTS: Final = {
    "string": {"string", "bytes"},
    "long": {"int", "long"},
    "double": {"int", "long", "float", "double"},
    "kind": {"string", "enum"},
    "map": {"map"},
}
"""Types of a writer that Avro promotes to the type that we read, besides null."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to read the bodies of one writer's schema."""

    event_type: str
    body: BodyCheck
    reader: RawSchema
    units_per_ms: Mapping[str, int]
    """Fields that hold a time in another unit than milliseconds."""


def event_from_avro_slow(writer_schema: RawSchema, body: bytes, expected_type: str | None = None) -> bytes:
    """The event as a canonical value (`canonical.canonical_event`) of our newest schema.

    `body` is what follows the header, written by `writer_schema`, which must be the same object from call to call to be
    fast. Raises EventError: UNKNOWN_SCHEMA if the schema is not valid or its record is none of our events,
    WRONG_TYPE_FOR_TOPIC if it is of another type than `expected_type` (None: any), MISSING_FIELD or WRONG_TYPE if it
    can never be read as ours; what `BodyCheck.check` and `canonical_event` raise. Nothing else, whatever the bytes are.
    """
    plan = _PLANS.get(writer_schema)
    if isinstance(plan, EventError):
        raise EventError(plan.dead, plan.detail)
    if expected_type is not None and plan.event_type != expected_type:
        raise EventError(Dead.WRONG_TYPE_FOR_TOPIC, f"{plan.event_type} instead of {expected_type}")
    plan.body.check(body)
    try:
        values: Any = fastavro.schemaless_reader(BytesIO(body), plan.body.plain, plan.reader)
    except UnicodeDecodeError as error:  # bytes where we have a string
        raise EventError(Dead.NOT_UTF8, str(error)) from error
    except Exception as error:  # the bytes are sound by now: what is left are values that do not resolve to our types
        raise EventError(Dead.WRONG_TYPE, str(error)[:200]) from error
    for name, units in plan.units_per_ms.items():
        if values[name] is not None:
            values[name] //= units
    return canonical_event(plan.event_type, values)


def check_readable(writer_schema: RawSchema) -> None:
    """Raises the EventError that every event written by this schema would meet, if there is one."""
    plan = _PLANS.get(writer_schema)
    if isinstance(plan, EventError):
        raise EventError(plan.dead, plan.detail)


def _plan_or_error(writer_schema: RawSchema) -> _Plan | EventError:
    """A schema that cannot be used is remembered like one that can: its events may be many."""
    try:
        return _plan(writer_schema)
    except EventError as error:
        return error
    except Exception as error:  # fastavro does not say what a bad schema raises: KeyError, TypeError, its own
        return EventError(Dead.UNKNOWN_SCHEMA, f"not a valid Avro schema: {error}"[:200])


def _plan(writer_schema: RawSchema) -> _Plan:
    event_type = event_type_of(writer_schema)
    if event_type is None:
        raise EventError(Dead.UNKNOWN_SCHEMA, "the record is named none of Browse, Purchase, Service, Profile")
    body = BodyCheck(writer_schema)
    written = {field["name"]: field["type"] for field in body.plain["fields"]}
    original = {field["name"]: field["type"] for field in writer_schema["fields"]}
    types = {"event_id": "string", "customer_id": "string", "event_time": "long"}
    types |= {field.name: _READ_AS.get(field.kind, field.kind) for field in FIELDS[event_type]}
    if event_type == "profile":
        types["attributes"] = "map"
    fields: list[dict[str, Any]] = []
    for name, wanted in types.items():
        if name not in written:
            if name in ("event_id", "customer_id", "event_time"):
                raise EventError(Dead.MISSING_FIELD, f"the writer's schema has no {name}")
            continue
        branches = [_defined(branch, body.named) for branch in _branches(written[name])]
        if not any(_type_name(branch) in _ACCEPTS[wanted] for branch in branches):
            raise EventError(Dead.WRONG_TYPE, f"{name} is written as {_shown_types(branches)}, not as {wanted}")
        # Nullable, also where we demand a value: a null is then a missing field, and said to be one.
        fields.append({"name": name, "type": ["null", *_reading(wanted, branches)], "default": None})
    reader = {"type": "record", "name": body.plain["name"], "fields": fields}
    times = ("event_time", "order_time")
    units = {name: unit for name in times if name in original and (unit := units_per_ms(original[name])) != 1}
    parsed: Any = fastavro.parse_schema(reader)
    return _Plan(event_type, body, parsed, units)


def _branches(schema: Any) -> list[Any]:
    return schema if isinstance(schema, list) else [schema]


def _defined(schema: Any, named: dict[str, Any]) -> Any:
    """The schema itself where it is a name."""
    return named.get(schema, schema) if isinstance(schema, str) else schema


def _type_name(schema: Any) -> str:
    while isinstance(schema, dict):
        schema = schema["type"]
    return str(schema)


def _shown_types(branches: list[Any]) -> str:
    return " or ".join(_type_name(branch) for branch in branches)


def _reading(wanted: str, branches: list[Any]) -> list[Any]:
    """The types to read a field by. `kind` is read as it was written; its symbols are checked as values."""
    if wanted == "kind":
        return [branch for branch in branches if _type_name(branch) in _ACCEPTS["kind"]]
    if wanted == "map":
        return [{"type": "map", "values": ["null", "string"]}]
    return [wanted]


def units_per_ms(schema: Any) -> int:
    """How many of the writer's units of time are a millisecond; 1 if the schema of the field does not say."""
    for branch in _branches(schema):
        while isinstance(branch, dict):
            unit = _UNITS_PER_MS.get(str(branch.get("logicalType")))
            if unit is not None:
                return unit
            branch = branch.get("type")
    return 1


_PLANS: Final = IdentityCache(_plan_or_error)
