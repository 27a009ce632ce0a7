"""Something that is published of one tag of one customer, and is not as it must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["PLACES", "Difference", "Kind", "Texts"]

Texts = Mapping[str, str]
"""Tags by id, their values as Redis has them; a tag that is absent has no entry."""

PLACES: Final = ("changes", "current", "redis")
"""Where tags are published: the fold of tags.changes, tags.current, Redis."""

Kind = Literal["value", "lost", "extra", "doubled"]
"""A tag's value; or of a change: it is not published, it should not be, it is there a second time."""


@dataclass(frozen=True, slots=True)
class Difference:
    """All values as texts, as Redis has them; changes in words."""

    customer_id: str
    tag: str
    kind: Kind
    published: Mapping[str, str | None]
    """By place, without those that could not be compared; None: absent."""
    oracle: str | None = None
    """None: absent."""
    judged: bool = True
    """Whether the oracle was asked; else the places contradict each other."""
