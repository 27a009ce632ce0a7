"""The clauses of a rule set: the smallest parts of its conditions that are true or false by themselves.

A change names the clauses that decided it by their numbers, which hold for one rule version, with their values. So
this is what readers look the numbers up in, and what the engine's tables of them are made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from processors import evidence as E
from processors.rules import tree as T
from processors.rules.conditions import unit_of
from processors.rules.depend import before_in_group
from processors.rules.dump import dump, dump_number
from processors.rules.parts import parts_of
from processors.rules.walk import entry_conditions, within_group
from processors.rules.windows import pane_ms_of
from processors.step import UNIT_TEXT

SCORE: Final = "score"
"""The part that has a number where others have conditions."""

Constant = float | str | tuple[str, ...]

EVER: Final = 0
"""In place of a window's length: it is longer than any other."""


@dataclass(frozen=True, slots=True)
class Side:
    """What stands on one side of a comparison, if it is no constant."""

    sort: int
    """As evidence.py has it: E.NONE and those behind it."""
    expr: T.Expr | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of one tag."""

    tag: str
    part: str
    """Key of the tag's YAML in which it stands: `when`, `leave`, `score`, or `tier[i]`."""
    expr: T.Expr
    negated: bool
    """Whether it stands under a `not`, so that the rule wants it to be false."""
    value: Side
    against: Side
    constant: Constant | None
    """What its value is compared with, where that is a constant; a list's texts, or its numbers as texts."""
    window_ms: int | None
    """Length of the longest window in it; EVER; None if it has none."""
    pane_ms: int
    """Length of that window's panes."""

    @property
    def text(self) -> str:
        """The clause as it reads."""
        return dump(self.expr)

    @property
    def constants(self) -> tuple[str, ...]:
        """The texts with which it compares."""
        if isinstance(self.constant, str):
            return (self.constant,)
        return self.constant if isinstance(self.constant, tuple) else ()

    def window_at(self, at_ms: int) -> tuple[int | None, int | None]:
        """Start and end (ms) of its window at an instant: from the start of the oldest pane that it may hold."""
        if self.window_ms is None:
            return None, None
        if self.window_ms == EVER:
            return None, at_ms
        return (at_ms - self.window_ms) // self.pane_ms * self.pane_ms, at_ms


def _clauses_in(expr: T.Expr, *, negated: bool = False) -> Iterator[tuple[T.Expr, bool]]:
    """What logic joins, left to right, and whether it stands there negated."""
    if isinstance(expr, T.And | T.Or | T.Not):
        for part in parts_of(expr):
            yield from _clauses_in(part, negated=negated != isinstance(expr, T.Not))
    else:
        yield expr, negated


def _side(expr: T.Expr, *, is_text: bool) -> Side:
    if not is_text:
        return Side(E.NUMBER, expr)
    return Side(E.HELD if isinstance(expr, T.ProfileRef | T.Top) else E.NAMED, expr)


def _is_text(expr: T.Expr) -> bool:
    """Whether a value is a text, wherever it stands; an attribute may be one."""
    return isinstance(expr, T.Text) or (not isinstance(expr, T.ProfileRef) and unit_of(expr) == UNIT_TEXT)


def _constant(expr: T.Expr) -> Constant | None:
    match expr:
        case T.Number(number):
            return float(number)
        case T.Text(text):
            return text
    return None


def _sides(expr: T.Expr) -> tuple[Side, Side, Constant | None]:
    """(value, what it is compared with, that as a constant)."""
    match expr:
        case T.Compare(_, (T.Number() | T.Text()) as left, right):
            return _sides(T.Compare("==", right, left))
        case T.Compare(_, T.TagRef() as left, T.Text(level)):
            return Side(E.LEVEL, left), Side(E.NONE), level
        case T.Compare(_, left, right):
            known = [side for side in (left, right) if not isinstance(side, T.ProfileRef)]
            is_text = all(map(_is_text, known))
            constant = _constant(right)
            against = Side(E.NONE) if constant is not None else _side(right, is_text=is_text)
            return _side(left, is_text=is_text), against, constant
        case T.Member(left, values):
            texts = tuple(dump_number(v.value) if isinstance(v, T.Number) else v.value for v in values)
            of_texts = isinstance(values[0], T.Text)
            value = Side(E.LEVEL, left) if isinstance(left, T.TagRef) and of_texts else _side(left, is_text=of_texts)
            return value, Side(E.NONE), texts
        case T.Present(item):
            return _side(item, is_text=isinstance(item, T.ProfileRef) or _is_text(item)), Side(E.NONE), None
        case T.StartsWith(left, T.Text(prefix)):
            return Side(E.HELD, left), Side(E.NONE), prefix
        case T.Sequence(negated=True):
            return Side(E.WAITS, expr), Side(E.NONE), expr.within_ms / 86_400_000
    return Side(E.TRUTH, expr), Side(E.NONE), None


def _windows_of(expr: T.Expr) -> Iterator[tuple[int, int]]:
    """Lengths of an expression's windows and of their panes; the window of a trend is twice as long as it reads."""
    for node in parts_of(expr):
        yield from _windows_of(node)
    if isinstance(expr, T.Trend):
        assert expr.item.window_ms is not None, "a trend has a window"
        yield 2 * expr.item.window_ms, pane_ms_of(expr.item.window_ms)
    elif isinstance(expr, T.Top) or (isinstance(expr, T.Aggregate) and expr.func != "days_since"):
        yield EVER if expr.window_ms is None else expr.window_ms, pane_ms_of(expr.window_ms)


def _clause(tag: str, part: str, expr: T.Expr, negated: bool = False) -> Clause:
    value, against, constant = (Side(E.NUMBER, expr), Side(E.NONE), None) if part == SCORE else _sides(expr)
    windows = sorted(_windows_of(expr))
    none: tuple[int | None, int] = None, pane_ms_of(None)
    window_ms, pane_ms = windows[0 if windows[0][0] == EVER else -1] if windows else none
    return Clause(tag, part, expr, negated, value, against, constant, window_ms, pane_ms)


def clauses_by_level(tags: list[T.Tag]) -> list[list[Clause]]:
    """The clauses of each level of each tag (a `when` and a `score` are one level), then of each tag's own `leave`.

    The tags are as their exclusive groups make them. A clause's number is its place, from 0, through all lists.
    """
    levels: list[list[Clause]] = []
    for tag in tags:
        if tag.score is not None:
            levels.append([_clause(tag.id, SCORE, tag.score)])
        for place, condition in enumerate(entry_conditions(tag)):
            part = f"tier[{place}]" if tag.tiers else "when"
            levels.append([_clause(tag.id, part, *each) for each in _clauses_in(condition)])
    leaves = [
        [_clause(tag.id, "leave", *each) for each in _clauses_in(tag.leave)] if tag.leave is not None else []
        for tag in tags
    ]
    return levels + leaves


def clauses_of(rule_set: T.RuleSet) -> list[Clause]:
    """All clauses of a rule set, by their numbers."""
    before = before_in_group(rule_set.tags)
    tags = [within_group(tag, before[tag.id]) for tag in rule_set.tags]
    return [clause for each in clauses_by_level(tags) for clause in each]
