"""How to read a writer's Avro schema into a decoded row: the schema as a list of operations, one per value on the wire.

A plan covers what event schemas look like in practice: a flat record of primitives, enums, logical times and unions of
one of those with null, plus maps of texts. Anything else is read by fastavro (schemas/codec.py), and so is a schema
that cannot be resolved to ours, which then says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from processors.layout import EV_FIELDS, EV_WORDS
from schemas.events import EVENT_TYPES, FIELDS, KINDS, Field
from schemas.resolution import units_per_ms

OP_SKIP_LONG: Final = 0
OP_SKIP_FIXED: Final = 1
"""`a` bytes."""
OP_SKIP_BYTES: Final = 2
OP_SKIP_MAP: Final = 3
"""A map whose values are texts or null; a is the branch of null, -1 if values are plain texts."""
OP_BOOLEAN: Final = 4
OP_EVENT_ID: Final = 5
OP_CUSTOMER: Final = 6
OP_EVENT_TIME: Final = 7
"""b: units in a millisecond (1000 for microseconds)."""
OP_TEXT: Final = 8
OP_LONG: Final = 9
"""b: as for OP_EVENT_TIME."""
OP_LONG_TO_REAL: Final = 10
OP_FLOAT: Final = 11
OP_DOUBLE: Final = 12
OP_ENUM_KIND: Final = 13
"""a: field; b: first of the enum's codes in `kinds`; c: how many symbols it has."""
OP_TEXT_KIND: Final = 14
OP_SKIP_TEXT: Final = 15
"""As OP_SKIP_BYTES, but they must be UTF-8: what is ignored is checked as well, as by everyone else who reads Avro."""
OP_SKIP_ENUM: Final = 16
"""An enum of `a` symbols."""
OP_ATTRIBUTES: Final = 17
"""As OP_SKIP_MAP, and where the map stands is kept."""
OP_NULLABLE: Final = 20
"""A union of null and the next operation's value; a: the branch that is null."""

PLAN_WORDS: Final = 4
UNKNOWN_KIND: Final = -1


@dataclass(frozen=True, slots=True)
class Plan:
    """Operations x 4 words (operation, field or count, b, c), the codes of enum symbols, and the event type."""

    event_type: int
    ops: NDArray[np.int64]
    kinds: NDArray[np.int64]


class _NotPlannable(Exception):
    """The schema has something that the plan cannot do."""


def _base(schema: Any) -> tuple[str, Mapping[str, Any]]:
    """Type name and attributes of a schema given as a name or as an object."""
    if isinstance(schema, str):
        return schema, {}
    if isinstance(schema, Mapping):
        inner = schema["type"]
        if isinstance(inner, (Mapping, list)):
            return _base(inner)
        return str(inner), schema
    raise _NotPlannable(f"a union inside a union or array: {schema}")


def _skip(name: str, attributes: Mapping[str, Any]) -> list[int]:
    """Operation that reads over a value that is not ours."""
    match name:
        case "int" | "long":
            return [OP_SKIP_LONG, 0, 0, 0]
        case "enum":
            return [OP_SKIP_ENUM, len(attributes["symbols"]), 0, 0]
        case "float":
            return [OP_SKIP_FIXED, 4, 0, 0]
        case "double":
            return [OP_SKIP_FIXED, 8, 0, 0]
        case "boolean":
            return [OP_BOOLEAN, 0, 0, 0]
        case "string":
            return [OP_SKIP_TEXT, 0, 0, 0]
        case "bytes":
            return [OP_SKIP_BYTES, 0, 0, 0]
        case "fixed":
            return [OP_SKIP_FIXED, int(attributes["size"]), 0, 0]
        case "map":
            values = attributes["values"]
            if isinstance(values, list) and sorted(map(str, values)) == ["null", "string"]:
                return [OP_SKIP_MAP, values.index("null"), 0, 0]
            if values == "string":
                return [OP_SKIP_MAP, -1, 0, 0]
    raise _NotPlannable(name)


class _Planner:
    """Builds the plan of one writer schema for one event type."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._fields = {f.name: (i, f) for i, f in enumerate(FIELDS[event])}
        self.ops: list[list[int]] = []
        self.kinds: list[int] = []

    def add(self, name: str, schema: Any) -> None:
        """Append the operations of one field of the writer's record."""
        if isinstance(schema, list):
            if len(schema) != 2 or "null" not in schema:
                raise _NotPlannable(f"union {schema}")
            null = schema.index("null")
            self.ops.append([OP_NULLABLE, null, 0, 0])
            schema = schema[1 - null]
        self.ops.append(self._value(name, *_base(schema), units_per_ms(schema)))

    def _value(self, name: str, base: str, attributes: Mapping[str, Any], time_unit: int) -> list[int]:
        if name in ("event_id", "customer_id"):
            if base != "string":
                raise _NotPlannable(f"{name} is {base}")
            return [OP_EVENT_ID if name == "event_id" else OP_CUSTOMER, 0, 0, 0]
        if name == "event_time":
            if base not in ("int", "long"):
                raise _NotPlannable(f"{name} is {base}")
            return [OP_EVENT_TIME, 0, time_unit, 0]
        if self._event == "profile" and name == "attributes":
            skip = _skip(base, attributes)
            if skip[0] != OP_SKIP_MAP:
                raise _NotPlannable(f"{name} is {base}")
            return [OP_ATTRIBUTES, *skip[1:]]
        if name not in self._fields:
            return _skip(base, attributes)
        return self._field(*self._fields[name], base, attributes, time_unit)

    def _field(self, position: int, f: Field, base: str, attributes: Mapping[str, Any], time_unit: int) -> list[int]:
        match f.kind, base:
            case "text", "string":
                return [OP_TEXT, position, 0, 0]
            case (("int" | "cents"), ("int" | "long")):
                return [OP_LONG, position, 1, 0]
            case "time", ("int" | "long"):
                return [OP_LONG, position, time_unit, 0]
            case "real", ("int" | "long"):
                return [OP_LONG_TO_REAL, position, 0, 0]
            case "real", "float":
                return [OP_FLOAT, position, 0, 0]
            case "real", "double":
                return [OP_DOUBLE, position, 0, 0]
            case "kind", "string":
                return [OP_TEXT_KIND, position, 0, 0]
            case "kind", "enum":
                ours = KINDS[self._event]
                first = len(self.kinds)
                symbols = attributes["symbols"]
                self.kinds += [ours.index(s) if s in ours else UNKNOWN_KIND for s in symbols]
                return [OP_ENUM_KIND, position, first, len(symbols)]
        raise _NotPlannable(f"{f.name} is {base}")


def make_plan(writer: Mapping[str, Any], event: str) -> Plan | None:
    """The plan for a writer's record schema, None if only fastavro can read it.

    `writer` is the parsed JSON of the schema; `event` one of EVENT_TYPES.
    """
    planner = _Planner(event)
    if writer.get("type") != "record":
        return None
    names = [f["name"] for f in writer["fields"]]
    if not {"event_id", "customer_id", "event_time"} <= set(names):
        return None
    try:
        for f in writer["fields"]:
            planner.add(f["name"], f["type"])
    except _NotPlannable:
        return None
    ops = np.array(planner.ops, np.int64).reshape(-1, PLAN_WORDS)
    return Plan(EVENT_TYPES.index(event), ops, np.array(planner.kinds, np.int64))


assert EV_FIELDS + max(len(f) for f in FIELDS.values()) <= EV_WORDS, "widen EV_WORDS for the new field"
