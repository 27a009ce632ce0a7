"""What becomes of one record of `tags.requests`: an answer, perhaps a command, and what is remembered of it. Pure.

A request is known by its id. The first one is decided, and what came of it is remembered in a row; a later record of
the same id gets the answer of the first and makes no command. The row holds the offset of the record that it is of, by
which a record that is read again (after a crash, or when its partition has moved) is told from a second request: the
first always gets its old answer, while a request that was refused under other rules may be asked once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol, Self

import orjson

from processors.rules.tree import RuleSet, Tag
from schemas.errors import EventError, RequestError, TagstreamError
from schemas.ids import fault_of_id
from schemas.records import Answer, Command, CommandKind, Request, RequestKind, Value
from streams.control.check import check_form, check_tag

__all__ = ["Arrival", "Decider", "Decision", "Past", "Row"]

SHOWN_ID_CHARS: Final = 256
"""Of a customer's id that cannot be used, in the answer that says so."""

_COMMANDS: Final[Mapping[RequestKind, CommandKind]] = {
    "assign": "assign", "absent": "assign", "remove": "remove", "erase": "erase",
}  # fmt: skip

Result = Literal["accepted", "refused", "repeated", "unreadable"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record of `tags.requests`."""

    partition: int
    offset: int
    arrived_ms: int
    """The broker's stamp, in milliseconds since the epoch: the same however often the record is read."""
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Row:
    """What is remembered of a request."""

    offset: int
    digest: str
    """Of what was asked: another request of the same id has another one."""
    rules: str
    """Version and hash of the text of those by which it was decided."""
    answer: Answer

    def to_plain(self) -> dict[str, Any]:
        """For a table, whose changelog is JSON."""
        return {
            "offset": self.offset,
            "digest": self.digest,
            "rules": self.rules,
            "answer": self.answer.to_record(),
        }

    @classmethod
    def from_plain(cls, row: Mapping[str, Any]) -> Self:
        """The reverse of `to_plain`."""
        return cls(row["offset"], row["digest"], row["rules"], Answer.from_record(row["answer"]))


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done. Command, row and answer are for the partition of the request."""

    result: Result
    answer: Answer | None = None
    """None: the record is dead, and there is nobody to answer."""
    command: Command | None = None
    """To be written: only for a request that is accepted for the first time."""
    row: Row | None = None
    """To be written; None if there is nothing new to remember."""
    dead: EventError | None = None
    """Why the record is a dead letter."""


class Past(Protocol):
    """What has been done by now."""

    def row(self, partition: int, request_id: str) -> Row | None:
        """What is remembered of a request."""
        ...

    def written(self, partition: int, request_id: str) -> Command | None:
        """The command of a request that is not remembered, if it was written all the same before a crash."""
        ...


class Decider:
    """Decides by the rules in force. `partition_of` says in which partition a customer (the id in UTF-8) belongs."""

    def __init__(self, rules: Callable[[], RuleSet], partition_of: Callable[[bytes], int]) -> None:
        """`rules` is asked before each decision."""
        self._in_force = rules
        self._tags: dict[str, Tag] = {}
        self._rules = ""
        self._partition_of = partition_of

    def decide(self, arrival: Arrival, past: Past) -> Decision:
        """The decision depends on nothing else but the rules, so it may be made again."""
        rule_set = self._in_force()
        rules = f"{rule_set.version}-{rule_set.text_hash}"
        if rules != self._rules:
            self._rules, self._tags = rules, {tag.id: tag for tag in rule_set.tags}
        value = arrival.value or b""
        try:
            request = Request.from_value(value)
        except EventError as error:
            request_id = _request_id(value)
            if request_id is None:
                return Decision("unreadable", dead=error)
            digest = hashlib.sha256(value).hexdigest()[:32]
            return self._answered(arrival, past, digest, request_id, _customer_id(value), error)
        fault = fault_of_id(request.request_id)
        if fault is not None:
            return Decision("unreadable", dead=EventError(fault, "request_id"))
        # By whom it is sent again does not make it another request.
        digest = hashlib.sha256(replace(request, actor="").to_json()).hexdigest()[:32]
        return self._answered(arrival, past, digest, request.request_id, request.customer_id, request)

    def _answered(
        self,
        arrival: Arrival,
        past: Past,
        digest: str,
        request_id: str,
        customer_id: str,
        asked: Request | EventError,
    ) -> Decision:
        """`asked` is an error if the request is not whole."""
        row = past.row(arrival.partition, request_id)
        if row is not None:
            if row.digest != digest:
                error = RequestError("TS-Q108", f"Another request had the id {request_id!r} before")
                return Decision("refused", _refusal(request_id, customer_id, error, arrival))
            if arrival.offset <= row.offset:
                # Written once more: the row may be known here only, its record in the changelog lost in a crash.
                return Decision("repeated", row.answer, row=row)
            if row.answer.status == "accepted" or row.rules == self._rules:
                return Decision("repeated", row.answer)
        try:
            if isinstance(asked, EventError):
                raise asked
            # A command that is written holds, also if the rules have changed since.
            written = past.written(arrival.partition, request_id)
            command = written or self._command(asked, arrival)
        except TagstreamError as error:
            answer = _refusal(request_id, customer_id, error, arrival)
            return self._first("refused", arrival, digest, answer, None)
        answer = Answer(
            request_id=request_id,
            customer_id=customer_id,
            status="accepted",
            until=command.until,
            arrived_at=arrival.arrived_ms,
        )
        return self._first("accepted", arrival, digest, answer, command if written is None else None)

    def _first(
        self, result: Result, arrival: Arrival, digest: str, answer: Answer, command: Command | None
    ) -> Decision:
        row = Row(arrival.offset, digest, self._rules, answer)
        return Decision(result, answer, command, row)

    def _command(self, request: Request, arrival: Arrival) -> Command:
        """Raises RequestError."""
        check_form(request)
        customer = request.customer_id.encode()
        if arrival.key != customer:
            raise RequestError("TS-Q109", "The record's key is not the customer_id")
        belongs = self._partition_of(customer)
        if belongs != arrival.partition:
            raise RequestError("TS-Q109", f"It lies in partition {arrival.partition} and belongs in {belongs}")
        value: Value | None = None if request.kind == "erase" else check_tag(request, self._tags)
        return Command(
            command_id=request.request_id,
            customer_id=request.customer_id,
            kind=_COMMANDS[request.kind],
            tag=request.tag,
            value=value,
            reason=request.reason,
            actor=request.actor,
            until=None if request.term_ms is None else arrival.arrived_ms + request.term_ms,
            issued_at=arrival.arrived_ms,
        )


def _refusal(request_id: str, customer_id: str, error: TagstreamError, arrival: Arrival) -> Answer:
    return Answer(
        request_id=request_id,
        customer_id=customer_id[:SHOWN_ID_CHARS],
        status="refused",
        code=error.code,
        message=error.message,
        cure=error.cure,
        arrived_at=arrival.arrived_ms,
    )


def _request_id(value: bytes) -> str | None:
    """The id of a request that is not whole, if it is JSON and has a usable one: then it can be answered."""
    found = _text(value, "request_id") or ""
    return found if fault_of_id(found) is None else None


def _customer_id(value: bytes) -> str:
    return _text(value, "customer_id") or ""


def _text(value: bytes, name: str) -> str | None:
    try:
        given = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    found = given.get(name) if isinstance(given, dict) else None
    return found if isinstance(found, str) else None
