from __future__ import annotations

from tests.unit.streams.verify.published_world import change, told


def test_numbers_that_nobody_has_are_found_also_at_both_ends() -> None:
    found = told([change(seq, "t", None, True) for seq in (2, 3, 6)])
    assert found.gaps_up_to(8) == [(1, 1), (4, 5), (7, 8)]
    assert found.gaps_up_to(5) == [(1, 1), (4, 5)]


def test_what_was_deleted_from_the_beginning_is_no_gap() -> None:
    assert told([change(5, "t", None, True)], whole=False).gaps_up_to(5) == []
    assert told([], whole=False).gaps_up_to(5) == []
    assert told([]).gaps_up_to(5) == [(1, 5)]


def test_a_number_that_comes_again_and_an_older_owners_are_passed_over() -> None:
    again, late = change(1, "t", None, True), change(3, "t", True, None, epoch=0)
    found = told([again, change(2, "u", None, True), again, late])
    assert [each.seq for each in found.of["c"]] == [1, 2]
    assert [each.seq for each in found.repeated["c"]] == [1, 3]
    assert (found.repeats, found.gaps_up_to(2)) == ([1, 3], [])


def test_changes_of_other_rules_and_of_a_backfill_are_known() -> None:
    found = told([change(1, "t", None, True, rule_version="w"), change(2, "u", None, True), change(3, "t", True, None)])
    assert found.other_rules_until == 1
    found = told([change(1, "t", None, True), change(2, "u", None, True, origin="backfill")])
    assert found.other_rules_until == 2
