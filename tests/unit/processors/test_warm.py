"""Warming compiles all that is called later, and leaves no old code behind."""

from __future__ import annotations

import importlib
import pkgutil
import random
from pathlib import Path

import pytest
from numba.core import config
from numba.core.dispatcher import Dispatcher

import processors
from processors import warm
from processors.partition import Partition
from processors.replay import replay
from tests.oracle.generate import random_scenario
from tests.unit.processors.histories import history_of


def compiled() -> dict[str, int]:
    """How many combinations of argument types each compiled function has been called with from Python."""
    found = {}
    for module in pkgutil.walk_packages(processors.__path__, "processors."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Dispatcher):
                found[f"{module.name}.{name}"] = len(value.signatures)
    return found


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="NUMBA_DISABLE_JIT is set; unset it")
def test_after_warming_a_replay_and_a_recovery_compile_nothing_more() -> None:
    warm.run()
    before = compiled()
    assert before["processors.step.apply_events"] > 0
    scenario = random_scenario(random.Random(1))
    partition = Partition(scenario.rule_set)
    for _ in replay(partition, history_of(scenario), scenario.until_ms, 3):
        pass
    partition.row_of("nobody")
    assert compiled() == before


def test_folders_of_other_sources_are_removed_and_nothing_else(tmp_path: Path) -> None:
    kept, old, other = tmp_path / "numba-1", tmp_path / "numba-2", tmp_path / "other"
    for folder in (kept, old, other):
        folder.mkdir()
        (folder / "x").write_text("")
    (tmp_path / "numba-file").write_text("")
    warm.remove_others(kept)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["numba-1", "numba-file", "other"]
