"""What sort of value a tag has."""

from __future__ import annotations

from typing import Literal

from processors.rules import tree as T
from processors.rules.walk import level_names

Sort = Literal["plain", "level", "number", "keys"]
"""There or not; the name of a level; a number; a set of keys."""


def sort_of(tag: T.Tag) -> Sort:
    if tag.for_each is not None:
        return "keys"
    if level_names(tag):
        return "level"
    if tag.score is not None or (tag.when is None and tag.model):
        return "number"
    return "plain"
