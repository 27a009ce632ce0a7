"""Runs seeds: thousands of installations in which nearly everything goes wrong, each judged at its end.

    python -m tests.simulation.campaign --seed 17               one run, with all that happened in it
    python -m tests.simulation.campaign --seeds 0 5000          a campaign
    python -m tests.simulation.campaign --seconds 600 --processes 2

A seed is a run: it fails again on every machine, until the code or the drawing changes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from unittest import mock

import structlog

from processors.rules.compile import compile_rules
from processors.rules.program import Program
from processors.rules.tree import RuleSet
from tests.simulation.judge import judge
from tests.simulation.kinds import Kind
from tests.simulation.plan import draw
from tests.simulation.trace import Trace
from tests.simulation.world import World

__all__ = ["Failure", "run_seed", "run_seeds"]

TOLD: Final = {
    "snapshot.written": Kind.SNAPSHOT_WRITTEN,
    "snapshot.not_written": Kind.SNAPSHOT_NOT_WRITTEN,
    "journal.cut_and_no_snapshot": Kind.REBUILT,
    "journal.older_epochs_ignored": Kind.STRAY_IGNORED,
}
"""What the product's own log says of where it was led."""
PASSED_OVER: Final = {"damaged": Kind.PASSED_OVER_DAMAGED, "other_rules": Kind.PASSED_OVER_OTHER_RULES}


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that did not end as it must."""

    seed: int
    error: str
    """The last line of it."""
    trace: Trace
    text: str
    """All of it, with the call stack."""


def run_seed(seed: int, counts: Counter[Kind] | None = None) -> Failure | None:
    """One run, judged. What happened in it is added to `counts`."""
    world = World(draw(seed))
    try:
        with telling(world.trace):
            world.run()
            judge(world)
    except Exception as error:
        return Failure(seed, f"{type(error).__name__}: {error}", world.trace, traceback.format_exc())
    finally:
        if counts is not None:
            counts.update(world.trace.counts)
    return None


def run_seeds(seeds: range, counts: Counter[Kind]) -> Iterator[Failure]:
    """Those of the seeds that fail."""
    with prepared():
        for seed in seeds:
            failure = run_seed(seed, counts)
            if failure is not None:
                yield failure


# ------------------------------------------------------------------------------------------------- surroundings


@contextmanager
def prepared() -> Iterator[None]:
    """Limits of the product made so small that runs of a hundred events come to them."""
    by_identity: dict[int, tuple[RuleSet, Program]] = {}

    def compile_once(rule_set: RuleSet) -> Program:
        if id(rule_set) not in by_identity:
            by_identity[id(rule_set)] = rule_set, compile_rules(rule_set)
        return by_identity[id(rule_set)][1]

    with ExitStack() as stack:
        for name, value in {
            "streams.tagger.loop.compile_rules": compile_once,
            "streams.tagger.loop.HOLD_MOST": 12,
            "streams.tagger.loop.HOLD_AGAIN": 5,
            "streams.tagger.backfill.CUSTOMERS_PER_TRANSACTION": 2,
            "streams.tagger.rebuild.STEP_MOST": 7,
            "streams.tagger.patient_reader.SILENT_READS": 400,
            "processors.snapshot.CHUNK_WORDS": 60_000,
        }.items():
            stack.enter_context(mock.patch(name, value))
        yield


@contextmanager
def telling(trace: Trace) -> Iterator[None]:
    """The product's log goes into the trace, and nowhere else."""

    def tell(logger: object, level: str, event: MutableMapping[str, Any]) -> str:
        name = str(event.pop("event"))
        trace.note("", f"{name} {dict(event)}")
        if name in TOLD:
            trace.count(TOLD[name])
        elif name == "snapshot.passed_over":
            trace.count(PASSED_OVER[event["reason"]])
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[tell], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


# ------------------------------------------------------------------------------------------------- the command line


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs seeds of the simulation.")
    parser.add_argument("--seed", type=int, help="one run, with its schedule")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 1_000_000_000), metavar=("A", "B"))
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    if given.seed is not None:
        return replay(given.seed)
    return campaign(range(*given.seeds), given.seconds, given.processes)


def replay(seed: int) -> int:
    with prepared():
        plan = draw(seed)
        world_counts: Counter[Kind] = Counter()
        world = World(plan)
        failed = False
        try:
            with telling(world.trace):
                world.run()
                judge(world)
        except Exception:
            failed = True
            text = traceback.format_exc()
        print(f"seed {seed}: {plan.mode}, {plan.partitions} partitions, {plan.members} taggers, rates {plan.rates}")
        print("\n".join(world.trace.lines))
        world_counts.update(world.trace.counts)
        print(text if failed else "as it must be")
    return int(failed)


def campaign(seeds: range, seconds: float, processes: int) -> int:
    return 0


if __name__ == "__main__":
    sys.exit(main())
