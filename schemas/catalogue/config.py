"""TS-C: what can be wrong with settings and with files that they name."""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry

ENTRIES: Final[dict[str, Entry]] = {
    "TS-C101": Entry(
        title="A setting has a value that cannot be used",
        why="Every setting is checked once, at start, so that a wrong one cannot fail later in the middle of the work.",
        cure="Correct the setting that the message names; `tagstream config` lists all of them with type and default.",
        example="TAGSTREAM_TAGGER__SESSION_TIMEOUT_MS=soon",
    ),
    "TS-C102": Entry(
        title="An Avro schema file cannot be read",
        why="A file of the directory of extra schemas is not JSON, or not a valid Avro schema.",
        cure="Correct the file or take it out of the directory.",
        example='{"type": "record", "name": "Browse"}   (a record without fields)',
    ),
    "TS-C103": Entry(
        title="An Avro schema is none of ours",
        why="A writer's schema is matched with ours by the name of its record: Browse, Purchase, Service or "
        "Profile, in any namespace. This one has another name.",
        cure="Name the record as ours.",
        example='{"type": "record", "name": "PageView", "fields": []}',
    ),
    "TS-C104": Entry(
        title="An Avro schema can never be read as our event",
        why="It lacks event_id, customer_id or event_time, or gives one of our fields a type that ours cannot take.",
        cure="Compare it with the file of the same name in schemas/avro and correct the field that the message names.",
        example='{"name": "event_time", "type": "string"}',
    ),
    "TS-C105": Entry(
        title="There is no such setting",
        why="A setting with a mistyped name would be ignored and its default used without a word.",
        cure="Correct or remove the name; `tagstream config` lists all of them with type and default.",
        example='bootstraps = "broker:9092"   under [kafka] in tagstream.toml',
    ),
    "TS-C106": Entry(
        title="A file of settings cannot be read",
        why="The settings file, or the directory of secrets, does not exist, or is neither TOML nor YAML.",
        cure="Correct the path in --config, TAGSTREAM_CONFIG or TAGSTREAM_SECRETS_DIR, or the file itself.",
        example="tagstream --config typo.toml config",
    ),
    "TS-C107": Entry(
        title="What a command prints, or a file, cannot be written",
        why="The disk is full, or it failed.",
        cure="Make room, or write elsewhere.",
        example="tagstream replay events.jsonl > /dev/full",
    ),
}
