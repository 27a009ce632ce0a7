"""The script that writes to Redis, on a real one."""

from __future__ import annotations

import pytest
import redis

from streams.projector.batch import Batch, Chunk, PartitionClock, Record, build_batch
from streams.projector.store import Refused, Standing, Store, Work
from tests.unit.streams.projector.projector_world import current, hashes

BUILD = b"b1"


def batch_of(*values: tuple[str, bytes | None], partition: int = 0, first: int = 0) -> Batch:
    records: list[Record] = [(first + i, key.encode(), value) for i, (key, value) in enumerate(values)]
    return build_batch(partition, records)


def begun(store: Store, partition: int = 0) -> Standing:
    """A partition that was rebuilt from an empty log: Redis stands at 0."""
    standing = store.open([partition])[partition]
    standing = store.begin(partition, standing, start=0, build=BUILD, topic=b"t")
    store.finish(partition, BUILD)
    return store.open([partition])[partition]


def apply(store: Store, work: Work) -> dict[int, Standing]:
    try:
        then = store.send(work)
        store.receive()
    except Exception:
        store.drop()
        raise
    return then


def put(store: Store, standing: Standing, *values: tuple[str, bytes | None], partition: int = 0) -> Standing:
    batch = batch_of(*values, partition=partition, first=int(standing.position))
    return apply(store, {partition: (standing, batch.chunks)})[partition]


def test_a_customers_hash_holds_the_tags_and_where_they_come_from(client: redis.Redis, store: Store) -> None:
    put(store, begun(store), ("anna", current("anna", 7, {"vip": True, "tier": "gold"}, epoch=3)))
    assert hashes(client) == {"anna": {"vip": "1", "tier": "gold", "_seq": "7", "_epoch": "3", "_part": "0"}}
    assert client.hgetall("tagstream:position") == {b"0": b"1"}


def test_a_newer_seq_replaces_the_whole_hash(client: redis.Redis, store: Store) -> None:
    standing = put(store, begun(store), ("anna", current("anna", 1, {"vip": True, "tier": "gold"})))
    put(store, standing, ("anna", current("anna", 2, {"tier": "silver"})))
    assert hashes(client)["anna"] == {"tier": "silver", "_seq": "2", "_epoch": "1", "_part": "0"}


@pytest.mark.parametrize(("epoch", "seq"), [(1, 9), (2, 4), (2, 5)])
def test_what_is_not_newer_by_epoch_then_seq_changes_nothing(
    client: redis.Redis, store: Store, epoch: int, seq: int
) -> None:
    standing = put(store, begun(store), ("anna", current("anna", 5, {"vip": True}, epoch=2)))
    put(store, standing, ("anna", current("anna", seq, {"other": True}, epoch=epoch)))
    assert hashes(client)["anna"] == {"vip": "1", "_seq": "5", "_epoch": "2", "_part": "0"}
    assert client.hget("tagstream:position", "0") == b"2"


def test_a_newer_epoch_replaces_a_greater_seq(client: redis.Redis, store: Store) -> None:
    standing = put(store, begun(store), ("anna", current("anna", 5, {"vip": True}, epoch=2)))
    put(store, standing, ("anna", current("anna", 1, {"other": True}, epoch=10)))
    assert hashes(client)["anna"] == {"other": "1", "_seq": "1", "_epoch": "10", "_part": "0"}


def test_a_customer_whose_last_tag_left_keeps_a_hash_without_tags_that_fends_off_older_ones(
    client: redis.Redis, store: Store
) -> None:
    standing = put(store, begun(store), ("anna", current("anna", 2, {})))
    put(store, standing, ("anna", current("anna", 1, {"vip": True})))
    assert hashes(client)["anna"] == {"_seq": "2", "_epoch": "1", "_part": "0"}


def test_a_tombstone_removes_the_hash(client: redis.Redis, store: Store) -> None:
    standing = put(store, begun(store), ("anna", current("anna", 2, {"vip": True})), ("ben", current("ben", 3, {})))
    put(store, standing, ("anna", None))
    assert hashes(client).keys() == {"ben"}


def test_after_a_tombstone_in_the_same_batch_a_customer_begins_anew(client: redis.Redis, store: Store) -> None:
    standing = put(store, begun(store), ("anna", current("anna", 9, {"vip": True})))
    put(store, standing, ("anna", None), ("anna", current("anna", 3, {"new": True})))
    assert hashes(client)["anna"] == {"new": "1", "_seq": "3", "_epoch": "1", "_part": "0"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "1"),
        ("金牌", "金牌"),
        (0.1, "0.1"),
        (5.0, "5.0"),
        (1e22, "1e+22"),
        (-0.35, "-0.35"),
        (("b", "ä", "a"), '["a","b","ä"]'),
        ((), "[]"),
        (('with "quotes"', "and\nlines"), '["and\\nlines","with \\"quotes\\""]'),
    ],
)
def test_values_of_each_kind_have_their_text(
    client: redis.Redis, store: Store, value: bool | str | float | tuple[str, ...], text: str
) -> None:
    put(store, begun(store), ("anna", current("anna", 1, {"tag": value})))
    assert hashes(client)["anna"]["tag"] == text


def test_ids_may_be_any_text(client: redis.Redis, store: Store) -> None:
    ids = ["客户-1", "with space", 'q"uote', "nul\x00byte", "a:b*c?[d]\\"]
    put(store, begun(store), *[(i, current(i, n, {"vip": True})) for n, i in enumerate(ids, 1)])
    assert hashes(client).keys() == set(ids)


def test_a_customer_may_have_many_thousand_tags(client: redis.Redis, store: Store) -> None:
    tags = {f"tag_{n}": f"level_{n}" for n in range(12_345)}
    put(store, begun(store), ("anna", current("anna", 1, tags)), ("ben", current("ben", 2, {"vip": True})))
    assert hashes(client)["anna"] == tags | {"_seq": "1", "_epoch": "1", "_part": "0"}
    assert hashes(client)["ben"]["vip"] == "1"


def test_a_key_that_is_no_hash_is_replaced(client: redis.Redis, store: Store) -> None:
    client.set("tags:anna", "not ours")
    put(store, begun(store), ("anna", current("anna", 1, {"vip": True})))
    assert hashes(client)["anna"]["vip"] == "1"


def test_the_clock_is_written_and_never_goes_back_within_an_epoch_or_to_an_older_one(
    client: redis.Redis, store: Store
) -> None:
    standing = begun(store)
    seen = []
    for epoch, clock_ms in [(1, 100), (1, 90), (2, 150), (1, 999), (2, 149)]:
        chunk = Chunk(int(standing.position) + 1, clock=PartitionClock(epoch, clock_ms))
        standing = apply(store, {0: (standing, [chunk])})[0]
        seen.append(client.hget("tagstream:clock", "0"))
    assert seen == [b"100", b"100", b"150", b"150", b"150"]


def test_a_position_that_is_not_the_one_written_last_is_refused_and_nothing_changes(
    client: redis.Redis, store: Store
) -> None:
    standing = put(store, begun(store), ("anna", current("anna", 1, {"vip": True})))
    client.hset("tagstream:position", "0", 55)
    with pytest.raises(Refused):
        put(store, standing, ("anna", current("anna", 2, {"other": True})))
    assert hashes(client)["anna"]["_seq"] == "1"
    assert client.hget("tagstream:position", "0") == b"55"


def test_a_chunk_behind_a_refused_one_is_refused_as_well(client: redis.Redis, store: Store) -> None:
    standing = begun(store)
    many = [(f"c{n}", current(f"c{n}", n + 1, {"vip": True})) for n in range(1_000)]
    batch = batch_of(*many)
    assert len(batch.chunks) > 2
    client.flushall()
    with pytest.raises(Refused):
        apply(store, {0: (standing, batch.chunks)})
    assert client.dbsize() == 0


def test_redis_out_of_memory_refuses_before_anything_changed(client: redis.Redis, store: Store) -> None:
    standing = put(store, begun(store), ("anna", current("anna", 1, {"vip": True})))
    before = (hashes(client), client.hgetall("tagstream:position"), client.hgetall("tagstream:projector"))
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.ResponseError):
            put(store, standing, ("anna", None), ("anna", current("anna", 2, {"other": True})))
    finally:
        client.config_set("maxmemory", 0)
    assert before == (hashes(client), client.hgetall("tagstream:position"), client.hgetall("tagstream:projector"))


def test_a_rebuild_that_another_projector_began_first_is_refused(client: redis.Redis, store: Store) -> None:
    seen = store.open([0])[0]
    store.begin(0, seen, start=0, build=b"theirs", topic=b"t")
    with pytest.raises(Refused):
        store.begin(0, seen, start=0, build=b"ours", topic=b"t")
    assert client.hget("tagstream:projector", "0.build") == b"theirs"


def test_a_rebuild_replaces_even_newer_hashes_since_the_log_alone_counts(client: redis.Redis, store: Store) -> None:
    standing = put(store, begun(store), ("anna", current("anna", 9, {"vip": True}, epoch=9)))
    standing = store.begin(0, standing, start=0, build=b"b2", topic=b"t")
    standing = put(store, standing, ("anna", current("anna", 2, {"other": True}, epoch=1)))
    assert hashes(client)["anna"]["_seq"] == "2"
    # What this rebuild itself wrote is compared as ever.
    put(store, standing, ("anna", current("anna", 1, {"older": True}, epoch=1)))
    assert hashes(client)["anna"]["_seq"] == "2"


def test_a_sweep_spares_other_partitions_and_keys_that_are_not_ours(client: redis.Redis, store: Store) -> None:
    put(store, begun(store, 1), ("other", current("other", 1, {}, partition=1)), partition=1)
    standing = put(store, begun(store), ("gone", current("gone", 1, {})))
    client.set("tags:a-string", "x")
    client.hset("tags:foreign-hash", "x", "y")
    standing = store.begin(0, standing, start=0, build=b"b2", topic=b"t")
    put(store, standing, ("met", current("met", 1, {})))
    cursor, removed = -1, 0
    while cursor != 0:
        cursor, more = store.sweep({0: b"b2"}, max(cursor, 0))
        removed += more
    assert removed == 1
    assert {key.decode() for key in client.scan_iter("tags:*")} == {
        "tags:met",
        "tags:other",
        "tags:a-string",
        "tags:foreign-hash",
    }


def test_a_sweep_of_a_rebuild_that_is_over_removes_nothing(client: redis.Redis, store: Store) -> None:
    put(store, begun(store), ("anna", current("anna", 1, {})))
    with pytest.raises(Refused):
        store.sweep({0: b"unknown"}, 0)
    assert hashes(client).keys() == {"anna"}
