"""What an expression is made of: the one place that knows which parts each kind of node has."""

from __future__ import annotations

from collections.abc import Iterator

from processors.rules import tree as T


def parts_of(expr: T.Expr) -> tuple[T.Expr, ...]:
    """The direct parts of a node, left to right. Filters are not among them: what stands in `where` is another world.

    See `filters_of` for those.
    """
    match expr:
        case T.Compare() | T.Ratio():
            return (expr.left, expr.right)
        case T.And() | T.Or():
            return expr.items
        case T.Not() | T.Present() | T.Trend():
            return (expr.item,)
        case T.Member() | T.StartsWith():
            return (expr.left,)
        case _:
            return ()


def filters_of(expr: T.Expr) -> tuple[T.Expr, ...]:
    """The conditions in the `where` of this node itself, left to right."""
    found: tuple[T.Expr | None, ...]
    match expr:
        case T.Aggregate() | T.Top():
            found = (expr.where,)
        case T.Sequence():
            found = (expr.first.where, expr.second.where)
        case _:
            found = ()
    return tuple(where for where in found if where is not None)


def nodes_of(expr: T.Expr | None) -> Iterator[T.Expr]:
    """The expression and all parts of parts, left to right, each node before its parts; without filters."""
    if expr is None:
        return
    yield expr
    for part in parts_of(expr):
        yield from nodes_of(part)
