"""Writers' schemas as they are met in practice, drawn at random, events by them, and bytes that were damaged."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

from schemas.canonical import long_bytes
from schemas.events import EVENT_TYPES, FIELDS, KINDS, Field

Schema = Any
Value = Callable[[random.Random], Any]
"""Draws one value of a schema, as fastavro takes it."""

LONG = (-(2**63), 2**63 - 1)
INT = (-(2**31), 2**31 - 1)
WORDS = ("", "a", "web", "order", "客户", "naïve", "x" * 70, "𝄞", "\0", "é" * 130)


def text(rng: random.Random) -> str:
    return rng.choice(WORDS)


def whole(low: int, high: int) -> Value:
    """Numbers of all sizes: each length of the encoding comes up."""

    def draw(rng: random.Random) -> int:
        size = 1 << rng.randrange(64)
        return max(low, min(high, rng.choice((0, 1, -1, low, high, rng.randrange(-size, size + 1)))))

    return draw


def real(rng: random.Random) -> float:
    rare = (0.0, -0.0, 1.0, -1.0, 5e-324, float("nan"), float("inf"), -float("inf"), 1.5, 3.0, 5.0, 1e308)
    return rng.choice(rare) if rng.random() < 0.1 else rng.uniform(-1, 1)


def single(rng: random.Random) -> float:
    """A real that a float of 32 bits holds; all its bits are drawn now and then."""
    if rng.random() < 0.5:
        value: float = struct.unpack("<f", rng.randbytes(4))[0]
        return value
    return float(rng.choice((0.0, 0.5, -0.5, 1e-45, 1.0, -1.0, 0.25)))


def either(*values: Value) -> Value:
    return lambda rng: rng.choice(values)(rng)


def nothing(rng: random.Random) -> None:
    return None


def identifier(rng: random.Random) -> str:
    if rng.random() < 0.05:
        return rng.choice(("", "@clock", "é" * 128, "é" * 129, "y" * 256, "y" * 257))
    return f"c{rng.randrange(1000)}"


def symbols_of(rng: random.Random, name: str, symbols: list[str]) -> tuple[Schema, Value]:
    return {"type": "enum", "name": name, "symbols": symbols}, lambda r: r.choice(symbols)


class WriterDraw:
    """Draws one writer's schema of an event type, with a way to draw its values."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._names = 0
        self._odd = rng.random() < 0.4
        """Whether it may have what only the slow path can read."""
        self.event_type = rng.choice(EVENT_TYPES)
        self.fields: list[tuple[str, Schema, Value]] = []
        self._mandatory()
        for field in FIELDS[self.event_type]:
            if rng.random() < 0.75:
                self._add(field.name, *self._ours(field))
        if self.event_type == "profile" and rng.random() < 0.8:
            self._add("attributes", *self._map())
        for number in range(rng.choice((0, 0, 1, 2, 4))):
            self._add(f"extra{number}", *self._foreign())
        if rng.random() < 0.7:
            rng.shuffle(self.fields)

    def schema(self) -> dict[str, Any]:
        fields = [{"name": name, "type": schema} for name, schema, _ in self.fields]
        # the namespace tells schemas with the same fields apart, so that each has a fingerprint of its own
        space = f"shop.n{self._rng.getrandbits(60)}"
        return {"type": "record", "name": self.event_type.capitalize(), "namespace": space, "fields": fields}

    def values(self, rng: random.Random) -> dict[str, Any]:
        return {name: value(rng) for name, _, value in self.fields}

    def _add(self, name: str, schema: Schema, value: Value) -> None:
        shape = self._rng.randrange(5)
        if shape == 0 and schema != "null" and not isinstance(schema, list):
            schema, value = ["null", schema], either(nothing, value, value)
        elif shape == 1 and schema != "null" and not isinstance(schema, list):
            schema, value = [schema, "null"], either(value, value, nothing)
        self.fields.append((name, schema, value))

    def _mandatory(self) -> None:
        for name in ("event_id", "customer_id"):
            texts: Schema = self._rng.choice(("string", {"type": "string", "avro.java.string": "String"}))
            self._add(name, texts, identifier)
        self._add("event_time", *self._time())

    def _time(self) -> tuple[Schema, Value]:
        logical = self._rng.choice(
            (None, "timestamp-millis", "timestamp-micros", "timestamp-nanos", "local-timestamp-micros", "time-micros")
        )
        return "long" if logical is None else {"type": "long", "logicalType": logical}, whole(*LONG)

    def _name(self) -> str:
        self._names += 1
        return f"T{self._names}"

    def _ours(self, field: Field) -> tuple[Schema, Value]:
        """One of the types that a field of ours may be written as."""
        pick = self._rng.choice
        match field.kind:
            case "text":
                as_bytes: tuple[Schema, Value] = ("bytes", lambda r: text(r).encode())
                return as_bytes if self._odd and self._rng.random() < 0.2 else ("string", text)
            case "kind":
                known = [*KINDS[self.event_type], "gift", "loan"]
                symbols = self._rng.sample(known, self._rng.randrange(1, len(known) + 1))
                return pick((symbols_of(self._rng, self._name(), symbols), ("string", lambda r: r.choice(symbols))))
            case "real":
                return pick((("double", real), ("float", single), ("int", whole(-2, 2)), ("long", whole(-2, 2))))
            case "time":
                return self._time()
            case _ if field.high is not None:
                return pick((("int", whole(0, 6)), ("long", whole(0, 6))))
        return pick((("int", whole(*INT)), ("long", whole(*LONG))))

    def _map(self) -> tuple[Schema, Value]:
        values, value = self._rng.choice(
            ((["null", "string"], either(nothing, text)), (["string", "null"], either(nothing, text)), ("string", text))
        )
        return {"type": "map", "values": values}, lambda r: {text(r): value(r) for _ in range(r.randrange(4))}

    def _foreign(self) -> tuple[Schema, Value]:
        """A field that is none of ours, of any type."""
        size = self._rng.randrange(5)
        name = self._name()
        flat: list[tuple[Schema, Value]] = [
            ("string", text), ("bytes", lambda r: r.randbytes(r.randrange(9))), ("int", whole(*INT)),
            ("long", whole(*LONG)), ("float", single), ("double", real), ("boolean", lambda r: r.random() < 0.5),
            ({"type": "fixed", "name": name, "size": size}, lambda r: r.randbytes(size)),
            symbols_of(self._rng, name, ["A", "B", "C"]), self._map(),
        ]  # fmt: skip
        nested: list[tuple[Schema, Value]] = [
            ("null", nothing),
            ({"type": "array", "items": "int"}, lambda r: [r.randrange(100) for _ in range(r.randrange(4))]),
            ({"type": "map", "values": "long"}, lambda r: {text(r): 7}),
            (["null", "int", "string"], either(nothing, whole(*INT), text)),
            ({"type": "record", "name": name, "fields": [{"name": "x", "type": "double"}]}, lambda r: {"x": real(r)}),
        ]
        return self._rng.choice([*flat, *nested] if self._odd else flat)


ABSURD = [long_bytes(size) for size in (-1, -(2**63), 2**63 - 1, 2**62, 2**31, 2**31 - 1, 1_000_000, 63, 64)] + [
    b"\x80", b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x02", b"\x80" * 9 + b"\x7f", b"\xff" * 10, b"\x80" * 10 + b"\x01",
    b"\x80\x00", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", b"\x01", b"\x02", b"\x03", b"\x04",
]  # fmt: skip
"""Lengths and branches that lie, integers that do not end, what is not UTF-8."""


def damaged(body: bytes, rng: random.Random) -> bytes:
    """The body after one or a few of the things that happen to bytes."""
    data = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(8):
            case 0:
                del data[at:]
            case 1:
                data += rng.randbytes(rng.randrange(1, 4))
            case 2:
                del data[at : at + rng.randrange(1, 4)]
            case 3 if at < len(data):
                data[at] = rng.randrange(256)
            case 4 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 5:
                data[at : at + 1] = rng.choice(ABSURD)
            case 6:
                data[at:at] = data[at : at + rng.randrange(1, 20)]
            case _:
                data[at:at] = rng.choice(ABSURD)
    return bytes(data)
