"""TS-D: why a record is dead. One entry for each `schemas.outcomes.Dead`; the number is the value of the enum."""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry
from schemas.outcomes import Dead

_BY_REASON: Final[dict[Dead, Entry]] = {
    Dead.UNKNOWN_SCHEMA: Entry(
        title="Unknown framing or writer schema",
        why="The value begins neither with C3 01 and a known fingerprint, nor with 00 and a known id, nor with {.",
        cure="Put the writer's schema into the directory of extra schemas, or set `schema_registry.url`.",
        example="the text: hello",
    ),
    Dead.WRONG_TYPE_FOR_TOPIC: Entry(
        title="The schema is of another event type than the topic",
        why="Each event type has a topic of its own, and the topic says which windows an event may count in.",
        cure="Send the event to the topic of its type.",
        example="a Purchase in events.browse",
    ),
    Dead.TRUNCATED: Entry(
        title="The payload ends inside a field",
        why="The value was cut, or was written by another schema than its header names.",
        cure="Write the event whole, by the schema that its header names.",
        example="the first 20 bytes of a Purchase of 60",
    ),
    Dead.TRAILING_BYTES: Entry(
        title="Bytes are left after the last field",
        why="The value was written by another schema than its header names, or two events stand in one value.",
        cure="Write one event a record, by the schema that its header names.",
        example="two Avro bodies behind one header",
    ),
    Dead.BAD_LENGTH: Entry(
        title="A length is negative or longer than the payload",
        why="The value is damaged, or was written by another schema than its header names.",
        cure="Write the event by the schema that its header names.",
        example="a string of -3 bytes",
    ),
    Dead.BAD_VARINT: Entry(
        title="A number, boolean or union branch is not Avro",
        why="A variable-length integer does not end within ten bytes, or a boolean is neither 0 nor 1, or a union has "
        "no such branch: the value is damaged, or was written by another schema than its header names.",
        cure="Write the event by the schema that its header names.",
        example="twelve bytes FF where an event_time belongs",
    ),
    Dead.NOT_UTF8: Entry(
        title="A text is not UTF-8",
        why="Avro strings and JSON are UTF-8; ids are compared by their bytes, so nothing is guessed.",
        cure="Encode the text as UTF-8.",
        example="Müller in Latin-1",
    ),
    Dead.NOT_A_NUMBER: Entry(
        title="A number is NaN or infinite",
        why="No comparison with it has a meaning, and a sum would never be a number again.",
        cure="Leave the field out when there is no value.",
        example='{"sentiment": NaN}',
    ),
    Dead.OUT_OF_RANGE: Entry(
        title="A number is outside its field's range",
        why="The field has bounds (sentiment -1 to 1, satisfaction 1 to 5, whole numbers of 64 bits).",
        cure="Scale the value as the schema's `doc` says.",
        example='{"satisfaction": 10}',
    ),
    Dead.WRONG_TYPE: Entry(
        title="A value has the wrong type",
        why="A text stands where a number belongs or the reverse, a fraction where a whole number belongs, or the "
        "writer's schema gives the field a type that ours cannot take.",
        cure="Send the type that the schema names.",
        example='{"quantity": "two"}',
    ),
    Dead.MISSING_FIELD: Entry(
        title="event_id, customer_id or event_time is missing",
        why="Without them an event can be neither told from its copies, nor given to anyone, nor placed in time.",
        cure="Send all three in every event.",
        example='{"event_id": "1", "event_time": 852076800000}',
    ),
    Dead.EMPTY_ID: Entry(
        title="An id is empty",
        why="All events without an id would count as one customer's or as copies of one event.",
        cure="Send no event for an unknown customer, or give them an id of their own.",
        example='{"customer_id": ""}',
    ),
    Dead.LONG_ID: Entry(
        title="An id is longer than 256 bytes",
        why="Ids are keys in Kafka, in memory and in Redis, and have a limit.",
        cure="Shorten the id, for example to its SHA-256.",
        example="a session token as customer_id",
    ),
    Dead.RESERVED_ID: Entry(
        title="An id starts with @",
        why="Such ids are used for records of tagstream's own, as @clock.",
        cure="Put another character before it.",
        example='{"customer_id": "@clock"}',
    ),
    Dead.UNKNOWN_KIND: Entry(
        title="The kind is none that the event type has",
        why="`kind` decides how an event counts, so an unknown one cannot be ignored.",
        cure="Send one of the kinds that the schema lists.",
        example='{"kind": "purchase"}',
    ),
    Dead.BAD_TIME: Entry(
        title="A time is neither whole milliseconds nor ISO-8601",
        why="Times are whole milliseconds since 1970-01-01 UTC, or ISO-8601 dates with a time of day; without a zone "
        "they are UTC.",
        cure="Send one of the two.",
        example='{"event_time": "yesterday"}',
    ),
    Dead.TIME_TOO_OLD: Entry(
        title="event_time is before 1990",
        why="It is nearly always a time in seconds that was taken for milliseconds.",
        cure="Send milliseconds.",
        example='{"event_time": 1700000000}',
    ),
    Dead.TIME_AHEAD: Entry(
        title="event_time is more than a day after its arrival",
        why="The client's clock is wrong; up to a day ahead the event counts as of its arrival.",
        cure="Set the client's clock, or send microseconds as milliseconds.",
        example="an event_time in the year 2099",
    ),
    Dead.BAD_JSON: Entry(
        title="The value is not a JSON object",
        why="It begins with { but cannot be parsed.",
        cure="Send one JSON object a record.",
        example='{"event_id": }',
    ),
    Dead.DEEP_JSON: Entry(
        title="The value is nested too deep",
        why="Events are flat; deep nesting, in JSON or Avro, is an error or an attack on the parser. The limit is 32.",
        cure="Leave out what is not a field of the event.",
        example="ten thousand opening brackets",
    ),
    Dead.TOO_LARGE: Entry(
        title="The value is larger than 1 MiB",
        why="An event is small; every buffer on the way has a limit.",
        cure="Leave out what is not a field of the event.",
        example="a whole page as search_query",
    ),
    Dead.MOVED_TWICE: Entry(
        title="In the wrong partition of events.moved as well",
        why="An event found in the wrong partition is moved once. That it is wrong there too means that the number of "
        "partitions was changed.",
        cure="Check that all topics have the same number of partitions (`tagstream topics`).",
        example="kafka-topics.sh --alter --topic events.moved --partitions 12",
    ),
    Dead.REFUSED_BY_BROKER: Entry(
        title="The broker refused an output record for itself",
        why="Most often it is larger than the topic's `max.message.bytes`.",
        cure="Raise the limit of the topic, then see in the record what made it so large.",
        example="a customer with 3,000 tags and max.message.bytes=10000",
    ),
    Dead.NO_SUCH_TAG: Entry(
        title="A command about a tag that is not there",
        why="The rules in force have no tag of this id: it was removed, or the command was written by other rules.",
        cure="Send the command again for a tag that `tagstream check` lists.",
        example='a command with tag "vip" where the rules know only "high_value"',
    ),
    Dead.BAD_ASSIGNMENT: Entry(
        title="A command gives a tag a value that it cannot have",
        why="A plain tag can be true, a tag with levels one of them, a score a number; a tag with keys only absent. "
        "People set tags without `manual: false`, models those with `model: true`.",
        cure="Send the command again with a value that the tag can have.",
        example='the value "gold" for a tag without levels',
    ),
}

ENTRIES: Final[dict[str, Entry]] = {f"TS-D{reason.value}": entry for reason, entry in _BY_REASON.items()}
