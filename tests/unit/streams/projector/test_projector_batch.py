"""How records become calls: what is taken together, in which order, and where each leaves Redis."""

from __future__ import annotations

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.records import CLOCK_KEY
from streams.projector.batch import MAX_CHUNK_CUSTOMERS, MAX_CHUNK_TAGS, PartitionClock, Record, build_batch
from tests.unit.streams.projector.projector_world import MemoryLog, World, current, folded


def records(*values: tuple[str, bytes | None], first: int = 0) -> list[Record]:
    return [(first + n, key.encode(), value) for n, (key, value) in enumerate(values)]


def test_no_records_make_no_call() -> None:
    assert build_batch(0, []).chunks == []


def test_of_a_customer_only_the_newest_is_written() -> None:
    (chunk,) = build_batch(0, records(*[("anna", current("anna", seq, {})) for seq in (1, 2, 3)])).chunks
    assert chunk.customers == [b"anna"]
    assert chunk.hashes == [["_epoch", "1", "_seq", "3", "_part", "0"]]


def test_the_newest_goes_by_epoch_and_seq_not_by_place() -> None:
    new, old = current("anna", 5, {"new": True}, epoch=2), current("anna", 9, {"old": True}, epoch=1)
    (chunk,) = build_batch(0, records(("anna", new), ("anna", old))).chunks
    assert chunk.hashes[0][-2:] == ["new", "1"]


def test_each_chunk_moves_the_position_behind_its_own_customers_and_the_last_to_the_end() -> None:
    given_records = records(
        *[(f"c{n}", current(f"c{n}", n, {})) for n in range(2 * MAX_CHUNK_CUSTOMERS + 1)], first=100
    )
    chunks = build_batch(0, [*given_records, (5_000, CLOCK_KEY.encode(), current(CLOCK_KEY, 0, {}, clock=77))]).chunks
    assert [chunk.next_offset for chunk in chunks] == [100 + MAX_CHUNK_CUSTOMERS, 100 + 2 * MAX_CHUNK_CUSTOMERS, 5_001]
    assert [chunk.clock for chunk in chunks] == [None, None, PartitionClock(1, 77)]


def test_a_customer_met_again_later_is_written_with_the_chunk_of_the_last_record() -> None:
    keys = ["early", *[f"c{n}" for n in range(MAX_CHUNK_CUSTOMERS)], "early"]
    first, second = build_batch(0, records(*[(key, current(key, n, {})) for n, key in enumerate(keys)])).chunks
    assert b"early" not in first.customers
    assert second.customers == [b"early"]


def test_customers_with_thousands_of_tags_make_smaller_chunks() -> None:
    tags = {f"t{n}": True for n in range(MAX_CHUNK_TAGS // 2)}
    chunks = build_batch(0, records(*[(f"c{n}", current(f"c{n}", n, tags)) for n in range(5)])).chunks
    assert [len(chunk.customers) for chunk in chunks] == [2, 2, 1]


def test_records_that_cannot_be_read_are_told_and_passed_over() -> None:
    batch = build_batch(0, [(7, b"bad", b"nonsense"), (8, None, current("anna", 1, {})), *records(first=9)])
    assert [offset for offset, _ in batch.unreadable] == [7, 8]
    assert [chunk.next_offset for chunk in batch.chunks] == [9]


STEPS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), st.tuples(st.integers(1, 3), st.integers(1, 9)))),
    max_size=40,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, at_once=st.integers(1, 41), flushed_at=st.integers(0, 30))
def test_however_records_are_cut_into_batches_redis_comes_to_the_same(
    client: redis.Redis, steps: list[tuple[str, tuple[int, int] | None]], at_once: int, flushed_at: int
) -> None:
    client.flushall()
    log = MemoryLog()
    world = World(log, client, at_once=at_once)
    for key, version in steps:
        if version is None:
            log.erase(key)
        else:
            epoch, seq = version
            log.write(key, seq, {f"from{epoch}-{seq}": True}, epoch=epoch)
    world.run(flushed_at)
    client.flushall()
    world.run(60)
    assert world.hashes() == folded(log)


@pytest.mark.parametrize("count", [1, MAX_CHUNK_CUSTOMERS, MAX_CHUNK_CUSTOMERS + 1])
def test_chunks_hold_each_customer_once(count: int) -> None:
    chunks = build_batch(0, records(*[(f"c{n}", current(f"c{n}", n, {})) for n in range(count)])).chunks
    assert sorted(c for chunk in chunks for c in chunk.customers) == sorted(f"c{n}".encode() for n in range(count))


def test_the_clock_of_a_claim_is_not_known_yet_and_leaves_the_one_that_was_told_before() -> None:
    claim = (5_000, CLOCK_KEY.encode(), current(CLOCK_KEY, 0, {}, clock=0))
    assert [chunk.clock for chunk in build_batch(0, [claim]).chunks] == [None]
