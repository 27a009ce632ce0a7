"""Says in words where two results first part, so that a failing comparison can be read without a debugger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from processors.oracle.judge import Command, OracleChange, Record, Result

CHANGES_BEFORE = 5
"""Agreed changes shown before the first difference: enough to see the state that it starts from."""

EVENTS_BEFORE = 20
"""Events of the customer shown, the last ones that had arrived by then."""


def diff(expected: Result, got: Result, events: Sequence[Record] = ()) -> str | None:
    """None if both say the same; otherwise the earliest difference, with what led to it.

    Changes are compared per customer and in order, since between customers no order is promised; then why, where the
    second one tells it; then the outcomes; then the tags at the end, where a customer without tags and one that is not
    there are the same.
    """
    partings = []
    for customer_id in sorted({change.customer_id for change in (*expected.changes, *got.changes)}):
        ours = [change for change in expected.changes if change.customer_id == customer_id]
        theirs = [change for change in got.changes if change.customer_id == customer_id]
        at = next(
            (at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if _told(one) != _told(other)), None
        )
        if at is None and len(ours) != len(theirs):
            at = min(len(ours), len(theirs))
        if at is not None:
            first_ms = min(changes[at].effective_at_ms for changes in (ours, theirs) if at < len(changes))
            partings.append((first_ms, customer_id, at, ours, theirs))
    if partings:
        first_ms, customer_id, at, ours, theirs = min(partings, key=lambda parting: parting[:3])
        return _parting(customer_id, at, ours, theirs, [e for e in events if e.customer_id == customer_id], first_ms)
    if got.reasons and (line := _reasons(expected, got)):
        return line
    lines = [
        f"outcome {outcome.name}: expected {count}, got {got.outcomes.get(outcome, 0)}"
        for outcome, count in expected.outcomes.items()
        if count != got.outcomes.get(outcome, 0)
    ]
    for customer_id in sorted(expected.tags.keys() | got.tags.keys()):
        wanted, found = expected.tags.get(customer_id, {}), got.tags.get(customer_id, {})
        if {tag: _value(value) for tag, value in wanted.items()} != {tag: _value(v) for tag, v in found.items()}:
            lines.append(f"tags of {customer_id} at the end: expected {wanted}, got {found}")
    return "\n".join(lines) or None


def _parting(
    customer_id: str,
    at: int,
    expected: list[OracleChange],
    got: list[OracleChange],
    events: list[Record],
    first_ms: int,
) -> str:
    lines = [f"customer {customer_id}: change {at + 1} differs (expected {len(expected)} changes, got {len(got)})"]
    lines += [f"  agreed    {_change(change)}" for change in expected[max(0, at - CHANGES_BEFORE) : at]]
    lines.append("  expected  " + (_change(expected[at]) if at < len(expected) else "nothing more"))
    lines.append("  got       " + (_change(got[at]) if at < len(got) else "nothing more"))
    if at < len(expected) and at < len(got):
        ours, theirs = _told(expected[at]), _told(got[at])
        names = [name for name in OracleChange.__slots__ if ours[name] != theirs[name]]
        lines.append(f"  they differ in {', '.join(names)}")
    arrived = [event for event in sorted(events, key=lambda event: event.arrival_ms) if event.arrival_ms <= first_ms]
    lines += [f"  event     {_event(event)}" for event in arrived[-EVENTS_BEFORE:]]
    return "\n".join(lines)


def _reasons(expected: Result, got: Result) -> str | None:
    """The first change of which both say the same, but not why."""
    sides = []
    for result in (expected, got):
        pairs = zip(result.changes, result.reasons, strict=True)
        sides.append(sorted(pairs, key=lambda pair: pair[0].customer_id))
    for (change, ours), (_, theirs) in zip(*sides, strict=True):
        if ours != theirs:
            lines = [f"customer {change.customer_id}: {_change(change)} for other reasons"]
            lines += [f"  expected  {seen}" for seen in ours]
            return "\n".join(lines + [f"  got       {seen}" for seen in theirs])
    return None


def _told(change: OracleChange) -> dict[str, object]:
    """A change by its fields. To Python true equals 1, but to be there is not to be the number 1."""
    fields = {name: getattr(change, name) for name in OracleChange.__slots__}
    return {**fields, "before": _value(change.before), "after": _value(change.after)}


def _value(value: object) -> tuple[str, object]:
    """A value with its kind. Keys that were read from JSON are a list, and a number may be whole."""
    if isinstance(value, list | tuple):
        return "keys", tuple(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if is_number else type(value).__name__, value


def _change(change: OracleChange) -> str:
    cause = f"record {change.cause}" if change.cause_time_ms is None else f"timer {_time(change.cause_time_ms)}"
    return (
        f"{_time(change.effective_at_ms)} {change.tag} {change.op} {change.before!r} -> {change.after!r}"
        f" ({change.origin}, {cause})"
    )


def _event(event: Record) -> str:
    if isinstance(event, Command):
        until = "" if event.until_ms is None else f" until {_time(event.until_ms)}"
        return f"{_time(event.arrival_ms)} {event.kind} {event.event_id} {event.tag} {event.value!r}{until}"
    happened = "" if event.event_time_ms == event.arrival_ms else f" happened {_time(event.event_time_ms)}"
    return f"{_time(event.arrival_ms)} {event.type} {event.event_id}{happened} {event.fields}"


def _time(time_ms: int) -> str:
    text = datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{time_ms % 1000:03d}Z ({time_ms})"
