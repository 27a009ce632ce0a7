"""How many events a second one tagger gets through, transactions on, when all of them wait for it in Kafka."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.journal import Journal
from benchmarks.processes import Process
from benchmarks.stand import STARTS_WITHIN_S, Metrics, Role, Stand, until
from streams.local.server import Say
from streams.settings import TaggerSettings

__all__ = ["done", "throughput", "total", "while_running"]

WARM_UP_EVENTS: Final = 50_000
DONE_WITHIN_S: Final = 600.0
US: Final = 1e6
NS: Final = 1e9


def throughput(bootstrap: str, run_dir: Path, rules: Path, events: int, customers: int, say: Say) -> dict[str, Any]:
    """Rate, processor time and memory of one run, after a short one that compiles and that nobody looks at."""
    say("throughput: warming up")
    _run(bootstrap, run_dir, "warm", rules, WARM_UP_EVENTS, customers, say)
    return _run(bootstrap, run_dir, "throughput", rules, events, customers, say)


def _run(
    bootstrap: str, run_dir: Path, name: str, rules: Path, events: int, customers: int, say: Say
) -> dict[str, Any]:
    with Stand(bootstrap, name, run_dir, rules) as stand:
        say(f"{name}: loading {events:,} events")
        stand.load(events, customers)
        say(f"{name}: tagging them")
        journal = Journal(stand.kafka)
        broker = Process.of_broker()
        try:
            tagger = stand.start("tagger", CLOCK__FOLLOW_WALL="false")
            until(while_running(tagger, journal.has_claim_now), STARTS_WITHIN_S, "a partition was taken", 0)
            process = Process.of_child(tagger.child)
            before = _cpu_s(process), _cpu_s(broker)
            until(while_running(tagger, partial(done, journal, events)), DONE_WITHIN_S, "all was applied", 0)
            after = _cpu_s(process), _cpu_s(broker)
            metrics = tagger.metrics()
            return {
                **_rates(journal, events),
                "customers": customers,
                "tagger_cpu_us_per_event": _each(before[0], after[0], events),
                "broker_cpu_us_per_event": _each(before[1], after[1], events),
                "tagger_peak_mib": process.peak_mib() if process else None,
                "stage_ns_per_event": _stages(metrics, events),
                "state_bytes": total(metrics, "tagstream_state_bytes"),
            }
        finally:
            journal.close()


def while_running(tagger: Role, done: Callable[[], bool]) -> Callable[[], bool]:
    """Asks `done`, if there is still somebody to wait for."""

    def ask() -> bool:
        tagger.check()
        return done()

    return ask


def done(journal: Journal, events: int) -> bool:
    """Whether all events were applied, and all that time brings about until then."""
    return journal.events_now() >= events and journal.settled(TaggerSettings().max_step_timers)


def _rates(journal: Journal, events: int) -> dict[str, Any]:
    """From the first claim, before which nothing is fetched, to the last step, by the broker's stamps."""
    assert journal.outcomes["applied"] == events, f"of {events}: {journal.outcomes}"
    first_ms = min(e.stamp_ms for e in journal.claims)
    steps = journal.steps
    seconds = (steps[-1].stamp_ms - first_ms) / 1000
    # Without the first transaction, in which the compiled code is loaded, and its events.
    began_ms = steps[0].stamp_ms
    later = [e for e in steps if e.stamp_ms > began_ms + 100]
    return {
        "events": events,
        "seconds": seconds,
        "events_per_s": events / seconds,
        "seconds_to_first_step": (began_ms - first_ms) / 1000,
        "events_per_s_after_first_step": sum(e.events for e in later) / max(1, steps[-1].stamp_ms - began_ms) * 1000,
        "steps": len(steps),
        "changes_per_event": journal.changes / events,
    }


def _cpu_s(process: Process | None) -> float | None:
    return process.cpu_s() if process else None


def _each(before_s: float | None, after_s: float | None, events: int) -> float | None:
    return None if before_s is None or after_s is None else (after_s - before_s) / events * US


def _stages(metrics: Metrics, events: int) -> dict[str, float]:
    """Time by the clock on the wall, of the one thread that does all of them."""
    name = "tagstream_step_stage_seconds_sum"
    return {dict(labels)["stage"]: value / events * NS for (found, labels), value in metrics.items() if found == name}


def total(metrics: Metrics, name: str) -> float:
    """The sum of all series of this name."""
    return sum(value for (found, _), value in metrics.items() if found == name)
