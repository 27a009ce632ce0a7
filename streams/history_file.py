"""Reads a history: a file or stream with one event a line, as JSON, plain or compressed with gzip.

A line that is no event is reported and passed over. What makes the whole unreadable is a ConfigError.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from processors.decoder import COMMANDS
from processors.history import History
from schemas.codec import MAX_VALUE_BYTES, event_from_json, json_object, time_ms
from schemas.errors import ConfigError, EventError
from schemas.events import EARLIEST_EVENT_MS, EVENT_TYPES
from schemas.outcomes import Dead
from schemas.records import Command

__all__ = ["LATEST_MS", "STDIN", "opened", "read_history"]

STDIN: Final = "-"

LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999. An arrival sets the clock, which never goes back: a nonsensical one would end
every window of all that comes after."""

BLOCK_BYTES: Final = 1 << 18
"""Read at once: small beside the history, large beside the cost of a call."""

GZIP_MAGIC: Final = b"\x1f\x8b"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

Report = Callable[[int, EventError], None]
"""Takes the number (from 1) and the fault of a line that is no event."""

Progress = Callable[[int], None]
"""Takes how many bytes more of the file have been read."""


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """The file of that name, or standard input. Raises ConfigError(TS-C401), also if reading fails later."""
    try:
        if name == STDIN:
            yield sys.stdin.buffer
            return
        with Path(name).open("rb") as file:
            yield file
    except OSError as error:
        shown = "standard input" if name == STDIN else name
        raise ConfigError("TS-C401", f"{shown} cannot be read: {error.strerror or error}") from None


def read_history(file: BinaryIO, report: Report, progress: Progress) -> History:
    """All events of the file. Raises ConfigError: TS-C402, TS-C403, TS-C404; OSError as reading does."""
    history = History()
    found = False
    for number, line in _lines(_blocks(file, progress)):
        if line is not None and not line.strip():
            continue
        found = True
        try:
            history.add(*_event(line), number)
        except EventError as error:
            report(number, error)
    if not found:
        raise ConfigError("TS-C402")
    return history


def _event(line: bytes | None) -> tuple[bytes, int]:
    """The event of a line as a canonical value, and its arrival (ms). None: a line beyond the limit."""
    if line is None:
        raise EventError(Dead.TOO_LARGE, f"a line of more than {MAX_VALUE_BYTES} bytes")
    obj = json_object(line)
    event_type = obj.get("type")
    if event_type == COMMANDS:
        return _command(obj), _arrival_ms(obj)
    if event_type not in EVENT_TYPES:
        shown = "no type" if event_type is None else f"type {str(event_type)[:60]!r}"
        raise EventError(Dead.UNKNOWN_SCHEMA, f"{shown}; there are {', '.join((*EVENT_TYPES, COMMANDS))}")
    return event_from_json(event_type, obj), _arrival_ms(obj)


def _command(obj: dict[str, Any]) -> bytes:
    """What a person or a model says of a tag, as the value of `tags.commands`; who and why may be left out."""
    until = obj.get("until")
    given = {
        **obj,
        "actor": obj.get("actor", "history"),
        "until": None if until is None else time_ms("until", until),
        "issued_at": _arrival_ms(obj),
    }
    return Command.from_json(orjson.dumps(given)).to_avro()


def _arrival_ms(obj: dict[str, Any]) -> int:
    """When the event arrived: `arrival_time`, or else when it happened. Raises EventError: BAD_TIME, TIME_TOO_OLD."""
    name = "event_time" if obj.get("arrival_time") is None else "arrival_time"
    if obj.get(name) is None:
        raise EventError(Dead.MISSING_FIELD, name)
    arrival_ms = time_ms(name, obj[name])
    if EARLIEST_EVENT_MS <= arrival_ms <= LATEST_MS:
        return arrival_ms
    if name == "event_time" and arrival_ms < EARLIEST_EVENT_MS:
        raise EventError(Dead.TIME_TOO_OLD, f"event_time {obj[name]!r}")
    raise EventError(Dead.BAD_TIME, f"{name} {obj[name]!r} is not in the years 1990 to 9999")


# ------------------------------------------------------------------------------------------------- lines of bytes


def _lines(blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers from 1; None for one beyond the limit, of which no more than a block is ever held."""
    number = 1
    rest = b""
    too_long = False
    for block in blocks:
        first, *others = block.split(b"\n")
        rest = b"" if too_long else rest + first
        too_long = too_long or len(rest) > MAX_VALUE_BYTES
        for following in others:
            yield number, None if too_long else rest
            number += 1
            rest, too_long = following, False
    if rest or too_long:
        yield number, None if too_long else rest


def _blocks(file: BinaryIO, progress: Progress) -> Iterator[bytes]:
    """The text, unpacked if it is compressed, without a byte order mark. Raises ConfigError: TS-C403, TS-C404."""
    raw = _raw_blocks(file, progress)
    head = b""
    # A pipe may hand over a byte at a time.
    for block in raw:
        head += block
        if len(head) >= len(BYTE_ORDER_MARK):
            break
    blocks = _unpacked(head, raw) if head.startswith(GZIP_MAGIC) else _chained(head, raw)
    first = next(blocks, b"")
    # JSON writes every control character as an escape, so a zero byte is in no text of ours.
    if b"\0" in first:
        raise ConfigError("TS-C403")
    yield first.removeprefix(BYTE_ORDER_MARK)
    yield from blocks


def _raw_blocks(file: BinaryIO, progress: Progress) -> Iterator[bytes]:
    # Standard input gives what a pipe holds by now, where `read` would wait for a whole block.
    read = getattr(file, "read1", file.read)
    while block := read(BLOCK_BYTES):
        progress(len(block))
        yield block


def _chained(head: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from raw


def _unpacked(head: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
    """What a gzip file of one or more members (RFC 1952) holds, zeros between and behind them being padding.

    In pieces of a block at most, since a small file may unpack to a huge one. Raises ConfigError(TS-C404).
    """
    member = None
    try:
        for block in _chained(head, raw):
            packed = block
            while packed:
                if member is None:
                    packed = packed.lstrip(b"\0")
                    if not packed:
                        break
                    member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
                yield member.decompress(packed, BLOCK_BYTES)
                packed = member.unconsumed_tail
                if member.eof:
                    packed, member = member.unused_data, None
    except zlib.error as error:
        raise ConfigError("TS-C404", f"The compressed history is damaged: {error}") from None
    if member is not None:
        raise ConfigError("TS-C404", "The compressed history ends too early")
