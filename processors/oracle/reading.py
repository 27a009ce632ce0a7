"""From a record's bytes to what its sender meant, one field after the other, as fastavro reads it."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import fastavro

from processors.oracle.event import Command, Event, Record
from schemas.bounds import BodyCheck
from schemas.codec import event_from_avro_slow, event_from_json_bytes, unframe
from schemas.errors import EventError
from schemas.events import EVENT_TYPES
from schemas.framing import single_object_header
from schemas.ids import fault_of_id
from schemas.outcomes import Dead
from schemas.records import Command as CommandRecord
from schemas.registry import SCHEMAS, WriterSchemas, event_type_of

__all__ = ["COMMANDS", "read_record"]

COMMANDS: Final = "command"
"""The type of the source that has the commands."""

_PLAIN: Final = {name: BodyCheck(SCHEMAS[name].raw).plain for name in EVENT_TYPES}


def read_record(source_type: str | None, value: bytes, arrival_ms: int, writers: WriterSchemas) -> Record:
    """An event or a command. Raises EventError if it is dead whenever it comes.

    `source_type`: event type of the topic, `COMMANDS`, or None for `events.moved`, which has all of them.
    """
    is_command = source_type is None and value.startswith(single_object_header("command"))
    if is_command or source_type == COMMANDS:
        return _command(value, arrival_ms, writers)
    event_type, values = _event(source_type, value, writers)
    return Event(
        type=event_type,
        event_id=values.pop("event_id"),
        customer_id=values.pop("customer_id"),
        event_time_ms=values.pop("event_time"),
        arrival_ms=arrival_ms,
        fields=values,
    )


def _event(source_type: str | None, value: bytes, writers: WriterSchemas) -> tuple[str, dict[str, Any]]:
    """Its type, and its fields by our newest schema."""
    if value.startswith(b"{"):
        if source_type is None:
            raise EventError(Dead.UNKNOWN_SCHEMA, "events.moved carries Avro only")
        event_type, canonical = source_type, event_from_json_bytes(source_type, value)
    else:
        frame = unframe(value)
        writer = frame.writer_schema(writers)
        canonical = event_from_avro_slow(writer, frame.body, source_type)
        event_type = event_type_of(writer) or ""
    values = fastavro.schemaless_reader(BytesIO(unframe(canonical).body), _PLAIN[event_type], None)
    assert isinstance(values, dict)
    return event_type, values


def _command(value: bytes, arrival_ms: int, writers: WriterSchemas) -> Command:
    command = CommandRecord.from_value(value, writers)
    for text in (command.command_id, command.customer_id):
        if (fault := fault_of_id(text)) is not None:
            raise EventError(fault, f"the id {text[:64]!r}")
    return Command(
        event_id=command.command_id,
        customer_id=command.customer_id,
        arrival_ms=arrival_ms,
        kind=command.kind,
        tag=command.tag or "",
        value=_value(command.value),
        until_ms=command.until,
    )


def _value(value: Any) -> Any:
    """What a tag is to be; false is nothing that one can be."""
    return "" if value is False else value
