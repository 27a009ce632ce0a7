"""Dead letters: the original bytes, with headers that say where they came from and what is wrong with them."""

from __future__ import annotations

import hashlib
from typing import Final

from schemas.errors import EventError
from schemas.outcomes import Dead
from streams.log import Message, Outgoing, TopicPartition

__all__ = ["dead_letter"]

MOST_BYTES: Final = 2 * 1024 * 1024 - 64 * 1024
"""events.dlq takes 2 MiB a record; the rest is room for the key, the headers and the batch's own bytes."""

KEPT_BYTES: Final = 512 * 1024
"""Of a value that does not fit: its beginning, with the hash and length of the whole."""

STAGE: Final = {
    Dead.TIME_TOO_OLD: "time",
    Dead.TIME_AHEAD: "time",
    Dead.MOVED_TWICE: "partition",
    Dead.REFUSED_BY_BROKER: "produce",
}
"""Where in the tagger an event died; everywhere else it is `decode`."""


def dead_letter(topic: str, place: TopicPartition, message: Message, reason: Dead, detail: str | None) -> Outgoing:
    """The record for events.dlq of a message read from `place`. `detail` says what exactly was wrong, if known."""
    error = EventError(reason, detail or "")
    headers: list[tuple[str, str | bytes | None]] = [
        ("topic", place.topic.encode()),
        ("partition", str(place.partition).encode()),
        ("offset", str(message.offset()).encode()),
        ("stage", STAGE.get(reason, "decode").encode()),
        ("code", error.code.encode()),
        ("message", error.message.encode()),
    ]
    value = message.value() or b""
    key = message.key()
    if len(value) + len(key or b"") > MOST_BYTES:
        headers += [
            ("sha256", hashlib.sha256(value).hexdigest().encode()),
            ("length", str(len(value)).encode()),
        ]
        value = value[:KEPT_BYTES]
        key = key[:KEPT_BYTES] if key else key
    return Outgoing(topic, None, key, value, headers)
