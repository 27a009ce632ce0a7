"""What an id of a customer, an event or a command may be."""

from __future__ import annotations

from schemas.events import MAX_ID_BYTES, RESERVED_PREFIX
from schemas.outcomes import Dead

__all__ = ["fault_of_id"]


def fault_of_id(text: str) -> Dead | None:
    """Why an id cannot be used; None if it can."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # half of a surrogate pair, from an escape in JSON or a broken argument
        return Dead.NOT_UTF8
    if size == 0:
        return Dead.EMPTY_ID
    if size > MAX_ID_BYTES:
        return Dead.LONG_ID
    return Dead.RESERVED_ID if text.startswith(RESERVED_PREFIX) else None
