"""Which keys of a tag go together."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

RULES: Final = ("when", "tier", "score")
"""A tag has one of these, or none if it is only set by hand or by a model."""

EXCLUDED: Final = {
    "tier": ("when", "leave", "for_each", "levels"),
    "score": ("when", "leave", "tier", "dwell", "cooldown", "expires", "exclusive", "for_each", "levels"),
    "for_each": ("dwell", "cooldown", "expires"),
    "when": ("levels",),
}
"""By key those that cannot stand beside it."""

NEEDED: Final = {"rank": ("exclusive", "GROUP"), "limit": ("for_each", "EVENT.FIELD"), "step": ("score", "VALUE")}
"""By key the one without which it says nothing, and what that one takes."""

OF_A_RULE: Final = ("leave", "dwell", "cooldown", "expires", "exclusive", "for_each")
"""Keys that say nothing about a tag without a rule."""


class Misplaced(NamedTuple):
    """A key that stands where it cannot."""

    code: str
    key: str
    message: str
    cure: str | None


def has_rule(keys: Collection[str]) -> bool:
    return any(key in keys for key in RULES)


def misplaced(keys: Collection[str]) -> Iterator[Misplaced]:
    """Keys of a tag that exclude each other (TS-R313), each once, and those that need another one (TS-R307)."""
    reported: set[str] = set()
    for owner, excluded in EXCLUDED.items():
        for key in excluded:
            if owner in keys and key in keys and not {owner, key} & reported:
                reported.add(key)
                yield Misplaced("TS-R313", key, f"`{key}` cannot stand beside `{owner}`", None)
    for key, (owner, value) in NEEDED.items():
        if key in keys and owner not in keys:
            cure = f"Add {owner}: {value}, or take {key} out"
            yield Misplaced("TS-R307", key, f"`{key}` says something only beside `{owner}`", cure)
    if not has_rule(keys):
        for key in OF_A_RULE:
            if key in keys:
                cure = "Take it out, or add `when`"
                yield Misplaced("TS-R313", key, f"`{key}` says something only beside a rule", cure)
