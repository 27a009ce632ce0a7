"""What more rules cost those events that do not concern them: the engine alone, with 10 to 10,000 tags.

All rule sets have the same ten tags of TagBench-1, whose changes must be the same in all of them. The others are

- *untouched*: about things that no event of the benchmark is about, each about another one;
- *touched in part*: each about one of the 10,000 products that are sold, and TagBench-1's page views and purchases are
  of one product each. So with 10,000 rules most events touch one of them, and with 1,000 every tenth.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final, NamedTuple

import numpy as np
import yaml

from benchmarks.data import TYPES, Event, Generator
from benchmarks.stand import ROOT
from processors import layout as L
from processors.decoder import Decoder
from processors.partition import Partition, StepOutput
from processors.rules.compile import compile_rules
from processors.rules.load import load_rules
from processors.rules.program import I64, Program
from processors.rules.tree import RuleSet
from schemas.registry import OWN_WRITERS
from streams.local.server import Say

__all__ = ["growth"]

KINDS: Final = ("untouched", "touched")
SIZES: Final = (10, 100, 1_000, 10_000)
BASE: Final = 10
"""Tags of TagBench-1 that are in every rule set. Their ids come before all others, so they are tags 0 to 9."""
TAGBENCH: Final = ROOT / "benchmarks" / "rules" / "tagbench.yaml"
EVENTS: Final = 300_000
CUSTOMERS: Final = 15_000
FIRST_MS: Final = 1_760_000_000_000
LENGTH_MS: Final = 120 * L.DAY_MS
STEP_EVENTS: Final = 10_000
ID_WORDS: Final = 2
"""Words of a customer's id."""
RUNS: Final = 3
"""In turns over the rule sets, so that what else the machine does meets all of them alike. The least counts: other work
only adds."""

# "#" stands for the tag's number
UNTOUCHED: Final = (
    'count(browse where category == "aisle#", 30d) >= 2',
    'count(browse where page_type == "sale#" and dwell_ms >= 5000, 7d) >= 3',
    'sum(purchase.amount where kind == "order" and category == "aisle#", 90d) >= 500',
    'count(purchase where coupon_id in ["c#", "d#"], 30d) >= 1 and count(service where topic == "t#", 7d) == 0',
    "count(profile, 30d) > # and present(profile.a#)",
)
TOUCHED: Final = (
    'count(browse where product_id == "p#", 30d) >= 2',
    'sum(purchase.amount where product_id == "p#", 90d) >= 500',
)


class Case(NamedTuple):
    """One rule set."""

    kind: str
    """`untouched`, or `touched` in part."""
    rules: int
    rule_set: RuleSet
    program: Program
    load_s: float
    compile_s: float


class Run(NamedTuple):
    """What came of the events."""

    seconds: float
    """Processor time of decoding and steps."""
    state_bytes: int
    customers: int
    changes: I64
    """Of the base tags: tag, values before and after, effective_at, number of the event or -1, words of the id."""


def growth(
    say: Say, events: int = EVENTS, customers: int = CUSTOMERS, sizes: tuple[int, ...] = SIZES
) -> list[dict[str, Any]]:
    """Figures of each rule set: the fewest rules, then those with more of each kind.

    Raises AssertionError if what was added changes anything for the base tags.
    """
    given = [e for block in Generator(customers).spread(events, FIRST_MS, LENGTH_MS) for e in block]
    cases = []
    for kind, size in [("untouched", sizes[0]), *((kind, size) for kind in KINDS for size in sizes[1:])]:
        say(f"growth: reading {size:,} rules")
        cases.append(_case(kind, size))
    _run(cases[0], given[:STEP_EVENTS])  # what is not compiled yet is compiled now
    runs: list[list[Run]] = [[] for _ in cases]
    for number in range(RUNS):
        for case, found in zip(cases, runs, strict=True):
            say(f"growth: run {number + 1} of {RUNS}, {case.rules:,} rules {case.kind}")
            found.append(_run(case, given))
    expected = runs[0][0].changes
    assert expected.size, "the base tags have changes"
    for found in runs:
        assert all(np.array_equal(run.changes, expected) for run in found), "rules that were added changed others"
    fewest_s = min(run.seconds for run in runs[0])
    return [_figures(case, found, events, fewest_s) for case, found in zip(cases, runs, strict=True)]


def _rules_text(kind: str, size: int) -> str:
    """The base tags, and as many others of this kind as are wanted."""
    base = yaml.safe_load(TAGBENCH.read_text(encoding="utf-8"))[:BASE]
    templates = UNTOUCHED if kind == "untouched" else TOUCHED
    named = {"name": "-", "class": "dynamic", "category": "behaviour"}
    added = [
        {"tag": f"x{number:05}", **named, "when": templates[number % len(templates)].replace("#", str(number))}
        for number in range(size - BASE)
    ]
    return json.dumps([*base, *added])


def _case(kind: str, size: int) -> Case:
    text = _rules_text(kind, size)
    began = time.process_time()
    rule_set = load_rules({"growth.yaml": text}, time_zone="UTC", default_currency="CNY")
    loaded = time.process_time()
    program = compile_rules(rule_set)
    return Case(kind, size, rule_set, program, loaded - began, time.process_time() - loaded)


def _run(case: Case, events: list[Event]) -> Run:
    """All events through a fresh partition, in steps."""
    partition = Partition(case.rule_set, program=case.program)
    decoder = Decoder([*TYPES], OWN_WRITERS)
    seconds = 0.0
    changes = []
    for first in range(0, len(events), STEP_EVENTS):
        some = events[first : first + STEP_EVENTS]
        payloads: list[bytes | None] = [e.value for e in some]
        arrivals, types = np.array([(e.at_ms, e.type) for e in some], np.int64).T.copy()
        places = np.arange(len(some), dtype=np.int64)
        began = time.process_time()
        output = partition.step(decoder.decode(payloads, arrivals, places, types), places, 0)
        seconds += time.process_time() - began
        changes.append(_of_base(output, first))
    sizes = partition.sizes()
    return Run(seconds, sizes["bytes"], sizes["rows"], np.concatenate(changes))


def _of_base(output: StepOutput, first: int) -> I64:
    """The changes of the base tags; `first` is the number of the step's first event."""
    found = output.changes[output.changes[:, L.CH_TAG] < BASE]
    event = found[:, L.CH_EVENT]
    ids = output.touched[found[:, L.CH_CUSTOMER, None] + L.TO_ID + np.arange(ID_WORDS)]
    return np.column_stack(
        [found[:, [L.CH_TAG, L.CH_BEFORE, L.CH_AFTER, L.CH_AT]], np.where(event < 0, -1, event + first), ids]
    )


def _figures(case: Case, runs: list[Run], events: int, fewest_s: float) -> dict[str, Any]:
    """`fewest_s` is what the fewest rules took."""
    seconds = min(run.seconds for run in runs)
    return {
        "kind": case.kind,
        "rules": case.rules,
        "events_per_s": events / seconds,
        "ns_per_event": seconds / events * 1e9,
        "ratio": seconds / fewest_s,
        "state_bytes_per_customer": runs[0].state_bytes / runs[0].customers,
        "load_s": case.load_s,
        "compile_s": case.compile_s,
    }
