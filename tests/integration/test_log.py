"""streams.log: what the log promises, the same on a real broker and on the one in memory that simulations run on"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from schemas.errors import KafkaError
from streams.log import Batch, Fenced, Log, Message, NotSent, Outgoing, Sending, Stamp, TopicPartition, Transaction
from tests.integration.log_worlds import PARTITIONS, KafkaWorld, Member, MemoryWorld, World, work

ALL = set(range(PARTITIONS))


class Died(Exception):
    """Where a process ended in the middle of a transaction."""


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.integration)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    world = MemoryWorld() if request.param == "memory" else KafkaWorld(request.getfixturevalue("kafka_settings"))
    yield world
    world.close()


def member(
    world: World, topics: Sequence[str], name: str = "a", static: bool = False, owns: bool = True, **timeouts: int
) -> Member:
    """A member that has its partitions."""
    new = Member(world, list(topics), world.log(name, static, **timeouts))
    if owns:
        work(new, until=lambda: new.owned is not None)
    return new


def source_and_output(world: World) -> tuple[TopicPartition, TopicPartition]:
    source, output = world.create("source", "output")
    return TopicPartition(source, 0), TopicPartition(output, 0)


def record(
    place: TopicPartition, value: bytes | None, *, timestamp_ms: int = 0, instead: Outgoing | None = None
) -> Outgoing:
    return Outgoing(place.topic, place.partition, b"k", value, timestamp_ms=timestamp_ms, instead=instead)


def transaction(source: TopicPartition, *stamped: Outgoing, next_offset: int = 0) -> Transaction:
    return Transaction(offsets={source: next_offset}, stamped=list(stamped))


def doing(act: Callable[[], object], *returned: Outgoing) -> Callable[[Sequence[Stamp]], list[Outgoing]]:
    """A `then` that does something while the transaction is open."""

    def then(stamps: Sequence[Stamp]) -> list[Outgoing]:
        act()
        return list(returned)

    return then


def dies(stamps: Sequence[Stamp]) -> list[Outgoing]:
    raise Died


def read(world: World, log: Log, place: TopicPartition, wanted: int, start: int = 0) -> list[Message]:
    """What a reader brings: it is given time for more than is wanted, and to see that there is no more."""
    reader = log.reader(place, start)
    found: list[Message] = []
    last = world.clock.monotonic_s() + 10
    while len(found) < wanted and world.clock.monotonic_s() < last:
        found += reader.read(100, 0.05)
    found += reader.read(100, 0.3)
    reader.close()
    return found


def values(world: World, log: Log, place: TopicPartition, wanted: int, start: int = 0) -> list[bytes | None]:
    return [message.value() for message in read(world, log, place, wanted, start)]


# --------------------------------------------------------------------------------------------------------- reading


def test_records_come_in_order_with_what_was_written(world: World) -> None:
    source, _ = source_and_output(world)
    stamps = [world.put(record(source, b"%d" % n)) for n in range(3)]
    one = member(world, [source.topic])
    one.log.read_from({source: 0})
    found: list[Message] = []
    while len(found) < 3:
        found += one.fetch().messages.get(source, [])
    assert [(m.offset(), m.key(), m.value()) for m in found] == [(n, b"k", b"%d" % n) for n in range(3)]
    assert [Stamp(m.offset() or 0, m.timestamp()[1]) for m in found] == stamps
    assert [m.timestamp()[0] for m in found] == [2, 2, 2], "the broker's stamp"


def test_an_end_is_told_of_once_for_each_place_where_it_is_met(world: World) -> None:
    source, _ = source_and_output(world)
    one = member(world, [source.topic])
    one.log.read_from({source: 0})
    work(one, until=lambda: one.at_end == [source])
    one.fetch(0.3)
    assert one.at_end == [source]
    world.put(record(source, b"x"))
    work(one, until=lambda: one.at_end == [source, source])
    assert one.values[source] == [b"x"]
    one.log.read_from({source: 1})
    work(one, until=lambda: len(one.at_end) == 3)
    one.fetch(0.3)
    assert len(one.at_end) == 3


def test_the_end_for_committed_readers_is_the_first_open_transaction(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    one.log.read_from({output: 0})
    seen: list[object] = []

    def look() -> None:
        world.put(record(output, b"behind"))
        work(one, until=lambda: bool(one.at_end))
        one.fetch(0.3)
        seen.append((one.values, one.log.extent(output), one.log.lag(output, 0)))

    held = transaction(source, record(output, b"held"))
    held.then = doing(look)
    one.log.transact(held)
    (found,) = seen
    assert found == ({}, (0, 0), 2)
    work(one, until=lambda: len(one.values.get(output, [])) == 2)
    assert one.values[output] == [b"held", b"behind"]
    work(one, until=lambda: one.log.extent(output) == (0, 3) and one.log.lag(output, 1) == 2)


def test_what_is_paused_does_not_come_and_goes_on_from_where_it_was_said(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    for n in range(4):
        world.put(record(source, b"%d" % n))
    one.log.read_from({source: 0, output: 0})
    work(one, until=lambda: len(one.values.get(source, [])) == 4)
    one.log.pause(source, 2)
    world.put(record(source, b"4"))
    world.put(record(output, b"x"))
    work(one, until=lambda: output in one.values)
    one.fetch(0.3)
    assert len(one.values[source]) == 4
    one.at_end.clear()
    one.log.resume(source)
    work(one, until=lambda: source in one.at_end)
    assert one.values[source][4:] == [b"2", b"3", b"4"]


def test_reading_anew_ends_a_pause(world: World) -> None:
    source, _ = source_and_output(world)
    one = member(world, [source.topic])
    world.put(record(source, b"x"))
    one.log.read_from({source: 0})
    work(one, until=lambda: source in one.values)
    one.log.pause(source, 0)
    one.log.read_from({source: 0})
    work(one, until=lambda: len(one.values[source]) == 2)


def test_a_lag_is_known_of_what_was_read(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    assert one.log.lag(source, 0) is None
    world.put(record(source, b"x"))
    one.log.read_from({source: 0})
    work(one, until=lambda: source in one.values)
    assert one.log.lag(source, 0) == 1
    one.log.read_from({output: 0})
    work(one, until=lambda: output in one.at_end)
    assert (one.log.lag(source, 0), one.log.lag(output, 0)) == (1, 0)


def test_who_has_read_all_bears_that_it_is_deleted(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    one.log.transact(transaction(source, record(output, b"1")))
    one.log.read_from({output: 0})
    work(one, until=lambda: output in one.at_end and output in one.values)
    one.fetch(0.3)
    # also the marker, which nobody was shown
    one.log.delete_before(output, 2)
    one.fetch(0.3)
    one.log.transact(transaction(source, record(output, b"2")))
    work(one, until=lambda: len(one.values[output]) == 2)


# ---------------------------------------------------------------------------------------------------- transactions


def test_a_transaction_is_seen_whole_or_not_at_all(world: World) -> None:
    source, output = source_and_output(world)
    other = TopicPartition(output.topic, 1)
    one = member(world, [source.topic])
    seen = []

    def look() -> None:
        seen.append(values(world, one.log, output, 0) + values(world, one.log, other, 0))

    whole = Transaction(
        offsets={source: 0},
        batches=[Batch(output.topic, 0, [(b"k", b"1"), (b"k", b"2")]), Batch(output.topic, 1, [])],
        singles=[record(other, b"3")],
        stamped=[record(output, b"4")],
        then=doing(look, record(other, b"5")),
    )
    (stamp,) = one.log.transact(whole)
    assert seen == [[]]
    assert values(world, one.log, output, 3) == [b"1", b"2", b"4"]
    assert values(world, one.log, other, 2) == [b"3", b"5"]
    assert stamp.offset == 2
    # its marker has an offset as well
    assert world.put(record(output, b"next")).offset == 4


def test_records_of_a_transaction_can_be_made_from_stamps_of_others_in_it(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    world.put(record(output, b"first"))
    claim = Transaction(
        offsets={source: 0},
        stamped=[record(output, b"claim"), record(source, b"other")],
        then=lambda stamps: [record(output, b" ".join(b"%d" % s.offset for s in stamps))],
    )
    before_ms = world.clock.wall_ms()
    stamps = one.log.transact(claim)
    assert [s.offset for s in stamps] == [1, 0]
    assert all(before_ms - 1 <= s.timestamp_ms <= world.clock.wall_ms() + 1 for s in stamps)
    assert values(world, one.log, output, 3) == [b"first", b"claim", b"1 0"]
    (_, found, _) = read(world, one.log, output, 3)
    assert Stamp(found.offset() or 0, found.timestamp()[1]) == stamps[0]


def test_a_topic_may_keep_the_time_that_the_writer_gives(world: World) -> None:
    (source,) = world.create("source")
    (moved,) = world.create("moved", created=True)
    one = member(world, [source])
    given = record(TopicPartition(moved, 1), b"x", timestamp_ms=1_700_000_000_000)
    (stamp,) = one.log.transact(transaction(TopicPartition(source, 0), given))
    assert stamp == Stamp(0, 1_700_000_000_000)
    (found,) = read(world, one.log, TopicPartition(moved, 1), 1)
    assert found.timestamp() == (1, 1_700_000_000_000)


def test_what_a_process_that_died_has_open_is_aborted_by_its_successor_and_never_seen(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    one.log.transact(transaction(source, record(output, b"before"), next_offset=5))
    lost = transaction(source, record(output, b"lost"), next_offset=7)
    lost.then = dies
    with pytest.raises(Died):
        one.log.transact(lost)
    world.put(record(output, b"behind"))
    assert values(world, one.log, output, 1) == [b"before"]
    two = world.log("a", False)
    assert values(world, two, output, 2) == [b"before", b"behind"]
    assert two.committed([source]) == {source: 5}


def test_offsets_move_with_the_commit(world: World) -> None:
    source, output = source_and_output(world)
    other = TopicPartition(source.topic, 1)
    one = member(world, [source.topic])
    assert one.log.committed([source, other]) == {source: None, other: None}
    one.log.transact(transaction(source, record(output, b"x"), next_offset=3))
    assert one.log.committed([source, other]) == {source: 3, other: None}
    one.log.transact(transaction(source, record(output, b"x"), next_offset=3))
    one.log.transact(transaction(source, record(output, b"x"), next_offset=4))
    assert one.log.committed([source, other]) == {source: 4, other: None}


def test_offsets_are_told_only_when_no_open_transaction_may_change_them(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic], transaction_timeout_ms=1_000)
    one.log.transact(transaction(source, record(output, b"x"), next_offset=3))
    asking = world.log("b", False)
    told: list[object] = []

    def ask() -> None:
        other = TopicPartition(source.topic, 1)
        assert asking.committed([other]) == {other: None}, "of others they are told at once"
        began_s = world.clock.monotonic_s()
        told.append(asking.committed([source]))
        told.append(world.clock.monotonic_s() - began_s > 0.5)

    held = transaction(source, record(output, b"held"), next_offset=9)
    held.then = doing(ask)
    with pytest.raises(Fenced):
        # the answer waited until the broker had aborted what was open for too long
        one.log.transact(held)
    assert told == [{source: 3}, True]


def test_a_transaction_that_is_open_for_too_long_is_aborted_and_its_producer_fenced(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic], transaction_timeout_ms=1_000)
    slow = transaction(source, record(output, b"lost"))
    slow.then = doing(lambda: world.clock.sleep(2.5), record(output, b"too late"))
    with pytest.raises(Fenced):
        one.log.transact(slow)
    with pytest.raises(Fenced):
        one.log.transact(transaction(source, record(output, b"again")))
    world.put(record(output, b"behind"))
    assert values(world, one.log, output, 1) == [b"behind"]


@pytest.mark.parametrize("mib", [1.4, 2.4])
def test_a_record_that_is_refused_for_itself_is_replaced_by_its_stand_in(world: World, mib: float) -> None:
    """The larger one is refused before it is sent."""
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    large = random.Random(1).randbytes(round(mib * 1024 * 1024))
    refused = record(output, large, instead=record(output, b"stand-in"))
    stamps = one.log.transact(
        Transaction(
            offsets={source: 1},
            batches=[Batch(output.topic, 0, [(b"k", b"1")])],
            singles=[record(output, b"2", instead=record(output, b"never")), refused],
            stamped=[record(output, b"3")],
        )
    )
    assert values(world, one.log, output, 4) == [b"1", b"2", b"stand-in", b"3"]
    assert len(stamps) == 1
    assert one.log.committed([source]) == {source: 1}
    one.log.transact(transaction(source, record(output, b"4"), next_offset=1))


def test_a_record_from_too_far_ahead_is_refused_where_the_writer_gives_the_time(world: World) -> None:
    source, output = source_and_output(world)
    (moved,) = world.create("moved", created=True)
    one = member(world, [source.topic])
    ahead = Outgoing(
        moved, 0, b"k", b"x", timestamp_ms=world.clock.wall_ms() + 2 * 3_600_000, instead=record(output, b"stand-in")
    )
    one.log.transact(Transaction(offsets={source: 0}, singles=[ahead]))
    assert values(world, one.log, output, 1) == [b"stand-in"]


def test_the_key_says_where_a_record_goes_if_nobody_else_does(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    keyed = [Outgoing(output.topic, None, b"c%d" % n, b"c%d" % n) for n in range(9)]
    one.log.transact(Transaction(offsets={source: 0}, singles=keyed))
    found = {p: values(world, one.log, TopicPartition(output.topic, p), 1) for p in range(PARTITIONS)}
    assert found == {0: [b"c0", b"c5", b"c8"], 1: [b"c2", b"c6"], 2: [b"c1", b"c3", b"c4", b"c7"]}


# --------------------------------------------------------------------------------------------------------- fencing


def test_a_second_process_of_the_same_transactional_id_fences_the_first(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    one.log.transact(transaction(source, record(output, b"1")))
    two = world.log("a", False)
    with pytest.raises(Fenced):
        one.log.transact(transaction(source, record(output, b"lost"), next_offset=1))
    assert values(world, two, output, 1) == [b"1"]
    assert two.committed([source]) == {source: 0}


@pytest.mark.parametrize(
    ("static", "next_offset"),
    [(False, 4), (False, 3), (True, 4)],
    ids=["dynamic", "offsets as they were", "static"],
)
def test_a_member_that_was_thrown_out_is_fenced_before_it_knows(world: World, static: bool, next_offset: int) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic], "a", static, max_poll_interval_ms=1_500)
    one.log.transact(transaction(source, record(output, b"1"), next_offset=3))
    two = member(world, [source.topic], "b", owns=False)
    world.clock.sleep(2.5)
    work(two, until=lambda: two.owned == ALL)
    assert one.owned == ALL, "it believes so"
    with pytest.raises(Fenced):
        one.log.transact(transaction(source, record(output, b"lost"), next_offset=next_offset))
    assert two.log.committed([source]) == {source: 3}
    two.log.transact(transaction(source, record(output, b"2"), next_offset=4))
    assert values(world, two.log, output, 2) == [b"1", b"2"]
    work(one, two, until=lambda: bool(one.owned) and bool(two.owned) and one.owned != ALL)
    assert one.told[1] == ("revoked", ALL)


def test_a_step_of_a_partition_that_was_taken_away_is_not_even_tried(world: World) -> None:
    source, output = source_and_output(world)
    one, two = member(world, [source.topic], "a"), member(world, [source.topic], "b", owns=False)
    work(one, two, until=lambda: two.owned is not None)
    assert one.owned is not None and two.owned is not None
    (gone, *_) = ALL - one.owned
    with pytest.raises(Fenced):
        one.log.transact(transaction(TopicPartition(source.topic, gone), record(output, b"lost")))
    (own, *_) = one.owned
    one.log.transact(transaction(TopicPartition(source.topic, own), record(output, b"1")))
    assert values(world, one.log, output, 1) == [b"1"]


@pytest.mark.parametrize("leaves", [False, True], ids=["closes", "leaves"])
def test_a_second_process_of_the_same_name_in_the_group_fences_the_first(world: World, leaves: bool) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic], "a", static=True)
    two = member(world, [source.topic], "a", static=True)
    assert two.owned == ALL
    with pytest.raises(Fenced):
        work(one, until=lambda: False)
    with pytest.raises(Fenced):
        one.log.transact(transaction(source, record(output, b"lost")))
    one.log.close(leave=leaves)
    assert one.told == [("assigned", ALL)]
    two.log.transact(transaction(source, record(output, b"1")))
    assert values(world, two.log, output, 1) == [b"1"]
    two.fetch(0.5)
    assert two.told == [("assigned", ALL)]


# ------------------------------------------------------------------------------------------------------- the group


def test_one_member_gets_the_same_partitions_of_all_topics(world: World) -> None:
    topics = world.create("s1", "s2", "s3")
    one, two = member(world, topics, "a"), member(world, topics, "b", owns=False)
    work(one, two, until=lambda: two.owned is not None and one.told[-1][0] == "assigned")
    assert one.owned is not None and two.owned is not None
    # were they mixed, both would have some topic's partition of a number
    assert one.owned | two.owned == ALL and not one.owned & two.owned
    assert sorted([one.owned, two.owned], key=min) == [{0, 1}, {2}]
    assert one.told[:2] == [("assigned", ALL), ("revoked", ALL)]


def test_who_comes_when_all_is_shared_out_is_told_that_there_is_nothing(world: World) -> None:
    (topic,) = world.create("source")
    members = [member(world, [topic], "a")]
    for name in "bcd":
        members.append(member(world, [topic], name, owns=False))
        work(*members, until=lambda: all(m.told and m.told[-1][0] == "assigned" for m in members))
    work(*members, until=lambda: sorted(map(len, (m.owned or () for m in members))) == [0, 1, 1, 1])
    (idle,) = [m for m in members if not m.owned]
    (leaving, *_) = [m for m in members if m.owned]
    leaving.log.close(leave=True)
    members.remove(leaving)
    work(*members, until=lambda: bool(idle.owned))
    assert idle.told[-3:-1] == [("assigned", set()), ("revoked", set())]


def test_a_static_member_that_is_back_in_time_moves_nothing(world: World) -> None:
    (topic,) = world.create("source")
    one = member(world, [topic], "a", static=True, session_timeout_ms=6_000)
    two = member(world, [topic], "b", static=True, owns=False, session_timeout_ms=6_000)
    work(one, two, until=lambda: two.owned is not None and one.owned == {0, 1})
    told = list(two.told)
    one.log.close(leave=False)
    assert one.told[-1] == ("revoked", {0, 1})
    world.clock.sleep(0.5)
    again = member(world, [topic], "a", static=True, owns=False, session_timeout_ms=6_000)
    work(again, two, until=lambda: again.owned == {0, 1})
    for _ in range(10):
        two.fetch()
    assert two.told == told
    # what it holds it may write
    again.log.transact(transaction(TopicPartition(topic, 0), record(TopicPartition(topic, 2), b"x")))


def test_a_static_member_that_does_not_come_back_is_missed_after_its_session(world: World) -> None:
    (topic,) = world.create("source")
    one, two = member(world, [topic], "a", static=True), member(world, [topic], "b", static=True, owns=False)
    work(one, two, until=lambda: two.owned == {2} and one.owned == {0, 1})
    world.die(one.log)
    began_s = world.clock.monotonic_s()
    work(two, until=lambda: two.owned == ALL)
    assert 0.5 < world.clock.monotonic_s() - began_s < 5


@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
def test_who_leaves_hands_over_at_once(world: World, static: bool) -> None:
    (topic,) = world.create("source")
    one = member(world, [topic], "a", static, session_timeout_ms=6_000)
    two = member(world, [topic], "b", static, owns=False, session_timeout_ms=6_000)
    work(one, two, until=lambda: two.owned is not None and one.told[-1][0] == "assigned")
    owned = one.owned
    one.log.close(leave=True)
    assert one.told[-1] == ("revoked", owned)
    began_s = world.clock.monotonic_s()
    work(two, until=lambda: two.owned == ALL)
    assert world.clock.monotonic_s() - began_s < 4


# ------------------------------------------------------------------------------------------ deletion and compaction


def test_what_is_deleted_is_gone_and_offsets_stay(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    for n in range(5):
        world.put(record(output, b"%d" % n))
    assert one.log.extent(output) == (0, 5)
    one.log.delete_before(output, 3)
    assert one.log.extent(output) == (3, 5)
    assert values(world, one.log, output, 2, start=3) == [b"3", b"4"]
    one.log.delete_before(output, 2)
    assert one.log.extent(output) == (3, 5)
    one.log.delete_before(output, 5)
    assert one.log.extent(output) == (5, 5)
    assert world.put(record(output, b"5")).offset == 5


def test_reading_where_nothing_is_any_more_or_yet_is_an_error(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    for n in range(5):
        world.put(record(output, b"%d" % n))
    one.log.delete_before(output, 3)
    for start in (2, 6):
        with pytest.raises(KafkaError, match="TS-K101"):
            values(world, one.log, output, 1, start)
        one.log.read_from({output: start})
        with pytest.raises(KafkaError, match="TS-K101"):
            work(one, until=lambda: False)
        one.log.read_from({})


def test_what_is_not_there_and_what_is_compacted_cannot_be_cut(world: World) -> None:
    source, output = source_and_output(world)
    (compacted,) = world.create("compacted", compacted=True)
    one = member(world, [source.topic])
    world.put(record(output, b"0"))
    with pytest.raises(KafkaError, match="TS-K101"):
        one.log.delete_before(output, 2)
    with pytest.raises(KafkaError, match="TS-K101"):
        one.log.delete_before(TopicPartition(compacted, 0), 0)


def test_a_tombstone_is_read_as_such(world: World) -> None:
    source, _ = source_and_output(world)
    (current,) = world.create("current", compacted=True)
    one = member(world, [source.topic])
    place = TopicPartition(current, 0)
    one.log.transact(transaction(source, record(place, b"x"), record(place, None)))
    assert values(world, one.log, place, 2)[-1] is None


def test_compaction_keeps_the_last_by_key_and_moves_no_offset(world: World) -> None:
    source, _ = source_and_output(world)
    (current,) = world.create("current", compacted=True)
    one = member(world, [source.topic])
    place = TopicPartition(current, 0)
    for key, value in ((b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None), (b"c", b"1")):
        world.put(Outgoing(current, 0, key, value))
    last = world.clock.monotonic_s() + 30
    puts = 5
    while True:
        world.compact(current)
        puts += 1
        # more records, without which the broker opens no new segment
        assert world.put(Outgoing(current, 0, b"more", b"x")).offset == puts - 1
        reader = one.log.reader(place, 0)
        found = [(m.offset(), m.value()) for m in reader.read(100, 0.3)]
        reader.close()
        if found[:2] == [(2, b"2"), (4, b"1")]:
            break
        assert world.clock.monotonic_s() < last, found
    assert one.log.extent(place) == (0, puts)


# ------------------------------------------------------------------------------------------- beside transactions


def finish(world: World, sending: Sending) -> list[Stamp]:
    last = world.clock.monotonic_s() + 20
    while not sending.done():
        assert world.clock.monotonic_s() < last
        world.clock.sleep(0.005)
    return sending.stamps


def test_records_are_sent_beside_the_flow_each_once_and_in_order(world: World) -> None:
    source, _ = source_and_output(world)
    (snapshots,) = world.create("snapshots", compacted=True)
    place = TopicPartition(snapshots, 1)
    one = member(world, [source.topic])
    chunks = [random.Random(n).randbytes(900_000) for n in range(30)]
    began_s = world.clock.monotonic_s()
    sending = one.log.send([Outgoing(snapshots, 1, b"%d" % n, chunk) for n, chunk in enumerate(chunks)])
    assert world.clock.monotonic_s() - began_s < 0.5
    assert not sending.done()
    # the flow goes on meanwhile
    one.log.transact(transaction(source, record(source, b"step")))
    stamps = finish(world, sending)
    assert sending.done(), "once and for all"
    assert [s.offset for s in stamps] == list(range(30))
    assert values(world, one.log, place, 30) == chunks
    (again,) = finish(world, one.log.send([record(place, b"more")]))
    assert again.offset == 30


def test_what_is_sent_is_no_part_of_an_open_transaction(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    other = TopicPartition(output.topic, 1)
    lost = transaction(source, record(output, b"lost"))

    def send_and_die() -> None:
        finish(world, one.log.send([record(other, b"sent")]))
        raise Died

    lost.then = doing(send_and_die)
    with pytest.raises(Died):
        one.log.transact(lost)
    assert values(world, one.log, other, 1) == [b"sent"]


def test_who_sends_what_is_refused_is_told_so_and_can_send_again(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    for mib in (1.4, 2.4):
        large = random.Random(1).randbytes(round(mib * 1024 * 1024))
        with pytest.raises(NotSent):
            finish(world, one.log.send([record(output, large)]))
    (stamp,) = finish(world, one.log.send([record(output, b"small")]))
    assert stamp.offset == 0


def test_closing_does_not_wait_for_what_is_sent(world: World) -> None:
    source, output = source_and_output(world)
    one = member(world, [source.topic])
    sending = one.log.send([record(output, random.Random(n).randbytes(900_000)) for n in range(40)])
    assert not sending.done()
    began_s = world.clock.monotonic_s()
    one.log.close(leave=True)
    assert world.clock.monotonic_s() - began_s < 3


def test_nothing_to_send_is_done_at_once(world: World) -> None:
    source, _ = source_and_output(world)
    sending = member(world, [source.topic]).log.send([])
    assert sending.done()
    assert sending.stamps == []
