"""`python -m benchmarks`: measures what is asked for, prints a table, writes JSON."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from benchmarks.delay import delay
from benchmarks.growth import growth
from benchmarks.recovery import recovery
from benchmarks.replay import replay
from benchmarks.report import circumstances, show
from benchmarks.stand import forget_settings
from benchmarks.throughput import throughput
from benchmarks.verify import verify
from schemas.errors import TagstreamError
from streams.local.choose import choose_kafka
from streams.local.run_directory import new_run_directory
from streams.local.server import Say

What = Literal["throughput", "delay", "replay", "growth", "recovery", "verify", "all"]

TAGBENCH = Path(__file__).with_name("rules")


def main(
    what: Annotated[What, typer.Argument(help="What to measure.")] = "all",
    events: Annotated[int, typer.Option(min=1_000, help="Events of throughput, recovery and verify.")] = 1_000_000,
    customers: Annotated[int, typer.Option(min=1, help="Customers of the same.")] = 50_000,
    rate: Annotated[int, typer.Option(min=1, help="Events a second of the delay.")] = 5_000,
    rules: Annotated[Path, typer.Option(help="Rules of throughput and delay; default: TagBench-1's.")] = TAGBENCH,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Measure on this machine, with a broker and a Redis that are started for it and end with it."""
    # Ended by a signal, everything that was started ends as with ^C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    forget_settings()
    console = Console()
    found = circumstances()
    run_dir = new_run_directory()
    try:
        with console.status("starting") as status:
            found["results"] = _measure(what, run_dir, events, customers, rate, rules, status.update)
    except Exception:
        console.print(f"The logs of what failed are in {run_dir}")
        raise
    except BaseException:
        shutil.rmtree(run_dir)
        raise
    shutil.rmtree(run_dir)
    show(console, found)
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=2) + "\n")


def _measure(
    what: What, run_dir: Path, events: int, customers: int, rate: int, rules: Path, say: Say
) -> dict[str, Any]:
    """By name. Each starts from an empty broker of its own, so that none pays for what another has left to do."""
    results: dict[str, Any] = {}
    if what in ("throughput", "all"):
        with choose_kafka(run_dir, say=say) as kafka:
            results["throughput"] = throughput(kafka.bootstrap, run_dir, rules, events, customers, say)
    if what in ("delay", "all"):
        with choose_kafka(run_dir, say=say) as kafka:
            results["delay"] = delay(kafka.bootstrap, run_dir, rules, rate, say)
    if what in ("replay", "all"):
        results["replay"] = replay(say)
    if what in ("growth", "all"):
        results["growth"] = growth(say)
    if what == "recovery":
        with choose_kafka(run_dir, say=say) as kafka:
            results["recovery"] = recovery(kafka.bootstrap, run_dir, rules, events, customers, say)
    if what == "verify":
        with choose_kafka(run_dir, say=say) as kafka:
            results["verify"] = verify(kafka.bootstrap, run_dir, rules, events, customers, say)
    return results


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except TagstreamError as error:
        sys.exit(str(error))
