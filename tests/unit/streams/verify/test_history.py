from __future__ import annotations

import pytest

from streams.verify.history import compare_with_oracle, contradictions
from tests.unit.streams.verify.published_world import change, oracle_says, told

CHANGES = [change(1, "t", None, True), change(2, "s", None, 1.5), change(3, "t", True, None), change(4, "s", 1.5, 2.0)]
ORACLE = [
    oracle_says(1, "t", None, True),
    oracle_says(2, "s", None, 1.5),
    oracle_says(3, "t", True, None),
    oracle_says(4, "s", 1.5, 2.0),
]
WHOLE = (0, -1)


def test_the_same_changes_are_no_difference() -> None:
    assert list(compare_with_oracle(ORACLE, told(CHANGES).of["c"], WHOLE)) == []
    assert list(contradictions(told(CHANGES).of["c"], (), True)) == []


@pytest.mark.parametrize("left_out", range(4))
def test_a_change_that_is_left_out_is_found(left_out: int) -> None:
    rest = told([each for each in CHANGES if each is not CHANGES[left_out]]).of["c"]
    (found,) = compare_with_oracle(ORACLE, rest, WHOLE)
    assert (found.kind, found.tag, found.published) == ("lost", CHANGES[left_out].tag, {"changes": None})


@pytest.mark.parametrize(
    "given", [{"effective_at": 9}, {"cause": "another"}, {"origin": "manual"}, {"after": 2.5}, {"after": "2.0"}]
)
def test_a_change_of_which_anything_is_otherwise_is_found(given: dict[str, object]) -> None:
    values = {"after": 2.0, **given}
    after = values.pop("after")
    other = told([*CHANGES[:3], change(4, "s", 1.5, after, **values)]).of["c"]  # type: ignore[arg-type]
    assert sorted(d.kind for d in compare_with_oracle(ORACLE, other, WHOLE)) == ["extra", "lost"]


def test_what_was_published_before_other_rules_came_is_not_compared_but_must_not_be_lacking_later() -> None:
    of_other_rules = [change(1, "x", None, True), *CHANGES[2:]]
    assert list(compare_with_oracle(ORACLE, told(of_other_rules, whole=False).of["c"], (2, 2))) == []
    (found,) = compare_with_oracle(ORACLE, told(of_other_rules[:2], whole=False).of["c"], (2, 2))
    assert (found.kind, found.tag) == ("lost", "s")
    # a timer that was left over then
    assert list(compare_with_oracle(ORACLE, told(CHANGES[1:], whole=False).of["c"], (1, 2))) == []


def test_changes_contradict_each_other_where_one_is_lost_or_doubled() -> None:
    (found,) = contradictions(told([CHANGES[0], change(5, "t", None, True)]).of["c"], (), True)
    assert (found.kind, found.tag, found.judged) == ("lost", "t", False)
    assert list(contradictions(told([CHANGES[2]]).of["c"], (), whole=False)) == []
    (found,) = contradictions(told([CHANGES[2]]).of["c"], (), whole=True)
    assert found.kind == "lost"
    doubled = told([*CHANGES, CHANGES[1]])
    (found,) = contradictions(doubled.of["c"], doubled.repeated["c"], True)
    assert (found.kind, found.tag) == ("doubled", "s")
