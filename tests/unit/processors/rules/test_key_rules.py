"""Which keys of a tag go together: every pair of them, judged by what docs/rules.md says of each."""

from __future__ import annotations

from itertools import combinations

import pytest

from processors.rules.key_rules import has_rule, misplaced

KEYS = (
    "when", "tier", "score", "leave", "step", "for_each", "limit", "dwell", "cooldown", "expires", "exclusive",
    "rank", "levels",
)  # fmt: skip
"""Those that say something about each other; the others go with all."""

APART = {
    # a tag has one rule
    *combinations(("when", "tier", "score"), 2),
    # `leave` does not go with `tier`
    ("tier", "leave"),
    # `dwell`, `cooldown` and `expires` do not go with `for_each`, which stands beside `when`
    ("for_each", "dwell"), ("for_each", "cooldown"), ("for_each", "expires"), ("tier", "for_each"),
    # what does not go with `score`
    *(("score", key) for key in ("leave", "dwell", "cooldown", "expires", "exclusive", "for_each")),
    # levels are of a tag without a rule
    ("when", "levels"), ("tier", "levels"), ("score", "levels"),
}  # fmt: skip

NEEDS = {"rank": "exclusive", "limit": "for_each", "step": "score"}
OF_A_RULE = {"leave", "dwell", "cooldown", "expires", "exclusive", "for_each"}


def apart(keys: set[str]) -> bool:
    return any({a, b} <= keys for a, b in APART)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_combination_is_taken_or_refused_as_the_documentation_says(size: int) -> None:
    refused = 0
    for chosen in combinations(KEYS, size):
        keys = set(chosen)
        found = list(misplaced(keys))
        ruled = bool(keys & {"when", "tier", "score"})
        assert has_rule(keys) == ruled
        wrong = apart(keys) or (not ruled and bool(keys & OF_A_RULE))
        lonely = {key for key, needed in NEEDS.items() if key in keys and needed not in keys}
        assert any(m.code == "TS-R313" for m in found) == wrong, keys
        assert {m.key for m in found if m.code == "TS-R307"} == lonely, keys
        assert {m.code for m in found} <= {"TS-R313", "TS-R307"}
        assert all(m.key in keys and f"`{m.key}`" in m.message for m in found)
        refused += bool(found)
    assert refused > size


def test_a_key_is_refused_once_whatever_else_stands_there() -> None:
    found = [m.key for m in misplaced(KEYS)]
    assert len(found) == len(set(found))


def test_keys_that_say_nothing_about_each_other_go_with_all() -> None:
    rest = {"tag", "name", "class", "category", "colour", "parent", "owner", "examples", "manual", "model", "holdout"}
    for rule in ("when", "tier", "score"):
        assert list(misplaced(rest | {rule})) == []
    assert list(misplaced(rest)) == []


def test_the_cure_names_what_is_missing() -> None:
    cures = {m.key: m.cure for m in misplaced(("when", "rank", "limit", "step"))}
    assert cures == {
        "rank": "Add exclusive: GROUP, or take rank out",
        "limit": "Add for_each: EVENT.FIELD, or take limit out",
        "step": "Add score: VALUE, or take step out",
    }
