"""tests.simulation.memory_log: what happens to a transaction, whatever goes wrong and wherever"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytest

from schemas.errors import KafkaError
from streams.clock import ManualClock
from streams.log import Batch, Fenced, Outgoing, TopicPartition, Transaction
from tests.simulation.broker import MemoryBroker
from tests.simulation.faults import MAY_ABORT, POINTS, Crash, Faults, Moment, MustAbort, NoAnswer, Point, Request
from tests.simulation.memory_log import MemoryLog
from tests.simulation.refusals import TryAgain
from tests.simulation.sending import MemoryProducer

SOURCE, OUTPUT, OTHER = TopicPartition("source", 0), TopicPartition("output", 0), TopicPartition("other", 0)
BEFORE_COMMIT, AFTER_COMMIT = Point(Request.COMMIT, Moment.BEFORE), Point(Request.COMMIT, Moment.AFTER)


class Once(Faults):
    """At one point, the first time that it is reached once this is armed, something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.point: Point | None = None
        self.act: Callable[[], object] = lambda: None
        self.delays_ms: Callable[[TopicPartition | None], int] = lambda place: 0
        self.shares: Callable[[Mapping[TopicPartition, int]], Iterable[tuple[TopicPartition, int]]] = lambda r: (
            r.items()
        )

    def arm(self, point: Point, act: Callable[[], object]) -> None:
        self.point, self.act = point, act

    def at(self, process: str, point: Point) -> None:
        super().at(process, point)
        if point == self.point:
            self.point = None
            self.act()

    def marker_delay_ms(self, place: TopicPartition | None) -> int:
        return self.delays_ms(place)

    def share(self, process: str, ready: Mapping[TopicPartition, int]) -> Iterable[tuple[TopicPartition, int]]:
        return self.shares(ready)


def raises(error: type[BaseException]) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


class World:
    def __init__(self) -> None:
        self.clock = ManualClock(1_800_000_000_000)
        self.faults = Once()
        self.broker = MemoryBroker(self.clock, self.faults)
        for place in (SOURCE, OUTPUT, OTHER):
            self.broker.create(place.topic, 1)

    def log(self, name: str = "a", instance_id: str | None = None, transaction_timeout_ms: int = 10_000) -> MemoryLog:
        log = MemoryLog(
            self.broker,
            self.clock,
            name,
            instance_id=instance_id,
            session_timeout_ms=6_000,
            transaction_timeout_ms=transaction_timeout_ms,
        )
        log.subscribe([SOURCE.topic], lambda partitions: None, lambda partitions: None)
        return log

    def values(self, place: TopicPartition) -> list[bytes | None]:
        """All that committed readers see."""
        self.broker.tick()
        return [record.given_value for record in self.broker.partition(place).records]


@pytest.fixture
def world() -> World:
    return World()


def step(number: int) -> Transaction:
    """Everything that a transaction can have."""
    name = b"%d" % number
    return Transaction(
        offsets={SOURCE: number},
        batches=[Batch(OUTPUT.topic, 0, [(b"k", name)])],
        singles=[Outgoing(OTHER.topic, 0, None, name)],
        stamped=[Outgoing(OUTPUT.topic, 0, None, name)],
        then=lambda stamps: [Outgoing(OTHER.topic, 0, None, name)],
    )


def live(log: MemoryLog, number: int) -> None:
    """A short life that makes every request there is, but for those that end it or take another one."""
    log.fetch(1, 0)
    log.read_from({SOURCE: 0})
    log.fetch(1, 0.1)
    log.committed([SOURCE])
    log.extent(OUTPUT)
    log.reader(OUTPUT, log.extent(OUTPUT)[0]).read(10, 0)
    log.transact(step(number))
    sending = log.send([Outgoing(OTHER.topic, 0, None, b"sent %d" % number)])
    while not sending.done():
        pass
    log.delete_before(OTHER, 0)
    log.close(leave=True)


OF_A_LIFE = [point for point in POINTS if point.request not in (Request.ABORT, Request.PUT)]


def test_every_point_is_reached(world: World) -> None:
    live(world.log(), 1)
    MemoryProducer(world.broker, world.clock, "shop").send(Outgoing("source", 0, None, b"x"))
    world.faults.arm(BEFORE_COMMIT, raises(MustAbort))
    live(world.log(), 2)
    assert set(world.faults.reached) == set(POINTS)


@pytest.mark.parametrize("point", OF_A_LIFE, ids=str)
def test_a_lost_request_or_answer_changes_nothing(world: World, point: Point) -> None:
    world.faults.arm(point, raises(NoAnswer))
    live(world.log(), 1)
    assert world.faults.point is None
    assert world.values(OUTPUT) == [b"1", b"1"]
    assert world.values(OTHER) == [b"1", b"1", b"sent 1"]
    assert world.log().committed([SOURCE]) == {SOURCE: 1}


@pytest.mark.parametrize("point", OF_A_LIFE, ids=str)
def test_a_process_that_dies_has_done_all_or_nothing_of_its_transaction(world: World, point: Point) -> None:
    live(world.log(), 1)
    world.faults.arm(point, raises(Crash))
    with pytest.raises(Crash):
        live(world.log(), 2)
    assert world.faults.point is None
    # its successor takes the same transactional id, and what is left open is over
    successor = world.log()
    (offset,) = successor.committed([SOURCE]).values()
    assert world.values(OUTPUT) in ([b"1", b"1"], [b"1", b"1", b"2", b"2"])
    done = len(world.values(OUTPUT)) == 4
    assert offset == (2 if done else 1)
    assert world.values(OTHER).count(b"2") == (2 if done else 0)
    assert done == (point == AFTER_COMMIT or point.request in (Request.SEND, Request.DELETE, Request.LEAVE))


@pytest.mark.parametrize("point", sorted(MAY_ABORT), ids=str)
def test_an_aborted_transaction_is_sent_again_and_seen_once(world: World, point: Point) -> None:
    world.faults.arm(point, raises(MustAbort))
    live(world.log(), 1)
    assert world.faults.point is None
    assert world.values(OUTPUT) == [b"1", b"1"]
    assert world.log().committed([SOURCE]) == {SOURCE: 1}


def test_a_transaction_that_is_aborted_again_and_again_is_given_up(world: World) -> None:
    log = world.log()
    log.fetch(1, 0)

    def again() -> None:
        world.faults.arm(BEFORE_COMMIT, again)
        raise MustAbort

    world.faults.arm(BEFORE_COMMIT, again)
    with pytest.raises(KafkaError, match="TS-K104"):
        log.transact(step(1))
    assert world.values(OUTPUT) == []


def test_a_broker_that_never_answers_is_given_up(world: World) -> None:
    log = world.log()

    def again() -> None:
        world.faults.arm(point, again)
        raise NoAnswer

    point = Point(Request.COMMITTED, Moment.AFTER)
    world.faults.arm(point, again)
    with pytest.raises(KafkaError, match="TS-K101"):
        log.committed([SOURCE])
    assert world.clock.monotonic_s() > 60


def test_the_dead_ask_for_nothing_and_may_be_closed(world: World) -> None:
    log = world.log()
    log.process.die()
    log.close(leave=True)
    with pytest.raises(AssertionError, match="dead"):
        log.fetch(1, 0)


def test_who_is_killed_by_another_while_a_request_is_on_its_way_dies_there(world: World) -> None:
    log = world.log()
    log.fetch(1, 0)
    world.faults.arm(BEFORE_COMMIT, log.process.die)
    with pytest.raises(Crash):
        log.transact(step(1))
    assert world.values(OUTPUT) == []


def test_who_is_fenced_while_the_answer_to_its_commit_is_lost_does_not_know_that_it_took_place(world: World) -> None:
    log = world.log()
    log.fetch(1, 0)

    def answer_is_lost() -> None:
        world.log()
        raise NoAnswer

    world.faults.arm(AFTER_COMMIT, answer_is_lost)
    with pytest.raises(Fenced):
        log.transact(step(1))
    assert world.values(OUTPUT) == [b"1", b"1"]


# ----------------------------------------------------------------------------------------------------- zombies


def taken_over(world: World, sleeper: MemoryLog, during: Callable[[MemoryLog], None]) -> None:
    """The process is stopped until its session of 6 s is over, and another one has its partition meanwhile."""
    with sleeper.process.paused():
        world.clock.sleep(6)
        other = world.log("b", "b")
        owned: list[set[int]] = []
        other.subscribe([SOURCE.topic], owned.append, lambda partitions: None)
        while {0} not in owned:
            other.fetch(1, 0.1)
        during(other)


def test_who_was_stopped_and_thrown_out_is_fenced_when_it_comes_back(world: World) -> None:
    log = world.log("a", "a")
    log.fetch(1, 0)
    taken_over(world, log, lambda other: None)
    with pytest.raises(Fenced):
        log.transact(step(1))
    assert world.values(OUTPUT) == []


def test_who_was_stopped_after_it_had_sent_its_offsets_may_yet_commit_though_it_is_thrown_out(world: World) -> None:
    log = world.log("a", "a", transaction_timeout_ms=60_000)
    log.fetch(1, 0)
    owners: list[MemoryLog] = []

    def new_owner(other: MemoryLog) -> None:
        owners.append(other)
        assert world.values(OUTPUT) == []
        with pytest.raises(TryAgain):
            # this is what keeps a new owner from going on without the step
            world.broker.group("tagger").committed([SOURCE])

    world.faults.arm(BEFORE_COMMIT, lambda: taken_over(world, log, new_owner))
    log.transact(step(1))
    assert world.values(OUTPUT) == [b"1", b"1"]
    (owner,) = owners
    assert owner.committed([SOURCE]) == {SOURCE: 1}
    with pytest.raises(Fenced):
        log.transact(step(2))


def test_a_new_owner_waits_until_the_broker_has_aborted_what_a_stopped_one_has_open(world: World) -> None:
    log = world.log("a", "a")
    log.fetch(1, 0)
    told: list[object] = []
    world.faults.arm(
        BEFORE_COMMIT, lambda: taken_over(world, log, lambda other: told.append(other.committed([SOURCE])))
    )
    with pytest.raises(Fenced):
        log.transact(step(1))
    assert told == [{SOURCE: None}]
    assert world.values(OUTPUT) == []


def test_who_was_stopped_for_too_long_is_thrown_out_though_nobody_else_was_there(world: World) -> None:
    log = world.log("a", "a")
    log.fetch(1, 0)
    with log.process.paused():
        world.clock.sleep(6.1)
    with pytest.raises(Fenced):
        log.transact(step(1))


def test_who_has_lost_its_name_in_the_group_is_fenced_in_its_own_generation(world: World) -> None:
    log = world.log("a", "same")
    log.fetch(1, 0)
    other = world.log("b", "same")
    other.fetch(1, 0)
    with pytest.raises(Fenced):
        log.transact(step(1))
    other.transact(step(2))
    assert world.values(OUTPUT) == [b"2", b"2"]


def test_who_comes_back_within_its_session_goes_on(world: World) -> None:
    log = world.log("a", "a")
    log.fetch(1, 0)
    with log.process.paused():
        world.clock.sleep(5.9)
    log.transact(step(1))
    assert world.values(OUTPUT) == [b"1", b"1"]


@pytest.mark.parametrize("instance_id", [None, "b"], ids=["dynamic", "static"])
@pytest.mark.parametrize("moment", Moment)
def test_to_ask_twice_is_not_to_join_twice(world: World, instance_id: str | None, moment: Moment) -> None:
    one = world.log("a", "a")
    one.fetch(1, 0)
    for _ in range(2):
        # the second time a static one is back within its session
        world.faults.arm(Point(Request.JOIN, moment), raises(NoAnswer))
        two = world.log("b", instance_id)
        owned: list[set[int]] = []
        two.subscribe([SOURCE.topic], owned.append, lambda partitions: None)
        for _ in range(3):
            two.fetch(1, 0.01)
            one.fetch(1, 0.01)
        assert owned
        assert world.faults.point is None
        generation = world.broker.group("tagger").generation
        two.close(leave=False)
    assert generation == (3 if instance_id is None else 2)


def test_who_is_thrown_out_while_it_joins_again_joins_anew(world: World) -> None:
    log = world.log("a", "a")
    log.fetch(1, 0)
    other = world.log("b", "b")
    other.fetch(1, 0)

    def stopped() -> None:
        with log.process.paused():
            world.clock.sleep(7)

    world.faults.arm(Point(Request.JOIN, Moment.BEFORE), stopped)
    owned: list[set[int]] = []
    log.subscribe([SOURCE.topic], owned.append, lambda partitions: None)
    for _ in range(4):
        log.fetch(1, 0.01)
        other.fetch(1, 0.01)
    assert owned[-1] == {0}


# -------------------------------------------------------------------------------------------------- late markers


def test_what_is_committed_is_seen_when_its_marker_comes_in_each_partition_on_its_own(world: World) -> None:
    log = world.log()
    log.fetch(1, 0)
    world.faults.delays_ms = lambda place: {OUTPUT: 100, OTHER: 200, None: 300}[place]
    log.transact(step(1))
    assert world.values(OUTPUT) == world.values(OTHER) == []
    world.clock.sleep(0.1)
    assert (world.values(OUTPUT), world.values(OTHER)) == ([b"1", b"1"], [])
    # the offsets wait for theirs
    assert world.log("b").committed([SOURCE]) == {SOURCE: 1}
    assert world.clock.monotonic_ms() == 300
    assert world.values(OTHER) == [b"1", b"1"]


def test_the_next_transaction_waits_for_the_markers_of_the_last(world: World) -> None:
    log = world.log()
    log.fetch(1, 0)
    world.faults.delays_ms = lambda place: 500 if place == OTHER else 0
    log.transact(step(1))
    assert world.clock.monotonic_ms() == 0
    log.transact(step(2))
    assert world.clock.monotonic_ms() == 500


def test_a_successor_waits_for_the_markers_of_what_it_aborts(world: World) -> None:
    log = world.log()
    log.fetch(1, 0)
    world.faults.arm(BEFORE_COMMIT, raises(Crash))
    world.faults.delays_ms = lambda place: 400
    with pytest.raises(Crash):
        log.transact(step(1))
    world.log()
    assert world.clock.monotonic_ms() == 400


# ---------------------------------------------------------------------------------------- fetches and duplicates


def test_a_fetch_may_bring_less_and_from_other_places_first(world: World) -> None:
    log = world.log()
    log.fetch(1, 0)
    for n in range(3):
        for place in (SOURCE, OTHER):
            world.broker.put(Outgoing(place.topic, 0, None, b"%d" % n))
    log.read_from({SOURCE: 0, OTHER: 0})
    world.faults.shares = lambda ready: [(OTHER, 2), (SOURCE, 1)]
    fetched = log.fetch(100, 0)
    assert [(p, [m.offset() for m in found]) for p, found in fetched.messages.items()] == [
        (OTHER, [0, 1]),
        (SOURCE, [0]),
    ]
    assert not fetched.at_end
    world.faults.shares = lambda ready: [(SOURCE, 9)]
    fetched = log.fetch(100, 0)
    assert [(p, [m.offset() for m in found]) for p, found in fetched.messages.items()] == [(SOURCE, [1, 2])]
    assert fetched.at_end == [SOURCE]


def test_a_fetch_brings_no_more_than_asked_for_and_the_rest_later(world: World) -> None:
    log = world.log()
    log.fetch(1, 0)
    for n in range(3):
        for place in (SOURCE, OTHER):
            world.broker.put(Outgoing(place.topic, 0, None, b"%d" % n))
    log.read_from({SOURCE: 0, OTHER: 0})
    brought = [{p: len(found) for p, found in log.fetch(4, 0).messages.items()} for _ in range(3)]
    assert brought == [{SOURCE: 3, OTHER: 1}, {OTHER: 2}, {}]


def test_a_lost_answer_to_a_fetch_loses_no_record(world: World) -> None:
    log = world.log()
    log.fetch(1, 0)
    world.broker.put(Outgoing(SOURCE.topic, 0, None, b"x"))
    log.read_from({SOURCE: 0})
    world.faults.arm(Point(Request.FETCH, Moment.AFTER), raises(NoAnswer))
    assert [m.value() for m in log.fetch(9, 0).messages[SOURCE]] == [b"x"]


def test_a_producer_without_idempotence_doubles_what_is_not_acknowledged(world: World) -> None:
    producer = MemoryProducer(world.broker, world.clock, "shop")
    world.faults.arm(Point(Request.PUT, Moment.AFTER), raises(NoAnswer))
    assert producer.send(Outgoing(SOURCE.topic, 0, b"k", b"x")).offset == 1
    world.faults.arm(Point(Request.PUT, Moment.BEFORE), raises(NoAnswer))
    assert producer.send(Outgoing(SOURCE.topic, 0, b"k", b"y")).offset == 2
    assert world.values(SOURCE) == [b"x", b"x", b"y"]
