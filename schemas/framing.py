"""How a value says by which schema it was written.

Single-object encoding (Avro specification 1.11, "Single-object encoding"): C3 01, the fingerprint of the writer's
schema (CRC-64-AVRO, 8 bytes, little-endian), the body. Confluent framing: 00, the schema's id in a schema registry
(4 bytes, big-endian), the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from fastavro import schemaless_reader, schemaless_writer

from schemas.bounds import BodyCheck
from schemas.errors import EventError
from schemas.identity_cache import IdentityCache
from schemas.outcomes import Dead
from schemas.registry import OWN_WRITERS, SCHEMAS, RawSchema, WriterSchemas, record_name

SINGLE_OBJECT_MARK: Final = b"\xc3\x01"
SINGLE_OBJECT_HEADER_BYTES: Final = 10
CONFLUENT_MARK: Final = b"\x00"
CONFLUENT_HEADER_BYTES: Final = 5

_HEADERS: Final = {name: SINGLE_OBJECT_MARK + schema.fingerprint for name, schema in SCHEMAS.items()}


@dataclass(frozen=True, slots=True)
class Frame:
    """A value taken apart. One of `fingerprint` (8 bytes) and `schema_id` is given."""

    fingerprint: bytes | None
    schema_id: int | None
    body: bytes

    def writer_schema(self, writers: WriterSchemas) -> RawSchema:
        """The schema that the body was written by. Raises EventError(UNKNOWN_SCHEMA), and what `writers` raises."""
        if self.fingerprint is not None:
            schema = writers.by_fingerprint(self.fingerprint)
            label = f"fingerprint {self.fingerprint.hex()}"
        else:
            assert self.schema_id is not None
            schema = writers.by_id(self.schema_id)
            label = f"schema id {self.schema_id}"
        if schema is None:
            raise EventError(Dead.UNKNOWN_SCHEMA, label)
        return schema


def single_object_header(schema_name: str) -> bytes:
    """The 10 bytes before a body written by our newest schema of that name."""
    return _HEADERS[schema_name]


def frame_single(schema_name: str, record: dict[str, Any]) -> bytes:
    """The record by our newest schema of that name, in single-object encoding.

    A record that does not fit the schema is a bug of the caller: what fastavro raises goes through.
    """
    return _HEADERS[schema_name] + _body(schema_name, record)


def frame_confluent(schema_id: int, schema_name: str, record: dict[str, Any]) -> bytes:
    """The record by our newest schema of that name, in Confluent framing; `schema_id` is that schema's id in the
    registry, 0 to 2^32 - 1.
    """
    return CONFLUENT_MARK + schema_id.to_bytes(4, "big") + _body(schema_name, record)


def unframe(value: bytes) -> Frame:
    """Take an Avro value apart. Raises EventError: UNKNOWN_SCHEMA if it has neither framing, TRUNCATED if it ends
    within the header.
    """
    if value.startswith(SINGLE_OBJECT_MARK):
        if len(value) < SINGLE_OBJECT_HEADER_BYTES:
            raise EventError(Dead.TRUNCATED, f"{len(value)} bytes, shorter than the header")
        return Frame(value[2:SINGLE_OBJECT_HEADER_BYTES], None, value[SINGLE_OBJECT_HEADER_BYTES:])
    if value.startswith(CONFLUENT_MARK):
        if len(value) < CONFLUENT_HEADER_BYTES:
            raise EventError(Dead.TRUNCATED, f"{len(value)} bytes, shorter than the header")
        schema_id = int.from_bytes(value[1:CONFLUENT_HEADER_BYTES], "big")
        return Frame(None, schema_id, value[CONFLUENT_HEADER_BYTES:])
    raise EventError(Dead.UNKNOWN_SCHEMA, f"the value begins with {value[:2].hex(' ') or 'nothing'}")


def read_framed(schema_name: str, value: bytes, writers: WriterSchemas = OWN_WRITERS) -> dict[str, Any]:
    """A value of one of our own record schemas (not an event), resolved to our newest one of that name.

    Raises EventError: what `unframe` raises, UNKNOWN_SCHEMA for a schema of another name, and what `bounds` finds.
    """
    frame = unframe(value)
    writer = frame.writer_schema(writers)
    reader = SCHEMAS[schema_name]
    if record_name(writer) != reader.raw["name"]:
        raise EventError(Dead.UNKNOWN_SCHEMA, f"a {record_name(writer)} where a {reader.raw['name']} belongs")
    try:
        checked = _CHECKS.get(writer)
    except Exception as error:  # fastavro does not say what a bad schema raises: KeyError, TypeError, its own
        raise EventError(Dead.UNKNOWN_SCHEMA, f"not a valid Avro schema: {error}"[:200]) from error
    checked.check(frame.body)
    try:
        record = schemaless_reader(BytesIO(frame.body), checked.plain, _CHECKS.get(reader.raw).plain)
    except Exception as error:  # the bytes are sound by now: what is left is a schema that does not resolve to ours
        raise EventError(Dead.WRONG_TYPE, str(error)[:200]) from error
    assert isinstance(record, dict)
    return record


_CHECKS: Final = IdentityCache(BodyCheck)


def _body(schema_name: str, record: dict[str, Any]) -> bytes:
    stream = BytesIO()
    schemaless_writer(stream, SCHEMAS[schema_name].parsed, record)
    return stream.getvalue()
