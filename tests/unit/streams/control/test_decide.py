"""What becomes of requests, of those that come twice, and of records that are read again."""

from __future__ import annotations

from typing import Any

import pytest

from processors.rules.tree import RuleSet
from schemas.records import Command, Request
from streams.control.decide import Arrival, Decider, Decision, Row
from tests.unit.streams.control.control_rules import request, rule_set

ARRIVED_MS = 1_750_000_000_000
LATER_TAG = '- {tag: later, name: {en: L}, class: static, category: base, when: "count(browse, 1d) > 0"}'


class World:
    """Partition 1 of 4, where everybody belongs but `carl`; remembers as the desk does."""

    def __init__(self) -> None:
        self.rules: RuleSet = rule_set()
        self.rows: dict[tuple[int, str], Row] = {}
        self.left_over: dict[str, Command] = {}
        self._next = 10

    def row(self, partition: int, request_id: str) -> Row | None:
        return self.rows.get((partition, request_id))

    def written(self, partition: int, request_id: str) -> Command | None:
        return self.left_over.get(request_id)

    def read(self, value: Request | bytes, *, offset: int | None = None, key: bytes | None = b"anna") -> Decision:
        """The next record, or one that was read before."""
        if offset is None:
            self._next += 1
            offset = self._next
        decider = Decider(lambda: self.rules, lambda customer: 3 if customer == b"carl" else 1)
        plain = value if isinstance(value, bytes) else value.to_avro()
        decision = decider.decide(Arrival(1, offset, ARRIVED_MS, key, plain), self)
        if decision.row is not None:
            row = decision.row
            assert Row.from_plain(row.to_plain()) == row
            self.rows[1, row.answer.request_id] = row
        return decision


@pytest.fixture
def world() -> World:
    return World()


def code(decision: Decision) -> str | None:
    assert decision.answer is not None
    return decision.answer.code


def test_an_accepted_request_is_a_command_with_its_id_and_the_time_of_its_arrival(world: World) -> None:
    decision = world.read(request(tag="tier", value="gold", reason="why", term_ms=5_000))
    assert decision.result == "accepted"
    assert decision.command == Command(
        command_id="r-1",
        customer_id="anna",
        kind="assign",
        tag="tier",
        value="gold",
        reason="why",
        actor="bob",
        until=ARRIVED_MS + 5_000,
        issued_at=ARRIVED_MS,
    )
    assert decision.answer is not None
    assert (decision.answer.status, decision.answer.until) == ("accepted", ARRIVED_MS + 5_000)


@pytest.mark.parametrize(
    ("kind", "command", "value"), [("assign", "assign", True), ("absent", "assign", None), ("remove", "remove", None)]
)
def test_absence_is_assigned_and_a_removal_takes_back(world: World, kind: str, command: str, value: object) -> None:
    decision = world.read(request(kind=kind))
    assert decision.command is not None
    assert (decision.command.kind, decision.command.value) == (command, value)


def test_an_erasure_is_a_command_about_no_tag(world: World) -> None:
    for asked in (
        request(kind="erase", tag=None),
        b'{"request_id":"r-2","customer_id":"anna","kind":"erase","actor":"b"}',
    ):
        decision = world.read(asked)
        assert decision.command is not None
        assert (decision.command.kind, decision.command.tag, decision.command.value) == ("erase", None, None)
        assert (decision.command.until, decision.command.customer_id) == (None, "anna")
    assert code(world.read(request(request_id="r-3", kind="erase"))) == "TS-Q110"


def test_json_and_avro_of_one_request_are_the_same_request(world: World) -> None:
    first = world.read(request())
    second = world.read(request().to_json())
    assert (second.result, second.command) == ("repeated", None)
    assert second.answer == first.answer


def test_a_second_request_of_an_id_is_answered_as_the_first_whoever_sends_it(world: World) -> None:
    first = world.read(request(reason="a"))
    second = world.read(request(reason="a", actor="somebody else"))
    assert (second.result, second.command, second.row) == ("repeated", None, None)
    assert second.answer == first.answer


@pytest.mark.parametrize("fields", [{"customer_id": "berta"}, {"kind": "remove"}, {"reason": "other"}, {"tag": "tier"}])
def test_another_request_under_a_used_id_is_refused_and_the_first_one_holds(
    world: World, fields: dict[str, Any]
) -> None:
    first = world.read(request())
    other = request(**fields)
    second = world.read(other, key=other.customer_id.encode())
    assert (second.result, code(second), second.command, second.row) == ("refused", "TS-Q108", None, None)
    assert world.read(request()).answer == first.answer


def test_a_record_that_is_read_again_is_remembered_once_more_and_makes_no_command(world: World) -> None:
    first = world.read(request(), offset=20)
    again = world.read(request(), offset=20)
    assert (again.result, again.command) == ("repeated", None)
    assert (again.answer, again.row) == (first.answer, first.row)


def test_a_command_that_was_written_before_a_crash_is_not_written_again_and_holds(world: World) -> None:
    done = world.read(request(tag="tier", value="gold", term_ms=5_000), offset=20).command
    assert done is not None
    world.rows.clear()
    world.left_over["r-1"] = done
    world.rules = rule_set().__class__((), "UTC", "CNY", "other", "other")  # in which there is no such tag
    again = world.read(request(tag="tier", value="gold", term_ms=5_000), offset=20)
    assert (again.result, again.command) == ("accepted", None)
    assert again.answer is not None
    assert again.answer.until == done.until
    assert again.row is not None


def test_a_refusal_is_remembered_but_may_be_asked_again_under_other_rules(world: World) -> None:
    first = world.read(request(tag="later"), offset=20)
    assert (first.result, code(first)) == ("refused", "TS-Q102")
    assert world.read(request(tag="later"), offset=21).result == "repeated"
    world.rules = rule_set(LATER_TAG)
    # The very record that was refused stays refused, since somebody was told so.
    assert world.read(request(tag="later"), offset=20).answer == first.answer
    asked_again = world.read(request(tag="later"), offset=22)
    assert (asked_again.result, asked_again.command is None) == ("accepted", False)


def test_what_was_accepted_stays_so_under_other_rules(world: World) -> None:
    world.rules = rule_set(LATER_TAG)
    first = world.read(request(tag="later"))
    world.rules = rule_set()
    assert world.read(request(tag="later")).answer == first.answer


def test_a_request_in_the_wrong_partition_or_under_another_key_is_refused(world: World) -> None:
    assert code(world.read(request(customer_id="carl"), key=b"carl")) == "TS-Q109"
    assert code(world.read(request(request_id="r-2"), key=b"berta")) == "TS-Q109"
    assert code(world.read(request(request_id="r-3"), key=None)) == "TS-Q109"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"request_id": "r-9", "customer_id": "anna"}', "TS-D111"),
        (b'{"request_id": "r-9", "kind": "assign", "tag": "vip", "actor": "bob"}', "TS-D111"),
        (b'{"request_id": "r-9", "customer_id": "anna", "kind": "grant", "tag": "vip", "actor": "bob"}', "TS-D110"),
        (b'{"request_id": "r-9", "customer_id": 7, "kind": "assign", "tag": "vip", "actor": "bob"}', "TS-D110"),
    ],
)
def test_a_request_that_is_not_whole_is_answered_if_its_id_can_be_read(
    world: World, value: bytes, expected: str
) -> None:
    decision = world.read(value)
    assert (decision.result, code(decision), decision.dead) == ("refused", expected, None)
    assert world.read(value).result == "repeated"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", "TS-D101"),
        (b"anything", "TS-D101"),
        (b"{", "TS-D119"),
        (b'{"request_id": 7}', "TS-D111"),
        (b'{"request_id": "@r"}', "TS-D111"),
        (request(request_id="").to_avro(), "TS-D112"),
        (request(request_id="x" * 257).to_avro(), "TS-D113"),
        (request(request_id="@r").to_json(), "TS-D114"),
        (request().to_avro()[:-1], "TS-D103"),
    ],
)
def test_what_cannot_be_answered_is_dead(world: World, value: bytes, expected: str) -> None:
    decision = world.read(value)
    assert (decision.result, decision.answer, decision.command, decision.row) == ("unreadable", None, None, None)
    assert decision.dead is not None
    assert decision.dead.code == expected


def test_a_customers_id_that_is_too_long_is_not_sent_back_whole(world: World) -> None:
    decision = world.read(request(customer_id="x" * 100_000))
    assert code(decision) == "TS-Q101"
    assert decision.answer is not None
    assert len(decision.answer.to_json()) < 2_000
