"""Compiled once: no step, however large or small, may find types that were not compiled before."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from numba import config as numba_config
from numba.core.registry import CPUDispatcher

import processors
from processors import decode, jit, step
from processors.partition import Partition
from tests.properties.engine_run import tiny_memory
from tests.unit.processors.world import Record, World, event, rules

JSON = b'{"event_id": "%d", "customer_id": "c", "event_time": 1704067200000}'


def compiled() -> dict[str, int]:
    """How many signatures each compiled function of ours has."""
    found = {}
    for module in pkgutil.walk_packages(processors.__path__, "processors."):
        for name, thing in vars(importlib.import_module(module.name)).items():
            if isinstance(thing, CPUDispatcher):
                found[f"{module.name}.{name}"] = len(thing.nopython_signatures)
    return found


def test_the_cache_is_named_by_all_sources_but_the_oracles() -> None:
    here = Path(processors.__file__).parent
    of_the_oracle = set((here / "oracle").glob("*.py"))
    assert of_the_oracle
    assert set(jit.sources()) == {*here.rglob("*.py"), *(here.parent / "schemas").glob("*.py")} - of_the_oracle


def work(one: World, size: int) -> None:
    """A step that takes every way from Python into compiled code."""
    records = [event(0, f"c{n}", id=f"{size}-{n}") for n in range(size)]
    records += [Record(JSON % n, 0) for n in range(size // 2)] + [Record(None, 0)] * (size // 3)
    one.step(*records, to_ms=7_200_000)
    one.step(budget=size)
    assert one.partition.row_of("nobody") == 0


def test_a_second_step_of_other_sizes_compiles_nothing() -> None:
    rule_set = rules(t="count(purchase, 1h) >= 1\ndwell: 1m", u="count(browse, 1h) >= 1")
    with tiny_memory():
        work(World(Partition(rule_set), ("browse",)), 50)
    before = compiled()
    for size in (0, 1, 3, 700):
        work(World(Partition(rule_set), ("browse",)), size)
    work(World(Partition(rules(), number=1, partitions=4), ("browse",)), 5)
    one = World(Partition(rule_set), (None, None))
    for size in (1, 0, 9):
        work(one, size)
    assert compiled() == before
    if not numba_config.DISABLE_JIT:
        for function in (step.apply_events, step.fire_due, step.begin_step, decode.decode):
            assert len(function.nopython_signatures) == 1, function


def test_there_is_compiled_code_to_look_at() -> None:
    assert numba_config.DISABLE_JIT or len(compiled()) > 40
