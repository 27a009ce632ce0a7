"""Erasing a customer: which changes there are, what comes after, and what is published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from processors import layout as L
from processors.changes import ChangeWriter, customer_at
from processors.partition import Partition, StepOutput
from schemas.outcomes import Outcome
from schemas.records import Command
from tests.unit.processors.world import START_MS, Record, World, event, rules

TERM_MS = 90 * L.DAY_MS
RULES = rules(
    buyer="count(purchase, 1d) >= 1\nforecast: true",
    pages="count(browse, 1d) > 0\nfor_each: browse.page_type",
    spent="\nscore: sum(purchase.amount, 1d)",
    held="\nmanual: true",
    loyal="count(purchase, 1d) >= 2\nholdout: 50%",
)
COMMAND = Command(
    command_id="k", customer_id="c", kind="erase", tag=None, value=None, reason=None, actor="a", until=None,
    issued_at=START_MS,
)  # fmt: skip


def erasure(at_ms: int, customer: str = "c", id: str | None = None) -> Record:
    return Record(replace(COMMAND, command_id=id or f"erase {at_ms}", customer_id=customer).to_avro(), at_ms)


def assignment(at_ms: int) -> Record:
    return Record(replace(COMMAND, command_id=f"a {at_ms}", kind="assign", tag="held", value=True).to_avro(), at_ms)


def buying(at_ms: int, customer: str = "c", **more: object) -> Record:
    return event(at_ms, customer, amount_cents=500, **more)  # type: ignore[arg-type]


def world() -> World:
    return World(Partition(RULES))


def touched(output: StepOutput) -> list[tuple[str, bool]]:
    """Who is published of a step, and whether as erased."""
    writer = ChangeWriter(RULES)
    return [(name, tags is None) for name, tags in writer.current(output, output.m, partition=0, epoch=0)]


def test_every_tag_is_left_without_a_reason_and_nothing_stays() -> None:
    one = world()
    one.step(buying(0), buying(1), event(2, kind="browse", page_type="item"), assignment(3), buying(3, "other"))
    before = {(c.tag, c.after) for c in one.changes if c.customer_id == "c"}
    assert {tag for tag, _ in before} == {"buyer", "pages", "spent", "held", "loyal"}
    del one.changes[:]
    one.step(erasure(10))
    assert [(c.op, c.customer_id, c.effective_at, c.after) for c in one.changes] == [
        ("left", "c", START_MS + 10, None)
    ] * 5
    assert {(c.tag, c.before) for c in one.changes} >= {("buyer", True), ("pages", ("item",)), ("spent", 10.0)}
    assert {(c.origin, c.cause, c.evidence, c.run_id) for c in one.changes} == {("erasure", "erase 10", (), None)}
    assert {c.tag: c.next_flip_at for c in one.changes if c.next_flip_at is not None} == {"buyer": "never"}
    assert {c.tag: c.group is not None for c in one.changes if c.group is not None} == {"loyal": True}
    assert (one.partition.row_of("c"), one.partition.sizes()["rows"]) == (0, 1)
    assert one.partition.erased_at("c") == START_MS + 10
    assert one.partition.erased_at("other") is None


def test_what_comes_late_is_erased_and_what_comes_anew_counts_from_nothing() -> None:
    one = world()
    one.step(buying(0), buying(1), erasure(10))
    del one.changes[:]
    one.step(assignment(10), buying(11, time_ms=10), buying(12, time_ms=-5), buying(13, time_ms=11))
    assert one.outcomes[Outcome.ERASED] == 3
    assert [(c.tag, c.after, c.prev_seq == 0) for c in one.changes] == [("buyer", True, True), ("spent", 5.0, False)]


def test_a_command_counts_from_when_it_is_obeyed_though_its_arrival_is_behind() -> None:
    one = world()
    one.step(buying(0), erasure(10), buying(20), assignment(5))
    assert one.happened() == {Outcome.APPLIED: 4}
    assert one.changes[-1].tag == "held"


def test_what_was_erased_is_no_sighting_of_its_id() -> None:
    one = world()
    one.step(erasure(10), buying(11, time_ms=9, id="same"), buying(12, id="same"), buying(13, id="same"))
    assert one.happened() == {Outcome.APPLIED: 2, Outcome.ERASED: 1, Outcome.DUPLICATE: 1}


@pytest.mark.parametrize("off_ms", [-1, 0])
def test_when_the_term_is_over_what_is_late_counts_again(off_ms: int) -> None:
    one = world()
    one.step(erasure(10))
    one.step(buying(10 + TERM_MS + off_ms, time_ms=9))
    assert one.outcomes[Outcome.ERASED] == (1 if off_ms < 0 else 0)


def test_an_erasure_is_obeyed_also_if_its_arrival_is_behind_another() -> None:
    one = world()
    one.step(erasure(100), buying(101), erasure(50))
    assert one.partition.row_of("c") == 0
    assert one.partition.erased_at("c") == START_MS + 101  # the clock does not go back
    one.step(erasure(200), erasure(201, id="erase 200"))
    assert one.outcomes[Outcome.DUPLICATE] == 1


def test_a_customer_whom_nobody_knows_is_erased_and_published_as_such() -> None:
    one = world()
    output = one.step(erasure(10, "nobody"), erasure(10, "nobody", "again"))
    assert one.changes == []
    assert one.happened() == {Outcome.APPLIED: 2}
    assert touched(output) == [("nobody", True), ("nobody", True)]
    one.step(buying(11, "nobody", time_ms=10))
    assert one.outcomes[Outcome.ERASED] == 1


def test_who_comes_again_in_the_same_step_is_published_behind_the_erasure() -> None:
    one = world()
    output = one.step(buying(0), erasure(10), buying(11), buying(11, "other"))
    assert touched(output) == [("c", True), ("c", False), ("other", False)]
    assert [customer_at(output.touched, place) for place in set(output.changes[:, L.CH_CUSTOMER])] != []
    one.step(buying(12))
    assert one.partition.row_of("c") != 0


def test_another_key_cannot_tell_who_was_erased_until_nobody_is_known() -> None:
    one = world()
    other = Partition(RULES, erasure_key=bytes(range(16)))
    memory = one.partition.state.m
    assert other.can_tell_erased(memory)
    one.step(erasure(10))
    memory = one.partition.state.m
    assert (other.can_tell_erased(memory), Partition(RULES).can_tell_erased(memory)) == (False, True)
    one.step(to_ms=10 + TERM_MS)
    assert other.can_tell_erased(one.partition.state.m)


def test_timers_of_others_go_on_though_one_is_taken_out_of_their_midst() -> None:
    one = world()
    names = [f"c{number}" for number in range(60)]
    one.step(*[buying(number, name) for number, name in enumerate(names)])
    # the minute in which all of them leave has begun, so all timers are in the heap
    end_ms = L.MINUTE_MS + L.DAY_MS
    one.step(to_ms=end_ms - 1)
    one.step(to_ms=end_ms, budget=0)
    del one.changes[:]
    gone = names[::7]
    one.step(*[erasure(end_ms, name, name) for name in gone], budget=0)
    one.step(to_ms=end_ms)
    assert not one.partition.due()
    left = [c.customer_id for c in one.changes if c.tag == "buyer" and c.origin == "timer"]
    assert sorted(left) == sorted(names)
    assert one.partition.sizes()["rows"] == len(names) - len(gone)
