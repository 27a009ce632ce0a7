"""What both rule sets have goes on as if nothing had happened, though the events of before are gone."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors.carry import carry_over, twins
from processors.changes import ChangeWriter
from processors.customers import id_in_row
from processors.oracle.event import Command, Record
from processors.partition import UNLIMITED, Partition
from processors.rules.tree import RuleSet
from schemas.records import Change
from tests.oracle.generate import Knobs, SeededChoices, history, rule_set
from tests.oracle.other_rules import alike, other_rules
from tests.properties.engine_run import new_decoder, payload, source_of

SCENARIOS = 40
BLOCKS = 10
KNOBS = Knobs(max_tags=6, max_events=80, customers=6, commands=True)


def history_for(rules: RuleSet, others: RuleSet, rng: random.Random) -> list[Record]:
    """In order of arrival; without commands about tags that go: such a one is dead then, and makes nobody known."""
    ids = {tag.id for tag in others.tags}
    events = history(SeededChoices(rng), rules, KNOBS)
    return sorted((e for e in events if not isinstance(e, Command) or e.tag in ids), key=lambda e: e.arrival_ms)


class Runner:
    """One engine that is given events."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.engine = Partition(rules)
        self._decoder = new_decoder(rules)
        self._writer = ChangeWriter(rules)

    def apply(self, events: list[Record], clock: int = 0) -> list[Change]:
        decoded = self._decoder.decode(
            [payload(e) for e in events],
            np.array([e.arrival_ms for e in events], np.int64),
            np.zeros(len(events), np.int64),
            np.array([source_of(e) for e in events], np.int64),
        )
        output = self.engine.step(decoded, np.arange(len(events), dtype=np.int64), clock, UNLIMITED)
        return self._writer.changes(output, decoded, partition=0, epoch=0)

    def tags(self) -> dict[tuple[str, str], object]:
        m, m8 = self.engine.state.m, self.engine.state.m8
        return {
            (id_in_row(m, m8, row), tag.tag): tag.value
            for row in self.engine.rows().tolist()
            for tag in self._writer.tags_of(m, row)
        }


def told(changes: list[Change], ids: set[str]) -> list[tuple[object, ...]]:
    """What does not depend on the numbering, and on the numbering of the conditions."""
    return sorted(
        (c.effective_at, c.customer_id, c.tag, c.op, str(c.before), str(c.after), str(c.origin), c.cause or "")
        for c in changes
        if c.tag in ids
    )


@pytest.mark.parametrize("block", range(BLOCKS))
def test_what_is_carried_over_goes_on_as_it_was(block: int) -> None:
    carried = 0
    for seed in range(block * SCENARIOS, (block + 1) * SCENARIOS):
        rng = random.Random(f"carry {seed}")
        rules = rule_set(SeededChoices(rng), KNOBS)
        others = other_rules(rules, rule_set(SeededChoices(rng), KNOBS), rng)
        events = history_for(rules, others, rng)
        if len(events) < 3:
            continue
        cut = rng.randrange(1, len(events))
        there = rng.randrange(cut + 1)
        old, new = Runner(rules), Runner(others)
        old.apply(events[:cut])
        # what is a duplicate of an event that is gone counts again where the rules are new: nobody knows better
        gone = {(e.type, e.event_id) for e in events[:there]}
        new.apply([e for e in events[there:cut] if (e.type, e.event_id) not in gone], old.engine.clock)
        for _ in carry_over(old.engine, new.engine):
            pass
        same = alike(rules, others)
        assert {k: v for k, v in new.tags().items() if k[1] in same} == {
            k: v for k, v in old.tags().items() if k[1] in same
        }, f"seed {seed}"
        until_ms = events[-1].arrival_ms + rng.choice((0, 90_000, 86_400_000, 40 * 86_400_000))
        expected = told(old.apply(events[cut:], until_ms), same)
        assert told(new.apply(events[cut:], until_ms), same) == expected, f"seed {seed}"
        carried += len(expected)
    assert carried > SCENARIOS


def test_the_rows_of_two_states_are_paired_by_customer() -> None:
    rng = random.Random(1)
    rules = rule_set(SeededChoices(rng), KNOBS)
    events = sorted(history(SeededChoices(rng), rules, KNOBS), key=lambda e: e.arrival_ms)
    one, other = Runner(rules), Runner(rules)
    one.apply(events)
    other.apply(events[: len(events) // 2])
    rows = one.engine.rows()
    for row, twin in zip(rows.tolist(), twins(one.engine, rows, other.engine).tolist(), strict=True):
        customer = id_in_row(one.engine.state.m, one.engine.state.m8, row)
        assert twin == other.engine.row_of(customer)
