"""The Avro files, their fingerprints, and the writers' schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigError
from schemas.events import EVENT_TYPES, FIELDS, KINDS
from schemas.extra_schemas import load_directory
from schemas.outcomes import Outcome
from schemas.registry import OLD_SCHEMAS, SCHEMAS, Schema, Writers, crc64_avro, event_type_of

ALL = [*SCHEMAS.values(), *OLD_SCHEMAS]


def plain_crc64_avro(data: bytes) -> bytes:
    """The algorithm as the Avro specification prints it, bit by bit."""
    empty = 0xC15D213AA4D7A795
    fingerprint = empty
    for byte in data:
        fingerprint ^= byte
        for _ in range(8):
            fingerprint = (fingerprint >> 1) ^ (empty if fingerprint & 1 else 0)
    return fingerprint.to_bytes(8, "little")


def canonical_form(schema: Any, namespace: str = "") -> Any:
    """The parsing canonical form of the specification, for the features that our files use."""
    if isinstance(schema, list):
        return [canonical_form(branch, namespace) for branch in schema]
    if isinstance(schema, str):
        return schema
    if schema["type"] not in ("record", "enum", "array", "map"):
        return canonical_form(schema["type"], namespace)
    namespace = schema.get("namespace", namespace)
    form: dict[str, Any] = {}
    if "name" in schema:
        form["name"] = f"{namespace}.{schema['name']}"
    form["type"] = schema["type"]
    if "fields" in schema:
        form["fields"] = [{"name": f["name"], "type": canonical_form(f["type"], namespace)} for f in schema["fields"]]
    for key in ("symbols", "items", "values"):
        if key in schema:
            form[key] = schema[key] if key == "symbols" else canonical_form(schema[key], namespace)
    return form


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.raw["namespace"] + "." + schema.name)
def test_the_fingerprint_is_that_of_the_specification(schema: Schema) -> None:
    text = json.dumps(canonical_form(schema.raw), separators=(",", ":"), ensure_ascii=False)
    assert schema.fingerprint == plain_crc64_avro(text.encode())


def test_the_fingerprint_of_null_is_the_one_that_java_gives() -> None:
    assert plain_crc64_avro(b'"null"') == (0x63DD24E7CC258F8A).to_bytes(8, "little")


def test_fingerprints_are_distinct() -> None:
    assert len({schema.fingerprint for schema in ALL}) == len(ALL)


AVRO_TYPES: dict[str, Any] = {
    "text": "string",
    "int": "long",
    "cents": "long",
    "real": "double",
    "time": {"type": "long", "logicalType": "timestamp-millis"},
}


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_the_file_of_an_event_has_the_fields_of_the_table_in_its_order(event_type: str) -> None:
    raw = SCHEMAS[event_type].raw
    assert (raw["namespace"], raw["name"]) == ("tagstream.events.v1", event_type.capitalize())
    fields = raw["fields"]
    assert [(f["name"], f["type"]) for f in fields[:3]] == [
        ("event_id", "string"),
        ("customer_id", "string"),
        ("event_time", {"type": "long", "logicalType": "timestamp-millis"}),
    ]
    optional = fields[3:-1] if event_type == "profile" else fields[3:]
    assert [f["name"] for f in optional] == [f.name for f in FIELDS[event_type]]
    for avro, field in zip(optional, FIELDS[event_type], strict=True):
        assert avro["type"][0] == "null" and avro["default"] is None
        if field.kind == "kind":
            kind = {"type": "enum", "name": f"{event_type.capitalize()}Kind", "symbols": list(KINDS[event_type])}
            assert avro["type"][1] == kind
        elif field.name == "satisfaction":
            assert avro["type"][1] == "int"
        else:
            assert avro["type"][1] == AVRO_TYPES[field.kind]


def test_attributes_are_a_map_of_text_or_null() -> None:
    field = SCHEMAS["profile"].raw["fields"][-1]
    assert (field["name"], field["type"]) == ("attributes", {"type": "map", "values": ["null", "string"]})


def test_every_event_type_has_an_older_version() -> None:
    assert {schema.name for schema in OLD_SCHEMAS} >= set(EVENT_TYPES)
    assert all(event_type_of(schema.raw) == schema.name for schema in OLD_SCHEMAS if schema.name in EVENT_TYPES)


def test_the_journal_counts_every_outcome() -> None:
    doc = next(f for f in SCHEMAS["journal"].raw["fields"] if f["name"] == "outcomes")["doc"]
    assert doc.count(",") + 1 == len(Outcome)


@pytest.mark.parametrize(
    ("raw", "event_type"),
    [
        ({"type": "record", "name": "Browse", "fields": []}, "browse"),
        ({"type": "record", "name": "shop.v9.Purchase", "fields": []}, "purchase"),
        ({"type": "record", "name": "browse", "fields": []}, None),
        ({"type": "enum", "name": "Browse", "symbols": []}, None),
        ({"type": "record", "name": 3}, None),
        ({"type": "record"}, None),
        ("string", None),
        ([], None),
    ],
)
def test_the_event_type_is_the_name_of_the_record_in_any_namespace(raw: Any, event_type: str | None) -> None:
    assert event_type_of(raw) == event_type


def test_our_schemas_of_all_versions_are_known_by_fingerprint() -> None:
    writers = Writers()
    for schema in ALL:
        assert writers.by_fingerprint(schema.fingerprint) is schema.raw
    assert writers.by_fingerprint(bytes(8)) is None
    assert writers.by_id(1) is None


NEWER: dict[str, Any] = {
    "type": "record",
    "name": "Browse",
    "namespace": "shop",
    "fields": [*SCHEMAS["browse"].raw["fields"], {"name": "device", "type": "string"}],
}


def test_schemas_of_the_user_are_known_by_fingerprint() -> None:
    assert Writers([NEWER]).by_fingerprint(crc64_avro(NEWER)) is NEWER


def test_a_schema_id_is_asked_for_until_it_is_known_and_then_never_again() -> None:
    asked: list[int] = []
    known: dict[int, dict[str, Any]] = {}

    def fetch(schema_id: int) -> dict[str, Any] | None:
        asked.append(schema_id)
        return known.get(schema_id)

    writers = Writers(fetch_by_id=fetch)
    assert writers.by_id(7) is None
    known[7] = NEWER
    assert writers.by_id(7) is NEWER
    assert writers.by_id(7) is NEWER
    assert asked == [7, 7]


def test_a_directory_of_schemas_is_read(tmp_path: Path) -> None:
    (tmp_path / "browse.avsc").write_text(json.dumps(NEWER), encoding="utf-8")
    (tmp_path / "README.md").write_text("no schema", encoding="utf-8")
    assert load_directory(tmp_path) == (NEWER,)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "TS-C102"),
        ('"string"', "TS-C102"),
        ('{"type": "record", "name": "Browse"}', "TS-C102"),
        ('{"type": "record", "name": "Browse", "fields": [{"name": "a", "type": "text"}]}', "TS-C102"),
        ('{"type": "record", "name": "PageView", "fields": []}', "TS-C103"),
        ('{"type": "record", "name": "Browse", "fields": []}', "TS-C104"),
        (json.dumps(NEWER).replace('"name": "event_time", "type": {', '"name": "event_time", "type": {"x": 1, ')
         .replace('"type": "long", "logicalType": "timestamp-millis"', '"type": "string"'), "TS-C104"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_usable_schema_is_refused_by_name(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "bad.avsc").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.avsc") as caught:
        load_directory(tmp_path)
    assert caught.value.code == code


def test_a_directory_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TS-C102"):
        load_directory(tmp_path / "none")
