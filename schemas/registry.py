"""The Avro schemas: ours, and those that events may be written by.

An Avro payload says only by which schema it was written: by the schema's fingerprint (single-object encoding) or by its
id in a schema registry (Confluent framing). `SCHEMAS` is what we write and read by; `Writers` answers which schema a
fingerprint or id stands for. Earlier versions of ours lie in `avro/old/` for as long as events written by them may be
read: a version is added there whenever a file in `avro/` changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.errors import ConfigError
from schemas.events import EVENT_TYPES

RawSchema = dict[str, Any]
"""An Avro schema as its JSON reads."""

SCHEMA_NAMES: Final = (*EVENT_TYPES, "command", "change", "current", "journal", "request", "answer", "definition")

_AVRO_DIR: Final = Path(__file__).parent / "avro"


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """One parsed schema. Compare by `fingerprint`."""

    name: str
    """The file's name up to its first dot; for an event its type."""
    raw: RawSchema
    """As the file reads. Do not change it."""
    parsed: RawSchema
    """As fastavro wants it."""
    fingerprint: bytes
    """8 bytes: CRC-64-AVRO of the parsing canonical form, little-endian, as single-object encoding has it."""


def crc64_avro(raw: RawSchema) -> bytes:
    """The schema's fingerprint, 8 bytes. Raises what fastavro raises if it is no valid schema."""
    # fastavro gives the fingerprint as hexadecimal digits in little-endian order, the order on the wire.
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO"))


def event_type_of(raw: RawSchema) -> str | None:
    """The event type that a writer's schema is of: its record's name without namespace is ours (`Browse`), else None.

    Avro matches records by that name; namespaces may differ, so a new namespace is not a new event.
    """
    return _TYPE_BY_RECORD_NAME.get(record_name(raw) or "")


def record_name(raw: Any) -> str | None:
    """The name, without namespace, of the record that an Avro schema describes; None if it describes something else: a
    schema registry holds any schema, also the bare text "string".
    """
    if not isinstance(raw, dict) or raw.get("type") != "record" or not isinstance(raw.get("name"), str):
        return None
    name: str = raw["name"]
    return name.rpartition(".")[2]


_TYPE_BY_RECORD_NAME: Final = {event_type.capitalize(): event_type for event_type in EVENT_TYPES}


def load_schema(path: Path) -> Schema:
    """Read one .avsc file. Raises ConfigError (TS-C102) if it cannot be read or is no record schema."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        # fastavro takes a record that names no fields for an empty one.
        if record_name(raw) is None or not isinstance(raw.get("fields"), list):
            raise ValueError("it is not the schema of a record")
        parsed = fastavro.parse_schema(raw)
        assert isinstance(parsed, dict)
        return Schema(path.name.partition(".")[0], raw, parsed, crc64_avro(raw))
    except Exception as error:  # fastavro does not say what a bad schema raises: KeyError, TypeError, its own
        raise ConfigError("TS-C102", f"{path}: {type(error).__name__}: {error}") from error


SCHEMAS: Final[dict[str, Schema]] = {name: load_schema(_AVRO_DIR / f"{name}.avsc") for name in SCHEMA_NAMES}
"""What we write and read by, by name."""

OLD_SCHEMAS: Final[tuple[Schema, ...]] = tuple(load_schema(path) for path in sorted((_AVRO_DIR / "old").glob("*.avsc")))
"""What we wrote by once."""


class WriterSchemas(Protocol):
    """Where writers' schemas are looked up; the lookup may be slow, it happens once for each schema."""

    def by_id(self, schema_id: int, /) -> RawSchema | None: ...

    def by_fingerprint(self, fingerprint8: bytes, /) -> RawSchema | None: ...


class Writers:
    """The schemas that events may be written by, by fingerprint and by Confluent id."""

    def __init__(
        self, extra: Iterable[RawSchema] = (), fetch_by_id: Callable[[int], RawSchema | None] | None = None
    ) -> None:
        """`extra`: schemas of the user's. `fetch_by_id`: asks the schema registry, None for an id that it lacks; it may
        block and raise as it likes, and is asked once for each id that it has.
        """
        known = [schema.raw for schema in (*SCHEMAS.values(), *OLD_SCHEMAS)]
        self._by_fingerprint: dict[bytes, RawSchema] = {crc64_avro(raw): raw for raw in (*known, *extra)}
        self._by_id: dict[int, RawSchema] = {}
        self._fetch_by_id = fetch_by_id

    def by_fingerprint(self, fingerprint8: bytes) -> RawSchema | None:
        """The schema with this CRC-64-AVRO fingerprint (8 bytes, little-endian), or None."""
        return self._by_fingerprint.get(fingerprint8)

    def by_id(self, schema_id: int) -> RawSchema | None:
        """The schema with this id in the schema registry, or None if there is no registry or it has none.

        The answer for one id is always the same object. What the registry does not have is asked again each time, since
        it may come to have it; the callable that asks limits how often it really does.
        """
        known = self._by_id.get(schema_id)
        if known is None and self._fetch_by_id is not None:
            known = self._fetch_by_id(schema_id)
            if known is not None:
                self._by_id[schema_id] = known
        return known


OWN_WRITERS: Final = Writers()
"""Our own schemas alone, current and older."""
