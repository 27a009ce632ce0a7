"""What changes a rule set's version, and what only its text."""

from __future__ import annotations

import re

import pytest

from processors.rules import tree as T
from processors.rules.load import load_rules

GOLD = """
- tag: gold
  name: {zh: 金, en: Gold}
  describe: Spends much
  class: dynamic
  category: value
  colour: "#aabbcc"
  when: sum(purchase.amount, 1d) >= 5 and count(browse, 7d) > 0
  leave: sum(purchase.amount, 1d) < 4
  dwell: 10m
  examples:
    - given: [purchase 5 at 0d]
      then: []
"""
TIER = """
- tag: tier
  name: Tier
  class: dynamic
  category: value
  tier:
    - {level: high, when: 'count(browse, 1d) > 5'}
    - {level: low, when: 'count(browse, 2d) > 1'}
"""


def load(text: str, *, time_zone: str = "UTC", default_currency: str = "CNY") -> T.RuleSet:
    return load_rules({"a.yaml": text}, time_zone=time_zone, default_currency=default_currency)


def hashes(text: str, **settings: str) -> tuple[str, str]:
    rules = load(text, **settings)
    return rules.version, rules.text_hash


BASE = GOLD + TIER


def test_both_hashes_are_16_hex_digits_and_never_change_by_accident() -> None:
    version, text_hash = hashes(BASE)
    assert re.fullmatch("[0-9a-f]{16}", version) and re.fullmatch("[0-9a-f]{16}", text_hash)
    # a new value means that every installation computes its tags again: raise the format on purpose or not at all
    assert version == "69c4309f956b1b17"
    assert text_hash == "eb58aede350b0ff0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">= 5", ">= 6"),
        ("1d) >= 5", "2d) >= 5"),
        ("< 4", "< 3"),
        ("  leave: sum(purchase.amount, 1d) < 4\n", ""),
        ("dwell: 10m", "dwell: 11m"),
        ("dwell: 10m", "cooldown: 10m"),
        ("dwell: 10m", "expires: 10m"),
        ("tag: gold", "tag: golden"),
        ("level: high", "level: highest"),
        ("> 5'", "> 6'"),
    ],
)
def test_the_version_follows_the_logic(old: str, new: str) -> None:
    assert old in BASE
    assert hashes(BASE.replace(old, new))[0] != hashes(BASE)[0]


def test_the_version_follows_the_order_of_levels() -> None:
    high, low = (line for line in TIER.splitlines() if "level:" in line)
    swapped = TIER.replace(high, "X").replace(low, high).replace("X", low)
    assert hashes(swapped)[0] != hashes(TIER)[0]


def test_the_version_follows_zone_and_currency() -> None:
    versions = {hashes(BASE)[0], hashes(BASE, time_zone="Asia/Shanghai")[0], hashes(BASE, default_currency="EUR")[0]}
    assert len(versions) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("zh: 金", "zh: 黄金"),
        ("Spends much", "Spends a lot"),
        ("class: dynamic", "class: business"),
        ("category: value", "category: special"),
        ("#aabbcc", "#aabbcd"),
        ("purchase 5 at 0d", "purchase 5 at 1d"),
        (", 1d) >= 5 and", ",  24h) >= 5.0 and"),
    ],
)
def test_texts_colours_examples_and_wording_change_the_text_hash_alone(old: str, new: str) -> None:
    assert old in BASE
    version, text_hash = hashes(BASE)
    changed_version, changed_text = hashes(BASE.replace(old, new))
    assert changed_version == version
    assert changed_text != text_hash


def grouped(*lines: str) -> str:
    return BASE.replace("  dwell: 10m\n", "".join(f"  {line}\n" for line in ("dwell: 10m", *lines)))


def test_the_version_follows_the_group_and_the_rank() -> None:
    texts = (
        BASE,
        grouped("exclusive: offer"),
        grouped("exclusive: other"),
    )
    assert len({hashes(text)[0] for text in texts}) == len(texts)


def group(**ranks: int | None) -> str:
    """Tags of one group in the order in which they are named, each with a rank or None."""
    return "".join(
        f"- tag: {name}\n  name: A\n  class: static\n  category: base\n  when: 'count(browse, {len(name)}d) > 0'\n"
        f"  exclusive: g\n" + ("" if rank is None else f"  rank: {rank}\n")
        for name, rank in ranks.items()
    )


def version(*files: str) -> str:
    named = {f"{place}.yaml": text for place, text in enumerate(files)}
    return load_rules(named, time_zone="UTC", default_currency="CNY").version


def test_of_a_group_the_version_follows_the_order_and_not_the_ranks() -> None:
    in_order = version(group(b=None, aa=None, ccc=None))
    assert version(group(b=1, aa=2, ccc=3)) == in_order
    assert version(group(ccc=40, aa=-5, b=-10)) == in_order
    assert version(group(aa=None, b=None, ccc=None)) != in_order
    assert version(group(b=1, aa=3, ccc=2)) != in_order


def test_tags_of_a_group_may_move_between_files_as_long_as_their_order_stays() -> None:
    in_order = version(group(b=None, aa=None, ccc=None))
    assert version(group(b=None), group(aa=None, ccc=None)) == in_order
    assert version(group(b=None), TIER, group(aa=None), group(ccc=None)) == version(
        group(b=None, aa=None, ccc=None) + TIER
    )
    assert version(group(aa=None, ccc=None), group(b=None)) != in_order


HEAD = "- tag: x\n  name: A\n  class: dynamic\n  category: base\n"
WHEN = "  when: count(browse, 7d) > 0\n"


@pytest.mark.parametrize(
    "written",
    [
        [WHEN, WHEN + "  manual: false\n", WHEN + "  model: true\n", WHEN + "  holdout: 10%\n",
         WHEN + "  holdout: 11%\n", WHEN + "  forecast: true\n", WHEN + "  for_each: browse.category\n",
         WHEN + "  for_each: browse.category\n  limit: 5\n", WHEN + "  for_each: browse.channel\n"],
        ["  score: count(browse, 7d)\n", "  score: count(browse, 8d)\n", "  score: count(browse, 7d)\n  step: 2\n"],
        ["  manual: true\n", "  model: true\n", "  model: true\n  manual: false\n",
         "  manual: true\n  levels: [a, b]\n", "  manual: true\n  levels: [b, a]\n"],
        [WHEN.replace("count(browse, 7d) > 0", condition) for condition in (
            "profile.a == 'x'", "profile.b == 'x'", "age(profile.a) == 5", "age(profile.b) == 5",
            "top(browse.category, 7d) == 'x'", "top(browse.channel, 7d) == 'x'",
            "top(browse.category by sum(browse.dwell_ms), 7d) == 'x'", "distinct(browse.category, 7d) == 5",
        )],
    ],
)  # fmt: skip
def test_the_version_follows_each_key_that_decides(written: list[str]) -> None:
    assert len({hashes(HEAD + text)[0] for text in written}) == len(written)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (WHEN, WHEN + "  manual: true\n  model: false\n  forecast: false\n"),
        (WHEN + "  for_each: browse.category\n", WHEN + "  for_each: browse.category\n  limit: 20\n"),
        (WHEN + "  holdout: 10%\n", WHEN + "  holdout: 0.1\n"),
        ("  score: count(browse, 7d)\n  step: 2\n", "  score: count( browse,7d )\n  step: 2.0\n"),
        ("  score: count(browse, 7d)\n", "  score: count(browse, 7d)\n  step: 0\n"),
        ("  model: true\n", "  model: true\n  manual: true\n"),
    ],
)
def test_two_ways_of_writing_one_thing_have_one_version(one: str, other: str) -> None:
    assert hashes(HEAD + one)[0] == hashes(HEAD + other)[0]


def test_the_version_follows_what_another_tag_is_asked_for() -> None:
    texts = [
        BASE.replace("count(browse, 7d) > 0", condition)
        for condition in ('tag("tier")', 'tag("tier") == "high"', 'tag("tier") == "low"', 'not tag("tier")')
    ]
    assert len({hashes(text)[0] for text in texts}) == len(texts)


@pytest.mark.parametrize(
    "line",
    ["parent: tier", "owner: Ann", "review_by: 2030-01-31", "sensitive: true"],
    ids=lambda line: line.split(":")[0],
)
def test_who_answers_and_what_stands_above_changes_the_text_hash_alone(line: str) -> None:
    version, text_hash = hashes(grouped(line))
    assert version == hashes(BASE)[0]
    assert text_hash != hashes(BASE)[1]


def test_what_is_not_sensitive_need_not_say_so() -> None:
    assert hashes(grouped("sensitive: false")) == hashes(BASE)


def test_files_and_their_order_mean_nothing() -> None:
    two = load_rules({"z.yaml": GOLD, "a.yaml": TIER}, time_zone="UTC", default_currency="CNY")
    one = load(BASE)
    assert [t.id for t in two.tags] == [t.id for t in one.tags] == ["gold", "tier"]
    assert (two.version, two.text_hash) == (one.version, one.text_hash)
