"""Examples run against a replay, and what a failure shows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from processors.rules import tree as T
from processors.rules.examples import START_MS, Change, Event, Failure, run_examples
from processors.rules.load import load_rules

DAY_MS = 86_400_000
RULES = """
- tag: spender
  name: Spender
  class: dynamic
  category: value
  when: sum(purchase.amount, 90d) >= 100
  examples:
    - given: [purchase 60.50 at 2d, purchase 50 order_time=1d at 1d]
      then: [entered at 2d, left at 91d1h]
- tag: tiered
  name: Tiered
  class: dynamic
  category: value
  tier:
    - {level: gold, when: 'count(purchase, 30d) >= 2'}
    - {level: silver, when: 'count(purchase, 30d) >= 1'}
  examples:
    - given: [purchase 1 at 0d]
      then: [entered silver at 0d, left at 30d1h]
"""
RIGHT: dict[str, list[Change]] = {
    "spender": [("entered", START_MS + 2 * DAY_MS, None), ("left", START_MS + 91 * DAY_MS + 3_600_000, None)],
    "tiered": [("entered", START_MS, "silver"), ("left", START_MS + 30 * DAY_MS + 3_600_000, None)],
}


def rule_set() -> T.RuleSet:
    return load_rules({"rules/a.yaml": RULES}, time_zone="UTC", default_currency="CNY")


class Replayed:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self, answers: dict[str, list[Change]]) -> None:
        self.asked: list[tuple[str, list[Event], int]] = []
        self._answers = answers

    def __call__(self, rule_set: T.RuleSet, tag: str, events: list[Event], until_ms: int) -> Sequence[Change]:
        self.asked.append((tag, events, until_ms))
        return self._answers[tag]


def test_events_are_replayed_in_order_of_time_from_an_hours_start_until_400_days_on() -> None:
    replay = Replayed(RIGHT)
    run_examples(rule_set(), replay)
    assert START_MS % 3_600_000 == 0
    assert replay.asked[0] == (
        "spender",
        [
            ("purchase", START_MS + DAY_MS, {"amount_cents": 5_000, "order_time": START_MS + DAY_MS}),
            ("purchase", START_MS + 2 * DAY_MS, {"amount_cents": 6_050}),
        ],
        START_MS + 400 * DAY_MS,
    )


def test_an_example_that_comes_out_as_it_says_is_no_failure() -> None:
    assert run_examples(rule_set(), Replayed(RIGHT)) == []


def test_a_failure_names_its_place_and_aligns_expected_and_got() -> None:
    late: list[Change] = [("entered", START_MS + 2 * DAY_MS, None), ("left", START_MS + 91 * DAY_MS + 7_200_000, None)]
    (failure,) = run_examples(rule_set(), Replayed(RIGHT | {"spender": late}))
    assert (failure.tag, failure.file, failure.line, failure.number) == ("spender", "rules/a.yaml", 8, 1)
    assert failure.table == (
        "  expected        got",
        "  entered at 2d   entered at 2d",
        "! left at 91d1h   -",
        "! -               left at 91d2h",
    )


def test_changes_too_few_and_too_many_are_failures() -> None:
    again: Change = ("entered", START_MS + 31 * DAY_MS, "gold")
    failures = run_examples(rule_set(), Replayed({"spender": [], "tiered": [*RIGHT["tiered"], again]}))
    assert [f.tag for f in failures] == ["spender", "tiered"]
    assert failures[0].table[1:] == ("! entered at 2d   -", "! left at 91d1h   -")
    assert failures[1].table[-1] == "! -                      entered gold at 31d"


def test_another_level_than_the_named_one_is_a_failure() -> None:
    gold: list[Change] = [("entered", START_MS, "gold"), RIGHT["tiered"][1]]
    (failure,) = run_examples(rule_set(), Replayed(RIGHT | {"tiered": gold}))
    assert failure.table[1:3] == ("! entered silver at 0d   -", "! -                      entered gold at 0d")


def test_a_level_that_the_example_leaves_out_may_be_any() -> None:
    rules = load_rules({"a": RULES.replace("entered silver", "entered")}, time_zone="UTC", default_currency="CNY")
    assert run_examples(rules, Replayed(RIGHT)) == []


SCORE = """
- tag: score
  name: Score
  class: dynamic
  category: value
  score: sum(purchase.amount, 90d)
  examples:
    - given: [profile region=north level=null at 0d]
      then: [entered 0.3333333333 at 1d, changed 2 at 2d]
"""
KEYS = """
- tag: keys
  name: Keys
  class: dynamic
  category: value
  for_each: browse.category
  when: count(browse, 90d) > 0
  examples:
    - given: []
      then:
        - entered [shoes, "running shoes"] at 1d
"""


def run(text: str, *changes: Change) -> list[Failure]:
    rules = load_rules({"a": text}, time_zone="UTC", default_currency="CNY")
    return run_examples(rules, Replayed({tag.id: list(changes) for tag in rules.tags}))


def test_attributes_are_given_to_the_replay_as_texts_and_none() -> None:
    replay = Replayed({"score": []})
    run_examples(load_rules({"a": SCORE}, time_zone="UTC", default_currency="CNY"), replay)
    assert replay.asked[0][1] == [("profile", START_MS, {"region": "north", "level": None})]


@pytest.mark.parametrize(
    ("got", "failures"), [(1 / 3, 0), (0.3333333333, 0), (0.333333, 1), (0.34, 1), (True, 1), ("0.3333333333", 1)]
)
def test_numbers_agree_to_a_billionth(got: object, failures: int) -> None:
    found = run(SCORE, ("entered", START_MS + DAY_MS, got), ("changed", START_MS + 2 * DAY_MS, 2.0))
    assert len(found) == failures


def test_a_whole_number_is_a_number_too() -> None:
    assert run(SCORE, ("entered", START_MS + DAY_MS, 1 / 3), ("changed", START_MS + 2 * DAY_MS, 2)) == []


@pytest.mark.parametrize(
    ("got", "failures"),
    [
        (["running shoes", "shoes"], 0),
        (("running shoes", "shoes"), 0),
        (["shoes", "running shoes"], 1),
        (["shoes"], 1),
        ("shoes", 1),
    ],
)
def test_keys_agree_one_by_one(got: object, failures: int) -> None:
    assert len(run(KEYS, ("entered", START_MS + DAY_MS, got))) == failures


def test_a_failure_shows_numbers_and_keys_as_an_example_has_them() -> None:
    (score,) = run(SCORE, ("entered", START_MS + DAY_MS, 1e-7), ("changed", START_MS + 2 * DAY_MS, 1 / 3))
    assert [line.split("   ")[-1].strip() for line in score.table] == [
        "got", "-", "entered 0.0000001 at 1d", "-", "changed 0.333333333333 at 2d",
    ]  # fmt: skip
    (keys,) = run(KEYS, ("entered", START_MS + DAY_MS, ["a b", "c"]), ("left", START_MS + DAY_MS, None))
    assert keys.table[1].startswith('! entered ["running shoes", shoes] at 1d   -')
    assert keys.table[2].endswith('entered ["a b", c] at 1d')
    assert keys.table[3].endswith("   left at 1d")
