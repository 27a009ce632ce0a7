"""When a comparison with `days_since` becomes true or false by itself: no event comes and no window lets anything go.

A `days_since` is 0 up to its newest event and then grows by one with each millisecond. Compared with a constant or
with another one it changes at moments that can be written down. In a ratio it cannot be read off so easily; there the
sides keep their direction between those moments, and the step from less to greater is found by halving.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from processors.oracle.event import DAY_MS
from processors.oracle.expression import Scope, is_true, parts, sides_of
from processors.rules.tree import Aggregate, Compare, Expr, Number


def is_since(expr: object) -> bool:
    return isinstance(expr, Aggregate) and expr.func == "days_since"


def next_turn_ms(
    compare: Compare, newest_ms: list[int], scope_at: Callable[[int], Scope], after_ms: int, until_ms: int
) -> int | None:
    """The first instant in (after, until] at which the truth differs from that of the millisecond before.

    `newest_ms`: the newest event of each `days_since` in it. Until `until_ms` nothing but time changes its sides.
    """

    def turns(now_ms: int) -> bool:
        return is_true(compare, scope_at(now_ms)) != is_true(compare, scope_at(now_ms - 1))

    if until_ms <= after_ms:
        return None
    sides = (compare.left, compare.right)
    if all(is_since(side) or isinstance(side, Number) for side in sides):
        moments = {newest + 1 for newest in newest_ms}
        for bound in sides:
            if isinstance(bound, Number):
                whole_ms = bound.value * DAY_MS // 1
                moments |= {newest + whole_ms + more for newest in newest_ms for more in (0, 1)}
    else:
        moments = steps_ms(compare, newest_ms, scope_at, after_ms, until_ms)
    return min((moment for moment in moments if after_ms < moment <= until_ms and turns(moment)), default=None)


def steps_ms(
    compare: Compare, newest_ms: list[int], scope_at: Callable[[int], Scope], after_ms: int, until_ms: int
) -> set[int]:
    """Instants in (after, until] from which on the left side stands otherwise to the right one: less, equal, greater
    or not to be compared. Where both sides move there may be more within a rounding error."""

    def standing(now_ms: int) -> int | None:
        left, right = sides_of(compare, scope_at(now_ms))
        if left is None or right is None:
            return None
        assert not isinstance(left, str | tuple) and not isinstance(right, str | tuple), "a ratio is a number"
        return (left > right) - (left < right)

    edges = {edge for newest in newest_ms for edge in (newest, newest + 1) if after_ms < edge < until_ms}
    stops = sorted({after_ms, until_ms, *edges})
    found = set()
    for low_ms, high_ms in pairwise(stops):
        while standing(low_ms) != standing(high_ms):
            before_ms, from_ms = low_ms, high_ms
            while from_ms - before_ms > 1:
                middle_ms = (before_ms + from_ms) // 2
                if standing(middle_ms) == standing(low_ms):
                    before_ms = middle_ms
                else:
                    from_ms = middle_ms
            found.add(from_ms)
            low_ms = from_ms
    return found


def first_time_ms(holds: Callable[[int], bool], newest_ms: list[int], after_ms: int, until_ms: int) -> int | None:
    """The first instant in (after, until] at which something holds that does not at `after`.

    It may begin at any instant, but end only where one of the newest events happens or has just happened.
    """
    edges = {edge for newest in newest_ms for edge in (newest, newest + 1) if after_ms < edge < until_ms}
    for low_ms, high_ms in pairwise(sorted({after_ms, until_ms, *edges})):
        if holds(high_ms):
            while high_ms - low_ms > 1:
                middle_ms = (low_ms + high_ms) // 2
                if holds(middle_ms):
                    high_ms = middle_ms
                else:
                    low_ms = middle_ms
            return high_ms
    return None


def sinces_in(expr: Expr) -> list[Aggregate]:
    """Every `days_since` in an expression."""
    return [part for part in parts(expr) if isinstance(part, Aggregate) and is_since(part)]
