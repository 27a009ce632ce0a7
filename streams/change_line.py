"""One change of a tag as a line for a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from schemas.records import Change, Value

__all__ = ["change_line", "shown_delay", "shown_value"]

_COLOUR: Final = {"entered": "green", "changed": "yellow", "left": "red"}
MAX_KEYS: Final = 5
"""Of a tag whose value is a set; more would push the rest of the line out of sight."""


def change_line(change: Change) -> Text:
    """When it became true (UTC), the customer, op, tag, before → after, the cause, the delay until it was written."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(_shown_time(change.effective_at), style="dim")
    line.append(f"  {change.customer_id:<16} ", style="bold")
    line.append(f"{change.op:<7} ", style=_COLOUR[change.op])
    line.append(change.tag, style=_COLOUR[change.op])
    # For a plain tag the op says it all.
    if change.before not in (None, True) or change.after not in (None, True):
        line.append(f"  {shown_value(change.before)} → {shown_value(change.after)}")
    line.append(f"  {_shown_cause(change)}", style="dim")
    line.append(f"  {shown_delay(change.emitted_at - change.effective_at)}", style="cyan")
    return line


def shown_value(value: Value | None) -> str:
    """A tag's value; `–` where the customer does not have the tag."""
    if value is None:
        return "–"
    if value is True:
        return "yes"
    if isinstance(value, tuple):
        keys = list(value[:MAX_KEYS]) + ([f"… {len(value)} in all"] if len(value) > MAX_KEYS else [])
        return "{" + ", ".join(keys) + "}"
    return str(value)


def shown_delay(delay_ms: int) -> str:
    """Milliseconds in the unit that suits: `12 ms`, `3.4 s`, `5 min`, `2.0 h`, `3.0 d`."""
    if abs(delay_ms) < 1_000:
        return f"{delay_ms} ms"
    for unit_ms, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min")):
        if abs(delay_ms) >= unit_ms:
            return f"{delay_ms / unit_ms:.1f} {unit}"
    return f"{delay_ms / 1_000:.1f} s"


def _shown_cause(change: Change) -> str:
    if isinstance(change.cause, int):
        return "by time"
    if change.cause is not None:
        return f"by {change.cause}"
    return f"by {change.origin}"


def _shown_time(at_ms: int) -> str:
    try:
        at = datetime.fromtimestamp(at_ms // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"
    return f"{at:%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03d}"
