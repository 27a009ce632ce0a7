"""What a tag's conditions read, and what of it can let the tag enter when it falls."""

from __future__ import annotations

from collections.abc import Iterator

from processors.rules import tree as T


def aggregates_in(expr: T.Expr | None) -> Iterator[T.Aggregate]:
    """Every aggregate of an expression, left to right."""
    match expr:
        case T.Aggregate():
            yield expr
        case T.Compare():
            yield from aggregates_in(expr.left)
            yield from aggregates_in(expr.right)
        case T.Not():
            yield from aggregates_in(expr.item)
        case T.And() | T.Or():
            for item in expr.items:
                yield from aggregates_in(item)
        case _:
            pass


def entry_conditions(tag: T.Tag) -> list[T.Expr]:
    """What lets a tag enter: its `when`, or those of its levels."""
    return [tag.when] if tag.when is not None else [level.when for level in tag.tiers]


def conditions_of(tag: T.Tag) -> list[T.Expr]:
    """All conditions of a tag: those that let it enter, then its own `leave`."""
    return entry_conditions(tag) + ([tag.leave] if tag.leave is not None else [])


def comparisons_in(expr: T.Expr) -> Iterator[T.Compare]:
    """Every comparison of a condition, left to right."""
    match expr:
        case T.Compare():
            yield expr
        case T.Not(item):
            yield from comparisons_in(item)
        case T.And(items) | T.Or(items):
            for item in items:
                yield from comparisons_in(item)
        case _:
            pass


def falling_in(expr: T.Expr, wanted: bool = True) -> Iterator[tuple[T.Compare, list[T.Aggregate]]]:
    """Comparisons with those of their aggregates of which a lower value can make `expr` become `wanted`.

    `count(x, 7d) >= 3` has none: only events make it true. `count(x, 7d) == 0` has one, and time alone makes it true.
    """
    match expr:
        case T.Not(item):
            yield from falling_in(item, not wanted)
        case T.And(items) | T.Or(items):
            for item in items:
                yield from falling_in(item, wanted)
        case T.Compare(op, left, right):
            rising = (">", ">=") if wanted else ("<", "<=")
            falling = ("<", "<=") if wanted else (">", ">=")
            fallen = list(aggregates_in(left)) if op not in rising else []
            if op not in falling:
                fallen += aggregates_in(right)
            yield expr, fallen
        case _:
            pass
