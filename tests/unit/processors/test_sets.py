"""Sets of keys: a list of events judges who is in them, what changes name stays readable, and memory is given back."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from processors import layout as L
from processors.partition import StepOutput
from processors.rules.tree import Tag
from processors.values import TagValues, keys_of, listed_values, without_memory
from schemas.records import Value
from tests.unit.processors.edges import browse, purchase
from tests.unit.processors.world import Record, World, rules, world

MINUTE, HOUR = 60_000, 3_600_000


class Judge:
    """Who is in the set of `count(browse, 1h) >= 2`, left by a purchase within a minute, three keys at most."""

    def __init__(self) -> None:
        self.browses: list[tuple[str, int]] = []
        self.purchases: list[tuple[str, int]] = []
        """(key, end of the pane)."""
        self.members: list[str] = []

    def evaluate(self, now_ms: int) -> None:
        held = [key for key, end in self.browses if end + HOUR > now_ms]
        barred = {key for key, end in self.purchases if end + MINUTE > now_ms}
        # a purchase that is held makes its key known as well
        self.members = [key for key in self.members if key in {*held, *barred} and key not in barred]
        for key in sorted(set(held)):
            if held.count(key) >= 2 and key not in barred and key not in self.members and len(self.members) < 3:
                self.members.append(key)
        self.members.sort()

    def leaves_after(self, now_ms: int) -> list[int]:
        """The instants after now at which a pane leaves."""
        ends = [end + HOUR for _, end in self.browses] + [end + MINUTE for _, end in self.purchases]
        return sorted({at_ms for at_ms in ends if at_ms > now_ms})


@pytest.mark.parametrize("seed", range(6))
def test_a_set_is_what_a_list_of_events_says(seed: int) -> None:
    rng = random.Random(seed)
    one = world(
        t="count(browse, 1h) >= 2\nleave: count(purchase, 1m) > 0\nfor_each: browse.category\nlimit: 3",
    )
    judge, clock, expected = Judge(), 0, []

    def evaluate(now_ms: int) -> None:
        before = list(judge.members)
        judge.evaluate(now_ms)
        if judge.members != before:
            expected.append(("t", tuple(judge.members) or None, now_ms))

    for _ in range(120):
        target = clock + rng.choice((0, 1, MINUTE - 1, MINUTE, 7 * MINUTE, 40 * MINUTE))
        for now_ms in [at_ms for at_ms in judge.leaves_after(clock) if at_ms <= target]:
            evaluate(now_ms)
        clock, key = target, rng.choice("abcdef")
        if rng.random() < 0.8:
            one.step(browse(clock, category=key))
            judge.browses.append((key, (clock // MINUTE + 1) * MINUTE))
        else:
            one.step(purchase(clock, category=key))
            judge.purchases.append((key, (clock // MINUTE + 1) * MINUTE))
        evaluate(clock)
    for now_ms in judge.leaves_after(clock):
        evaluate(now_ms)
    one.step(to_ms=clock + 2 * HOUR)
    assert one.flips() == expected
    assert max(len(value) for _, value, _ in expected if value) == 3
    one.step()
    m = one.partition.state.m
    assert (m[L.R_TEXTS_LIVE], m[L.R_PANES_LIVE], m[L.R_ROWS_LIVE], m[L.R_OLD_SETS]) == (0, 0, 0, 0)


def looks(start_ms: int, round_: int) -> list[Record]:
    """Fifty keys, of which twenty fit, by as many customers."""
    return [
        browse(start_ms, customer=f"c{place % 5}", category=f"{'x' * 40} {round_ % 3} {place}") for place in range(250)
    ]


def test_sets_that_come_and_go_take_no_more_memory() -> None:
    one = world(t="count(browse, 1m) >= 1\nfor_each: browse.category")
    tops = []
    for round_ in range(6):
        start_ms = round_ * HOUR
        one.step(*looks(start_ms, round_), to_ms=start_ms + 30 * MINUTE)
        one.step()
        assert one.partition.state.m[L.R_TEXTS_LIVE] == 0
        tops.append(int(one.partition.state.m[L.R_TOP]))
    assert tops[-1] == tops[1]


def test_a_set_that_was_given_up_can_be_read_until_the_next_step() -> None:
    one = world(t="count(browse, 1m) >= 1\nfor_each: browse.category")
    output = one.step(browse(0, category="a"), browse(1, category="b"), to_ms=HOUR)
    codes = [(int(before), int(after)) for before, after in output.changes[:, [L.CH_BEFORE, L.CH_AFTER]]]
    read = [tuple(keys_of(output.m, code) if code else None for code in pair) for pair in codes]
    assert read == [(None, ("a",)), (("a",), ("a", "b")), (("a", "b"), None)]
    assert one.partition.state.m[L.R_OLD_SETS] != 0
    one.step()
    m = one.partition.state.m
    assert (m[L.R_OLD_SETS], m[L.R_TEXTS_LIVE]) == (0, 0)


# --------------------------------------------------------------------------------------------------------------- values

VALUES: dict[str, tuple[str, list[Value | None]]] = {
    # name: (rule, the values that the tag has by code)
    "there or not": ("count(browse, 1h) >= 1", [None, True]),
    "tier": ("\ntier: [{level: b, when: 'count(browse, 1h) > 1'}, {level: a, when: 'count(browse, 1h) > 0'}]",
             [None, "b", "a"]),
    "levels": ("\nmanual: true\nlevels: [silver, gold]", [None, "silver", "gold"]),
    "by hand": ("\nmanual: true", [None, True]),
    # of numbers and keys there are too many
    "score": ("\nscore: count(browse, 1h)", [None]),
    "by a model": ("\nmodel: true", [None]),
    "keys": ("count(browse, 1h) > 0\nfor_each: browse.category", [None]),
}  # fmt: skip


def tag_of(rule: str) -> Tag:
    return rules(t=rule).tags[0]


@pytest.mark.parametrize("name", VALUES)
def test_codes_stand_for_the_values_that_a_tag_has(name: str) -> None:
    rule, values = VALUES[name]
    tag = tag_of(rule)
    assert listed_values(tag) == values
    known = TagValues([tag])
    memory = world(t=rule).partition.state.m
    assert [known.value(memory, 0, code) for code in range(len(values))] == values
    assert (known.is_listed(0), known.is_score(0)) == (len(values) > 1, name in ("score", "by a model"))


def values_in(output: StepOutput, one: World) -> list[tuple[Value | None, Value | None]]:
    values = TagValues(one.partition.rule_set.tags)
    return [
        (values.changed(output, int(tag), int(before)), values.changed(output, int(tag), int(after)))
        for tag, before, after in output.changes[:, [L.CH_TAG, L.CH_BEFORE, L.CH_AFTER]]
    ]


def test_what_a_step_gave_can_be_kept_without_the_memory() -> None:
    keys = "count(browse, 1h) >= 1\nfor_each: browse.category"
    one = world(a=keys, b="\nscore: count(browse, 1h)", c="count(browse, 1h) >= 2")
    output = one.step(browse(0, category="x"), browse(1, category="配"), to_ms=2 * HOUR)
    expected = values_in(output, one)
    own = replace(output, changes=output.changes.copy(), evidence=output.evidence.copy())
    kept = without_memory(own, one.partition.rule_set.tags, one.partition.program.g)
    assert kept.m.size == 0
    # later steps use the memory for other sets
    one.step(*(browse(3 * HOUR, category=f"other {n}") for n in range(50)), to_ms=9 * HOUR)
    assert values_in(kept, one) == expected
    assert (None, ("x",)) in expected
    assert (("x", "配"), None) in expected
    assert (2.0, 0.0) in expected
