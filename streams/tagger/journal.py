"""Which records of a partition's journal count: those of the epoch of the last claim before them."""

from __future__ import annotations

from schemas.errors import EventError, StateError
from schemas.records import CLAIM_EPOCH, JournalRecord
from streams.log import Message, TopicPartition

__all__ = ["Epochs", "journal_record"]


def journal_record(place: TopicPartition, message: Message) -> JournalRecord:
    """Raises StateError TS-S103 if the message is none."""
    try:
        return JournalRecord.from_value(message.value() or b"")
    except EventError as error:
        raise StateError("TS-S103", f"{place.topic}[{place.partition}] at {message.offset()}: {error}") from error


class Epochs:
    """Follows a journal's records, which are given to it in order."""

    def __init__(self) -> None:
        self._epoch = CLAIM_EPOCH

    def counts(self, offset: int, record: JournalRecord) -> bool:
        """Whether the record is a step or a changeover that counts. A zombie's, of an older epoch, does not."""
        if record.kind == "claim":
            self._epoch = offset
            return False
        return record.epoch == self._epoch
