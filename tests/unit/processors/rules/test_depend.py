"""Which tags see which, in what order they are evaluated, and circles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from processors.rules import tree as T
from processors.rules.depend import before_in_group, circles, dependencies, evaluation_order, references
from processors.rules.load import load_rules
from processors.rules.parse import parse


def tag(tag_id: str, when: str = "count(browse, 1d) > 0", group: str | None = None, rank: int = 0) -> T.Tag:
    return T.Tag(
        id=tag_id, name={}, describe={}, class_="static", category="base", colour=None, when=parse(when), leave=None,
        tiers=(), dwell_ms=0, cooldown_ms=0, expires_ms=None, examples=(), source={}, file="r.yaml", line=1,
        exclusive=group, rank=rank,
    )  # fmt: skip


def order(tags: Sequence[T.Tag]) -> list[str]:
    return [tags[index].id for index in evaluation_order(tags)]


def test_references_are_those_of_when_levels_and_leave_once_and_sorted() -> None:
    head = "  name: A\n  class: static\n  category: base\n"
    text = "".join(
        [
            f'- tag: a\n{head}  when: not tag("d") or tag("c") == "x"\n  leave: tag("b") and tag("d")\n',
            f'- tag: c\n{head}  tier: [{{level: x, when: tag("b")}}, {{level: y, when: not tag("d")}}]\n',
            *(f"- tag: {name}\n{head}  when: count(browse, {1 if name == 'b' else 2}d) > 0\n" for name in "bd"),
        ]
    )
    rules = load_rules({"r.yaml": text}, time_zone="UTC", default_currency="CNY")
    assert {each.id: references(each) for each in rules.tags} == {
        "a": ("b", "c", "d"), "b": (), "c": ("b", "d"), "d": (),
    }  # fmt: skip


def test_tags_come_by_depth_then_by_id() -> None:
    tags = [tag("a", 'tag("z") and tag("c")'), tag("c", 'tag("y")'), tag("b"), tag("y"), tag("z")]
    assert order(tags) == ["b", "y", "z", "c", "a"]


def test_a_tag_of_a_group_comes_after_those_before_it_by_rank_then_id() -> None:
    tags = [tag("a", group="g", rank=3), tag("b", group="g", rank=1), tag("c", group="g", rank=1), tag("d")]
    assert before_in_group(tags) == {"a": ("b", "c"), "b": (), "c": ("b",), "d": ()}
    assert order(tags) == ["b", "d", "c", "a"]


def test_groups_are_apart() -> None:
    tags = [tag("a", group="g"), tag("b", group="h"), tag("c", group="g", rank=1)]
    assert dependencies(tags) == {"a": (), "b": (), "c": ("a",)}


def test_a_long_chain_has_an_order() -> None:
    names = [f"t{i:05}" for i in range(5_000)]
    tags = [tag(names[0])] + [tag(b, f'tag("{a}")') for a, b in pairwise(names)]
    assert order(tags[::-1]) == names
    assert list(circles(dependencies(tags))) == []


def test_a_circle_has_no_order() -> None:
    with pytest.raises(ValueError, match="'a', 'b'"):
        evaluation_order([tag("a", 'tag("b")'), tag("b", 'tag("a")'), tag("c")])


@pytest.mark.parametrize(
    ("sees", "found"),
    [
        ({"a": "", "b": "a", "c": "ab"}, []),
        ({"a": "a"}, ["aa"]),
        ({"b": "c", "c": "a", "a": "b"}, ["abca"]),
        ({"x": "b", "b": "c", "c": "b"}, ["bcb"]),
        ({"a": "b", "b": "a", "c": "d", "d": "c"}, ["aba", "cdc"]),
        ({"a": "bc", "b": "a", "c": "a"}, ["aba"]),
    ],
)
def test_each_circle_is_found_once_and_begins_with_its_least_tag(sees: dict[str, str], found: list[str]) -> None:
    assert ["".join(circle) for circle in circles(sees)] == found
