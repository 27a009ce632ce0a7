"""What a change foretells is what happens, and foretelling it changes nothing."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from numba import config as numba_config

from processors import arena
from processors import layout as L
from processors.forecast import AHEAD_MS
from processors.oracle.event import DAY_MS, Record
from processors.partition import Partition
from schemas.records import Change
from tests.oracle.flips import next_flip_ms
from tests.oracle.generate import Knobs, Scenario, random_scenario
from tests.properties.engine_run import ONE_BY_ONE, WHOLE, run_engine
from tests.unit.processors.world import rules

IS_INTERPRETED = bool(numba_config.DISABLE_JIT)  # type: ignore[attr-defined]

BLOCKS = 4
SCENARIOS = int(os.environ.get("FLIP_SCENARIOS", 16 if IS_INTERPRETED else 400))
FLIPS = 8
"""Of a scenario, that are asked of the judge."""

KNOBS = Knobs(commands=True, rich_percent=70)

NEVER_MS = AHEAD_MS + 1500 * DAY_MS
"""For so long nothing happens to a tag that is said never to flip."""


def foretelling(scenario: Scenario, forecast: bool = True) -> Scenario:
    """The scenario with this said of all its tags."""
    tags = tuple(replace(tag, forecast=forecast) for tag in scenario.rule_set.tags)
    return replace(scenario, rule_set=replace(scenario.rule_set, tags=tags))


def read_before(scenario: Scenario, change: Change, step: int) -> list[Record]:
    """The records that had been read when a change came about in this step, each record being one."""
    kept = [e for e in scenario.events if scenario.until_ms is None or e.arrival_ms <= scenario.until_ms]
    kept.sort(key=lambda e: e.arrival_ms)
    was_first = change.origin == "timer" and change.effective_at <= kept[step].arrival_ms
    return kept[: step if was_first else step + 1]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_what_a_change_foretells_is_what_the_judge_sees_happen(block: int) -> None:
    share = SCENARIOS // BLOCKS
    said: Counter[str] = Counter()
    for seed in range(block * share, (block + 1) * share):
        rng = random.Random(seed)
        scenario = foretelling(random_scenario(rng, KNOBS))
        run = run_engine(scenario, ONE_BY_ONE)
        told = list(zip(run.changes, run.steps, strict=True))
        for change, step in rng.sample(told, min(FLIPS, len(told))):
            flip, at_ms = change.next_flip_at, change.effective_at
            until_ms = at_ms + (NEVER_MS if flip == "never" else AHEAD_MS)
            read = read_before(scenario, change, step)
            seen = next_flip_ms(scenario.rule_set, read, change.customer_id, change.tag, at_ms, until_ms)
            assert seen == (flip if isinstance(flip, int) else None), f"seed {seed}: {change}"
            said["time" if isinstance(flip, int) else str(flip)] += 1
    assert all(said[kind] > share // 8 for kind in ("time", "never")), said


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_run_that_foretells_differs_in_nothing_else(block: int) -> None:
    share = SCENARIOS // BLOCKS
    for seed in range(block * share, (block + 1) * share):
        scenario = random_scenario(random.Random(seed), KNOBS)
        partitions = [Partition(foretelling(scenario, forecast).rule_set) for forecast in (True, False)]
        runs = [
            run_engine(foretelling(scenario, forecast), WHOLE, partition)
            for forecast, partition in zip((True, False), partitions, strict=True)
        ]
        assert [replace(change, next_flip_at=None) for change in runs[0].changes] == runs[1].changes
        assert (runs[0].digest, runs[0].seq, runs[0].outcomes) == (runs[1].digest, runs[1].seq, runs[1].outcomes)
        assert partitions[0].sizes() == partitions[1].sizes()


def unused(partition: Partition, customer: str) -> set[int]:
    """The words that the customer's tags could still take: what stands there has no meaning."""
    m32, row = partition.state.m32, partition.row_of(customer) * 2
    block, used, size = (int(m32[row + at]) for at in (L.ROW_TAGS32, L.ROW_TAGS_USED32, L.ROW_TAGS_CLASS32))
    return set(range(block + used, block + arena.class_words(size))) if block else set()


@pytest.mark.parametrize("seed", range(40))
def test_asking_leaves_every_word_in_use_as_it_was(seed: int) -> None:
    scenario = random_scenario(random.Random(seed), KNOBS)
    partition = Partition(scenario.rule_set)
    run_engine(replace(scenario, until_ms=None), WHOLE, partition)
    customers = sorted({event.customer_id for event in scenario.events})
    state = partition.state
    before = state.m[: state.m[L.R_TOP]].copy()
    for customer in customers:
        for tag in range(len(scenario.rule_set.tags)):
            partition.next_flip_at(customer, tag)
    after = partition.state.m[: before.size]
    changed = set(np.flatnonzero(before != after).tolist())
    assert changed <= {word for customer in customers for word in unused(partition, customer)}


def test_of_somebody_unknown_nothing_is_foretold() -> None:
    assert Partition(rules(t="count(browse, 1h) == 0")).next_flip_at("nobody", 0) == L.NEVER
