"""What is checked between tags: names, levels, circles, groups, duplicates, overdue reviews."""

from __future__ import annotations

import datetime

import pytest

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.depend import before_in_group
from processors.rules.load import Loaded, read_rules


def tag(tag_id: str, when: str = "", **more: str) -> str:
    """A tag whose logic is its own, unless `when` is given."""
    own = f'count(browse where category == "{tag_id}", 1d) > 0'
    keys = {"when": f"'{when or own}'", **more}
    lines = "".join(f"  {key}: {value}\n" for key, value in keys.items())
    return f"- tag: {tag_id}\n  name: A\n  class: static\n  category: base\n{lines}"


def tier(tag_id: str, *levels: str) -> str:
    listed = "".join(f"  - {{level: {name}, when: 'count(browse, {i + 1}d) > 0'}}\n" for i, name in enumerate(levels))
    return f"- tag: {tag_id}\n  name: A\n  class: static\n  category: base\n  tier:\n{listed}"


def read(*texts: str, today: datetime.date | None = None, **more: str) -> Loaded:
    files = {"r.yaml": "".join(texts), **{f"{name}.yaml": text for name, text in more.items()}}
    return read_rules(files, time_zone="UTC", default_currency="CNY", today=today)


def found(loaded: Loaded) -> list[tuple[str, str]]:
    """(code, words under the caret) of every error, or else of every warning."""
    marked = []
    for e in loaded.errors or loaded.warnings:
        assert e.line is not None and e.column is not None and e.source is not None and e.span is not None
        marked.append((e.code, e.source[e.column - 1 :][: e.span[1]]))
    return marked


def tags_of(loaded: Loaded) -> dict[str, T.Tag]:
    assert [str(error) for error in loaded.errors] == []
    assert loaded.rule_set is not None
    return {each.id: each for each in loaded.rule_set.tags}


def test_the_keys_beside_the_conditions_are_kept() -> None:
    text = tag("a", parent="b", exclusive="g", rank="-7", owner="Ann", review_by="2030-01-31", sensitive="true")
    tags = tags_of(read(text, tag("b")))
    a, b = tags["a"], tags["b"]
    assert (a.parent, a.exclusive, a.rank, a.owner, a.review_by, a.sensitive) == (
        "b", "g", -7, "Ann", "2030-01-31", True,
    )  # fmt: skip
    assert (b.parent, b.exclusive, b.rank, b.owner, b.review_by, b.sensitive) == (None, None, 0, None, None, False)


def test_without_a_rank_tags_of_a_group_come_as_they_stand_in_the_files() -> None:
    loaded = read(
        tag("z", exclusive="g"), tag("x", exclusive="other"), tag("a", exclusive="g", rank="9"),
        tag("b", exclusive="g"), a=tag("y", exclusive="g") + tag("w", exclusive="other"),
    )  # fmt: skip
    tags = tags_of(loaded)
    assert {each.id: each.rank for each in tags.values()} == {"y": 1, "w": 1, "z": 2, "x": 2, "a": 9, "b": 4}
    assert before_in_group(list(tags.values()))["a"] == ("y", "z", "b")


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"rank": "1"}, "TS-R307", "1"),
        ({"exclusive": "g", "rank": "1.5"}, "TS-R310", "1.5"),
        ({"exclusive": "g", "rank": "1" * (limits.MAX_RANK_DIGITS + 1)}, "TS-R310", "1" * 7),
        ({"exclusive": "G"}, "TS-R308", "G"),
        ({"sensitive": "yes"}, "TS-R310", "yes"),
        ({"review_by": "31.1.2030"}, "TS-R319", "31.1.2030"),
        ({"review_by": "20300131"}, "TS-R319", "20300131"),
        ({"review_by": "2030-02-30"}, "TS-R319", "2030-02-30"),
        ({"owner": "A" * (limits.MAX_OWNER_CHARS + 1)}, "TS-R505", "A" * 101),
        ({"parent": "nobody"}, "TS-R222", "nobody"),
        ({"parent": "a"}, "TS-R223", "a"),
    ],
)
def test_a_wrong_value_of_these_keys_is_shown(more: dict[str, str], code: str, words: str) -> None:
    assert found(read(tag("a", **more))) == [(code, words)]


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ('tag("gold") and tag("gald")', 'tag("gald")'),
        ('tag("gald") == "x"', 'tag("gald")'),
        ("browse then purchase within 1d or not tag(''gald'')", "tag(''gald'')"),
    ],
)
def test_a_tag_that_no_file_defines_is_shown_with_what_was_meant(when: str, words: str) -> None:
    loaded = read(tag("a", when), tag("gold"))
    assert found(loaded) == [("TS-R222", words)]
    assert "Did you mean gold? There is gold" in loaded.errors[0].cure


def test_names_in_levels_and_leave_are_looked_up_too() -> None:
    levels = tier("t", "low").replace("count(browse, 1d) > 0", 'tag("x")')
    loaded = read(tag("a", leave="'tag(\"y\")'"), levels)
    assert found(loaded) == [("TS-R222", 'tag("y")'), ("TS-R222", 'tag("x")')]


def test_a_tag_with_faults_of_its_own_is_still_known_by_name() -> None:
    assert found(read(tag("a", 'tag("b") == "x"'), tag("b", "count(brows, 1d) > 0"))) == [("TS-R201", "brows")]


def test_an_unknown_tag_is_found_beside_other_faults_of_the_condition() -> None:
    assert found(read(tag("a", 'tag("b") and count(brows, 1d) > 0'))) == [("TS-R222", 'tag("b")'), ("TS-R201", "brows")]


def test_a_level_must_be_one_of_the_tags_own() -> None:
    loaded = read(tier("t", "silver", "gold"), tag("a", 'tag("t") == "gold" and "gld" != tag("t")'))
    assert found(loaded) == [("TS-R221", '"gld"')]
    assert "Did you mean gold? There is silver, gold" in loaded.errors[0].cure


def test_a_tag_without_levels_has_none_to_compare() -> None:
    loaded = read(tag("b"), tag("a", 'tag("b") == "gold"'))
    assert found(loaded) == [("TS-R221", '"gold"')]
    assert 'Write tag("b") alone' in loaded.errors[0].cure


@pytest.mark.parametrize(
    ("tags", "words", "circle"),
    [
        ([tag("a", 'tag("a")')], 'tag("a")', "names itself: a -> a"),
        ([tag("b", 'tag("a")'), tag("a", 'tag("b")')], 'tag("b")', "in a circle: a -> b -> a"),
        ([tag("c", 'tag("a")'), tag("b", 'tag("c")'), tag("a", leave="'tag(\"b\")'")], 'tag("b")',
         "in a circle: a -> b -> c -> a"),
        ([tag("a", exclusive="g"), tag("b", exclusive="g", when='not tag("a")'), tag("c", 'tag("b")')], "", ""),
        ([tag("a", 'tag("b")', exclusive="g"), tag("b", exclusive="g")], 'tag("b")',
         "a -> b -> a; `a` comes before `b` in the group `g`"),
        ([tag("a", 'tag("b")', exclusive="g", rank="2"), tag("b", exclusive="g", rank="1")], "", ""),
        ([tag("c", exclusive="g"), tag("b", exclusive="g"), tag("c2", 'tag("b")'), tag("a", 'tag("c2")'),
          tag("d", exclusive="h", when='tag("a")'), tag("e", exclusive="h")], "", ""),
        ([tag("e", 'tag("a")', exclusive="h"), tag("b", exclusive="h"), tag("a", 'tag("b")')], 'tag("b")',
         "a -> b -> e -> a; `e` comes before `b` in the group `h`"),
    ],
)  # fmt: skip
def test_a_circle_is_printed_at_one_of_its_names(tags: list[str], words: str, circle: str) -> None:
    loaded = read(*tags)
    if not circle:
        assert loaded.errors == ()
        return
    assert found(loaded) == [("TS-R223", words)]
    assert circle in loaded.errors[0].message


def test_parents_may_not_lead_in_a_circle() -> None:
    loaded = read(tag("b", parent="a"), tag("a", parent="c"), tag("c", parent="b"), tag("d", parent="a"))
    assert found(loaded) == [("TS-R223", "c")]
    assert "The parents lead in a circle: a -> c -> b -> a" in loaded.errors[0].message


def test_a_parent_that_asks_for_its_child_is_no_circle() -> None:
    assert read(tag("a", parent="b"), tag("b", 'tag("a")')).errors == ()


def test_the_size_of_a_group_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_GROUP_TAGS", 2)
    assert read(tag("a", exclusive="g"), tag("b", exclusive="g")).errors == ()
    loaded = read(*(tag(each, exclusive="g") for each in "abc"))
    assert [(e.code, e.line) for e in loaded.errors] == [("TS-R511", 18)]


def test_of_many_tags_a_cure_lists_none() -> None:
    (error,) = read(tag("a", 'tag("t7x")'), *(tag(f"t{i}") for i in range(50))).errors
    assert error.cure == "Did you mean t7?"


def test_two_tags_that_decide_the_same_are_warned_about() -> None:
    loaded = read(
        tag("a", "count(browse, 1d) > 0"), tag("b", "count( browse, 24h) > 0.0"),
        tag("c", "count(browse, 1d) > 0", dwell="1h"), z=tag("d", "count(browse, 1d) > 0", colour="'#aabbcc'"),
    )  # fmt: skip
    assert found(loaded) == [("TS-R907", "b"), ("TS-R907", "d")]
    assert "`d` decides the same as `a` (r.yaml:1)" in loaded.warnings[1].message


@pytest.mark.parametrize(
    ("day", "overdue"), [(30, False), (31, False), (32, True)], ids=["before", "on the day", "after"]
)
def test_a_review_is_overdue_after_its_day(day: int, overdue: bool) -> None:
    text = tag("a", review_by="2030-01-31", owner="Ann")
    loaded = read(text, today=datetime.date(2030, 1, 1) + datetime.timedelta(days=day - 1))
    assert found(loaded) == ([("TS-R906", "2030-01-31")] if overdue else [])
    assert not overdue or "by 2030-01-31, by Ann" in loaded.warnings[0].message
    assert read(text).warnings == ()


def test_a_group_of_one_tag_is_warned_about_with_what_was_meant() -> None:
    loaded = read(*(tag(each, exclusive="offer") for each in "ab"), tag("c", exclusive="ofer"))
    assert found(loaded) == [("TS-R908", "ofer")]
    assert "Did you mean offer?" in loaded.warnings[0].cure


def test_while_there_are_errors_nothing_is_said_about_tags_beside_others() -> None:
    loaded = read(tag("a", exclusive="g"), tag("b", "count(brows, 1d) > 0", exclusive="g"))
    assert loaded.warnings == ()


def test_of_very_many_unknown_tags_each_is_an_error_though_not_each_gets_a_suggestion() -> None:
    errors = read(tag("known"), *(tag(f"a{i}", f'tag("known{i}")') for i in range(101))).errors
    assert [error.code for error in errors] == ["TS-R222"] * 101
    assert ["Did you mean" in error.cure for error in errors] == [True] * 100 + [False]
