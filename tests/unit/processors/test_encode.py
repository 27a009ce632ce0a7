"""What the compiled loops write is what the records' own classes write, byte for byte."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import config as numba_config

from processors.changes import ChangeWriter
from processors.decoder import Decoded, Decoder
from processors.encode import AvroEncoder
from processors.oracle.judge import DAY_MS
from processors.partition import UNLIMITED, Partition, StepOutput
from processors.rules.tree import RuleSet
from schemas.framing import frame_confluent
from schemas.records import CLOCK_KEY, Current
from schemas.registry import OWN_WRITERS, Writers
from tests.oracle.generate import WINDOWS_MS, Knobs, Scenario, random_scenario
from tests.oracle.strategies import scenarios
from tests.properties.engine_run import payload
from tests.unit.processors.world import START_MS, Record, event, rules

ROOT = Path(__file__).parents[3]

KNOBS = Knobs(
    max_tags=12,
    max_events=60,
    customers=8,
    long_silences=False,
    commands=True,
    windows_ms=tuple(w for w in WINDOWS_MS if w is None or w <= DAY_MS),
)
SCENARIOS = 30 if numba_config.DISABLE_JIT else 400


@dataclass(slots=True)
class Run:
    """A partition whose steps are written both ways."""

    partition: Partition
    encoder: AvroEncoder
    source: str = "tagstream"
    ids: tuple[int | None, int | None] = (None, None)
    run_id: str | None = None
    epoch: int = 0
    schemas: Writers = OWN_WRITERS
    decoder: Decoder | None = None

    def step(self, records: list[Record], clock: int = 0, budget: int = UNLIMITED, emitted_at: int = 0) -> int:
        """Apply them, move the clock to `clock` (ms), then compare what is to be written. Returns how many changes."""
        decoder = self.decoder = self.decoder or Decoder([None], self.schemas, self.partition.rule_set)
        zeros = np.zeros(len(records), np.int64)
        arrivals = np.array([START_MS + r.at_ms for r in records], np.int64)
        decoded = decoder.decode([r.value for r in records], arrivals, zeros, zeros)
        output = self.partition.step(decoded, np.arange(len(records), dtype=np.int64), clock, budget)
        self.compare(output, decoded, emitted_at)
        return len(output.changes)

    def compare(self, output: StepOutput, decoded: Decoded, emitted_at: int) -> None:
        writer = ChangeWriter(self.partition.rule_set)
        numbers = {"partition": self.partition.number, "epoch": self.epoch}
        made = writer.changes(output, decoded, emitted_at=emitted_at, **numbers)
        changes = [replace(c, source=self.source, run_id=self.run_id) for c in made]
        current = list(writer.current(output, self.partition.state.m, **numbers))
        got = self.encoder.changes(output, decoded, epoch=self.epoch, emitted_at=emitted_at, run_id=self.run_id)
        assert got.records() == [(c.customer_id.encode(), c.to_avro(self.ids[0])) for c in changes]
        got = self.encoder.current(output, self.partition.state.m, epoch=self.epoch, clock=output.clock)
        wanted = [(name.encode(), None if c is None else c.to_avro(self.ids[1])) for name, c in current]
        assert got.records() == wanted


def run_of(rule_set: RuleSet, number: int = 0, **how: object) -> Run:
    """A fresh partition, and an encoder for it."""
    run = Run(Partition(rule_set, number=number), AvroEncoder(rule_set, number, "tagstream", None, None))
    for name, value in how.items():
        setattr(run, name, value)
    run.encoder = AvroEncoder(rule_set, number, run.source, *run.ids)
    return run


def play(scenario: Scenario, rng: random.Random) -> int:
    """A scenario through the engine, everything else chosen at random. Returns the number of changes compared."""
    longs = (0, 1, -1, 63, 64, 8191, 8192, 1_764_547_200_000, 2**62, 2**63 - 1)
    run = run_of(
        scenario.rule_set,
        rng.choice((0, 7, 12_345)),
        source=rng.choice(("tagstream", "/shop/標籤", "")),
        ids=rng.choice(((None, None), (0, 1), (2**32 - 1, 300))),
        run_id=rng.choice((None, "", "run-7", "r" * 70)),
        epoch=rng.choice(longs),
    )
    run.partition.set_seq(rng.choice((0, 8, 9, 98, 10**9 - 1, 10**18 - 1, 2**62)))
    events = sorted(scenario.events, key=lambda e: e.arrival_ms)
    records = [Record(payload(e), e.arrival_ms - START_MS) for e in events]
    changes = start = 0
    while start < len(records):
        size = rng.choice((1, 2, 5, 1000))
        taken = records[start : start + size]
        changes += run.step(taken, 0, rng.choice((0, 1, UNLIMITED)), rng.choice(longs))
        start += size
    return changes + run.step([], run.partition.clock + rng.choice((0, DAY_MS)), UNLIMITED, 5)


def test_seeded_histories_are_written_as_the_records_write_them() -> None:
    changes = sum(play(random_scenario(random.Random(s), KNOBS), random.Random(s)) for s in range(SCENARIOS))
    assert changes > 10 * SCENARIOS, "a campaign in which nothing happens proves nothing"


@settings(
    max_examples=20 if numba_config.DISABLE_JIT else 100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(scenarios(KNOBS), st.randoms(use_true_random=False))
def test_histories_that_hypothesis_finds_are_written_as_the_records_write_them(
    scenario: Scenario, rng: random.Random
) -> None:
    play(scenario, rng)


def test_the_other_way_of_running_the_loops_writes_the_same() -> None:
    # Whichever way this process runs them, the other one runs them the other way.
    other_way = {**os.environ, "NUMBA_DISABLE_JIT": "0" if numba_config.DISABLE_JIT else "1"}
    code = "import random, tests.unit.processors.test_encode as t\n"
    code += "print(sum(t.play(t.random_scenario(random.Random(s), t.KNOBS), random.Random(s)) for s in range(20)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=other_way, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200


# ----------------------------------------------------------------------------------------------- texts of all lengths

ONCE = "count(browse, 1h) >= 1"


@pytest.mark.parametrize(
    "name", ["c", "é", "客户", "𝄞", "a\0b", "x" * 7, "x" * 8, "x" * 9, "y" * 63, "y" * 64, "é" * 128]
)
def test_an_id_of_any_length_up_to_256_bytes_is_key_and_field(name: str) -> None:
    run = run_of(rules(t=ONCE), number=2**31 - 1, epoch=2**63 - 1)
    run.partition.set_seq(2**62)
    assert run.step([event(0, name, "browse", id=name)], emitted_at=2**63 - 1) == 1


def id_last() -> dict[str, object]:
    """A writer's schema whose records end with the event's id."""
    fields = [
        {"name": "customer_id", "type": "string"},
        {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "event_id", "type": "string"},
    ]
    return {"type": "record", "name": "Browse", "namespace": "elsewhere", "fields": fields}


def ends_with_id(event_id: str) -> bytes:
    long = START_MS * 2
    time = bytearray()
    while long >= 128:
        time.append(long & 127 | 128)
        long >>= 7
    time.append(long)
    return b"\x00\x00\x00\x00\x09\x02c" + bytes(time) + bytes([len(event_id) * 2]) + event_id.encode()


@pytest.mark.parametrize("length", range(1, 34))
def test_a_cause_that_is_the_last_of_all_payloads_is_copied_whole(length: int) -> None:
    run = run_of(rules(t=ONCE), schemas=Writers(fetch_by_id={9: id_last()}.get))
    assert run.step([Record(ends_with_id("i" * length), 0)]) == 1


# --------------------------------------------------------------------------------------------------------------- tags


def test_tags_of_a_customer_stand_in_order_of_tag_however_they_came() -> None:
    tags = {f"t{n:03}": f"count(browse, 1h) >= {(n * 67) % 150 + 1}" for n in range(150)}
    run = run_of(rules(**tags))
    assert sum(run.step([event(n, "c", "browse")]) for n in range(150)) == 150
    assert run.step([event(200, "d", "browse"), event(201, "c", "browse")]) == 1


def test_levels_with_and_without_timing_are_written_before_and_after() -> None:
    tier = ["tier:", "- {level: gold, when: 'count(browse, 1h) >= 3'}", f"- {{level: silver, when: '{ONCE}'}}"]
    lines = "\n" + "\n  ".join(tier)
    run = run_of(rules(plain=lines, timed=lines + "\ndwell: 1m"))
    assert run.step([event(n, "c", "browse") for n in range(3)]) == 2, "plain is silver, then gold"
    assert run.step([], START_MS + 70_000) == 1, "timed is gold when its dwell is over"
    assert run.step([], START_MS + 3 * 3_600_000) == 2, "both leave"


def test_a_customer_of_whom_nothing_is_left_has_no_tags() -> None:
    run = run_of(rules(t=ONCE))
    assert run.step([event(0, "c", "browse")]) == 1
    assert run.step([], START_MS + 2 * 3_600_000) == 1
    assert run.partition.row_of("c") == 0


def test_customers_who_go_and_come_back_within_a_step_are_written_as_often() -> None:
    run = run_of(rules(t=ONCE))
    hours = [event(n * 2 * 3_600_000, name, "browse") for n in range(5) for name in ("c", "d")]
    assert run.step(hours) == 18


# ------------------------------------------------------------------------------------------------- buffers and framing


def test_buffers_grow_with_the_step_and_serve_the_next_one() -> None:
    run = run_of(rules(t=ONCE))
    for customers in (1, 500, 3, 1500):
        names = (f"{customers}-{n}-" + "x" * (n % 200) for n in range(customers))
        assert run.step([event(0, name, "browse", id=name) for name in names]) == customers


def test_a_step_without_changes_has_no_records() -> None:
    run = run_of(rules(t=ONCE))
    assert run.step([]) == 0
    assert run_of(rules()).step([event(0, "c", "browse")]) == 0


def test_changes_hold_while_current_is_encoded() -> None:
    run = run_of(rules(t=ONCE))
    decoded = Decoder([None], OWN_WRITERS).decode(
        [event(0, "c", "browse").value], np.array([START_MS]), np.zeros(1, np.int64), np.zeros(1, np.int64)
    )
    output = run.partition.step(decoded, np.zeros(1, np.int64), 0)
    changes = run.encoder.changes(output, decoded, epoch=1, emitted_at=2)
    before = changes.records()
    run.encoder.current(output, run.partition.state.m, epoch=1, clock=3).records()
    assert changes.records() == before


@pytest.mark.parametrize("schema_id", [None, 0, 1, 2**32 - 1])
def test_the_clocks_record_is_that_of_its_class(schema_id: int | None) -> None:
    rule_set = rules(t=ONCE)
    encoder = AvroEncoder(rule_set, 5, "tagstream", 77, schema_id)
    version = rule_set.version
    clock = Current(customer_id=CLOCK_KEY, partition=5, epoch=3, seq=9, clock=START_MS, rule_version=version)
    assert encoder.clock_record(3, 9, START_MS) == clock.to_avro(schema_id)
    if schema_id is not None:
        assert clock.to_avro(schema_id) == frame_confluent(schema_id, "current", clock.to_record())
