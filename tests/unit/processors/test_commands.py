"""Commands as rows: whose tag, which value; and what is refused, for which reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from processors import assigned
from processors import layout as L
from processors.commands import CommandReader, coded, is_command
from schemas.errors import EventError
from schemas.events import MAX_ID_BYTES
from schemas.outcomes import Dead, Outcome
from schemas.records import Command, Value
from schemas.registry import OWN_WRITERS
from tests.unit.processors.edges import browse, world_of
from tests.unit.processors.world import START_MS, Record, rules

RULES = rules(
    hand="\nmanual: true",
    keys="count(browse, 1h) >= 1\nfor_each: browse.category",
    levels="\nmanual: true\nlevels: [silver, gold]",
    model="\nmodel: true\nmanual: false",
    ruled="count(browse, 1h) >= 1\nmanual: false",
    score="\nscore: count(browse, 1h)\nmodel: true",
    tier="\ntier: [{level: b, when: 'count(browse, 1h) > 1'}, {level: a, when: 'count(browse, 1h) > 0'}]",
)
INDEX = {tag.id: place for place, tag in enumerate(RULES.tags)}

GOOD = Command(
    command_id="k", customer_id="c", kind="assign", tag="hand", value=True, reason=None, actor="a", until=None,
    issued_at=START_MS,
)  # fmt: skip


def bits(number: float) -> int:
    return int(np.float64(number).view(np.int64))


READ: dict[str, tuple[Command, tuple[int, int, int, int]]] = {
    # name: (command, (kind, value, bits of the number, until))
    "there": (GOOD, (assigned.ASSIGN, 1, 0, L.FAR)),
    "absent": (replace(GOOD, value=None), (assigned.ASSIGN, 0, 0, L.FAR)),
    "with a term": (replace(GOOD, until=START_MS + 5), (assigned.ASSIGN, 1, 0, START_MS + 5)),
    "taken back": (replace(GOOD, kind="remove", value=None), (assigned.REMOVE, 0, 0, L.FAR)),
    "taken back, whatever value is named": (replace(GOOD, kind="remove"), (assigned.REMOVE, 0, 0, L.FAR)),
    "first level": (replace(GOOD, tag="levels", value="silver"), (assigned.ASSIGN, 1, 0, L.FAR)),
    "second level": (replace(GOOD, tag="levels", value="gold"), (assigned.ASSIGN, 2, 0, L.FAR)),
    "level of a tier, by its place": (replace(GOOD, tag="tier", value="a"), (assigned.ASSIGN, 2, 0, L.FAR)),
    "keys can only be taken away": (replace(GOOD, tag="keys", value=None), (assigned.ASSIGN, 0, 0, L.FAR)),
    "a number by a model": (
        replace(GOOD, tag="model", kind="score", value=-0.25), (assigned.BY_MODEL, 1, bits(-0.25), L.FAR),
    ),
    "a number over a rule's by hand": (replace(GOOD, tag="score", value=0.0), (assigned.ASSIGN, 1, 0, L.FAR)),
    "nothing, by a model": (replace(GOOD, tag="score", kind="score", value=None), (assigned.BY_MODEL, 0, 0, L.FAR)),
    "an erasure": (replace(GOOD, kind="erase", tag=None, value=None), (assigned.ERASE, 0, 0, L.FAR)),
    "an erasure, whatever else it names": (replace(GOOD, kind="erase"), (assigned.ERASE, 0, 0, L.FAR)),
    "ids of the greatest length": (
        replace(GOOD, command_id="é" * (MAX_ID_BYTES // 2), customer_id="x" * MAX_ID_BYTES),
        (assigned.ASSIGN, 1, 0, L.FAR),
    ),
}  # fmt: skip

REFUSED: dict[str, tuple[Command, Dead]] = {
    "no id": (replace(GOOD, command_id=""), Dead.EMPTY_ID),
    "no customer": (replace(GOOD, customer_id=""), Dead.EMPTY_ID),
    "an id of a byte too many": (replace(GOOD, command_id="é" * (MAX_ID_BYTES // 2) + "x"), Dead.LONG_ID),
    "a reserved customer": (replace(GOOD, customer_id="@clock"), Dead.RESERVED_ID),
    "an unknown tag": (replace(GOOD, tag="hands"), Dead.NO_SUCH_TAG),
    "no tag": (replace(GOOD, tag=None), Dead.NO_SUCH_TAG),
    "by hand what only a model may": (replace(GOOD, tag="model", value=0.5), Dead.BAD_ASSIGNMENT),
    "by hand what nobody may": (replace(GOOD, tag="ruled"), Dead.BAD_ASSIGNMENT),
    "taken back what nobody may set": (replace(GOOD, tag="ruled", kind="remove"), Dead.BAD_ASSIGNMENT),
    "by a model what only people may": (replace(GOOD, kind="score"), Dead.BAD_ASSIGNMENT),
    "a level of a tag that has none": (replace(GOOD, value="gold"), Dead.BAD_ASSIGNMENT),
    "a number of a tag that has none": (replace(GOOD, value=1.0), Dead.BAD_ASSIGNMENT),
    "no level of a tag that has some": (replace(GOOD, tag="levels"), Dead.BAD_ASSIGNMENT),
    "an unknown level": (replace(GOOD, tag="levels", value="Gold"), Dead.BAD_ASSIGNMENT),
    "an unknown level of a tier": (replace(GOOD, tag="tier", value="c"), Dead.BAD_ASSIGNMENT),
    "there, of a number": (replace(GOOD, tag="score"), Dead.BAD_ASSIGNMENT),
    "no number": (replace(GOOD, tag="score", value=float("nan")), Dead.BAD_ASSIGNMENT),
    "no finite number": (replace(GOOD, tag="score", value=float("-inf")), Dead.BAD_ASSIGNMENT),
    "keys": (replace(GOOD, tag="keys", value=("a",)), Dead.BAD_ASSIGNMENT),
}


@pytest.mark.parametrize("name", READ)
def test_a_command_is_read_as_the_engine_obeys_it(name: str) -> None:
    command, (kind, value, number, until) = READ[name]
    row = CommandReader(RULES).read(command.to_avro(), OWN_WRITERS)
    index = -1 if command.kind == "erase" else INDEX[command.tag or ""]
    ids = command.command_id.encode(), command.customer_id.encode()
    assert row == (*ids, index, kind, value, number, until)


@pytest.mark.parametrize("name", REFUSED)
def test_a_command_that_does_not_fit_is_refused_for_its_reason(name: str) -> None:
    command, reason = REFUSED[name]
    with pytest.raises(EventError) as refused:
        CommandReader(RULES).read(command.to_avro(), OWN_WRITERS)
    assert refused.value.dead == reason


TAKEN: dict[str, list[Value | None]] = {
    "hand": [None, True],
    "keys": [None],
    "levels": [None, "silver", "gold"],
    "model": [None, 0.0, 1.0],
    "ruled": [None, True],
    "score": [None, 0.0, 1.0],
    "tier": [None, "b", "a"],
}
"""By tag the values that it can have, of those that are tried."""


@pytest.mark.parametrize("tag_id", TAKEN)
def test_each_value_that_a_tag_can_have_has_a_code_of_its_own(tag_id: str) -> None:
    tag = RULES.tags[INDEX[tag_id]]
    codes: list[tuple[int, int]] = []
    taken: list[Value | None] = []
    for value in (None, True, 0.0, 1.0, "b", "a", "silver", "gold", "", ("a",)):
        try:
            codes.append(coded(tag, value))
        except EventError:
            continue
        taken.append(value)
    assert [(type(value), value) for value in taken] == [(type(value), value) for value in TAKEN[tag_id]]
    assert len(set(codes)) == len(codes)
    assert codes[0] == (0, 0)


def test_what_is_no_command_is_told_by_its_first_bytes() -> None:
    payload = GOOD.to_avro()
    assert is_command(payload)
    assert is_command(payload[:10])
    event = browse(0).value
    assert event is not None
    for other in (b"", payload[:9], b"\xc3\x01" + bytes(8) + payload[10:], payload[1:], event, b"{}"):
        assert not is_command(other)


def test_what_is_refused_is_dead_and_what_is_cut_short_too() -> None:
    one = world_of("\nmanual: true")
    payload = replace(GOOD, tag="t").to_avro()
    refused = replace(GOOD, tag="t", value="gold").to_avro()
    one.step(Record(payload, 0), Record(payload, 1), Record(refused, 2), Record(payload[:-3], 3))
    assert one.happened() == {Outcome.APPLIED: 1, Outcome.DUPLICATE: 1, Outcome.DEAD: 2}
    assert one.codes[2] == Dead.BAD_ASSIGNMENT
    assert one.flips() == [("t", True, 0)]
