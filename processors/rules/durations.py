"""Lengths of time as people write them: windows (`90d`), timings (`30s`), and the offsets of examples (`1d2h`)."""

from __future__ import annotations

import re
from typing import Final

UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
"""Longest first, the order in which an offset is written."""

WINDOW_UNITS: Final = ("m", "h", "d")
TIMING_UNITS: Final = ("s", "m", "h", "d")

_ONE = re.compile(r"([0-9]{1,12})([a-z]+)")
_OFFSET = re.compile("".join(rf"(?:([0-9]{{1,12}}){unit})?" for unit in ("d", "h", "m(?!s)", "s", "ms")))


def read_length(text: str, units: tuple[str, ...]) -> int | None:
    """Milliseconds of a whole number and one of `units` (`90d`); None if it is not that."""
    match = _ONE.fullmatch(text)
    if match is None or match[2] not in units:
        return None
    return int(match[1]) * UNITS_MS[match[2]]


def write_length(length_ms: int) -> str:
    """The shortest form with one unit: 90 d are `90d`, 36 h are `36h`, 24 h are `1d`."""
    unit = next(u for u, ms in UNITS_MS.items() if length_ms % ms == 0)
    return f"{length_ms // UNITS_MS[unit]}{unit}"


def read_offset(text: str) -> int | None:
    """Milliseconds of an offset such as `0d`, `1d2h`, `90m`, `250ms`; None if it is not one."""
    match = _OFFSET.fullmatch(text)
    if match is None or not text:
        return None
    return sum(int(n) * ms for n, ms in zip(match.groups(), UNITS_MS.values(), strict=True) if n is not None)


def write_offset(offset_ms: int) -> str:
    """The offset with each unit that it needs: `2d10m`; `0d` for none."""
    parts = []
    rest = offset_ms
    for unit, ms in UNITS_MS.items():
        count, rest = divmod(rest, ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0d"
