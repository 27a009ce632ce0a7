"""Nothing of an erased customer is in the partition's memory, whatever they and the others did."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable

import numpy as np
import pytest
from numba import config as numba_config

from processors import arena, erased
from processors import layout as L
from processors.hashing import id_hash
from processors.oracle.event import Command
from processors.partition import Partition
from processors.rules.program import I64
from processors.timers import HEAP_WORDS, SLOTS
from tests.oracle.generate import Knobs, Scenario, random_scenario
from tests.properties.engine_run import new_decoder, payload, random_cuts, run_engine, tiny_memory

SCENARIOS = int(os.environ.get("ERASURE_SCENARIOS", 4 if numba_config.DISABLE_JIT else 60))  # type: ignore[attr-defined]
BLOCKS = 3
KNOBS = Knobs(commands=True, rich_percent=100, customers=4, max_tags=8, max_events=60, overlapping_leave=True)


def erase(partition: Partition, customers: Iterable[str]) -> None:
    """Erase them, then let the next step begin."""
    clock = max(partition.clock, 1)
    commands = [Command(f"{clock} {name}", name, clock, "erase") for name in customers]
    arrivals, ones = np.full(len(commands), clock, np.int64), np.ones(len(commands), np.int64)
    decoded = new_decoder(partition.rule_set).decode([payload(c) for c in commands], arrivals, ones, ones)
    partition.step(decoded, np.arange(len(commands), dtype=np.int64), 0)
    partition.copy(np.zeros(partition.words, np.int64))


def links(m: I64) -> set[int]:
    """First words of all free blocks and panes."""
    found = set()
    for cls in range(arena.CLASSES):
        block = int(m[L.R_FREE + cls])
        while block != 0:
            found.add(block)
            block = int(m[block])
    pane = int(m[L.R_PANES_FREE])
    while pane != 0:
        found.add(pane)
        pane = int(m[pane])
    return found


def without_tables_of_hashes(m: I64) -> I64:
    """A copy without the registers and the tables of hashes of events and of erased ids."""
    rest = m.copy()
    rest[: L.R_STACK] = 0
    for table, words in (
        (m[L.R_SEEN], m[L.R_SEEN_SIZE]),
        (m[L.R_BEFORE], m[L.R_BEFORE_SIZE]),
        (m[L.R_ERASED], m[L.R_ERASED_SIZE] * erased.ENTRY_WORDS),
    ):
        rest[table : table + words] = 0
    return rest


def played(scenario: Scenario, seed: int) -> Partition:
    partition = Partition(scenario.rule_set)
    run_engine(scenario, random_cuts(random.Random(seed)), partition)
    return partition


def customers_of(scenario: Scenario) -> list[str]:
    return sorted({event.customer_id for event in scenario.events})


@pytest.mark.parametrize("block", range(BLOCKS))
def test_when_all_are_erased_memory_is_zeros_but_for_free_lists(block: int) -> None:
    had = 0
    for seed in range(block, SCENARIOS, BLOCKS):
        scenario = random_scenario(random.Random(f"erasure {seed}"), KNOBS)
        with tiny_memory():
            partition = played(scenario, seed)
        had += partition.sizes()["rows"]
        erase(partition, customers_of(scenario))
        m = partition.state.m
        assert partition.sizes()["rows"] == partition.sizes()["panes"] == 0
        assert (m[L.R_TEXTS_LIVE], m[L.R_WHEEL_COUNT]) == (0, 0)
        rest = without_tables_of_hashes(m)
        assert set(np.flatnonzero(rest).tolist()) <= links(m)
        wheel, heap = rest[m[L.R_WHEEL] :][:SLOTS], rest[m[L.R_HEAP] :][: int(m[L.R_HEAP_ROOM]) * HEAP_WORDS]
        assert not wheel.any()
        assert not heap.any()
        assert not partition.state.touched[: m[L.R_OUT_TOUCHED]].any()
    assert had > 0, "nobody was there to be erased"


@pytest.mark.parametrize("block", range(BLOCKS))
def test_one_who_is_erased_leaves_no_id_and_no_hash_of_it_among_the_others(block: int) -> None:
    had = 0
    for seed in range(block, SCENARIOS, BLOCKS):
        scenario = random_scenario(random.Random(f"erasure {seed}"), KNOBS)
        partition = played(scenario, seed)
        gone = random.Random(seed).choice(customers_of(scenario))
        had += partition.row_of(gone) != 0
        others = [name for name in customers_of(scenario) if name != gone and partition.row_of(name) != 0]
        erase(partition, [gone])
        m = partition.state.m
        hash64 = id_hash(gone.encode())
        assert hash64 not in m
        high = m[(m & ~0xFFFFFFFF) == (hash64 & ~0xFFFFFFFF)]
        assert not high.any(), "in a table"
        assert gone.encode() + bytes(8 - len(gone) % 8) not in m.tobytes()
        assert not m[m[L.R_TOP] :].any()
        assert all(partition.row_of(name) != 0 for name in others)
    assert had > 0, "nobody was there to be erased"


def test_the_search_finds_one_who_is_there() -> None:
    """What the tests above look for is there before."""
    scenario = random_scenario(random.Random("erasure 1"), KNOBS)
    partition = played(scenario, 1)
    there = [name for name in customers_of(scenario) if partition.row_of(name) != 0]
    assert there
    m = partition.state.m
    assert all(id_hash(name.encode()) in m for name in there)
    assert all(name.encode() + bytes(8 - len(name) % 8) in m.tobytes() for name in there)
    assert not set(np.flatnonzero(without_tables_of_hashes(m)).tolist()) <= links(m)
