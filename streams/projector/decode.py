"""Values of `tags.current` as the projector needs them: (epoch, seq), the clock, and the tags as Redis holds them.

Redis takes 100,000 customers a second and more, and so must this. fastavro makes a dictionary for every tag and takes
7 us for a customer with two; here the fields of our own schema, which the fingerprint before the body names, are read
straight from the bytes in 3 us. JSON and every other writer's schema take the general way. Only the tagger writes this
topic, so there are no checks here against bytes made to harm, only against damaged ones.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

import orjson

from schemas.errors import EventError
from schemas.framing import SINGLE_OBJECT_HEADER_BYTES, single_object_header
from schemas.outcomes import Dead
from schemas.records import Current
from schemas.registry import SCHEMAS
from streams.redis_layout import text_of

__all__ = ["CurrentTags", "read_current"]

_HEADER: Final = single_object_header("current")
_double_at: Final = struct.Struct("<d").unpack_from

# `_read_avro` knows the order of the fields by heart: whoever changes the schema must change it too.
_RAW: Final[dict[str, Any]] = SCHEMAS["current"].raw
assert [field["name"] for field in _RAW["fields"]] == [
    "customer_id", "partition", "epoch", "seq", "clock", "rule_version", "tags",
]  # fmt: skip
assert [field["type"] for field in _RAW["fields"][-1]["type"]["items"]["fields"]] == [
    "string",
    ["boolean", "string", "double", {"type": "array", "items": "string"}],
]


class CurrentTags(NamedTuple):
    """One value of `tags.current`. Greater (epoch, seq) is newer."""

    epoch: int
    seq: int
    clock_ms: int
    fields: list[str]
    """Tag, value as Redis holds it, tag, value, …"""


def read_current(value: bytes) -> CurrentTags:
    """Raises EventError if it is not a record of `tags.current` in Avro or JSON."""
    try:
        if value.startswith(_HEADER):
            return _read_avro(value)
        if value.startswith(b"{"):
            record = orjson.loads(value)
            return CurrentTags(record["epoch"], record["seq"], record["clock"], _json_fields(record["tags"]))
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise EventError(Dead.WRONG_TYPE, f"no record of tags.current: {error}") from error
    current = Current.from_avro(value)
    fields = [text for tag in current.tags for text in (tag.tag, text_of(tag.value))]
    return CurrentTags(current.epoch, current.seq, current.clock, fields)


def _json_fields(tags: list[dict[str, Any]]) -> list[str]:
    fields: list[str] = []
    for tag in tags:
        value = tag["value"]
        # JSON knows one kind of number: 5 is the number 5.0, while true is no number at all.
        fields += (tag["tag"], text_of(float(value) if type(value) is int else value))
    return fields


def _read_avro(value: bytes) -> CurrentTags:
    """Raises IndexError, ValueError or struct.error for damaged bytes."""
    size, at = _long(value, SINGLE_OBJECT_HEADER_BYTES)
    _, at = _long(value, at + size)
    epoch, at = _long(value, at)
    seq, at = _long(value, at)
    clock_ms, at = _long(value, at)
    size, at = _long(value, at)
    at += size
    fields: list[str] = []
    while True:
        count, at = _long(value, at)
        if count == 0:
            break
        if count < 0:  # a block that says its size in bytes as well
            _, at = _long(value, at)
        for _ in range(abs(count)):
            at = _read_tag(value, at, fields)
    if at != len(value):
        raise ValueError(f"{len(value)} bytes, of which the record takes {at}")
    return CurrentTags(epoch, seq, clock_ms, fields)


def _read_tag(value: bytes, at: int, fields: list[str]) -> int:
    """Appends one tag's name and value to `fields`; returns the place behind it."""
    size, at = _long(value, at)
    fields.append(value[at : at + size].decode())
    branch = value[at + size]
    at += size + 1
    if branch == 0:  # the branches of the union in their order, zigzag: 0, 2, 4, 6
        if value[at] != 1:
            raise ValueError(f"a tag that is false at byte {at}")
        fields.append("1")
        return at + 1
    if branch == 2:
        size, at = _long(value, at)
        fields.append(value[at : at + size].decode())
        return at + size
    if branch == 4:
        fields.append(text_of(_double_at(value, at)[0]))
        return at + 8
    if branch != 6:
        raise ValueError(f"no branch {branch >> 1} of a tag's value at byte {at - 1}")
    keys: list[str] = []
    while True:
        count, at = _long(value, at)
        if count == 0:
            break
        if count < 0:
            _, at = _long(value, at)
        for _ in range(abs(count)):
            size, at = _long(value, at)
            keys.append(value[at : at + size].decode())
            at += size
    fields.append(text_of(keys))
    return at


def _long(value: bytes, at: int) -> tuple[int, int]:
    """An Avro int or long (zigzag, 7 bits a byte) and the place behind it."""
    byte = value[at]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at + 1
    raw, shift = byte & 0x7F, 7
    while True:
        at += 1
        byte = value[at]
        raw |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (raw >> 1) ^ -(raw & 1), at + 1
        shift += 7
