"""The records that we write and read back."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import EventError
from schemas.outcomes import Dead, Outcome
from schemas.records import (
    CLAIM_EPOCH,
    CLOCK_KEY,
    Answer,
    Change,
    Command,
    Current,
    DeadCount,
    Evidence,
    JournalRecord,
    Request,
    SourceRange,
    TagValue,
    change_id,
)
from schemas.registry import OLD_SCHEMAS, SCHEMAS, Writers
from tests.unit.schemas.event_samples import LONG, TEXT, read_body, relaxed, write_body

VALUES = st.booleans() | TEXT | st.floats(allow_nan=False, allow_infinity=False) | st.lists(TEXT).map(tuple)
COUNTS = st.integers(0, 2**63 - 1)
INTS = st.integers(-(2**31), 2**31 - 1)

EVIDENCE = st.builds(
    Evidence,
    condition=COUNTS,
    key=st.none() | TEXT,
    value=st.none() | VALUES,
    threshold=st.none() | VALUES,
    window_start=st.none() | LONG,
    window_end=st.none() | LONG,
)

CHANGES = st.builds(
    Change,
    group=st.sampled_from([None, "treatment", "control"]),
    evidence=st.lists(EVIDENCE, max_size=3).map(tuple),
    next_flip_at=st.none() | LONG | st.sampled_from(["never", "unknown"]),
    id=st.builds(change_id, INTS, COUNTS),
    customer_id=TEXT,
    tag=TEXT,
    op=st.sampled_from(["entered", "changed", "left"]),
    before=st.none() | VALUES,
    after=st.none() | VALUES,
    effective_at=LONG,
    emitted_at=LONG,
    seq=LONG,
    prev_seq=LONG,
    rule_version=TEXT,
    epoch=LONG,
    origin=st.sampled_from(["live", "timer", "backfill", "manual", "model", "erasure"]),
    run_id=st.none() | TEXT,
    cause=st.none() | TEXT | LONG,
    source=TEXT,
)
CURRENTS = st.builds(
    Current,
    customer_id=TEXT,
    partition=INTS,
    epoch=LONG,
    seq=LONG,
    clock=LONG,
    rule_version=TEXT,
    tags=st.lists(st.builds(TagValue, TEXT, VALUES), max_size=4).map(tuple),
)
COMMANDS = st.builds(
    Command,
    command_id=TEXT,
    customer_id=TEXT,
    kind=st.sampled_from(["assign", "remove", "score", "erase"]),
    tag=st.none() | TEXT,
    value=st.none() | VALUES,
    reason=st.none() | TEXT,
    actor=TEXT,
    until=st.none() | LONG,
    issued_at=LONG,
)
JOURNAL = st.builds(
    JournalRecord,
    kind=st.sampled_from(["claim", "step", "changeover"]),
    epoch=LONG,
    step=LONG,
    partition=INTS,
    sources=st.lists(st.builds(SourceRange, TEXT, LONG, LONG), max_size=4).map(tuple),
    clock_before=LONG,
    clock_after=LONG,
    rule_version=TEXT,
    engine_version=INTS,
    timers_fired=LONG,
    outcomes=st.tuples(*[COUNTS] * len(Outcome)),
    last_seq=LONG,
    digest=LONG,
    dead=st.lists(st.builds(DeadCount, st.sampled_from([int(dead) for dead in Dead]), COUNTS), max_size=3).map(tuple),
    note=st.none() | TEXT,
)
REQUESTS = st.builds(
    Request,
    request_id=TEXT,
    customer_id=TEXT,
    kind=st.sampled_from(["assign", "absent", "remove"]),
    tag=TEXT,
    value=st.none() | VALUES,
    actor=TEXT,
    reason=st.none() | TEXT,
    term_ms=st.none() | LONG,
)
ANSWERS = st.builds(
    Answer,
    request_id=TEXT,
    customer_id=TEXT,
    status=st.sampled_from(["accepted", "refused"]),
    code=st.none() | TEXT,
    message=st.none() | TEXT,
    cure=st.none() | TEXT,
    until=st.none() | LONG,
    arrived_at=LONG,
)
RECORDS = CHANGES | CURRENTS | COMMANDS | JOURNAL | REQUESTS | ANSWERS


@relaxed
@given(RECORDS)
def test_a_record_survives_both_framings_and_json(record: Any) -> None:
    kind = type(record)
    raw = SCHEMAS[kind.schema_name].raw
    single, confluent, text = record.to_avro(), record.to_avro(7), record.to_json()
    assert kind.from_avro(single) == kind.from_value(single) == record
    assert kind.from_avro(confluent, Writers(fetch_by_id={7: raw}.get)) == record
    assert kind.from_json(text) == kind.from_value(text) == record
    assert b"\n" not in text


@relaxed
@given(RECORDS)
def test_json_and_avro_have_the_same_fields_and_values(record: Any) -> None:
    raw = SCHEMAS[type(record).schema_name].raw
    assert json.loads(record.to_json()) == read_body(raw, record.to_avro()[10:])


def test_a_change_is_a_cloud_event() -> None:
    change = Change(
        id=change_id(3, 41),
        customer_id="c1",
        tag="high_value",
        op="entered",
        before=None,
        after=True,
        effective_at=10,
        emitted_at=11,
        seq=41,
        prev_seq=0,
        rule_version="abc",
        epoch=5,
        origin="live",
        cause="e9",
    )
    told = json.loads(change.to_json())
    assert (told["specversion"], told["id"], told["source"]) == ("1.0", "3-41", "tagstream")
    assert told["type"] == change.type == "tagstream.tag.entered"


def test_the_types_of_values_are_kept_apart() -> None:
    values = (True, "true", 1.0, ("true",), ())
    current = Current(
        customer_id="c",
        partition=0,
        epoch=0,
        seq=0,
        clock=0,
        rule_version="",
        tags=tuple(TagValue(str(n), value) for n, value in enumerate(values)),
    )
    for read in (Current.from_avro(current.to_avro()), Current.from_json(current.to_json())):
        assert [(type(tag.value), tag.value) for tag in read.tags] == [(type(value), value) for value in values]
        assert not read.is_clock


def test_a_whole_number_in_json_is_a_number() -> None:
    current = Current(
        customer_id="c", partition=0, epoch=0, seq=0, clock=0, rule_version="", tags=(TagValue("s", 1.0),)
    )
    text = current.to_json().replace(b"1.0", b"1")
    assert b'"value":1}' in text
    assert Current.from_json(text).tags == (TagValue("s", 1.0),)


def test_the_clock_is_told_from_customers() -> None:
    clock = Current(customer_id=CLOCK_KEY, partition=2, epoch=1, seq=9, clock=10, rule_version="v")
    assert Current.from_avro(clock.to_avro()).is_clock


def claim(**changed: Any) -> JournalRecord:
    fields: dict[str, Any] = {
        "kind": "claim",
        "epoch": CLAIM_EPOCH,
        "step": 0,
        "partition": 0,
        "sources": (),
        "clock_before": 0,
        "clock_after": 0,
        "rule_version": "v",
        "engine_version": 1,
        "timers_fired": 0,
        "outcomes": (0,) * len(Outcome),
        "last_seq": 0,
        "digest": 0,
    }
    return JournalRecord(**fields | changed)


def journal_value(outcomes: list[int]) -> bytes:
    schema = SCHEMAS["journal"]
    return b"\xc3\x01" + schema.fingerprint + write_body(schema.raw, claim().to_record() | {"outcomes": outcomes})


def test_outcomes_that_an_earlier_version_did_not_count_are_none() -> None:
    assert JournalRecord.from_avro(journal_value([1, 2, 3])).outcomes == (1, 2, 3, 0, 0, 0, 0)


def test_outcomes_of_a_later_version_are_refused() -> None:
    with pytest.raises(EventError, match="later version"):
        JournalRecord.from_avro(journal_value([0] * 8))


def test_a_journal_record_counts_every_outcome() -> None:
    with pytest.raises(AssertionError):
        claim(outcomes=(0, 0))


@pytest.mark.parametrize(
    ("value", "dead"),
    [
        (b"", Dead.UNKNOWN_SCHEMA),
        (b"\xc3\x01" + bytes(8), Dead.UNKNOWN_SCHEMA),
        (b"\x00\x00\x00\x00\x01", Dead.UNKNOWN_SCHEMA),
        (b"\x00\x00\x00\x00\x02", Dead.UNKNOWN_SCHEMA),
        (b"\x00\x00\x00\x00\x03", Dead.UNKNOWN_SCHEMA),
        (b"\x00\x00\x00\x00\x04", Dead.WRONG_TYPE),
        (b"\xc3\x01" + SCHEMAS["change"].fingerprint + b"\x00", Dead.UNKNOWN_SCHEMA),
        (claim().to_avro()[:-1], Dead.TRUNCATED),
        (claim().to_avro() + b"\x00", Dead.TRAILING_BYTES),
        (b"{", Dead.BAD_JSON),
        (b"{}", Dead.MISSING_FIELD),
        (claim().to_json().replace(b'"claim"', b'"clam"'), Dead.WRONG_TYPE),
        (claim().to_json().replace(b'"step":0', b'"step":"0"'), Dead.WRONG_TYPE),
        (claim().to_json().replace(b'"step":0', b'"step":9223372036854775808'), Dead.WRONG_TYPE),
    ],
)
def test_a_value_that_is_no_such_record_is_an_event_error(value: bytes, dead: Dead) -> None:
    in_registry: dict[int, Any] = {2: "string", 3: {"type": "record", "name": "Journal", "fields": "none"}}
    in_registry[4] = {"type": "record", "name": "Journal", "fields": []}
    with pytest.raises(EventError) as caught:
        JournalRecord.from_value(value, Writers(fetch_by_id=in_registry.get))
    assert caught.value.dead is dead


def test_a_record_of_a_later_version_with_one_more_field_is_read() -> None:
    raw = dict(SCHEMAS["journal"].raw)
    raw["fields"] = [*raw["fields"], {"name": "more", "type": "string"}]
    body = write_body(raw, claim().to_record() | {"more": "x"})
    assert JournalRecord.from_avro(b"\x00\x00\x00\x00\x01" + body, Writers(fetch_by_id={1: raw}.get)) == claim()


@relaxed
@given(RECORDS, st.data())
def test_changed_bytes_are_a_record_or_an_event_error(record: Any, data: st.DataObject) -> None:
    value = bytearray(data.draw(st.sampled_from([record.to_avro(), record.to_json()])))
    place = data.draw(st.integers(0, len(value)))
    value[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(EventError):
        type(record).from_value(bytes(value))


@given(CHANGES)
def test_a_change_of_an_earlier_version_is_read_without_what_it_did_not_tell(change: Change) -> None:
    (old,) = (schema for schema in OLD_SCHEMAS if schema.name == "change")
    told = {field["name"]: change.to_record()[field["name"]] for field in old.raw["fields"]}
    value = b"\xc3\x01" + old.fingerprint + write_body(old.raw, told)
    assert Change.from_avro(value) == replace(change, group=None, evidence=(), next_flip_at=None)


@given(CHANGES)
def test_a_reader_of_the_earlier_version_reads_a_change_as_far_as_it_knows(change: Change) -> None:
    (old,) = (schema for schema in OLD_SCHEMAS if schema.name == "change")
    body = write_body(SCHEMAS["change"].raw, change.to_record())
    known = {field["name"] for field in old.raw["fields"]}
    told = {name: value for name, value in change.to_record().items() if name in known}
    assert read_body(SCHEMAS["change"].raw, body, old.raw) == told
