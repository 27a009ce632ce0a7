"""Validates an event and writes it as Avro by our newest schema: the one form that the engine reads at full speed.

Every event that does not come in Avro that the fast path can read goes through here, so what makes an event valid is
said in this file once; which fields there are comes from `schemas.events`. The bytes are those that fastavro writes for
the same values, made by hand, since checking and writing in one pass takes half the time.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from schemas.errors import EventError
from schemas.events import EVENT_TYPES, FIELDS, KINDS, MAX_ID_BYTES, RESERVED_PREFIX, Field
from schemas.framing import single_object_header
from schemas.iso_time import ms_from_iso
from schemas.outcomes import Dead

LONG_MIN: Final = -(2**63)
LONG_MAX: Final = 2**63 - 1

_ABSENT: Final = b"\x00"
_PRESENT: Final = b"\x02"
"""Branches 0 (null) and 1 of the union that every optional field is."""

_RESERVED: Final = RESERVED_PREFIX.encode()

Encoder = Callable[[Any], bytes]
"""Checks one value that is not None and returns its Avro. Raises EventError."""


def long_bytes(value: int) -> bytes:
    """Avro's encoding of a whole number of 64 bits: zigzag, 7 bits a byte, the lowest first."""
    raw = (value << 1) ^ (value >> 63)
    out = bytearray()
    while raw > 0x7F:
        out.append((raw & 0x7F) | 0x80)
        raw >>= 7
    out.append(raw)
    return bytes(out)


_SHORT: Final = tuple(long_bytes(size) for size in range(1024))
"""Lengths of texts that are met often, made once."""


def canonical_event(event_type: str, values: Mapping[str, Any]) -> bytes:
    """The event as a value in single-object encoding by our newest schema of its type.

    `values` by field name: None or no key is missing, unknown names are ignored. Raises EventError: MISSING_FIELD,
    EMPTY_ID, LONG_ID, RESERVED_ID, BAD_TIME, WRONG_TYPE, NOT_A_NUMBER, OUT_OF_RANGE, NOT_UTF8, UNKNOWN_KIND. Whether
    event_time is plausible depends on the arrival and is the engine's to say.
    """
    head, optional = _PLANS[event_type]
    get = values.get
    event_time = get("event_time")
    if event_time is None:
        _missing("event_time")
    parts = [head, _id("event_id", get("event_id")), _id("customer_id", get("customer_id")), _event_time(event_time)]
    append = parts.append
    for name, encode in optional:
        value = get(name)
        append(_ABSENT if value is None else encode(value))
    if event_type == "profile":
        append(_attributes(get("attributes")))
    return b"".join(parts)


def _id(name: str, value: Any) -> bytes:
    if value is None:
        _missing(name)
    raw = _utf8(name, value)
    size = len(raw)
    if size == 0:
        raise EventError(Dead.EMPTY_ID, name)
    if size > MAX_ID_BYTES:
        raise EventError(Dead.LONG_ID, f"{name} of {size} bytes")
    if raw.startswith(_RESERVED):
        raise EventError(Dead.RESERVED_ID, f"{name} {_shown(value)}")
    return _SHORT[size] + raw


def _utf8(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise EventError(Dead.WRONG_TYPE, f"{name} {_shown(value)} is not a text")
    try:
        return value.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, from an escape in JSON
        raise EventError(Dead.NOT_UTF8, name) from error


def _text_bytes(name: str, value: Any) -> bytes:
    raw = _utf8(name, value)
    size = len(raw)
    return (_SHORT[size] if size < 1024 else long_bytes(size)) + raw


def _whole(name: str, value: Any, low: float, high: float) -> int:
    """The value as a whole number in [low, high]; a float without a fraction is one, a boolean is not."""
    if type(value) is not int:
        if not isinstance(value, float):
            raise EventError(Dead.WRONG_TYPE, f"{name} {_shown(value)} is not a whole number")
        if not math.isfinite(value):
            raise EventError(Dead.NOT_A_NUMBER, f"{name} {value}")
        if not value.is_integer():
            raise EventError(Dead.WRONG_TYPE, f"{name} {_shown(value)} is not a whole number")
        value = int(value)
    if not low <= value <= high:
        raise EventError(Dead.OUT_OF_RANGE, f"{name} {_shown(value)} is not from {low} to {high}")
    whole: int = value
    return whole


def time_ms(name: str, value: Any) -> int:
    """Whole milliseconds, or ISO-8601 text. Raises EventError(BAD_TIME)."""
    if isinstance(value, str):
        try:
            return ms_from_iso(value)
        except ValueError as error:
            raise EventError(Dead.BAD_TIME, f"{name} {_shown(value)}") from error
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not LONG_MIN <= value <= LONG_MAX:
        raise EventError(Dead.BAD_TIME, f"{name} {_shown(value)}")
    return value


def _event_time(value: Any) -> bytes:
    return long_bytes(time_ms("event_time", value))


def _attributes(value: Any) -> bytes:
    """A map of text to text or null, in one block; missing is empty."""
    if value is None:
        return _ABSENT
    if not isinstance(value, Mapping):
        raise EventError(Dead.WRONG_TYPE, f"attributes {_shown(value)} is not an object")
    if not value:
        return _ABSENT
    parts = [long_bytes(len(value))]
    for key, item in value.items():
        parts.append(_text_bytes("the name of an attribute", key))
        parts.append(_ABSENT if item is None else _PRESENT + _text_bytes(f"attribute {_shown(key)}", item))
    parts.append(_ABSENT)
    return b"".join(parts)


def _text_encoder(field: Field) -> Encoder:
    name = field.name
    return lambda value: _PRESENT + _text_bytes(name, value)


def _whole_encoder(field: Field) -> Encoder:
    name = field.name
    low = LONG_MIN if field.low is None else field.low
    high = LONG_MAX if field.high is None else field.high
    return lambda value: _PRESENT + long_bytes(_whole(name, value, low, high))


def _time_encoder(field: Field) -> Encoder:
    name = field.name
    return lambda value: _PRESENT + long_bytes(time_ms(name, value))


def _real_encoder(field: Field) -> Encoder:
    name = field.name
    low = -math.inf if field.low is None else field.low
    high = math.inf if field.high is None else field.high
    pack = struct.Struct("<d").pack

    def encode(value: Any) -> bytes:
        if type(value) is not float and type(value) is not int:
            raise EventError(Dead.WRONG_TYPE, f"{name} {_shown(value)} is not a number")
        try:
            real = float(value)
        except OverflowError as error:  # a whole number beyond 1.8e308
            raise EventError(Dead.OUT_OF_RANGE, name) from error
        if not math.isfinite(real):
            raise EventError(Dead.NOT_A_NUMBER, f"{name} {real}")
        if not low <= real <= high:
            raise EventError(Dead.OUT_OF_RANGE, f"{name} {real} is not from {low} to {high}")
        return _PRESENT + pack(real)

    return encode


def _kind_encoder(event_type: str) -> Encoder:
    codes = {symbol: _PRESENT + long_bytes(code) for code, symbol in enumerate(KINDS[event_type])}

    def encode(value: Any) -> bytes:
        if not isinstance(value, str):
            raise EventError(Dead.WRONG_TYPE, f"kind {_shown(value)} is not a text")
        code = codes.get(value)
        if code is None:
            raise EventError(Dead.UNKNOWN_KIND, f"{_shown(value)} is none of {', '.join(codes)}")
        return code

    return encode


def _encoder(event_type: str, field: Field) -> Encoder:
    match field.kind:
        case "text":
            return _text_encoder(field)
        case "int" | "cents":
            return _whole_encoder(field)
        case "real":
            return _real_encoder(field)
        case "time":
            return _time_encoder(field)
        case "kind":
            return _kind_encoder(event_type)


_PLANS: Final[dict[str, tuple[bytes, tuple[tuple[str, Encoder], ...]]]] = {
    event_type: (
        single_object_header(event_type),
        tuple((field.name, _encoder(event_type, field)) for field in FIELDS[event_type]),
    )
    for event_type in EVENT_TYPES
}


def _missing(name: str) -> NoReturn:
    raise EventError(Dead.MISSING_FIELD, name)


def _shown(value: Any) -> str:
    """The value for a message, cut short: dead events may be large, and the message is a Kafka header. A huge whole
    number has no text: Python refuses to write more than 4,300 digits.
    """
    try:
        text = repr(value)
    except ValueError:
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."
