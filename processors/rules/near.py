"""Tags that decide the same as an earlier one, or nearly so: all is equal but numbers and lengths, and those are near.

Numbers count where they are bounds (`>= 3`), not where they name something (`== 3`, `in [3]`).
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from processors.rules import tree as T
from processors.rules.durations import WINDOW_UNITS, read_length
from processors.rules.hashing import logic_of

_NEAR: Final = 2
"""A number is near another one if it is less than twice as great: the 110 tags of the library, each of which is meant,
have pairs with twice the number or more, and none below."""
_MOST_COMPARED: Final = 16
"""Earlier tags of one form that a tag is compared with; ten thousand of one form would take minutes."""
_MOST_SHOWN: Final = 3
"""Differences that a warning names."""

_EXPRESSIONS: Final = ("when", "leave", "score")
_MARKS: Final = ("holdout", "forecast")
"""Keys of the logic that say something about changes and nothing about who has a tag."""

_WORD: Final = re.compile(
    r"""(?P<kept>"(?:\\.|[^"\\])*"|[A-Za-z_]\w*)|(?P<length>[0-9]+[mhd])"""
    r"""|(?:(?<=[<>][ ])|(?<=[<>]=[ ]))(?P<right>-?[0-9]+(?:\.[0-9]+)?)|(?P<left>-?[0-9]+(?:\.[0-9]+)?)(?=[ ][<>])"""
)
"""Words of canonical text: what is kept, and the lengths and bounds that may differ."""


@dataclass(frozen=True, slots=True)
class Twin:
    """An earlier tag, and what is different from it; nothing if nothing is."""

    tag: T.Tag
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """A tag by what it decides: what must be equal, and the numbers and lengths in the order of their places."""

    tag: T.Tag
    frame: str
    bounds: tuple[str, ...]


_Key = tuple[str, tuple[str, ...], int | None]


class Twins:
    """The tags read so far."""

    def __init__(self) -> None:
        self._same: dict[_Key, T.Tag] = {}
        self._near: defaultdict[str, deque[_Form]] = defaultdict(lambda: deque(maxlen=_MOST_COMPARED))

    def add(self, tag: T.Tag, before: int) -> Twin | None:
        """An earlier tag that decides the same or nearly so, None if there is none, or if the tag has no rule.

        `before` is how many tags of its exclusive group come before it. Tags of one group, of one parent, and a tag
        and its parent are steps of one thing: they are not near each other.
        """
        if tag.when is None and not tag.tiers and tag.score is None:
            return None
        form = _form_of(tag)
        # in a group the place is a part of what is decided
        key = (form.frame, form.bounds, before if tag.exclusive else None)
        first = self._same.setdefault(key, tag)
        if first is not tag:
            return Twin(first, ())
        near = next((other for other in self._near[form.frame] if _is_near(form, other)), None)
        self._near[form.frame].append(form)
        return None if near is None else Twin(near.tag, _differences(form, near))


def _form_of(tag: T.Tag) -> _Form:
    logic = {key: value for key, value in logic_of(tag, 0).items() if key not in _MARKS}
    bounds: list[str] = []

    def blank(match: re.Match[str]) -> str:
        if match["kept"] is not None:
            return match[0]
        bounds.append(match[0])
        return "#"

    for key in _EXPRESSIONS:
        if logic.get(key) is not None:
            logic[key] = _WORD.sub(blank, logic[key])
    logic["tier"] = [[name, _WORD.sub(blank, when)] for name, when in logic["tier"]]
    return _Form(tag, repr(logic), tuple(bounds))


def _is_near(a: _Form, b: _Form) -> bool:
    return not _are_steps(a.tag, b.tag) and all(map(_are_near, a.bounds, b.bounds))


def _are_steps(a: T.Tag, b: T.Tag) -> bool:
    in_group = a.exclusive is not None and a.exclusive == b.exclusive
    of_parent = a.parent is not None and a.parent == b.parent
    return in_group or of_parent or a.parent == b.id or b.parent == a.id


def _are_near(one: str, other: str) -> bool:
    a, b = _size(one), _size(other)
    return a == b or (a * b > 0 and abs(a) < _NEAR * abs(b) and abs(b) < _NEAR * abs(a))


def _size(written: str) -> Fraction:
    """A number, or the milliseconds of a length."""
    length_ms = read_length(written, WINDOW_UNITS)
    return Fraction(written if length_ms is None else length_ms)


def _differences(form: _Form, other: _Form) -> tuple[str, ...]:
    found = [f"{mine}, not {theirs}" for mine, theirs in zip(form.bounds, other.bounds, strict=True) if mine != theirs]
    more = len(found) - _MOST_SHOWN
    return tuple(found if more <= 0 else [*found[:_MOST_SHOWN], f"and {more} more"])
