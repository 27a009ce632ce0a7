"""Comparing Redis with the log in the background: what was done to Redis is found, told apart and made good."""

from __future__ import annotations

import pytest
import redis

from streams.metrics import DIFFERENCES, PROJECTOR_DIFFERENCES, PROJECTOR_REBUILDS
from streams.projector import reconcile
from tests.unit.streams.projector.projector_world import MemoryLog, World, folded

HOUR_S = 3600.0


def filled(customers: int = 60, partitions: int = 2) -> MemoryLog:
    log = MemoryLog(partitions)
    for seq in range(1, 3 * customers):
        partition = seq % partitions
        log.write(f"c{seq % customers}-{partition}", seq, {"vip": True, "level": f"l{seq}"}, partition=partition)
    for partition in range(partitions):
        log.tick(1_000, partition=partition)
    return log


@pytest.fixture
def world(client: redis.Redis) -> World:
    world = World(filled(), client)
    world.run()
    assert world.hashes() == folded(world.log)
    return world


def found() -> dict[str, float]:
    return {kind: PROJECTOR_DIFFERENCES.labels(kind)._value.get() for kind in DIFFERENCES}


def compare(world: World, turns: int = 200) -> dict[str, int]:
    """What a comparison that is asked for finds; turns enough for all of it."""
    before = found()
    world.store.ask_reconcile(sorted(world.log.records), b"test")
    world.run(turns, pass_s=0.1)
    assert world.store.asked_to_reconcile(sorted(world.log.records)) == {}, "the comparison did not end"
    return {kind: int(count - before[kind]) for kind, count in found().items() if count != before[kind]}


def test_nothing_is_found_where_nothing_is_wrong(world: World) -> None:
    assert compare(world) == {}


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        pytest.param(["HSET", "tags:c4-0", "vip", "no"], {"different": 1}, id="a field changed"),
        pytest.param(["HDEL", "tags:c4-0", "vip"], {"different": 1}, id="a field removed"),
        pytest.param(["HSET", "tags:c4-0", "more", "1"], {"different": 1}, id="a field added"),
        pytest.param(["HSET", "tags:c4-0", "_seq", "1"], {"different": 1}, id="older than it should be"),
        pytest.param(["HSET", "tags:c4-0", "_seq", "99999"], {"different": 1}, id="newer than anything"),
        pytest.param(["HSET", "tags:c4-0", "_epoch", "none"], {"different": 1}, id="no number"),
        pytest.param(["HSET", "tags:c4-0", "_part", "1"], {"different": 1}, id="of another partition"),
        pytest.param(["HSET", "tags:c4-0", "_part", "7"], {"different": 1}, id="of a partition that is not there"),
        pytest.param(["SET", "tags:c4-0", "text"], {"different": 1}, id="no hash"),
        pytest.param(["DEL", "tags:c4-0", "tags:c5-1"], {"missing": 2}, id="removed"),
        pytest.param(["PEXPIRE", "tags:c4-0", "0"], {"missing": 1}, id="expired"),
        pytest.param(
            ["HSET", "tags:nobody", "_part", "1", "_seq", "1", "_epoch", "1", "vip", "1"],
            {"extra": 1},
            id="a hash of nobody",
        ),
    ],
)
def test_what_was_done_to_redis_is_found_counted_and_made_good(
    world: World, client: redis.Redis, harm: list[str], expected: dict[str, int]
) -> None:
    client.execute_command(*harm)
    assert harm[0] == "SET" or world.hashes() != folded(world.log)
    assert compare(world) == expected
    assert world.hashes() == folded(world.log)
    assert compare(world) == {}


def test_keys_that_are_not_ours_are_left_alone(world: World, client: redis.Redis) -> None:
    client.set("tags:a-string", "x")
    client.hset("tags:foreign", "x", "y")
    client.hset("tags:of-another", mapping={"_part": 9, "_seq": 1, "_epoch": 1})
    assert compare(world) == {}
    assert client.exists("tags:a-string", "tags:foreign", "tags:of-another") == 3


def test_a_comparison_comes_by_itself_when_it_is_due_and_no_sooner(world: World, client: redis.Redis) -> None:
    client.delete("tags:c4-0")
    world.run(40, pass_s=60)
    assert "c4-0" not in world.hashes()
    world.run(100, pass_s=60)
    assert world.hashes() == folded(world.log)


def test_erased_customers_are_no_difference_and_come_back_as_none(world: World, client: redis.Redis) -> None:
    world.log.erase("c4-0")
    world.log.erase("c5-1", partition=1)
    world.log.write("c5-1", 5_000, {"again": True}, partition=1)
    world.run()
    assert compare(world) == {}
    client.hset("tags:c4-0", mapping={"_part": 0, "_seq": 4, "_epoch": 1, "vip": 1, "level": "l4"})
    assert compare(world) == {"extra": 1}
    assert world.hashes() == folded(world.log)


@pytest.mark.parametrize("harmed_at", range(0, 60, 4))
def test_what_changes_while_it_is_compared_is_no_difference(world: World, client: redis.Redis, harmed_at: int) -> None:
    """Customers come, change and go in each turn; one harm is done at some moment of it, and in the end all is well."""
    before = found()
    world.store.ask_reconcile([0, 1], b"test")
    for turn in range(60):
        partition = turn % 2
        world.log.write(f"c{turn % 30}-{partition}", 1_000 + turn, {"turn": f"t{turn}"}, partition=partition)
        world.log.write(f"new{turn}", 2_000 + turn, {"vip": True}, partition=partition)
        if turn % 3 == 0:
            world.log.erase(f"new{turn - 3}", partition=1 - partition)
        if turn == harmed_at:
            client.delete("tags:c59-1")
            client.hset("tags:nobody", mapping={"_part": 0, "_seq": 1, "_epoch": 1})
        world.run(1, pass_s=0.05)
    world.run(100, pass_s=0.1)
    seen = {kind: count - before[kind] for kind, count in found().items()}
    assert seen["different"] == 0
    assert seen["missing"] <= 1 and seen["extra"] <= 1, "what was on its way was taken for a difference"
    assert compare(world).keys() <= {"missing", "extra"}
    assert world.hashes() == folded(world.log)


def test_a_lagging_redis_is_not_judged_by_what_it_has_yet_to_take(world: World, client: redis.Redis) -> None:
    client.delete("tags:c4-0")
    world.source.at_once = 1
    for seq in range(1_000, 1_100):
        world.log.write(f"c{seq % 60}-0", seq, {"newer": True})
    assert compare(world, turns=400) in ({"missing": 1}, {})
    assert world.hashes() == folded(world.log)


def test_more_suspects_than_are_held_at_once_are_settled_in_turns(
    world: World, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "MAX_SUSPECTS", 5)
    gone = [f"tags:{customer}" for customer in list(folded(world.log))[:40]]
    client.delete(*gone)
    for number in range(30):
        client.hset(f"tags:nobody{number}", mapping={"_part": number % 2, "_seq": 1, "_epoch": 1})
    assert compare(world, turns=2_000) == {"missing": 40, "extra": 30}
    assert world.hashes() == folded(world.log)


def test_so_many_differences_that_redis_is_filled_anew(
    world: World, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "MAX_REPAIRS", 10)
    client.delete(*[f"tags:{customer}" for customer in folded(world.log)])
    before = PROJECTOR_REBUILDS.labels("differences")._value.get()
    compare(world, turns=400)
    assert PROJECTOR_REBUILDS.labels("differences")._value.get() == before + 2
    assert world.hashes() == folded(world.log)


def test_a_repair_is_refused_where_another_projector_wrote_meanwhile(world: World, client: redis.Redis) -> None:
    client.delete("tags:c4-0")
    other = World(world.log, client)
    hashes_of = world.store.hashes

    def overtaken(customers: list[bytes]) -> object:
        held = hashes_of(customers)
        if customers == [b"c4-0"]:
            world.log.write("c4-0", 9_000, {"newest": True})
            other.run(5)
        return held

    world.store.hashes = overtaken  # type: ignore[method-assign,assignment]
    world.store.ask_reconcile([0, 1], b"test")
    world.run(60, pass_s=0.1)
    assert world.hashes() == folded(world.log)
    assert world.hashes()["c4-0"]["newest"] == "1"


def test_a_comparison_survives_a_redis_that_was_emptied_meanwhile(world: World, client: redis.Redis) -> None:
    world.store.ask_reconcile([0, 1], b"test")
    world.run(8, pass_s=0.1)
    client.flushall()
    world.run(200, pass_s=0.1)
    assert world.hashes() == folded(world.log)


def test_in_the_background_no_more_is_compared_in_a_second_than_the_setting_allows(world: World) -> None:
    world.run(1, pass_s=1.2 * HOUR_S)
    polls: list[int] = []
    reader = world.reader
    poll = reader.poll

    def counted(most: int) -> object:
        fetched = poll(most)
        polls.append(sum(map(len, fetched.records.values())))
        return fetched

    reader.poll = counted  # type: ignore[method-assign,assignment]
    began_s = world.clock.monotonic_s()
    while world.projector.why_not_ready() == [] and sum(polls) < 150:
        world.run(1, pass_s=0.001)
    assert sum(polls) / (world.clock.monotonic_s() - began_s) <= 1_100
