"""What the log says of some customers as of exactly one position, and when that is known."""

from __future__ import annotations

import random

import pytest

from streams.projector.seen import PLACES, Seen, content
from streams.projector.settle import Finding, Settlement, expected_hash, repairs
from streams.projector.source import Fetched
from tests.unit.streams.projector.projector_world import current

NOBODY = {0: {b"anna"}}
VIP = ["_epoch", "1", "_seq", "1", "_part", "0", "vip", "1"]


def read(*records: tuple[int, str, bytes | None], end: int | None = None) -> Fetched:
    found = [(offset, key.encode(), value) for offset, key, value in records]
    return Fetched({0: found} if found else {}, {} if end is None else {0: end})


def vip(seq: int) -> bytes:
    return current("anna", seq, {"vip": True})


def test_nothing_is_judged_before_the_logs_end_was_reached_and_redis_stands_behind_it() -> None:
    settlement = Settlement(NOBODY)
    settlement.take(read((5, "anna", vip(1))), {0: 6})
    assert not settlement.is_due(0, 6), "more may come"
    # Offset 7 is where a transaction ended: no record, so Redis never stands there.
    settlement.take(read((6, "ben", vip(2)), end=8), {0: 6})
    assert not settlement.is_due(0, 6), "what Redis has yet to take may have replaced what compaction removed"
    settlement.take(read(), {0: 7})
    assert settlement.is_due(0, 7)
    assert [f.kind for f in settlement.judge(0, [{}])] == ["missing"]


def test_what_lies_behind_redis_position_does_not_count() -> None:
    settlement = Settlement(NOBODY)
    settlement.take(read((5, "anna", vip(1)), end=6), {0: 6})
    settlement.take(read((8, "anna", None)), {0: 6})
    assert not settlement.wants_more, "no more is held than was read at once"
    assert settlement.is_due(0, 6)
    assert settlement.judge(0, [expected_hash(VIP)]) == []


def test_what_redis_took_and_is_not_read_yet_is_waited_for() -> None:
    settlement = Settlement(NOBODY)
    settlement.take(read((5, "anna", vip(1)), end=6), {0: 6})
    assert not settlement.is_due(0, 9)
    settlement.take(read((8, "anna", None)), {0: 9})
    assert settlement.is_due(0, 9)
    assert settlement.judge(0, [{}]) == []


@pytest.mark.parametrize(
    ("log", "held", "expected"),
    [
        ([vip(1)], {}, ("missing", VIP)),
        ([vip(1)], expected_hash(VIP), None),
        ([vip(1)], None, ("different", VIP)),
        ([vip(1), None], expected_hash(VIP), ("extra", [])),
        ([vip(1), None], {}, None),
        ([vip(1), None], None, None),
        ([], {b"_part": b"0"}, ("extra", [])),
        ([], {b"_part": b"1"}, None),
        ([], {b"vip": b"1"}, None),
        ([vip(9), None, vip(1)], expected_hash(VIP), None),
        ([vip(1), b"{damaged"], expected_hash(VIP), None),
        ([vip(3), vip(1)], expected_hash(VIP), ("different", ["_epoch", "1", "_seq", "3", *VIP[4:]])),
    ],
)
def test_a_customer_is_judged_by_what_the_log_comes_to(
    log: list[bytes | None], held: dict[bytes, bytes] | None, expected: tuple[str, list[str]] | None
) -> None:
    settlement = Settlement(NOBODY)
    records = [(offset, "anna", value) for offset, value in enumerate(log)]
    settlement.take(read(*records, end=len(log)), {0: len(log)})
    found = settlement.judge(0, [held])
    assert [(f.kind, f.fields) for f in found] == ([] if expected is None else [expected])


def test_repairs_remove_first_what_may_say_of_itself_that_it_is_newer() -> None:
    findings = [Finding(b"a", "missing", VIP), Finding(b"b", "different", VIP), Finding(b"c", "extra", [])]
    (chunk,) = repairs(findings, 7)
    assert chunk.next_offset == 7
    assert list(zip(chunk.customers, chunk.hashes, strict=True)) == [
        (b"a", VIP),
        (b"b", []),
        (b"b", VIP),
        (b"c", []),
    ]


def test_a_filter_never_denies_what_was_added_and_seldom_claims_what_was_not() -> None:
    chance = random.Random(5)
    seen = Seen([chance.getrandbits(64) | 1 for _ in range(PLACES)])
    added = [content(b"c%d" % n, {b"vip": b"1", b"_seq": b"%d" % n}) for n in range(100_000)]
    others = [content(b"c%d" % n, {b"vip": b"2", b"_seq": b"%d" % n}) for n in range(100_000)]
    seen.add(added)
    assert all(seen.has(added))
    assert sum(seen.has(others)) <= 2


def test_content_does_not_depend_on_the_order_of_the_fields() -> None:
    assert content(b"c", {b"a": b"1", b"b": b"2"}) == content(b"c", {b"b": b"2", b"a": b"1"})
    assert content(b"c", {b"a": b"1", b"b": b"2"}) != content(b"c", {b"a": b"2", b"b": b"1"})
