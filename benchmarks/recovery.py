"""How soon a tagger that was killed works again: from a snapshot, from the journal alone, and when partitions move."""

from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.journal import Entry, Journal
from benchmarks.stand import PARTITIONS, STARTS_WITHIN_S, Metrics, Role, Stand, until
from benchmarks.throughput import done, total, while_running
from streams.local.server import Say

__all__ = ["recovery"]

SNAPSHOT_EVERY_S: Final = 10
NEVER_S: Final = 86_400
DONE_WITHIN_S: Final = 900.0
ONE: Final = {"KAFKA__INSTANCE_ID": "one"}
OTHER: Final = {"KAFKA__INSTANCE_ID": "other"}
FOLDED_EVENTS: Final = 1_000_000
FOLDED_CUSTOMERS: Final = 50_000


def recovery(bootstrap: str, run_dir: Path, rules: Path, events: int, customers: int, say: Say) -> dict[str, Any]:
    """All three; the state of the first is that of `customers` after `events`."""
    return {
        "snapshot": _from_snapshot(bootstrap, run_dir, rules, events, customers, say),
        "fold": _from_journal(bootstrap, run_dir, rules, say),
    }


def _from_snapshot(bootstrap: str, run_dir: Path, rules: Path, events: int, customers: int, say: Say) -> dict[str, Any]:
    with Stand(bootstrap, "snapshot", run_dir, rules) as stand:
        say(f"snapshot: loading {events:,} events")
        stand.load(events, customers)
        journal = Journal(stand.kafka)
        settings = {"CLOCK__FOLLOW_WALL": "false", "TAGGER__SNAPSHOT_INTERVAL_S": str(SNAPSHOT_EVERY_S), **ONE}
        try:
            tagger = _tagged(stand, "snapshot", journal, events, settings, say)
            say("snapshot: waiting until each partition has one")
            until(while_running(tagger, lambda: _all_saved(journal)), DONE_WITHIN_S, "each has a snapshot", 0)
            metrics = tagger.metrics()
            rate = _rate(journal.steps)
            say("snapshot: killed, and started again")
            again = _killed_and_started_again(stand, tagger, settings)
            say("snapshot: its partitions move to another one")
            moved_s = _moved(stand, again.tagger, settings)
        finally:
            journal.close()
        rows = total(metrics, "tagstream_state_rows")
        size = total(metrics, "tagstream_snapshot_bytes")
        return {
            "events": events,
            "customers": int(rows),
            "events_per_s_live": rate,
            "snapshot_bytes": size,
            "snapshot_bytes_per_customer": size / rows,
            "snapshots": int(total(metrics, "tagstream_snapshot_pause_seconds_count")),
            "pause_ms_mean": 1000 * _mean(metrics, "tagstream_snapshot_pause_seconds"),
            "pause_ms_at_most": 1000 * _at_most(metrics, "tagstream_snapshot_pause_seconds"),
            "seconds_to_ready": again.seconds,
            "seconds_a_partition": _mean(again.metrics, "tagstream_recovery_seconds"),
            "seconds_to_move": moved_s,
        }


def _from_journal(bootstrap: str, run_dir: Path, rules: Path, say: Say) -> dict[str, Any]:
    with Stand(bootstrap, "fold", run_dir, rules) as stand:
        say(f"fold: loading {FOLDED_EVENTS:,} events")
        stand.load(FOLDED_EVENTS, FOLDED_CUSTOMERS)
        journal = Journal(stand.kafka)
        settings = {"CLOCK__FOLLOW_WALL": "false", "TAGGER__SNAPSHOT_INTERVAL_S": str(NEVER_S), **ONE}
        try:
            tagger = _tagged(stand, "fold", journal, FOLDED_EVENTS, settings, say)
            rate = _rate(journal.steps)
            say("fold: killed, and started again")
            again = _killed_and_started_again(stand, tagger, settings)
        finally:
            journal.close()
        # partitions are folded side by side, a piece of each in turn, so each takes as long as all
        return {
            "events": FOLDED_EVENTS,
            "events_per_s_live": rate,
            "seconds_to_ready": again.seconds,
            "events_per_s": FOLDED_EVENTS / _mean(again.metrics, "tagstream_recovery_seconds"),
        }


class _Again:
    """A tagger that was killed and started again."""

    def __init__(self, tagger: Role, seconds: float) -> None:
        self.tagger = tagger
        self.seconds = seconds
        """From the start of the process until it is ready."""
        self.metrics = tagger.metrics()


def _killed_and_started_again(stand: Stand, tagger: Role, settings: dict[str, str]) -> _Again:
    tagger.child.kill()
    began_s = time.monotonic()
    # under the same name, so that the group has no dead member to wait for
    again = stand.start("tagger", "--leave", **settings)
    until(again.ready, STARTS_WITHIN_S, "it works again")
    return _Again(again, time.monotonic() - began_s)


def _moved(stand: Stand, tagger: Role, settings: dict[str, str]) -> float:
    """Start a second one, and ask the first to leave. Returns the seconds until the second works on all partitions."""
    other = stand.start("tagger", **settings | OTHER)
    until(other.ready, STARTS_WITHIN_S, "the second one has partitions")
    began_s = time.monotonic()
    tagger.child.signal(signal.SIGTERM)
    running = partial(_partitions_running, other)
    until(lambda: running() == PARTITIONS, STARTS_WITHIN_S, "the second one has all partitions")
    return time.monotonic() - began_s


def _partitions_running(tagger: Role) -> int:
    name = "tagstream_partitions"
    return int(
        sum(v for (found, labels), v in tagger.metrics().items() if found == name and ("state", "running") in labels)
    )


def _tagged(stand: Stand, name: str, journal: Journal, events: int, settings: dict[str, str], say: Say) -> Role:
    """A tagger that has applied all events."""
    tagger = stand.start("tagger", **settings)
    say(f"{name}: tagging {events:,} events")
    until(while_running(tagger, partial(done, journal, events)), DONE_WITHIN_S, "all was applied", 0)
    return tagger


def _all_saved(journal: Journal) -> bool:
    """Whether every partition has a snapshot behind its last event."""
    journal.read()
    last = {e.record.partition: e.record.step for e in journal.steps if e.events}
    saved = {e.record.partition: e.record.step for e in journal.entries if e.record.kind == "snapshot"}
    return all(saved.get(p, 0) >= step for p, step in last.items())


def _rate(steps: list[Entry]) -> float:
    """Events a second from the second step on: the first one loads the compiled code."""
    began_ms = steps[0].stamp_ms
    busy = [e for e in steps if e.events]
    later = [e for e in busy if e.stamp_ms > began_ms + 100]
    return sum(e.events for e in later) / max(1, busy[-1].stamp_ms - began_ms) * 1000


def _mean(metrics: Metrics, name: str) -> float:
    return total(metrics, f"{name}_sum") / max(1.0, total(metrics, f"{name}_count"))


def _at_most(metrics: Metrics, name: str) -> float:
    """The bound of the highest bucket that holds anything."""
    count = total(metrics, f"{name}_count")
    bounds = [
        float(dict(labels)["le"])
        for (found, labels), value in metrics.items()
        if found == f"{name}_bucket" and value >= count
    ]
    return min(bounds)
