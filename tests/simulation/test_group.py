"""tests.simulation.group: sharing out, being missed, and which offsets count"""

from __future__ import annotations

from streams.clock import ManualClock
from streams.log import TopicPartition
from tests.simulation.group import Group, Heart, Membership, by_range

PLACE = TopicPartition("source", 0)


def group_of_one(clock: ManualClock, instance_id: str | None) -> tuple[Group, Membership]:
    """Its session time-out is 6 s, and 20 s may pass between two times that it asks for records."""
    group = Group(clock, lambda topic: 3)
    who = Membership(group.new_member_id(), instance_id, -1)
    group.join(who, ["source"], 6_000, Heart(20_000, clock.monotonic_ms()), anew=True)
    assignment = group.assignment(who)
    assert assignment is not None
    return group, assignment[0]


def test_range_gives_the_first_members_more_and_nothing_to_those_who_come_too_late() -> None:
    topics = {name: ["t1", "t2"] for name in "abc"}
    assert by_range(topics, lambda topic: 7) == {
        "a": frozenset({0, 1, 2}),
        "b": frozenset({3, 4}),
        "c": frozenset({5, 6}),
    }
    assert by_range(topics, lambda topic: 2) == {"a": frozenset({0}), "b": frozenset({1}), "c": frozenset()}
    assert by_range({}, lambda topic: 2) == {}


def missed_after_ms(instance_id: str | None) -> int:
    """How long a member that runs and asks for no records is in the group."""
    clock = ManualClock()
    group, _ = group_of_one(clock, instance_id)
    generation = group.generation
    while group.generation == generation:
        clock.sleep(0.1)
        group.tick()
    return clock.monotonic_ms()


def test_who_asks_for_no_records_for_too_long_leaves_and_says_so_unless_it_is_static() -> None:
    assert missed_after_ms(None) == 20_100
    assert missed_after_ms("a") == 26_000


def test_of_two_open_transactions_the_later_offsets_count_whichever_commits_last() -> None:
    group, who = group_of_one(ManualClock(), None)
    group.add_offsets("first", who, {PLACE: 1})
    group.add_offsets("second", who, {PLACE: 2})
    group.mark("second", committed=True)
    group.mark("first", committed=True)
    assert group.committed([PLACE]) == {PLACE: 2}
