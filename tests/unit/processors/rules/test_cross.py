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
        ({"rank": "1"}, "TS-R307", "rank"),
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


def outside(tag_id: str, **more: str) -> str:
    """A tag that is set from outside."""
    lines = "".join(f"  {key}: {value}\n" for key, value in more.items())
    return f"- tag: {tag_id}\n  name: A\n  class: static\n  category: base\n{lines}"


SORTS = (
    outside("plain", manual="true") + outside("levels", manual="true", levels="[low, high]")
    + outside("number", model="true") + tier("tier", "low", "high") + outside("score", score="count(browse, 3d)")
    + tag("keys", for_each="browse.category") + tag("told", model="true")
)  # fmt: skip


@pytest.mark.parametrize(
    "when",
    [
        'tag("plain") and tag("keys") and tag("levels") and tag("number") and tag("score")',
        'tag("levels") == "low" or tag("tier") != "high"',
        'tag("number") >= 0.5 and 3 > tag("score")',
        'tag("number") < count(browse, 7d) or days_since(browse) > tag("score") or tag("score") == profile.points',
    ],
)
def test_a_tag_is_compared_with_values_of_its_sort(when: str) -> None:
    assert read(SORTS, tag("a", when)).errors == ()


@pytest.mark.parametrize(
    ("when", "words", "cure"),
    [
        ('tag("plain") >= 0.5', 'tag("plain")', 'Write tag("plain") alone'),
        ('tag("told") >= 0.5', 'tag("told")', 'Write tag("told") alone'),
        ('count(browse, 7d) > tag("keys")', 'tag("keys")', 'Write tag("keys") alone'),
        ('tag("keys") == "shoes"', '"shoes"', 'Write tag("keys") alone'),
        ('tag("levels") > 3', 'tag("levels")', 'Write tag("levels") == "low"'),
        ('tag("tier") == 1', 'tag("tier")', 'Write tag("tier") == "low"'),
        ('tag("levels") == "hihg"', '"hihg"', "Did you mean high? There is low, high"),
        ('tag("number") == "high"', '"high"', 'Write tag("number") >= NUMBER'),
        ('tag("score") != "high"', '"high"', 'Write tag("score") >= NUMBER'),
    ],
)
def test_a_tag_is_compared_with_no_value_of_another_sort(when: str, words: str, cure: str) -> None:
    loaded = read(SORTS, tag("a", when))
    assert found(loaded) == [("TS-R221", words)]
    assert cure in loaded.errors[0].cure


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


def near(one: str, other: str, **more: str) -> list[str]:
    """Messages about the second of two tags with these conditions; `more` are keys of both."""
    return [str(warning) for warning in read(tag("a", one, **more), tag("b", other, **more)).warnings]


@pytest.mark.parametrize(
    ("one", "other", "differences"),
    [
        ("count(browse, 7d) >= 5", "count(browse, 7d) >= 6", "6, not 5"),
        ("count(browse, 7d) >= 5", "count(browse, 8d) >= 9", "8d, not 7d; 9, not 5"),
        ("count(browse, 24h) >= 5", "count(browse, 25h) >= 5", "25h, not 1d"),
        ("5 < count(browse, 7d)", "6.5 < count(browse, 7d)", "6.5, not 5"),
        ("sum(purchase.amount, 7d) < -5", "sum(purchase.amount, 7d) < -6", "-6, not -5"),
        ("browse then no purchase within 60m", "browse then no purchase within 90m", "90m, not 1h"),
        ("count(browse where dwell_ms > 1000, 7d) >= 5", "count(browse where dwell_ms > 1500, 7d) >= 5",
         "1500, not 1000"),
        ("count(browse, 5d) > 5 and count(purchase, 5d) > 5", "count(browse, 6d) > 6 and count(purchase, 6d) > 6",
         "6d, not 5d; 6, not 5; 6d, not 5d; and 1 more"),
    ],
)  # fmt: skip
def test_two_tags_that_decide_nearly_the_same_are_warned_about(one: str, other: str, differences: str) -> None:
    (warning,) = read(tag("a", one), tag("b", other)).warnings
    assert (warning.code, warning.line) == ("TS-R909", 6)
    assert warning.message == f"`b` decides nearly the same as `a` (r.yaml:1): {differences}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("count(browse, 7d) >= 5", "count(browse, 7d) >= 10"),
        ("count(browse, 7d) >= 5", "count(browse, 30d) >= 5"),
        ("count(browse, 7d) >= 5", "count(browse, ever) >= 5"),
        ("count(browse, 7d) >= 5", "count(browse, 7d) > 5"),
        ("count(browse, 7d) > 0", "count(browse, 7d) > 1"),
        ("count(browse, 7d) == 5", "count(browse, 7d) == 6"),
        ("count(browse where dwell_ms in [5], 7d) > 5", "count(browse where dwell_ms in [6], 7d) > 5"),
        ('count(browse where category == "5d", 7d) > 5', 'count(browse where category == "6d", 7d) > 5'),
        ("trend(count(browse, 7d)) > 5", "trend(count(browse, 7d)) > -5"),
        ("count(browse, 7d) >= 5", "count(purchase, 7d) >= 5"),
    ],
)
def test_two_tags_that_differ_in_more_are_left_alone(one: str, other: str) -> None:
    assert near(one, other) == []


def test_tags_that_are_steps_of_one_thing_are_not_near_each_other() -> None:
    one, other = "count(browse, 7d) >= 5", "count(browse, 7d) >= 6"
    assert len(near(one, other)) == 1
    assert near(one, other, exclusive="g") == []
    assert read(tag("p"), tag("a", one, parent="p"), tag("b", other, parent="p")).warnings == ()
    assert read(tag("a", one), tag("b", other, parent="a")).warnings == ()
    assert read(tag("a", one, parent="b"), tag("b", other)).warnings == ()
    different = read(tag("p"), tag("q"), tag("a", one, parent="p"), tag("b", other, parent="q"))
    assert [warning.code for warning in different.warnings] == ["TS-R909"]


def test_tags_with_other_timing_are_not_near_each_other() -> None:
    one, other = "count(browse, 7d) >= 5", "count(browse, 7d) >= 6"
    assert read(tag("a", one), tag("b", other, dwell="1h")).warnings == ()
    assert [w.code for w in read(tag("a", one), tag("b", other, holdout="10%", forecast="true")).warnings] == [
        "TS-R909"
    ]


def test_levels_and_scores_may_be_near_each_other() -> None:
    levels = [tier(name, "low", "high").replace("2d", days) for name, days in (("a", "2d"), ("b", "3d"))]
    assert found(read(*levels)) == [("TS-R909", "b")]
    scores = [outside(name, score=f"count(browse, {days})") for name, days in (("a", "2d"), ("b", "3d"))]
    assert found(read(*scores)) == [("TS-R909", "b")]


def test_the_same_is_said_once_and_not_as_nearly_the_same() -> None:
    conditions = [f"count(browse, 7d) >= {bound}" for bound in (5, 6, 6)]
    loaded = read(*(tag(name, condition) for name, condition in zip("abc", conditions, strict=True)))
    assert found(loaded) == [("TS-R909", "b"), ("TS-R907", "c")]


def test_tags_without_a_rule_decide_nothing_and_so_not_the_same() -> None:
    assert read(outside("a", manual="true"), outside("b", manual="true"), outside("c", model="true")).warnings == ()


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
