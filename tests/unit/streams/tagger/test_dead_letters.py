"""streams.tagger.dead_letters: the original bytes, and where and why"""

from __future__ import annotations

import hashlib

import pytest

from schemas.outcomes import Dead
from streams.log import TopicPartition
from streams.tagger.dead_letters import KEPT_BYTES, MOST_BYTES, dead_letter
from tests.simulation.record import Record

PLACE = TopicPartition("p.events.purchase", 4)


def headers_of(record: Record, reason: Dead, detail: str | None = None) -> dict[str, bytes]:
    found = {}
    for name, value in dead_letter("dlq", PLACE, record, reason, detail).headers or []:
        assert isinstance(value, bytes)
        found[name] = value
    return found


def test_the_bytes_and_the_key_are_as_they_came() -> None:
    letter = dead_letter("p.events.dlq", PLACE, Record(17, 5, b"k\xff", b"\x00\xff"), Dead.TRUNCATED, None)
    assert (letter.topic, letter.partition, letter.key, letter.value) == ("p.events.dlq", None, b"k\xff", b"\x00\xff")


def test_the_headers_say_where_it_came_from_and_why_it_is_dead() -> None:
    headers = headers_of(Record(17), Dead.OUT_OF_RANGE, "satisfaction is 10")
    assert headers["topic"] == b"p.events.purchase"
    assert headers["partition"] == b"4"
    assert headers["offset"] == b"17"
    assert headers["code"] == b"TS-D109"
    assert b"satisfaction is 10" in headers["message"]
    assert headers.keys() == {"topic", "partition", "offset", "stage", "code", "message"}


@pytest.mark.parametrize("reason", Dead)
def test_every_reason_has_a_stage_and_a_message(reason: Dead) -> None:
    headers = headers_of(Record(1), reason)
    assert headers["message"]
    assert headers["stage"] in (b"decode", b"time", b"partition", b"produce")


def test_a_value_that_just_fits_is_kept_whole() -> None:
    value = b"x" * (MOST_BYTES - 3)
    assert dead_letter("dlq", PLACE, Record(1, 0, b"key", value), Dead.TOO_LARGE, None).value == value


def test_of_a_larger_one_the_beginning_is_kept_with_hash_and_length_of_the_whole() -> None:
    value = b"ab" * (MOST_BYTES // 2)
    record = Record(1, 0, b"key", value)
    letter = dead_letter("dlq", PLACE, record, Dead.TOO_LARGE, None)
    headers = headers_of(record, Dead.TOO_LARGE)
    assert letter.value == value[:KEPT_BYTES]
    assert letter.key == b"key"
    assert headers["sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert headers["length"] == str(len(value)).encode()


def test_a_key_beyond_all_bounds_is_cut_too() -> None:
    letter = dead_letter("dlq", PLACE, Record(1, 0, b"k" * (MOST_BYTES + 1), b"v"), Dead.TRUNCATED, None)
    assert len(letter.key or b"") + len(letter.value or b"") < MOST_BYTES
