from __future__ import annotations

from dataclasses import replace

import pytest

from streams.verify.compare import Found, compare
from streams.verify.published import Published, Version
from streams.verify.recompute import Recomputed
from streams.verify.redis_side import Held
from tests.unit.streams.verify.published_world import change, oracle, oracle_says, published

ENTERED, LEFT = change(4, "t", None, True), change(6, "t", True, None)
SAYS = oracle({"t": True}, [oracle_says(4, "t", None, True)])
HAS = Version((1, 4), {"t": True})


def look(part: Published, says: Recomputed | None, held: Held | None) -> Found:
    return compare(["c"], says, part, {} if held is None else {"c": held})


def test_all_that_agrees_is_right() -> None:
    found = look(published(5, [ENTERED], HAS), SAYS, Held(4, {"t": "1"}, True))
    assert found.is_right and found.is_whole and found.customers == 1


@pytest.mark.parametrize(("tags", "tag"), [({}, "t"), ({"t": "2"}, "t"), ({"t": "1", "u": "1"}, "u")])
def test_redis_that_says_something_else_is_a_difference(tags: dict[str, str], tag: str) -> None:
    (found,) = look(published(5, [ENTERED], HAS), SAYS, Held(4, tags, True)).differences
    assert (found.tag, found.published["redis"]) == (tag, tags.get(tag))


def test_what_came_behind_the_point_is_no_difference_and_must_be_as_it_is_told() -> None:
    part = published(5, [ENTERED, LEFT], Version((1, 6), {}))
    assert look(part, SAYS, Held(6, {}, True)).is_right
    assert look(part, SAYS, Held(4, {"t": "1"}, True)).is_right
    (found,) = look(part, SAYS, Held(6, {"t": "1"}, True)).differences
    assert (found.tag, found.published["redis"]) == ("t", "1")


def test_redis_that_is_behind_is_not_compared_and_one_that_is_not_is() -> None:
    part = published(5, [ENTERED], HAS)
    late = look(part, SAYS, Held(0, {}, False))
    assert (late.is_right, late.is_whole, late.behind) == (True, False, {"c"})
    assert not look(part, SAYS, Held(0, {}, True)).is_right


def test_a_hash_with_a_number_that_no_change_has_is_a_difference() -> None:
    (found,) = look(published(5, [ENTERED], HAS), SAYS, Held(9, {"t": "1"}, True)).differences
    assert (found.tag, found.published) == ("_seq", {"redis": "9"})


def test_without_the_oracle_the_places_are_compared_with_each_other() -> None:
    part = published(5, [ENTERED], HAS)
    assert look(part, None, Held(4, {"t": "1"}, True)).is_right
    (found,) = look(part, None, Held(4, {}, True)).differences
    assert (found.tag, found.judged, found.published) == ("t", False, {"changes": "1", "current": "1", "redis": None})
    gone = published(5, [], HAS, whole=False)
    assert look(gone, None, Held(4, {"t": "1"}, True)).is_right
    assert not look(gone, None, Held(4, {}, True)).is_right


def test_what_the_order_before_the_cut_may_explain_is_uncertain_and_a_contradiction_is_not() -> None:
    says = oracle({}, [], before_the_cut=True)
    found = look(published(5, [ENTERED], HAS), says, Held(4, {"t": "1"}, True))
    assert (found.is_right, found.is_whole, found.uncertain) == (True, False, {"c"})
    planted = look(published(5, [ENTERED], HAS), says, Held(4, {"t": "1", "u": "1"}, True))
    assert [(d.tag, d.published["redis"]) for d in planted.differences] == [("u", "1")]
    assert not look(published(5, [ENTERED], HAS), oracle({}, []), Held(4, {"t": "1"}, True)).is_right


def test_of_a_customer_with_too_many_records_the_oracle_says_nothing() -> None:
    says = replace(oracle({}, []), too_many=frozenset({"c"}))
    found = look(published(5, [ENTERED], HAS), says, Held(4, {"t": "1"}, True))
    assert (found.is_right, found.is_whole, found.too_many) == (True, False, {"c"})


def test_tags_whose_changes_are_gone_are_compared_and_counted() -> None:
    found = look(published(5, [], HAS, whole=False), SAYS, Held(4, {"t": "1"}, True))
    assert (found.is_right, found.changes_gone) == (True, 1)
    assert not look(published(5, [], HAS, whole=False), oracle({}, []), Held(4, {"t": "1"}, True)).is_right


ERASED = change(6, "t", True, None, origin="erasure")


def test_one_who_was_erased_has_no_record_and_no_hash_also_if_that_came_behind_the_point() -> None:
    assert look(published(5, [ENTERED, ERASED]), SAYS, Held(0, {}, True)).is_right
    by_then = published(6, [ENTERED, ERASED])
    left = replace(oracle_says(6, "t", True, None), origin="erasure")
    says = oracle({}, [oracle_says(4, "t", None, True), left])
    assert look(by_then, says, Held(0, {}, False)).is_whole
    assert look(by_then, says, Held(0, {}, True)).is_right
    assert not look(by_then, says, Held(4, {"t": "1"}, True)).is_right
    assert not look(published(6, [ENTERED, ERASED], HAS), says, Held(0, {}, True)).is_right


def test_an_erasure_that_the_oracle_knows_nothing_of_is_a_difference() -> None:
    assert not look(published(6, [ENTERED, ERASED]), SAYS, Held(0, {}, True)).is_right
