"""A report as text for a person, and as one JSON object for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from streams.verify.compare import Found
from streams.verify.difference import PLACES, Difference
from streams.verify.run import PartReport, Report

__all__ = ["MOST_SHOWN", "as_record", "lines"]

MOST_SHOWN: Final = 100
"""Differences that are listed: a wrong partition has a million, of which the first say it all."""

_NAMES: Final = {"changes": "tags.changes", "current": "tags.current", "redis": "Redis"}
_KINDS: Final = {"value": "", "lost": " (not published)", "extra": " (not so)", "doubled": " (published again)"}


def lines(report: Report) -> Iterator[str]:
    """The differences, then a line for each partition, then the sum."""
    found = report.found
    for difference in found.differences[:MOST_SHOWN]:
        yield _difference(difference)
    if len(found.differences) > MOST_SHOWN:
        yield f"… and {len(found.differences) - MOST_SHOWN} more"
    for part in report.parts:
        yield from _part(part)
    yield (
        f"{found.customers} customers, {sum(part.events for part in report.parts)} events: "
        f"{_differences(found)}{_unchecked(found)}"
    )


def _difference(difference: Difference) -> str:
    sides = [("oracle", difference.oracle)] if difference.judged else []
    sides += [(_NAMES[place], text) for place, text in difference.published.items()]
    said = ", ".join(f"{name} {'–' if text is None else text}" for name, text in sides)
    return f"{difference.customer_id} {difference.tag}{_KINDS[difference.kind]}: {said}"


def _part(part: PartReport) -> Iterator[str]:
    name = f"partition {part.partition}"
    for line in part.found.of_partition[:MOST_SHOWN]:
        yield f"{name}: {line}"
    if part.point is not None:
        rate = f"{part.events / part.seconds:,.0f} events/s" if part.seconds else "at once"
        passes = f" in {part.passes} passes" if part.passes > 1 else ""
        yield (
            f"{name}: as of step {part.point.step}, clock {part.point.clock}: {part.found.customers} customers, "
            f"{_differences(part.found)}{_unchecked(part.found)}; {part.seconds:.1f} s{passes}, {rate}"
        )
    if part.refused is not None:
        done = "not verified" if part.point is None else "not computed anew, only compared with each other"
        yield f"{name}: {done}. {part.refused}"
    for note in part.notes:
        yield f"{name}: note: {note}"


def _differences(found: Found) -> str:
    count = len(found.differences) + len(found.of_partition)
    return f"{count} difference{'' if count == 1 else 's'}"


def _unchecked(found: Found) -> str:
    told = [f"of {len(found.uncertain)} the order before the journal's cut may be why they differ"]
    told = told if found.uncertain else []
    told += [f"{len(found.too_many)} have too many records, ask for them by name"] if found.too_many else []
    told += [f"of {len(found.behind)} Redis is behind"] if found.behind else []
    return f" ({'; '.join(told)}: not verified in full)" if told else ""


def as_record(report: Report) -> dict[str, Any]:
    """Plain values. A place that could not be compared is missing in a difference, and so is the oracle where it was
    not asked; null is absent."""
    found = report.found
    return {
        **_counts(found),
        "events": sum(part.events for part in report.parts),
        "whole": report.is_whole,
        "listed": [_listed(difference) for difference in found.differences[:MOST_SHOWN]],
        "uncertain": sorted(found.uncertain)[:MOST_SHOWN],
        "too_many_records": sorted(found.too_many)[:MOST_SHOWN],
        "redis_behind": sorted(found.behind)[:MOST_SHOWN],
        "partitions": [_part_record(part) for part in report.parts],
    }


def _counts(found: Found) -> dict[str, int]:
    return {
        "customers": found.customers,
        "differences": len(found.differences) + len(found.of_partition),
        "not_in_full": len(found.uncertain | found.too_many | found.behind),
    }


def _listed(difference: Difference) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "customer_id": difference.customer_id,
        "tag": difference.tag,
        "kind": difference.kind,
    }
    if difference.judged:
        listed["oracle"] = difference.oracle
    return listed | {place: difference.published[place] for place in PLACES if place in difference.published}


def _part_record(part: PartReport) -> dict[str, Any]:
    refused = part.refused
    return {
        "partition": part.partition,
        "step": None if part.point is None else part.point.step,
        "clock": None if part.point is None else part.point.clock,
        **_counts(part.found),
        "events": part.events,
        "passes": part.passes,
        "seconds": round(part.seconds, 3),
        "wrong": part.found.of_partition[:MOST_SHOWN],
        "refused": refused and {"code": refused.code, "message": refused.message, "cure": refused.cure},
        "notes": part.notes,
    }
