"""Proves that bytes are exactly one value of an Avro schema before a library reads them.

A reader that trusts the bytes can be made to allocate what a length says, to recurse until the stack ends, to loop over
2^60 items that take no bytes, or to stop early and leave bytes over. Here every length is compared with what is left,
depth and number of values have a limit, and the last byte read must be the last byte there is. It costs a few
microseconds, which the slow path can bear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import fastavro

from schemas.errors import EventError
from schemas.outcomes import Dead
from schemas.registry import RawSchema

MAX_DEPTH: Final = 32
"""How deep values may lie in each other: ours lie 4 deep, and a reader's stack (C's or Python's) holds hundreds."""

MAX_VALUES: Final = 1_048_576
"""How many values one body may hold. It is the size limit of a value in bytes: only values of no bytes (null, empty
records) could be more, and those are what an attack would use."""


class Cursor:
    """A place in a body while it is checked."""

    __slots__ = ("buf", "end", "pos", "values")

    def __init__(self, buf: bytes) -> None:
        self.buf = buf
        self.pos = 0
        self.end = len(buf)
        self.values = 0

    def skip(self, size: int) -> None:
        """Go `size` bytes on. Raises EventError(TRUNCATED)."""
        if size > self.end - self.pos:
            raise EventError(Dead.TRUNCATED, f"at byte {self.pos} of {self.end}")
        self.pos += size

    def long(self) -> int:
        """Read an int or long (zigzag, 7 bits a byte). Raises EventError: TRUNCATED, BAD_VARINT."""
        raw = shift = 0
        start = pos = self.pos
        while True:
            if pos >= self.end:
                raise EventError(Dead.TRUNCATED, f"at byte {start} of {self.end}")
            byte = self.buf[pos]
            pos += 1
            raw |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise EventError(Dead.BAD_VARINT, f"at byte {start} of {self.end}")
        self.pos = pos
        if raw >> 64:
            raise EventError(Dead.BAD_VARINT, f"more than 64 bits at byte {start} of {self.end}")
        return (raw >> 1) ^ -(raw & 1)

    def length(self) -> int:
        """Read a length in bytes. Raises EventError: as `long`, and BAD_LENGTH if there are not so many bytes left."""
        start = self.pos
        size = self.long()
        if not 0 <= size <= self.end - self.pos:
            raise EventError(Dead.BAD_LENGTH, f"a length of {size} at byte {start} of {self.end}")
        return size

    def count(self, values: int) -> None:
        """So many more values. Raises EventError(BAD_LENGTH) if there are too many."""
        self.values += values
        if self.values > MAX_VALUES:
            raise EventError(Dead.BAD_LENGTH, f"more than {MAX_VALUES} values")


Check = Callable[[Cursor, int], None]
"""Goes over one value at the cursor, `depth` values lying around it. Raises EventError."""


class BodyCheck:
    """A writer's schema made ready: `check` for its bodies, `plain` for fastavro, `named` its types by full name."""

    __slots__ = ("_root", "named", "plain")

    def __init__(self, raw: RawSchema) -> None:
        """Raises what fastavro raises if `raw` is no valid schema."""
        # Without logical types, since fastavro would make a datetime of a long, and fail beyond the year 9999.
        self.named: dict[str, Any] = {}
        self.plain: Any = fastavro.parse_schema(without_logical_types(raw), self.named)
        self._root = _Compiler().check_of(self.plain)

    def check(self, body: bytes) -> None:
        """Raises EventError unless `body` is exactly one value: TRUNCATED, TRAILING_BYTES, BAD_LENGTH, BAD_VARINT,
        NOT_UTF8, UNKNOWN_KIND (no such symbol of an enum), DEEP_JSON (nested too deep).
        """
        cursor = Cursor(body)
        self._root(cursor, 0)
        if cursor.pos != cursor.end:
            raise EventError(Dead.TRAILING_BYTES, f"{cursor.end - cursor.pos} after byte {cursor.pos}")


def without_logical_types(schema: Any) -> Any:
    """A copy of an Avro schema with bare types only; what they mean is not changed, only how they are presented."""
    if isinstance(schema, list):
        return [without_logical_types(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    bare = {key: value for key, value in schema.items() if key != "logicalType"}
    for key in ("type", "items", "values"):
        if key in bare:
            bare[key] = without_logical_types(bare[key])
    if "fields" in bare:
        bare["fields"] = [without_logical_types(field) for field in bare["fields"]]
    return bare


class _Compiler:
    """Makes a `Check` of a schema as fastavro parsed it (all names full). Named types may contain themselves."""

    def __init__(self) -> None:
        self._named: dict[str, Check] = {}

    def check_of(self, schema: Any) -> Check:
        if isinstance(schema, list):
            return _union([self.check_of(branch) for branch in schema])
        if isinstance(schema, str):
            return _PRIMITIVES.get(schema) or self._reference(schema)
        match schema["type"]:
            case "record" | "error":
                return self._record(schema)
            case "enum":
                return self._name(schema, _enum(len(schema["symbols"])))
            case "fixed":
                size = schema["size"]
                return self._name(schema, lambda cursor, depth: cursor.skip(size))
            case "array":
                return _blocks(self.check_of(schema["items"]))
            case "map":
                return _blocks(_entry(self.check_of(schema["values"])))
            case other:
                return self.check_of(other)

    def _name(self, schema: RawSchema, check: Check) -> Check:
        self._named[schema["name"]] = check
        return check

    def _reference(self, name: str) -> Check:
        """A named type, found when it is needed: within its own definition it is not made yet."""
        return lambda cursor, depth: self._named[name](cursor, depth)

    def _record(self, schema: RawSchema) -> Check:
        fields = tuple(self.check_of(field["type"]) for field in schema["fields"])
        size = max(1, len(fields))

        def check(cursor: Cursor, depth: int) -> None:
            deeper = _deeper(depth)
            cursor.count(size)
            for field in fields:
                field(cursor, deeper)

        return self._name(schema, check)


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise EventError(Dead.DEEP_JSON, f"more than {MAX_DEPTH} levels")
    return depth + 1


def _union(branches: list[Check]) -> Check:
    def check(cursor: Cursor, depth: int) -> None:
        start = cursor.pos
        branch = cursor.long()
        if not 0 <= branch < len(branches):
            raise EventError(Dead.BAD_VARINT, f"branch {branch} of {len(branches)} at byte {start}")
        branches[branch](cursor, depth)

    return check


def _enum(symbols: int) -> Check:
    def check(cursor: Cursor, depth: int) -> None:
        start = cursor.pos
        symbol = cursor.long()
        if not 0 <= symbol < symbols:
            raise EventError(Dead.UNKNOWN_KIND, f"symbol {symbol} of {symbols} at byte {start}")

    return check


def _entry(value: Check) -> Check:
    def check(cursor: Cursor, depth: int) -> None:
        _string(cursor, depth)
        value(cursor, depth)

    return check


def _blocks(item: Check) -> Check:
    """An array or a map: blocks of a count and so many items, up to a count of 0; a negative count is followed by the
    block's size in bytes, by which readers skip, so it must be the true one.
    """

    def check(cursor: Cursor, depth: int) -> None:
        deeper = _deeper(depth)
        while count := cursor.long():
            size = cursor.length() if count < 0 else None
            start = cursor.pos
            cursor.count(abs(count))
            for _ in range(abs(count)):
                item(cursor, deeper)
            if size is not None and cursor.pos - start != size:
                raise EventError(Dead.BAD_LENGTH, f"a block of {cursor.pos - start} bytes says {size} at byte {start}")

    return check


def _boolean(cursor: Cursor, depth: int) -> None:
    start = cursor.pos
    cursor.skip(1)
    if cursor.buf[start] > 1:
        raise EventError(Dead.BAD_VARINT, f"a boolean of {cursor.buf[start]} at byte {start}")


def _long(cursor: Cursor, depth: int) -> None:
    cursor.long()


def _string(cursor: Cursor, depth: int) -> None:
    size = cursor.length()
    start = cursor.pos
    cursor.skip(size)
    try:
        cursor.buf[start : cursor.pos].decode()
    except UnicodeDecodeError as error:
        raise EventError(Dead.NOT_UTF8, f"at byte {start + error.start}") from error


_PRIMITIVES: Final[dict[str, Check]] = {
    "null": lambda cursor, depth: None,
    "boolean": _boolean,
    "int": _long,
    "long": _long,
    "float": lambda cursor, depth: cursor.skip(4),
    "double": lambda cursor, depth: cursor.skip(8),
    "bytes": lambda cursor, depth: cursor.skip(cursor.length()),
    "string": _string,
}
