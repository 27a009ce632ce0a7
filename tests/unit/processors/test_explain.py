"""Where a customer stands with a tag: values by whose word, conditions with what they see, and what is waited for."""

from __future__ import annotations

import random

import pytest

from processors.explain import Condition, Explainer, Standing, Waiting, Word
from processors.oracle.judge import run
from processors.partition import Partition
from tests.oracle.flips import next_flip_ms
from tests.oracle.generate import Knobs, random_scenario
from tests.properties.engine_run import WHOLE, run_engine
from tests.unit.processors.world import START_MS, World, event, rules

M, H, D = 60_000, 3_600_000, 86_400_000


def standing(world: World, tag: str, customer: str = "c") -> Standing:
    numbers = {each.id: number for number, each in enumerate(world.partition.rule_set.tags)}
    return Explainer(world.partition).standing(customer, numbers[tag])


def seen(conditions: tuple[Condition, ...]) -> list[tuple[str, str | None, object, object, bool | None]]:
    return [(c.part, c.seen.key, c.seen.value, c.seen.threshold, c.holds) for c in conditions]


def test_why_not_each_condition_says_whether_it_holds_and_what_it_lacks() -> None:
    world = World(Partition(rules(t="count(browse, 1h) >= 3 and not days_since(browse) > 30")))
    world.step(event(0, kind="browse", id="1"), event(M, kind="browse", id="2"))
    found = standing(world, "t")
    assert (found.value, found.words, found.next_flip) == (None, (Word("rule", None, None),), "never")
    assert seen(found.conditions) == [("when", None, 2.0, 3.0, False), ("when", None, 0.0, 30.0, True)]
    assert [c.expression for c in found.conditions] == ["count(browse, 1h) >= 3", "not days_since(browse) > 30"]


def test_why_with_the_next_flip_to_the_millisecond() -> None:
    world = World(Partition(rules(t="count(browse, 1h) >= 1\nleave: count(browse, 1d) == 0")))
    world.step(event(7, kind="browse"))
    found = standing(world, "t")
    assert (found.value, found.next_flip) == (True, START_MS + D + M)
    assert seen(found.conditions) == [("when", None, 1.0, 1.0, True), ("leave", None, 1.0, 0.0, False)]
    assert (found.at, found.conditions[0].seen.window_start) == (START_MS + 7, START_MS - H)


def test_of_levels_all_are_told_from_the_highest() -> None:
    tiers = "\ntier:\n- {level: gold, when: 'sum(purchase.amount, 30d) >= 100'}\n"
    world = World(Partition(rules(t=tiers + "- {level: silver, when: 'sum(purchase.amount, 30d) >= 10'}")))
    world.step(event(0, amount_cents=2_500))
    found = standing(world, "t")
    assert found.value == "silver"
    assert seen(found.conditions) == [("tier[0]", None, 25.0, 100.0, False), ("tier[1]", None, 25.0, 10.0, True)]


def test_of_a_set_those_keys_come_first_that_are_in() -> None:
    world = World(Partition(rules(t="count(browse, 1d) >= 2\nfor_each: browse.category")))
    views = ["b", "a", "b", "c", "b", "c"]
    world.step(*(event(n, kind="browse", id=str(n), category=key) for n, key in enumerate(views)))
    found = standing(world, "t")
    assert found.value == ("b", "c")
    assert [(c.seen.key, c.seen.value, c.holds) for c in found.conditions] == [
        ("b", 3.0, True), ("c", 2.0, True), ("a", 1.0, False),
    ]  # fmt: skip


def test_a_score_tells_its_number_which_is_neither_true_nor_false() -> None:
    world = World(Partition(rules(t="\nscore: sum(purchase.amount, 30d)\nstep: 10")))
    world.step(event(0, amount_cents=2_500), event(1, amount_cents=500, id="2"))
    found = standing(world, "t")
    assert (found.value, seen(found.conditions)) == (25.0, [("score", None, 30.0, None, None)])


def test_what_a_tag_waits_for_is_told() -> None:
    timing = "\ndwell: 5m\ncooldown: 2h\nexpires: 1h"
    world = World(Partition(rules(t="count(browse, 3h) >= 1" + timing)))
    world.step(event(0, kind="browse"))
    assert standing(world, "t").waiting == (Waiting("dwell", True, START_MS + 5 * M),)
    world.step(to_ms=5 * M)
    found = standing(world, "t")
    assert (found.value, found.waiting) == (True, (Waiting("term", None, START_MS + 65 * M),))
    world.step(to_ms=65 * M)
    found = standing(world, "t")
    assert found.value is None
    assert found.waiting == (Waiting("cooldown", None, START_MS + 185 * M), Waiting("spent", None, None))
    assert found.conditions[0].holds


def test_somebody_unknown_stands_as_one_who_did_nothing_and_stays_unknown() -> None:
    world = World(Partition(rules(t="count(browse, 1h) == 0", k="count(browse, 1d) >= 1\nfor_each: browse.category")))
    found = standing(world, "t", "nobody")
    assert (found.value, found.next_flip, seen(found.conditions)) == (
        None, "never", [("when", None, 0.0, 0.0, True)],
    )  # fmt: skip
    assert standing(world, "k", "nobody").conditions == ()
    assert world.partition.row_of("nobody") == 0


@pytest.mark.parametrize("seed", range(60))
def test_every_value_and_every_next_flip_is_the_judges(seed: int) -> None:
    scenario = random_scenario(random.Random(seed), Knobs(commands=True, rich_percent=70))
    partition = Partition(scenario.rule_set)
    run_engine(scenario, WHOLE, partition)
    wanted = run(scenario.rule_set, scenario.events, scenario.until_ms)
    explainer = Explainer(partition)
    read = sorted(scenario.events, key=lambda each: each.arrival_ms)
    read = [each for each in read if scenario.until_ms is None or each.arrival_ms <= scenario.until_ms]
    for customer in sorted({change.customer_id for change in wanted.changes})[:2]:
        for number, tag in enumerate(scenario.rule_set.tags):
            found = explainer.standing(customer, number)
            assert found.value == wanted.tags.get(customer, {}).get(tag.id)
            if isinstance(found.next_flip, int):
                flip = next_flip_ms(scenario.rule_set, read, customer, tag.id, found.at, found.next_flip)
                assert flip == found.next_flip
