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


def eager_aggregates(expr: T.Expr, wanted: bool = True) -> Iterator[T.Aggregate]:
    """Aggregates of which a lower value can make `expr` become `wanted`.

    `count(x, 7d) >= 3` has none: only events make it true. `count(x, 7d) == 0` does, and time alone does it.
    """
    match expr:
        case T.Not(item):
            yield from eager_aggregates(item, not wanted)
        case T.And(items) | T.Or(items):
            for item in items:
                yield from eager_aggregates(item, wanted)
        case T.Compare(op, left, right):
            rising = (">", ">=") if wanted else ("<", "<=")
            falling = ("<", "<=") if wanted else (">", ">=")
            if op not in rising:
                yield from aggregates_in(left)
            if op not in falling:
                yield from aggregates_in(right)
        case _:
            pass
