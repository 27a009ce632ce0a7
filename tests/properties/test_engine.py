"""The engine equals the naive oracle on random rules and histories, however the history is cut, compiled or not."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import config as numba_config

from processors.oracle.judge import DAY_MS, run
from schemas.outcomes import Outcome
from schemas.records import Change
from tests.oracle.difference import diff
from tests.oracle.generate import WINDOWS_MS, Knobs, Scenario, random_scenario
from tests.oracle.strategies import scenarios
from tests.properties.engine_run import ONE_BY_ONE, WHOLE, EngineRun, random_cuts, run_engine, tiny_memory

ROOT = Path(__file__).parents[2]

IS_INTERPRETED = bool(numba_config.DISABLE_JIT)  # type: ignore[attr-defined]

BLOCKS = 12
SCENARIOS = int(os.environ.get("ENGINE_SCENARIOS", 48 if IS_INTERPRETED else 6_000))
"""Of the seeded campaign: some 20 s. For a long one, ENGINE_SCENARIOS=1000000."""

FIRST_SEED = int(os.environ.get("ENGINE_FIRST_SEED", 0))

PLAIN = Knobs(commands=True)
OVERLAPPING = Knobs(overlapping_leave=True, commands=True)
CROWDED = Knobs(max_tags=12, max_events=80, customers=12, commands=True)
KINDS = (PLAIN, OVERLAPPING, PLAIN, OVERLAPPING, PLAIN, CROWDED)
"""What is drawn for a seed, in turn."""

QUICK = Knobs(
    overlapping_leave=True,
    commands=True,
    long_silences=False,
    windows_ms=tuple(w for w in WINDOWS_MS if w is None or w <= DAY_MS),
)
"""For the engine as plain Python, where each minute of a silence costs a microsecond."""

SAYING = Knobs(commands=True, rich_percent=100)
"""Everything that the language has, with people and models that use it."""

INTERPRETED_SCENARIOS = 40


def scenario_of(seed: int) -> Scenario:
    return random_scenario(random.Random(seed), KINDS[seed % len(KINDS)])


def check_cuts(scenario: Scenario, rng: random.Random) -> None:
    """The same records in the same order, their numbers too, whether cut or not and whether memory grows or not. A
    budget for timers changes the order between customers alone, so neither a sum over changes nor the outcomes."""
    whole = run_engine(scenario, WHOLE)
    assert run_engine(scenario, ONE_BY_ONE).numbers() == whole.numbers()
    with tiny_memory():
        assert run_engine(scenario, WHOLE).numbers() == whole.numbers()
    cut = run_engine(scenario, random_cuts(rng))
    assert (cut.outcomes, cut.digest, cut.seq) == (whole.outcomes, whole.digest, whole.seq)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_the_engine_equals_the_oracle_in_a_seeded_campaign(block: int) -> None:
    share = SCENARIOS // BLOCKS
    changes = 0
    for seed in range(FIRST_SEED + block * share, FIRST_SEED + (block + 1) * share):
        scenario, rng = scenario_of(seed), random.Random(seed)
        expected = run(scenario.rule_set, scenario.events, scenario.until_ms)
        got = run_engine(scenario, random_cuts(rng)).result()
        difference = diff(expected, got, scenario.events)
        assert difference is None, f"ENGINE_FIRST_SEED={seed} ENGINE_SCENARIOS={BLOCKS}\n{difference}"
        changes += len(expected.changes)
        if seed % 8 == 0:
            check_cuts(scenario, rng)
    assert changes > share, "a campaign in which nothing happens proves nothing"


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(scenarios(OVERLAPPING), st.randoms(use_true_random=False))
def test_the_engine_equals_the_oracle_on_what_hypothesis_finds(scenario: Scenario, rng: random.Random) -> None:
    expected = run(scenario.rule_set, scenario.events, scenario.until_ms)
    difference = diff(expected, run_engine(scenario, random_cuts(rng)).result(), scenario.events)
    assert difference is None, difference


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_every_cut_gives_the_same_changes_numbers_and_digest(seed: int) -> None:
    scenario = scenario_of(seed)
    whole = run_engine(scenario, WHOLE)
    for other in range(6):
        rng = random.Random(other)
        cut = run_engine(scenario, random_cuts(rng))
        assert (cut.outcomes, cut.digest, cut.seq) == (whole.outcomes, whole.digest, whole.seq)
        assert sorted(map(without_numbers, cut.changes)) == sorted(map(without_numbers, whole.changes))
        check_cuts(scenario, rng)


def without_numbers(change: Change) -> str:
    """A change as text, without what depends on the order between customers."""
    told = asdict(change)
    for name in ("id", "seq", "prev_seq", "emitted_at"):
        del told[name]
    return json.dumps(told, sort_keys=True)


def test_the_campaign_meets_every_outcome_and_kind_of_change() -> None:
    outcomes = dict.fromkeys(Outcome, 0)
    seen: set[tuple[str, str]] = set()
    for seed in range(200):
        done = run_engine(random_scenario(random.Random(seed), SAYING), WHOLE)
        seen |= {(change.op, change.origin) for change in done.changes}
        for outcome, count in done.outcomes.items():
            outcomes[outcome] += count
    assert all(outcomes[o] > 0 for o in (Outcome.DEAD, Outcome.DUPLICATE, Outcome.LATE, Outcome.APPLIED)), outcomes
    origins = ("live", "timer", "manual", "model")
    expected = {(op, origin) for op in ("entered", "changed", "left") for origin in origins}
    assert seen == expected | {("left", "erasure")}


# -------------------------------------------------------------------------------------- compiled and interpreted


def interpretable_runs() -> list[EngineRun]:
    """Runs of the scenarios on which both ways of running the engine are compared."""
    return [
        run_engine(random_scenario(random.Random(seed), QUICK), random_cuts(random.Random(seed)))
        for seed in range(INTERPRETED_SCENARIOS)
    ]


def test_the_engine_as_plain_python_gives_what_the_compiled_one_gives() -> None:
    code = "import json, tests.properties.test_engine as t\n"
    code += "print(json.dumps([run.numbers() for run in t.interpretable_runs()]))"
    # Whichever way this process runs it, the other one runs it the other way.
    other_way = {**os.environ, "NUMBA_DISABLE_JIT": "0" if IS_INTERPRETED else "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=other_way, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    runs = interpretable_runs()
    assert json.loads(done.stdout) == json.loads(json.dumps([run.numbers() for run in runs]))
    assert sum(len(run.changes) for run in runs) > INTERPRETED_SCENARIOS
