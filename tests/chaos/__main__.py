"""Breaks everything on purpose, on a real broker and a real Redis under load, and then compares.

    python -m tests.chaos                           all kinds of faults for ten minutes, 20,000 events a second
    python -m tests.chaos --seed 7 --seconds 3600
    python -m tests.chaos --short                   one of each sort, at a rate that a busy machine carries too

Ends with exit code 1 if anything differs, took too long, or was not done. What this machine cannot do is said.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from benchmarks.stand import ROOT, Stand, forget_settings
from schemas.errors import ConfigError, TagstreamError
from streams.local import jars
from streams.local.child import Child
from streams.local.kafka import LocalKafka
from streams.local.ports import HOST
from streams.local.redis import LocalRedis, find_server
from streams.local.run_directory import new_run_directory
from tests.chaos import network
from tests.chaos.director import Fired, direct, wait_until_mended
from tests.chaos.faults.kinds import KINDS, Kind
from tests.chaos.fleet import Fleet, Name
from tests.chaos.report import faults_table, good, invariants_table
from tests.chaos.rule_sets import NAMES, put_into, rules_of
from tests.chaos.scene import ENDS_WITHIN_S, SESSION_S, Scene
from tests.chaos.verifier.difference import Findings
from tests.chaos.verifier.judge import Verdict
from tests.chaos.verifier.verify import verify
from tests.chaos.watch import Watch

MEMBERS: Final[tuple[tuple[Name, str], ...]] = (
    ("tagger", "tagger-a"),
    ("tagger", "tagger-b"),
    ("projector", "projector-a"),
    ("projector", "projector-b"),
)
CAGED: Final = frozenset({"tagger-b", "projector-b"})
READY_WITHIN_S: Final = 180.0
DRAINED_WITHIN_S: Final = 120.0
LOAD_ENDS_WITHIN_S: Final = 330.0
"""It waits as long for a broker."""
SETTLED_S: Final = 3.0
"""After the last record: what was due is done, and the clocks have been seen to move."""
ROOM: Final = 1.2
"""Of the ids that are remembered, over those that are sent: forgetting some early is not what is tested here."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a run is."""

    seconds: float
    seed: int
    rate: int
    customers: int
    judged: int
    broker_away_most_s: float
    patience: float
    short: bool = False
    """Only one kind of each sort."""

    def settings(self, redis_url: str) -> dict[str, str]:
        """Of all roles."""
        ids = int(ROOM * self.rate * (self.seconds + READY_WITHIN_S + DRAINED_WITHIN_S))
        return {
            "REDIS__URL": redis_url,
            "TAGGER__SESSION_TIMEOUT_MS": str(SESSION_S * 1000),
            "TAGGER__SNAPSHOT_INTERVAL_S": "20",
            "TAGGER__DEDUPE_MAX_IDS": str(max(1_000_000, ids)),
            "PROJECTOR__RECONCILE_EVERY_MINUTES": "0",
        }


LONG: Final[dict[str, Any]] = {
    "seconds": 600.0,
    "rate": 20_000,
    "customers": 200_000,
    "judged": 400,
    "broker_away_most_s": 60.0,
    "patience": 1.0,
}
SHORT: Final[dict[str, Any]] = {
    "seconds": 0.0,
    "rate": 2_000,
    "customers": 20_000,
    "judged": 100,
    "broker_away_most_s": 6.0,
    "patience": 3.0,
    "short": True,
}


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> int:
    # Ended by a signal, everything that was started ends as with ^C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    shape = _shape()
    lacks = jars.missing()
    if lacks:
        raise ConfigError("TS-C201", f"This machine cannot run Kafka: {' and '.join(lacks)} is missing")
    if find_server() is None:
        raise ConfigError("TS-C202")
    # in a network of its own there is no line to fetch anything by
    jars.fetch(say)
    network.enter()
    reason = network.why_not()
    forget_settings()
    kinds = [kind for kind in KINDS if kind.is_short or not shape.short]
    skipped = tuple(kind for kind in kinds if kind.needs_network and reason is not None)
    for kind in skipped:
        say(f"SKIPPED: {kind.name}: {reason}")
    say(f"seed {shape.seed}, {shape.rate:,} records a second of {shape.customers:,} customers")
    wanted = tuple(kind for kind in kinds if kind not in skipped)
    run_dir = new_run_directory()
    fired, verdict = _run(shape, run_dir, wanted, HOST if reason else network.SERVERS)
    for line in (*faults_table(fired, wanted, skipped, verdict.findings), "", *invariants_table(verdict.findings)):
        print(line)
    if good(fired, wanted, verdict.findings):
        shutil.rmtree(run_dir)
        return 0
    print(f"Seed {shape.seed}. The logs are in {run_dir}")
    return 1


def _shape() -> Shape:
    parser = argparse.ArgumentParser(description="Breaks everything on purpose, under load, and then compares.")
    parser.add_argument("--short", action="store_true", help="one kind of each sort, at a lower rate")
    parser.add_argument("--seconds", type=float, help="of faults; the first round is finished even if it takes longer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, help="records a second")
    parser.add_argument("--customers", type=int)
    parser.add_argument("--judged", type=int, help="customers that the oracle recomputes")
    parser.add_argument("--patience", type=float, help="what the promised times are multiplied by")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    return Shape(**(SHORT if given.pop("short") else LONG) | given)


def _run(shape: Shape, run_dir: Path, kinds: tuple[Kind, ...], host: str) -> tuple[list[Fired], Verdict]:
    """The whole of a run. All processes have ended when it returns, or raises."""
    with ExitStack() as stack:
        rules = list(put_into(run_dir / "rules").values())
        kafka = stack.enter_context(LocalKafka(run_dir, say=say, host=host))
        server = stack.enter_context(LocalRedis(run_dir, say=say, host=host))
        client = stack.enter_context(redis.Redis.from_url(server.url, decode_responses=True))
        stand = stack.enter_context(Stand(kafka.bootstrap, "chaos", run_dir, rules[0]))
        stand.create_topics("LogAppendTime")
        caged = frozenset() if host == HOST else CAGED
        fleet = Fleet(stand, shape.settings(server.url), caged)
        watch = stack.enter_context(closing(Watch(stand.kafka, server.url)))
        findings = Findings()
        scene = Scene(
            kafka, server, client, fleet, watch, random.Random(shape.seed), findings, shape.patience,
            shape.broker_away_most_s, rules,
        )  # fmt: skip
        stack.enter_context(closing(scene))
        for kind, name in MEMBERS:
            fleet.start(kind, name)
        load = _start_load(stack, stand, shape, run_dir)
        if not scene.until(lambda: watch.shown_ms() > 0, READY_WITHIN_S):
            raise TimeoutError("the pipeline does not work, even before the first fault")
        fired = direct(scene, kinds, shape.seconds, say)
        _end(scene, load)
        watch.close()
        for name, count in sorted((scene.hits + fleet.ended).items()):
            say(f"{name}: {count}")
        rule_sets = [rules_of(name) for name in NAMES]
        verdict = verify(stand.kafka, client, watch.journal, rule_sets, shape.judged, shape.seed, findings, say)
        say(
            f"{verdict.records:,} records, {verdict.changes:,} changes of {verdict.customers:,} customers, "
            f"{verdict.judged} of them judged by the oracle, {verdict.claims} claims of partitions, "
            f"{verdict.zombies} records of former owners, which nobody follows"
        )
        return fired, verdict


def _start_load(stack: ExitStack, stand: Stand, shape: Shape, run_dir: Path) -> Child:
    given = {
        "bootstrap": stand.kafka.bootstrap,
        "prefix": stand.kafka.topic_prefix,
        "partitions": stand.kafka.partitions,
        "rate": shape.rate,
        "customers": shape.customers,
        "seed": shape.seed,
    }
    options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    load = Child(
        (sys.executable, "-m", "tests.chaos.load", *options),
        log=run_dir / "load.log",
        env={"PYTHONPATH": str(ROOT)},
        cwd=run_dir,
    )
    stack.callback(load.kill)
    return load


def _end(scene: Scene, load: Child) -> None:
    """No more load; all of it is applied and shown; then all end in order, and what they leave behind is whole."""
    say("the load ends")
    code = load.stop(LOAD_ENDS_WITHIN_S)
    say(f"load: {load.tail(1)}")
    scene.findings.compare("I5", code == 0, f"the load ended with exit code {code}: {load.tail(5)}")
    mended_s = wait_until_mended(scene, "all of it", DRAINED_WITHIN_S)
    say(f"all was applied and shown {mended_s:.1f} s later")
    scene.wait(SETTLED_S)
    for member in scene.fleet.of("tagger"):
        scene.promise(f"the end of {member.name}", scene.fleet.stop(member, DRAINED_WITHIN_S), ENDS_WITHIN_S)
    scene.wait_until_still(SETTLED_S, DRAINED_WITHIN_S)
    for member in scene.fleet.of("projector"):
        scene.promise(f"the end of {member.name}", scene.fleet.stop(member, DRAINED_WITHIN_S), ENDS_WITHIN_S)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TagstreamError as error:
        sys.exit(str(error))
