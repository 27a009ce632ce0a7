"""The conditions of a tag, as it stands and as its exclusive group makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from processors.rules import tree as T


def entry_conditions(tag: T.Tag) -> list[T.Expr]:
    """What lets a tag enter: its `when`, or those of its levels."""
    return [tag.when] if tag.when is not None else [level.when for level in tag.tiers]


def conditions_of(tag: T.Tag) -> list[T.Expr]:
    """All conditions of a tag: those that let it enter, then its own `leave`."""
    return entry_conditions(tag) + ([tag.leave] if tag.leave is not None else [])


def values_and_conditions_of(tag: T.Tag) -> list[T.Expr]:
    """All that is computed for a tag: its conditions, and the number of its `score`."""
    return conditions_of(tag) + ([tag.score] if tag.score is not None else [])


def level_names(tag: T.Tag) -> list[str]:
    """Names of the levels on which a customer may be, of a tag that has some."""
    return [level.name for level in tag.tiers] or list(tag.levels)


def within_group(tag: T.Tag, before: Sequence[str]) -> T.Tag:
    """The tag that is out while one of those `before` it in its exclusive group is there."""
    if not before:
        return tag
    others = tuple(T.TagRef(other) for other in before)
    taken: T.Expr = others[0] if len(others) == 1 else T.Or(others)

    def unless_taken(condition: T.Expr) -> T.Expr:
        return T.And((condition, T.Not(taken)))

    return replace(
        tag,
        when=None if tag.when is None else unless_taken(tag.when),
        tiers=tuple(replace(level, when=unless_taken(level.when)) for level in tag.tiers),
        leave=None if tag.leave is None else T.Or((tag.leave, taken)),
    )
