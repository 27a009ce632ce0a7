"""Why a tag changed, as a change is to tell it: each condition that decided, with what it saw at that instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Final

from processors.oracle.event import DAY_MS, TagValue, pane_end_ms
from processors.oracle.expression import Met, Scope, Value, as_number, is_true, parts_by_themselves, value_of
from processors.rules.tree import (
    Aggregate,
    And,
    Compare,
    Expr,
    Member,
    Not,
    Number,
    Or,
    Present,
    ProfileRef,
    Sequence,
    StartsWith,
    Tag,
    TagRef,
    Text,
    Top,
    Trend,
)
from schemas.events import FIELDS

MOST_KEYS: Final = 16
"""Keys of a set of which one change tells why they came or went."""

FORGOTTEN: Final = "…"
"""Stands for a text that an event had and that no rule names: only its hash is kept."""

Told = bool | str | tuple[str, ...] | None
"""A value as it is told; a number as a text of 12 digits, for it may be rounded otherwise."""

MetBy = Callable[[Sequence], list[Met]]
"""All that was ever of a sequence."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One condition."""

    expr: Expr
    key: str | None
    value: Told
    threshold: Told
    window_start_ms: int | None
    window_end_ms: int | None


def told(value: Value) -> Told:
    if isinstance(value, bool | str | tuple) or value is None:
        return value
    return f"{float(value):.12g}"


def deciding(tag: Tag, before: TagValue, after: TagValue) -> Iterator[tuple[str | None, list[Expr]]]:
    """What is asked when a tag goes from one value to another: (key, conditions). `tag` has its exclusions written
    out, as `order.with_exclusions` does."""
    entry = [tag.when] if tag.when is not None else [level.when for level in tag.tiers]
    if tag.score is not None:
        yield None, [tag.score]
    elif tag.for_each is not None:
        old, new = (set(keys) if isinstance(keys, tuple) else set() for keys in (before, after))
        for key in sorted(old ^ new, key=str.encode)[:MOST_KEYS]:
            yield key, single(entry if key in new or tag.leave is None else [tag.leave])
    elif after is None and tag.leave is not None:
        yield None, single([tag.leave])
    elif after is not None and tag.tiers:
        names = [level.name for level in tag.tiers]
        yield None, single(entry[: names.index(str(after)) + 1])
    else:
        yield None, single(entry)


def single(conditions: list[Expr]) -> list[Expr]:
    """What logic joins, left to right."""
    found: list[Expr] = []
    for expr in conditions:
        if isinstance(expr, And | Or):
            found += single(list(expr.items))
        elif isinstance(expr, Not):
            found += single([expr.item])
        else:
            found.append(expr)
    return found


def seen(expr: Expr, key: str | None, scope: Scope, met: MetBy, now_ms: int) -> Seen:
    """What a condition, or the expression of a score, sees."""
    start_ms, end_ms = window_of(expr, now_ms)
    value, threshold = sides(expr, scope, met, now_ms)
    return Seen(expr, key, value, threshold, start_ms, end_ms)


def sides(expr: Expr, scope: Scope, met: MetBy, now_ms: int) -> tuple[Told, Told]:
    """The value of a condition, and what that is compared with."""
    if isinstance(expr, Compare):
        left, right = expr.left, expr.right
        if isinstance(left, Number | Text):
            left, right = right, left
        return side(left, right, scope), side(right, left, scope)
    if isinstance(expr, Member):
        texts = tuple(v.value if isinstance(v, Text) else f"{float(v.value):.12g}" for v in expr.values)
        return side(expr.left, expr.values[0], scope, texts), texts
    if isinstance(expr, StartsWith):
        return told(value_of(expr.left, scope)), expr.prefix.value
    if isinstance(expr, Present):
        item = expr.item
        return (told(scope(item)) if isinstance(item, ProfileRef) else side(item, item, scope)), None
    if isinstance(expr, Sequence) and expr.negated:
        return told(waited_days(expr, met(expr), now_ms)), told(Fraction(expr.within_ms, DAY_MS))
    if isinstance(expr, Sequence | TagRef):
        return is_true(expr, scope), None
    return side(expr, Number(Fraction(0)), scope), None


def side(expr: Expr, other: Expr, scope: Scope, named: tuple[str, ...] = ()) -> Told:
    """One side of a comparison. Of a text of an event no more is known than which of those `named` it is."""
    value = value_of(expr, scope)
    if isinstance(expr, Number | Text | TagRef | Top):
        return told(value)
    if isinstance(expr, ProfileRef):
        return told(value) if is_text(other) else told(as_number(expr, value))
    if isinstance(value, str):
        named = (other.value,) if isinstance(other, Text) and not named else named
        return value if value in named else FORGOTTEN
    return told(value)


def is_text(other: Expr) -> bool:
    """Whether an attribute that is compared with this is compared as a text."""
    if isinstance(other, Aggregate) and other.func in ("last", "first"):
        return any(known.name == other.field and known.kind in ("text", "kind") for known in FIELDS[other.event])
    return isinstance(other, Text | ProfileRef | Top)


def waited_days(sequence: Sequence, all_met: list[Met], now_ms: int) -> Fraction | None:
    """How long the newest first event waits for a second one; None if none waits."""
    firsts = [m.time_ms for m in all_met if m.is_first]
    seconds = [m.time_ms for m in all_met if m.is_second]
    if not firsts:
        return None
    same = sequence.first.event == sequence.second.event
    if seconds and (max(seconds) > max(firsts) or (max(seconds) == max(firsts) and not same)):
        return None
    return Fraction(now_ms - max(firsts), DAY_MS)


def window_of(expr: Expr, now_ms: int) -> tuple[int | None, int | None]:
    """Start of the oldest pane that the longest window in an expression may hold, and its end."""
    windows: list[tuple[float, int]] = []
    trended = [part.item for part in parts_by_themselves(expr) if isinstance(part, Trend)]
    for part in parts_by_themselves(expr):
        if isinstance(part, Top) or (isinstance(part, Aggregate) and part.func != "days_since"):
            lengths = 2 if any(part is item for item in trended) else 1
            if part.window_ms is None:
                windows.append((inf, 0))
            else:
                windows.append((lengths * part.window_ms, pane_end_ms(0, part.window_ms)))
    if not windows:
        return None, None
    length_ms, pane_ms = max(windows)
    return (None if length_ms == inf else int(now_ms - length_ms) // pane_ms * pane_ms), now_ms
