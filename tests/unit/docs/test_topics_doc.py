"""docs/topics.md names what there is: topics with their settings, fields, kinds, outcomes, headers."""

from __future__ import annotations

import json
import re

import pytest

from schemas.codec import event_from_json_bytes
from schemas.events import EVENT_TYPES, FIELDS, KINDS
from schemas.outcomes import Outcome
from schemas.records import Request
from schemas.registry import SCHEMAS
from streams.control.check import check_form
from streams.tagger.dead_letters import STAGE
from streams.topics import DAY_MS, FOR_EVER, TOPICS, Topic
from tests.unit.docs.doc_blocks import blocks, text_of

DOC = "docs/topics.md"
TEXT = text_of(DOC)


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[2:]]


def kept(topic: Topic) -> str:
    if topic.cleanup == "compact":
        return "compacted"
    return "for ever" if topic.retention_ms == FOR_EVER else f"{topic.retention_ms // DAY_MS} d"


def test_the_table_has_every_topic_as_it_is_created() -> None:
    shown = {row[0].strip("`"): (row[1].replace("`", ""), row[2], row[3]) for row in rows("The topics")}
    assert shown == {topic.name: (topic.key, kept(topic), topic.timestamps) for topic in TOPICS}


def test_the_table_has_every_field_in_its_order() -> None:
    shown: dict[str, list[str]] = {}
    event = ""
    for row in rows("Fields of events"):
        event = row[0] or event
        shown.setdefault(event, []).append(row[1].strip("`"))
    expected = {event: [field.name for field in FIELDS[event]] for event in EVENT_TYPES}
    assert shown == expected | {"profile": ["attributes"]}


@pytest.mark.parametrize("event", KINDS)
def test_the_kinds_are_listed_in_their_order(event: str) -> None:
    listed = [re.findall(r"`(\w+)`", row[2]) for row in rows("Fields of events") if row[1] == "`kind`"]
    assert list(KINDS[event]) in listed


def test_the_table_has_every_outcome_in_its_order() -> None:
    assert [row[0] for row in rows("What becomes of an event")] == [outcome.name.lower() for outcome in Outcome]


def test_every_stage_of_a_dead_letter_is_named() -> None:
    assert [stage for stage in {"decode", *STAGE.values()} if f"`{stage}`" not in section("`events.dlq`")] == []


@pytest.mark.parametrize(
    ("title", "schema"),
    [
        ("`tags.requests`", "request"),
        ("`tags.requests`", "answer"),
        ("`tags.changes`", "change"),
        ("`tags.current`", "current"),
    ],
)
def test_every_field_of_a_record_is_named(title: str, schema: str) -> None:
    names = [field["name"] for field in SCHEMAS[schema].raw["fields"]]
    assert [name for name in names if f"`{name}`" not in section(title)] == []


def test_the_event_that_is_shown_is_valid() -> None:
    for block in blocks(DOC, "json"):
        event_from_json_bytes("purchase", block.text.encode())
        assert "amount_cents" in json.loads(block.text)


def test_the_request_that_is_shown_is_valid() -> None:
    (shown,) = re.findall(
        r"^echo '(\{.*\})' \| kcat .* -t tags.requests -k (\w+) ", section("`tags.requests`"), re.MULTILINE
    )
    request = Request.from_json(shown[0].encode())
    check_form(request)
    assert request.customer_id == shown[1]
