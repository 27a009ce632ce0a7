"""How long `tagstream verify` takes to compute a history anew, and how much memory."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.journal import Journal
from benchmarks.processes import Process
from benchmarks.stand import STARTS_WITHIN_S, Role, Stand, until
from benchmarks.throughput import done, while_running
from schemas.errors import ConfigError
from streams.local.choose import choose_redis
from streams.local.server import Say

__all__ = ["verify"]

DONE_WITHIN_S: Final = 900.0
VERIFIED_WITHIN_S: Final = 7_200.0
SAMPLE: Final = 1_000
LOOK_EVERY_S: Final = 0.2


def verify(bootstrap: str, run_dir: Path, rules: Path, events: int, customers: int, say: Say) -> dict[str, Any]:
    """All of a history of `events`, and a sample of its customers."""
    with ExitStack() as held:
        server = choose_redis(run_dir, say=say)
        held.enter_context(server)
        stand = held.enter_context(Stand(bootstrap, "verify", run_dir, rules))
        say(f"verify: loading {events:,} events")
        stand.load(events, customers)
        roles = [stand.start("tagger", CLOCK__FOLLOW_WALL="false"), stand.start("projector", REDIS__URL=server.url)]
        for role in roles:
            until(role.ready, STARTS_WITHIN_S, f"the {role.name} is ready")
        journal = Journal(stand.kafka)
        held.callback(journal.close)
        until(while_running(roles[0], partial(done, journal, events)), DONE_WITHIN_S, "all was applied", 0)
        roles[0].stop()
        say("verify: all")
        whole = _run(stand.start("verify", "--json", REDIS__URL=server.url))
        say(f"verify: {SAMPLE:,} customers")
        sample = _run(stand.start("verify", "--json", "--sample", str(SAMPLE), REDIS__URL=server.url))
    return {"events": events, "whole": whole, "sample": sample}


def _run(role: Role) -> dict[str, Any]:
    """The command from start to end. Raises ConfigError TS-C303 if it finds that anything is wrong."""
    began = time.perf_counter()
    peak: float | None = None
    process: Process | None = None
    while (code := role.child.exit_code()) is None:
        if time.perf_counter() - began > VERIFIED_WITHIN_S:
            raise TimeoutError(f"not within {VERIFIED_WITHIN_S:.0f} s: all is verified")
        process = process or Process.of_child(role.child)
        peak = (process and process.peak_mib()) or peak
        time.sleep(LOOK_EVERY_S)
    seconds = time.perf_counter() - began
    if code != 0:
        raise ConfigError("TS-C303", f"`tagstream verify` ended with exit code {code}: {role.child.tail(5)}")
    report = json.loads(role.child.tail(1))
    return {
        "seconds": seconds,
        "events_per_s": report["events"] / seconds,
        "customers": report["customers"],
        "passes": max(part["passes"] for part in report["partitions"]),
        "peak_mib": peak,
    }
