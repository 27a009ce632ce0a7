"""A tree back to text, in one canonical form: what the version is hashed from, and what messages show.

`parse(dump(tree)) == tree` for every tree that `parse` makes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from processors.rules import tree as T
from processors.rules.durations import write_length

_OR: Final = 0
_AND: Final = 1
_NOT: Final = 2
_COMPARE: Final = 3
_OPERAND: Final = 4
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def dump(expr: T.Expr) -> str:
    """Canonical text: one space around words and operators, double quotes, parentheses only where they are needed."""
    return _dump(expr)[0]


def dump_number(value: Fraction) -> str:
    """The number in decimal digits, exact. It has a finite expansion, for it was written as one."""
    if value.denominator == 1:
        return str(value.numerator)
    places = 1
    while (value * 10**places).denominator != 1:
        places += 1
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def dump_text(value: str) -> str:
    """The text in double quotes."""
    return f'"{value.translate(_ESCAPES)}"'


def _dump(expr: T.Expr) -> tuple[str, int]:
    """(text, how tightly it binds)."""
    match expr:
        case T.Number(value):
            return dump_number(value), _OPERAND
        case T.Text(value):
            return dump_text(value), _OPERAND
        case T.FieldRef(name):
            return name, _OPERAND
        case T.ProfileRef(name):
            return f"profile.{name}", _OPERAND
        case T.Age(name):
            return f"age(profile.{name})", _OPERAND
        case T.Aggregate():
            return _aggregate(expr), _OPERAND
        case T.Top(event, field, measure):
            by = "" if measure is None else f" by sum({event}.{measure})"
            return f"top({_filtered(f'{event}.{field}{by}', expr.where)}, {_window(expr.window_ms)})", _OPERAND
        case T.Ratio(left, right):
            return f"ratio({dump(left)}, {dump(right)})", _OPERAND
        case T.Trend(item):
            return f"trend({dump(item)})", _OPERAND
        case T.Present(item):
            return f"present({dump(item)})", _OPERAND
        case T.Calendar(unit, field):
            return f"{unit}({field})", _OPERAND
        case T.TagRef(tag):
            return f"tag({dump_text(tag)})", _OPERAND
        case T.StartsWith(left, prefix):
            return f"{_within(left, _OPERAND)} starts_with {dump(prefix)}", _COMPARE
        case T.Sequence():
            return _sequence(expr), _COMPARE
        case T.Compare(op, left, right):
            return f"{_within(left, _OPERAND)} {op} {_within(right, _OPERAND)}", _COMPARE
        case T.Member(left, values, negated):
            listed = ", ".join(_within(v, _OPERAND) for v in values)
            return f"{_within(left, _OPERAND)} {'not in' if negated else 'in'} [{listed}]", _COMPARE
        case T.Not(item):
            return f"not {_within(item, _NOT)}", _NOT
        case T.And(items):
            return " and ".join(_within(item, _NOT) for item in items), _AND
        case T.Or(items):
            return " or ".join(_within(item, _AND) for item in items), _OR


def _within(expr: T.Expr, tightness: int) -> str:
    """The text, in parentheses if it binds less tightly than its place demands."""
    text, own = _dump(expr)
    return text if own >= tightness else f"({text})"


def _aggregate(expr: T.Aggregate) -> str:
    source = _filtered(expr.event if expr.field is None else f"{expr.event}.{expr.field}", expr.where)
    if expr.func == "days_since":
        return f"days_since({source})"
    return f"{expr.func}({source}, {_window(expr.window_ms)})"


def _window(window_ms: int | None) -> str:
    return "ever" if window_ms is None else write_length(window_ms)


def _sequence(expr: T.Sequence) -> str:
    first, second = (_filtered(each.event, each.where) for each in (expr.first, expr.second))
    return f"{first} then {'no ' if expr.negated else ''}{second} within {write_length(expr.within_ms)}"


def _filtered(source: str, where: T.Expr | None) -> str:
    return source if where is None else f"{source} where {dump(where)}"
