"""Times as events give them, as whole milliseconds since 1970-01-01T00:00:00Z."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_EXTENDED: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d.*)?", re.ASCII)
"""Only ISO-8601's extended format: `fromisoformat` also takes 20240131 and week dates, but such digits are as likely
some other number, and a time that is guessed wrong is worse than a dead event."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def ms_from_iso(text: str) -> int:
    """Milliseconds since the epoch of an ISO-8601 time, rounded down; without a zone it is UTC, without a time of day
    midnight. Raises ValueError if it is no such time or lies outside the years 1 to 9999.
    """
    if _EXTENDED.fullmatch(text) is None:
        raise ValueError("not an ISO-8601 time")
    # `fromisoformat` of Python 3.11 knows the zone as capital Z only.
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
