"""The taggers are right whatever goes wrong: a campaign of seeds, each a run of its own.

A seed that fails here is told in full by `python -m tests.simulation.campaign --seed N`; for more of them see there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.campaign import Failure, prepared, run_seed, run_seeds
from tests.simulation.kinds import Kind

ROOT: Final = Path(__file__).parents[2]
BLOCKS: Final = 8
SEEDS: Final = int(os.environ.get("SIMULATION_SEEDS", 400))
"""Some 25 s on one core. For a long campaign see campaign.py."""
MEETING: Final = range(100_000, 100_400)
"""Within so many runs everything must have been met; mostly half of them do."""


def told(failures: list[Failure]) -> str:
    lines = [f"python -m tests.simulation.campaign --seed {f.seed}\n  {f.error}" for f in failures]
    return "\n".join(lines)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_run_ends_as_it_must(block: int) -> None:
    share = SEEDS // BLOCKS
    failures = list(run_seeds(range(block * share, (block + 1) * share), Counter()))
    assert not failures, told(failures)


def test_everything_that_can_go_wrong_does() -> None:
    counts: Counter[Kind] = Counter()
    with prepared():
        for seed in MEETING:
            failure = run_seed(seed, counts)
            assert failure is None, told([failure])
            if all(counts[kind] for kind in Kind):
                return
    missing = [str(kind) for kind in Kind if not counts[kind]]
    assert not missing, f"never met: {missing}"


SCHEDULE: Final = """
import hashlib, sys
from tests.simulation.campaign import prepared
from tests.simulation.plan import draw
from tests.simulation.watch import watching
from tests.simulation.world import World
with prepared():
    for seed in range(4):
        world = World(draw(seed))
        with watching(world.trace):
            world.run()
        print(hashlib.sha256("\\n".join(world.trace.lines).encode()).hexdigest())
"""


def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    def schedules(hash_seed: str) -> str:
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = (sys.executable, "-c", SCHEDULE)
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert schedules("1") == schedules("2")
