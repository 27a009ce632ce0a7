"""What was measured, as a table for people and as JSON with all that is needed to read it later."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import confluent_kafka
from rich.console import Console
from rich.table import Table

from benchmarks.stand import ROOT
from streams.local.jars import POM, java_version
from streams.metrics import STAGES

__all__ = ["circumstances", "show"]

PACKAGES: Final = ("confluent-kafka", "numba", "numpy", "redis")


def circumstances() -> dict[str, Any]:
    """When, where and with what."""
    return {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "changed_since_commit": bool(_git("status", "--porcelain")),
        "machine": {
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
            "system": platform.platform(),
            "load_before": os.getloadavg()[0],
        },
        "versions": {
            "python": platform.python_version(),
            "java": java_version(),
            "kafka": _kafka_version(),
            "librdkafka": confluent_kafka.libversion()[0],
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
    }


def show(console: Console, found: Mapping[str, Any]) -> None:
    """The table."""
    machine, versions = found["machine"], found["versions"]
    commit = (found["commit"] or "unknown")[:10] + (" and changes" if found["changed_since_commit"] else "")
    console.print(
        f"\n{machine['cpu']}, {machine['cores']} cores, broker and Redis on the same; load before "
        f"{machine['load_before']:.1f}; Kafka {versions['kafka']}, Python {versions['python']}, commit {commit}"
    )
    table = Table("measured", "figure", "of", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    rows: dict[str, Callable[[Any], Rows]] = {
        "throughput": _throughput_rows,
        "delay": _delay_rows,
        "replay": _replay_rows,
        "growth": _growth_rows,
        "recovery": _recovery_rows,
        "verify": _verify_rows,
    }
    for name, result in found["results"].items():
        for what, figure, of in rows[name](result):
            table.add_row(what, figure, of)
    console.print(table)


Rows = Iterator[tuple[str, str, str]]


def _throughput_rows(result: Mapping[str, Any]) -> Rows:
    yield (
        "throughput",
        f"{result['events_per_s']:,.0f} events/s",
        f"{result['events']:,} events of {result['customers']:,} customers, {result['changes_per_event']:.2f} changes "
        f"each, in {result['seconds']:.1f} s",
    )
    yield (
        "  after the first step",
        f"{result['events_per_s_after_first_step']:,.0f} events/s",
        f"it came after {result['seconds_to_first_step']:.2f} s",
    )
    yield "  CPU, tagger", f"{_number(result['tagger_cpu_us_per_event'])} us/event", ""
    yield "  CPU, broker", f"{_number(result['broker_cpu_us_per_event'])} us/event", ""
    yield "  peak memory, tagger", f"{_number(result['tagger_peak_mib'], 0)} MiB", ""
    for stage in STAGES:
        yield f"  {stage}", f"{result['stage_ns_per_event'].get(stage, 0):,.0f} ns/event", ""


def _delay_rows(result: Mapping[str, Any]) -> Rows:
    for what, name in (("arrival to commit", "to_commit"), ("arrival to Redis", "to_redis")):
        found = result[name]
        yield (
            f"delay, {what}",
            f"{found['p50_ms']:.0f} / {found['p99_ms']:.0f} / {found['max_ms']:.0f} ms",
            f"p50 / p99 / most, {result['events_per_s']:,} events/s for {result['seconds']} s, "
            f"{found['changes']:,} changes",
        )


def _replay_rows(result: Mapping[str, Any]) -> Rows:
    yield (
        "replay, CDNOW whole",
        f"{result['seconds_median']:.2f} s",
        f"median of {result['runs']}, {result['seconds_least']:.2f} to {result['seconds_most']:.2f} s",
    )


def _growth_rows(results: list[Mapping[str, Any]]) -> Rows:
    for result in results:
        yield (
            f"growth, {result['rules']:,} rules {result['kind']}",
            f"{result['events_per_s']:,.0f} events/s",
            f"{result['ns_per_event']:,.0f} ns/event, {result['ratio']:.2f} times that of the fewest",
        )
        yield "  state", f"{result['state_bytes_per_customer']:,.0f} bytes/customer", ""
        yield (
            "  rules",
            f"{result['load_s'] + result['compile_s']:.1f} s",
            f"{result['compile_s']:.1f} s to compile them",
        )


def _recovery_rows(result: Mapping[str, Any]) -> Rows:
    saved, fold = result["snapshot"], result["fold"]
    yield (
        "recovery from a snapshot",
        f"{saved['seconds_to_ready']:.1f} s",
        f"from the start of the process; {saved['seconds_a_partition']:.1f} s a partition from its claim; "
        f"{saved['customers']:,} customers",
    )
    yield "  snapshot", f"{saved['snapshot_bytes_per_customer']:,.0f} bytes/customer", "before compression"
    yield (
        "  pause of the flow",
        f"{saved['pause_ms_mean']:.0f} ms",
        f"mean of {saved['snapshots']}; none above {saved['pause_ms_at_most']:.0f} ms",
    )
    yield "  partitions move", f"{saved['seconds_to_move']:.1f} s", "until those of one that leaves are another's"
    yield (
        "fold of the journal",
        f"{fold['events_per_s']:,.0f} events/s",
        f"{fold['events']:,} events; live it were {fold['events_per_s_live']:,.0f}",
    )


def _verify_rows(result: Mapping[str, Any]) -> Rows:
    for name in ("whole", "sample"):
        found = result[name]
        yield (
            f"verify, {name}",
            f"{found['events_per_s']:,.0f} events/s",
            f"{found['customers']:,} customers of {result['events']:,} events in {found['seconds']:.0f} s, "
            f"{found['passes']} passes a partition",
        )
        yield "  peak memory", f"{_number(found['peak_mib'], 0)} MiB", ""


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _git(*arguments: str) -> str | None:
    """What git says; None outside of a checkout."""
    try:
        answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _kafka_version() -> str | None:
    """That of the local broker's jars."""
    found = ElementTree.parse(POM).find(".//{*}dependency/{*}version")
    return None if found is None else found.text
