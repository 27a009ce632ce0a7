"""`did you mean`: the known name nearest to an unknown one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_NEAR: Final = 0.6
"""difflib's own default: one slip in a short word, two or three in a long one."""
_MOST_NAMES: Final = 40
"""Names that a cure lists; of more nobody reads all."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like `word`, None if none is near. Case does not count."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower()[:64], by_lower, n=1, cutoff=_NEAR)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A cure: the nearest name if there is one, and what there is, if that is not too much to list."""
    names = list(known)
    near = nearest(word, names)
    if len(names) > _MOST_NAMES:
        return f"Did you mean {near}?" if near else f"There are {len(names)} others, and none is like it"
    there_is = "There is " + ", ".join(names) if names else "There is none"
    return f"Did you mean {near}? {there_is}" if near else there_is
