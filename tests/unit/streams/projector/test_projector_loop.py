"""The loop on a log in memory and a real Redis: whatever befalls Redis, in the end it is as the log says."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from streams.local.redis import LocalRedis
from streams.metrics import PROJECTOR_REBUILDS
from streams.projector.loop import IDLE_POLL_S
from streams.projector.store import Refused, Store, connect
from streams.redis_layout import Layout
from streams.settings import RedisSettings
from tests.unit.streams.projector.projector_world import MemoryLog, World, folded, hashes


def filled(customers: int = 50, partitions: int = 1) -> MemoryLog:
    log = MemoryLog(partitions)
    for seq in range(1, 3 * customers):
        partition = seq % partitions
        log.write(f"c{seq % customers}-{partition}", seq, {"vip": True, "level": f"l{seq}"}, partition=partition)
        if seq % 10 == 0:
            log.tick(1_000 + seq, partition=partition)
    return log


def rebuilds(reason: str) -> float:
    return PROJECTOR_REBUILDS.labels(reason)._value.get()


def test_an_empty_redis_is_filled_from_the_logs_start(client: redis.Redis) -> None:
    world = World(filled(partitions=3), client, at_once=7)
    before = rebuilds("first")
    world.run(60)
    assert world.hashes() == folded(world.log)
    assert rebuilds("first") == before + 3
    assert world.projector.why_not_ready() == []


def test_a_projector_that_starts_again_reads_on_where_redis_stands(client: redis.Redis) -> None:
    log = filled()
    World(log, client).run()
    log.write("late", 999, {"vip": True})
    again = World(log, client)
    again.projector.turn()
    assert again.source.reading == {0: len(log.records[0]) - 1}
    again.run()
    assert again.hashes() == folded(log)


def test_an_emptied_redis_is_filled_again(client: redis.Redis) -> None:
    world = World(filled(), client)
    world.run()
    before = rebuilds("emptied")
    client.flushall()
    world.log.write("c1-0", 1_000, {"new": True})
    world.run()
    assert world.hashes() == folded(world.log)
    assert rebuilds("emptied") == before + 1


def test_an_emptied_redis_is_filled_again_though_no_record_comes(client: redis.Redis) -> None:
    world = World(filled(), client)
    world.run()
    client.flushall()
    world.run()
    assert world.hashes() == folded(world.log)


@pytest.mark.parametrize("turns", range(2, 12))
def test_a_redis_emptied_at_any_moment_of_a_rebuild_is_filled_again(client: redis.Redis, turns: int) -> None:
    world = World(filled(), client, at_once=20)
    world.run(turns)
    client.flushall()
    world.run(40)
    assert world.hashes() == folded(world.log)


def test_only_the_position_lost_means_a_whole_rebuild_that_removes_customers_not_met(client: redis.Redis) -> None:
    world = World(filled(), client)
    world.run()
    client.hset("tags:ghost", mapping={"_part": 0, "_seq": 1, "_epoch": 99, "vip": 1})
    client.delete("tagstream:position")
    world.run()
    assert world.hashes() == folded(world.log)
    assert not client.hexists("tagstream:projector", "0.build")


def test_a_rebuild_that_a_dead_projector_left_is_finished_by_its_successor(client: redis.Redis) -> None:
    log = filled()
    client.hset("tags:ghost", mapping={"_part": 0, "_seq": 1, "_epoch": 99, "vip": 1})
    dead = World(log, client, at_once=10)
    dead.run(5)
    assert client.hexists("tagstream:projector", "0.build")
    before = [rebuilds(reason) for reason in ("first", "emptied", "position")]
    World(log, client).run()
    assert hashes(client) == folded(log)
    assert [rebuilds(reason) for reason in ("first", "emptied", "position")] == before


def test_a_topic_created_anew_is_read_whole_and_lower_epochs_win(client: redis.Redis) -> None:
    world = World(MemoryLog(), client)
    for seq in range(1, 40):
        world.log.write(f"old{seq}", seq, {"vip": True}, epoch=7)
    world.run()
    world.log.recreate()
    for seq in range(1, 60):
        world.log.write(f"old{seq % 9}", seq, {"again": True}, epoch=0)
    World(world.log, client).run()
    assert hashes(client) == folded(world.log)


def test_a_position_beyond_the_logs_end_means_a_whole_rebuild(client: redis.Redis) -> None:
    world = World(filled(), client)
    world.run()
    del world.log.records[0][20:]
    World(world.log, client).run()
    assert hashes(client) == folded(world.log)


def test_a_redis_that_stood_still_for_longer_than_tombstones_are_kept_is_rebuilt(client: redis.Redis) -> None:
    world = World(filled(), client)
    world.run()
    # Anna was erased, and her tombstone is compacted away.
    client.hset("tags:anna", mapping={"_part": 0, "_seq": 1, "_epoch": 1, "vip": 1})
    written = client.hget("tagstream:projector", "0.written")
    assert written is not None
    client.hset("tagstream:projector", "0.written", int(written) - 13 * 3600)
    World(world.log, client).run()
    assert hashes(client) == folded(world.log)


def test_two_projectors_on_one_partition_disturb_but_do_not_spoil_each_other(client: redis.Redis) -> None:
    log = filled(customers=200)
    one, two = World(log, client, at_once=17), World(log, client, at_once=29)
    for turn in range(120):
        (one if turn % 3 else two).run(1)
        if turn < 60:
            log.write(f"c{turn}-0", 10_000 + turn, {"late": True})
    one.run(40)
    assert hashes(client) == folded(log)


def test_partitions_may_move_to_another_projector_and_back(client: redis.Redis) -> None:
    log = filled(partitions=2)
    one, two = World(log, client, at_once=5), World(log, client, at_once=5)
    two.source.assign()
    for stage, (of_one, of_two) in enumerate([((0, 1), ()), ((0,), (1,)), ((), (0, 1)), ((1,), (0,))]):
        one.source.assign(*of_one)
        two.source.assign(*of_two)
        for partition in (0, 1):
            log.write("moving", 5_000 + stage, {"stage": f"s{stage}"}, partition=0)
            log.tick(9_000 + stage, partition=partition)
        for _ in range(40):
            one.run(1)
            two.run(1)
    assert hashes(client) == folded(log)
    assert client.hgetall("tagstream:clock") == {b"0": b"9003", b"1": b"9003"}


def test_scripts_that_redis_forgot_are_loaded_again(client: redis.Redis) -> None:
    world = World(filled(), client)
    world.run()
    client.script_flush()
    world.log.write("late", 999, {"vip": True})
    world.run()
    assert world.hashes() == folded(world.log)


def test_a_record_that_cannot_be_read_is_passed_over(client: redis.Redis) -> None:
    world = World(filled(), client)
    world.log._append(0, "damaged", b"\xc3\x01nonsense")
    world.log._append(0, "empty", b"")
    world.log.write("late", 999, {"vip": True})
    world.run()
    assert world.hashes().keys() >= {"late"}
    assert world.hashes().keys().isdisjoint({"damaged", "empty"})


def test_installations_with_different_prefixes_do_not_meet(client: redis.Redis) -> None:
    theirs = World(filled(customers=5), client, layout=Layout("shop[1]*."))
    theirs.run()
    ours = World(filled(customers=7), client)
    ours.run()
    client.delete("tagstream:position")
    ours.run()
    assert hashes(client, Layout("shop[1]*.")) == folded(theirs.log)
    assert ours.hashes() == folded(ours.log)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LocalRedis]:
    with LocalRedis(tmp_path) as server:
        yield server


def test_redis_put_back_to_an_older_state_is_caught_up_from_the_position_in_it(
    own_server: LocalRedis, tmp_path: Path
) -> None:
    data, backup = own_server.directory / "data", tmp_path / "backup"
    with redis.Redis.from_url(own_server.url) as client:
        world = World(filled(), client)
        world.run()
        own_server.kill()
        shutil.copytree(data, backup)
        own_server.restart()
        for seq in range(1_000, 1_100):
            world.log.write(f"c{seq % 50}-0", seq, {"newer": True})
        world.log.erase("c3-0")
        world.run()
        before = rebuilds("position")
        own_server.kill()
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        own_server.restart()
        world.run()
        assert world.hashes() == folded(world.log)
        assert rebuilds("position") == before + 1


def test_redis_away_is_waited_for_and_nothing_is_lost(own_server: LocalRedis) -> None:
    with redis.Redis.from_url(own_server.url) as client:
        world = World(filled(), client, at_once=10)
        world.run(4)
        own_server.kill()
        world.run(10)
        assert any("TS-P101" in reason for reason in world.projector.why_not_ready())
        own_server.restart()
        world.run(60, pass_s=5)
        assert world.hashes() == folded(world.log)


@pytest.mark.parametrize("fault", ["maxmemory", "replica"])
def test_a_redis_that_refuses_to_write_is_waited_for(client: redis.Redis, fault: str) -> None:
    world = World(filled(), client, at_once=10)
    world.run(4)
    if fault == "maxmemory":
        client.config_set("maxmemory", 1)
    else:
        client.replicaof("127.0.0.1", "1")
        client.config_set("replica-serve-stale-data", "yes")
    try:
        world.run(10)
        assert any("TS-P102" in reason for reason in world.projector.why_not_ready())
    finally:
        client.config_set("maxmemory", 0)
        client.replicaof("NO", "ONE")
    world.run(60, pass_s=5)
    assert world.hashes() == folded(world.log)


class Broken(redis.Redis):
    """Raises `error` for whatever it is asked, once that is set."""

    error: Exception | None = None

    def pipeline(self, *args: Any, **keywords: Any) -> Any:
        if self.error is not None:
            raise self.error
        return super().pipeline(*args, **keywords)


def breaks(error: Exception) -> Callable[[World], None]:
    def harm(world: World) -> None:
        world.client.error = error  # type: ignore[attr-defined]
        world.source.assign(*world.source.assigned)

    return harm


def mute_broker(world: World) -> None:
    world.source.cannot_tell_extents = True
    world.source.assign(*world.source.assigned)


def lead_astray(world: World) -> None:
    world.source.astray = True


def fight_over_the_position(world: World) -> None:
    """Something else writes the position again and again."""
    world.store.send = lambda work: (_ for _ in ()).throw(Refused("fought over"))  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(breaks(redis.ConnectionError("gone")), id="away"),
        pytest.param(breaks(redis.TimeoutError("slow")), id="slow"),
        pytest.param(breaks(redis.exceptions.BusyLoadingError("loading")), id="loading"),
        pytest.param(breaks(redis.exceptions.OutOfMemoryError("full")), id="full"),
        pytest.param(breaks(redis.exceptions.ReadOnlyError("replica")), id="read only"),
        pytest.param(breaks(redis.exceptions.NoScriptError("forgotten")), id="script forgotten"),
        pytest.param(breaks(redis.ResponseError("MISCONF")), id="refused"),
        pytest.param(mute_broker, id="broker does not answer"),
        pytest.param(lead_astray, id="topic is another one"),
        pytest.param(fight_over_the_position, id="position fought over"),
    ],
)
def test_after_every_kind_of_error_the_waits_grow_and_are_told(
    client: redis.Redis, harm: Callable[[World], None]
) -> None:
    broken = Broken(connection_pool=client.connection_pool)
    world = World(filled(), broken)
    world.run()
    assert world.projector.why_not_ready() == []
    harm(world)
    tries: list[float] = []
    opened = world.store.open

    def tried(partitions: Any) -> Any:
        tries.append(world.clock.monotonic_s())
        return opened(partitions)

    world.store.open = tried  # type: ignore[method-assign]
    for _ in range(3_000):
        world.projector.turn()
        # A poll takes as long as it was given, where nothing comes.
        world.clock.sleep(max(0.001, world.source.patience_s[-1]))
    assert world.projector.why_not_ready() != []
    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
    # With chance in the middle three quarters of 0.1 s, doubled up to three quarters of 10 s; a poll lasts 0.2 s.
    wanted = [min(10, 0.1 * 2**failures) * 0.75 for failures in range(len(waits))]
    assert all(want - 0.002 <= wait <= 2 * want + 0.25 for wait, want in zip(waits, wanted, strict=True)), waits
    assert len(waits) > 10


@pytest.mark.parametrize("partitions", [(), (0,)])
def test_where_nothing_comes_a_poll_waits(client: redis.Redis, partitions: tuple[int, ...]) -> None:
    world = World(filled(), client)
    world.source.assign(*partitions)
    world.run(50, pass_s=0.01)
    world.source.patience_s.clear()
    world.run(100, pass_s=0.2)
    # The poll behind a check asks at once for Redis' answer.
    assert world.source.patience_s.count(0.0) <= 25
    assert set(world.source.patience_s) <= {0.0, IDLE_POLL_S}


def test_while_redis_is_away_nothing_is_read(client: redis.Redis) -> None:
    broken = Broken(connection_pool=client.connection_pool)
    world = World(filled(), broken, at_once=5)
    world.run(4)
    assert world.source.reading
    breaks(redis.ConnectionError("gone"))(world)
    for _ in range(200):
        world.run(1, pass_s=0.5)
        assert world.source.reading == {}
    broken.error = None
    world.run(100, pass_s=5)
    assert world.hashes() == folded(world.log)


def test_a_rebuild_that_was_asked_for_is_made_once_and_counted_as_such(client: redis.Redis) -> None:
    world = World(filled(partitions=2), client)
    world.run()
    before = rebuilds("asked")
    client.hset("tags:ghost", mapping={"_part": 1, "_seq": 1, "_epoch": 99, "vip": 1})
    world.store.ask_rebuild([1], "asked")
    world.run(40)
    assert rebuilds("asked") == before + 1
    assert world.hashes() == folded(world.log)
    assert not client.hexists("tagstream:projector", "1.asked")


def test_a_rebuild_that_was_asked_for_while_nobody_ran_is_made_by_the_next_one(client: redis.Redis) -> None:
    log = filled()
    World(log, client).run()
    World(log, client).store.ask_rebuild([0], "asked")
    client.hset("tags:ghost", mapping={"_part": 0, "_seq": 1, "_epoch": 99, "vip": 1})
    before = rebuilds("asked")
    World(log, client).run()
    assert rebuilds("asked") == before + 1
    assert hashes(client) == folded(log)


def test_the_rights_that_the_documentation_asks_for_suffice(client: redis.Redis) -> None:
    text = (Path(__file__).parents[4] / "docs" / "redis-layout.md").read_text("utf-8")
    (rights,) = re.findall(r"needs\s`([^`]+)`", text)
    client.execute_command("ACL", "SETUSER", "projector", "on", ">secret", "~tags:*", "~tagstream:*", *rights.split())
    address = client.connection_pool.connection_kwargs
    settings = RedisSettings(
        url=f"redis://{address['host']}:{address['port']}/0", username="projector", password=SecretStr("secret")
    )
    try:
        with connect(settings) as limited:
            assert Store(limited, Layout()).eviction_policy() == "noeviction"
            world = World(filled(), limited)
            world.run()
            assert world.projector.why_not_ready() == []
            assert hashes(client) == folded(world.log)
    finally:
        client.execute_command("ACL", "DELUSER", "projector")
