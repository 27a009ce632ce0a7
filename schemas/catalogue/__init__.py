"""The numbered error catalogue, one file a family. `CATALOGUE` is the single source of codes.

A code is never given a second meaning and never used again: people search for it, alerts match on it.
"""

from __future__ import annotations

from typing import Final

from schemas.catalogue import config, demo, events, kafka, local, redis, replay, requests, rules, state
from schemas.catalogue.entry import Entry

__all__ = ["CATALOGUE", "Entry"]


def _merged() -> dict[str, Entry]:
    """All families in one table, in the order of their codes; a code given twice is a bug."""
    merged: dict[str, Entry] = {}
    for family in (config, demo, events, kafka, local, redis, replay, requests, rules, state):
        for code, entry in family.ENTRIES.items():
            assert code not in merged, f"error code {code} is given twice"
            merged[code] = entry
    return dict(sorted(merged.items()))


CATALOGUE: Final[dict[str, Entry]] = _merged()
