"""What the broker answers when it does not do what it was asked to."""

from __future__ import annotations

from streams.log import Outgoing

__all__ = ["NotAMember", "OutOfRange", "ProducerFenced", "RecordRefused", "Refusal", "TryAgain"]


class Refusal(Exception):
    """Nothing was done."""


class TryAgain(Refusal):
    """Not yet: something of a transaction that was decided, or is open, stands in the way."""


class ProducerFenced(Refusal):
    """The transactional id is another process's by now, or the coordinator has aborted the transaction."""


class NotAMember(Refusal):
    """The group has moved on: this member was thrown out, is of an older generation, or another took its name."""


class OutOfRange(Refusal):
    """The offset is not between the partition's start and its end."""


class RecordRefused(Refusal):
    """A record cannot be written, whoever sends it and however often."""

    def __init__(self, why: str, record: Outgoing) -> None:
        super().__init__(why)
        self.record = record
