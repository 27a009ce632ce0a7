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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final, TypeVar
from unittest import mock

from processors.encode_tables import encode_tables
from processors.rules.compile import compile_rules
from processors.rules.tree import RuleSet
from schemas.records import JournalRecord
from streams.log import Message, TopicPartition
from tests.simulation.calm import compare_with_calm, is_comparable
from tests.simulation.judge import judge
from tests.simulation.kinds import Kind
from tests.simulation.plan import draw
from tests.simulation.trace import Trace
from tests.simulation.watch import watching
from tests.simulation.world import World

__all__ = ["Failure", "prepared", "run_seed", "run_seeds"]


T = TypeVar("T")

COMPARED: Final = 3
"""Every so manyth run is made once more without faults, where that must come to the same."""


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
        with watching(world.trace):
            world.run()
            judge(world)
        if seed % COMPARED == 0 and is_comparable(world):
            compare_with_calm(world)
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


def once_by_rules(make: Callable[..., T]) -> Callable[..., T]:
    """What a process makes of its rules when it starts: here a start must cost no more than a turn."""
    made: dict[tuple[object, ...], tuple[RuleSet, T]] = {}

    def once(rule_set: RuleSet, *more: object) -> T:
        # a rule set cannot be hashed; it is kept, so that no other one gets its identity
        key = id(rule_set), *more
        if key not in made:
            made[key] = rule_set, make(rule_set, *more)
        return made[key][1]

    return once


@contextmanager
def prepared() -> Iterator[None]:
    """Limits of the product made so small that runs of a hundred events come to them."""
    # a journal is read again at each taking of its partition, and reading a record takes as long as ten requests
    read_once = lru_cache(maxsize=4_096)(JournalRecord.from_value)

    def journal_record(place: TopicPartition, message: Message) -> JournalRecord:
        return read_once(message.value() or b"")

    with ExitStack() as stack:
        for name, value in {
            "streams.tagger.journal.journal_record": journal_record,
            "processors.encode.T.encode_tables": once_by_rules(encode_tables),
            "streams.tagger.rules.compile_rules": once_by_rules(compile_rules),
            "streams.tagger.loop.HOLD_MOST": 12,
            "streams.tagger.loop.HOLD_AGAIN": 5,
            "streams.tagger.backfill.CUSTOMERS_PER_TRANSACTION": 2,
            "streams.tagger.changeover.ROWS_PER_PIECE": 2,
            "streams.tagger.rebuild.STEP_MOST": 7,
            "streams.tagger.patient_reader.SILENT_READS": 400,
            "processors.snapshot.CHUNK_WORDS": 60_000,
        }.items():
            stack.enter_context(mock.patch(name, value))
        yield


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
    """One run, told in full."""
    world = World(draw(seed))
    plan, text = world.plan, None
    try:
        with prepared():
            with watching(world.trace):
                world.run()
                judge(world)
            if is_comparable(world):
                compare_with_calm(world)
    except Exception:
        text = traceback.format_exc()
    print("\n".join(world.trace.lines))
    rules = ", ".join(rule_set.version[-2:] for rule_set in plan.rule_sets)
    print(f"seed {seed}: {plan.mode}, {plan.partitions} partitions, {plan.members} taggers, rules {rules}")
    print(text or "as it must be")
    return text is not None


SHARE: Final = 50
"""Seeds that a process takes at a time."""
Done = tuple[int, Counter[Kind], list[tuple[int, str]]]
"""How many, what happened in them, and which have failed."""


def share_of(seeds: range) -> Done:
    counts: Counter[Kind] = Counter()
    return len(seeds), counts, [(failure.seed, failure.error) for failure in run_seeds(seeds, counts)]


def campaign(seeds: range, seconds: float, processes: int) -> int:
    """Seed after seed until the time is up; tells of its progress, and of each that fails."""
    began_s, runs, failed = time.monotonic(), 0, 0
    counts: Counter[Kind] = Counter()
    shares = (seeds[start : start + SHARE] for start in range(0, len(seeds), SHARE))
    with multiprocessing.Pool(processes) as pool:
        # a pool asks for all of its work at once, so it is given no more than a round's
        while time.monotonic() < began_s + seconds and (some := list(islice(shares, 2 * processes))):
            for done, found, failures in pool.imap_unordered(share_of, some):
                runs += done
                counts.update(found)
                failed += len(failures)
                for seed, error in failures:
                    print(f"seed {seed} fails: {error}", flush=True)
            print(f"{runs} runs in {time.monotonic() - began_s:.0f} s, {failed} failed", flush=True)
    print()
    for kind in Kind:
        print(f"{counts[kind]:9}  {kind}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
