"""A report as text for a person, and as one JSON object for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from streams.verify.compare import PLACES, Difference
from streams.verify.run import PartReport, Report

__all__ = ["MOST_SHOWN", "as_record", "lines"]

MOST_SHOWN: Final = 100
"""Differences that are listed: a wrong partition has a million, of which the first say it all."""

_NAMES: Final = {"changes": "tags.changes", "current": "tags.current", "redis": "Redis"}


def lines(report: Report) -> Iterator[str]:
    """The differences, then a line for each partition, then the sum."""
    found = report.found
    for difference in found.differences[:MOST_SHOWN]:
        yield _difference(difference)
    if len(found.differences) > MOST_SHOWN:
        yield f"… and {len(found.differences) - MOST_SHOWN} more"
    for part in report.parts:
        yield from _part(part)
    for partition, error in report.refused.items():
        yield f"partition {partition}: not verified. {error}"
    yield (
        f"{found.customers} customers, {sum(part.events for part in report.parts)} events: "
        f"{len(found.differences)} differences{_unchecked(len(found.moved_on), len(found.behind))}"
    )


def _difference(difference: Difference) -> str:
    sides = [("oracle", difference.oracle)] + [(_NAMES[p], t) for p, t in difference.published.items()]
    said = ", ".join(f"{name} {'–' if text is None else text}" for name, text in sides)
    return f"{difference.customer_id} {difference.tag}: {said}"


def _part(part: PartReport) -> Iterator[str]:
    if part.point is not None:
        rate = f"{part.events / part.seconds:,.0f} events/s" if part.seconds else "at once"
        yield (
            f"partition {part.partition}: as of step {part.point.step}, clock {part.point.clock}: "
            f"{part.found.customers} customers, {len(part.found.differences)} differences"
            f"{_unchecked(len(part.found.moved_on), len(part.found.behind))}; {part.seconds:.1f} s, {rate}"
        )
    for note in part.notes:
        yield f"partition {part.partition}: note: {note}"


def _unchecked(moved_on: int, behind: int) -> str:
    told = [f"{moved_on} moved on both times"] if moved_on else []
    told += [f"of {behind} Redis is behind"] if behind else []
    return f" ({', '.join(told)}: not compared in full)" if told else ""


def as_record(report: Report) -> dict[str, Any]:
    """Plain values. A place that could not be compared is missing in a difference; null is absent."""
    found = report.found
    return {
        "customers": found.customers,
        "events": sum(part.events for part in report.parts),
        "differences": len(found.differences),
        "moved_on": len(found.moved_on),
        "redis_behind": len(found.behind),
        "listed": [
            {
                "customer_id": d.customer_id,
                "tag": d.tag,
                "oracle": d.oracle,
                **{place: d.published[place] for place in PLACES if place in d.published},
            }
            for d in found.differences[:MOST_SHOWN]
        ],
        "partitions": [
            {
                "partition": part.partition,
                "step": None if part.point is None else part.point.step,
                "clock": None if part.point is None else part.point.clock,
                "customers": part.found.customers,
                "events": part.events,
                "seconds": round(part.seconds, 3),
                "differences": len(part.found.differences),
                "notes": part.notes,
            }
            for part in report.parts
        ],
        "not_verified": [
            {"partition": partition, "code": error.code, "message": error.message, "cure": error.cure}
            for partition, error in report.refused.items()
        ],
    }
