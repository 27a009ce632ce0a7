"""What filters and conditions share when they become instructions: comparisons, constants and logic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from processors import interpret as vm
from processors.rules import tree as T
from schemas.events import KINDS

Instruction = tuple[int, int, int, int, int]
"""Operation and four operands, see interpret.py."""

OPS: dict[T.CompareOp, int] = {"==": vm.EQ, "!=": vm.NE, "<": vm.LT, "<=": vm.LE, ">": vm.GT, ">=": vm.GE}
_FLIPPED: dict[T.CompareOp, T.CompareOp] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_INT64_MAX = 2**63 - 1


@dataclass(slots=True)
class Pools:
    """Constants of a rule set: texts as bytes, and reals."""

    texts: list[bytes] = field(default_factory=list)
    reals: dict[float, int] = field(default_factory=dict)
    prefixes: bytearray = field(default_factory=bytearray)
    """Texts with which attributes are said to begin, one behind another."""
    _index: dict[bytes, int] = field(default_factory=dict)
    _kinds: dict[str, int] = field(default_factory=dict)

    def text(self, value: str) -> int:
        """Index of a text."""
        encoded = value.encode()
        if encoded not in self._index:
            self._index[encoded] = len(self.texts)
            self.texts.append(encoded)
        return self._index[encoded]

    def kinds(self, event: str) -> int:
        """Index of the name of an event type's first kind, behind which stand the others."""
        if event not in self._kinds:
            self._kinds[event] = len(self.texts)
            self.texts += [kind.encode() for kind in KINDS[event]]
        return self._kinds[event]

    def prefix(self, value: str) -> tuple[int, int]:
        """(place among the prefixes, length in bytes)."""
        place = len(self.prefixes)
        self.prefixes += value.encode()
        return place, len(self.prefixes) - place

    def real(self, value: Fraction) -> int:
        """Index of a real: the double nearest to what was written, as it is for a field."""
        return self.reals.setdefault(float(value), len(self.reals))


def flip(op: T.CompareOp) -> T.CompareOp:
    """The comparison with its sides exchanged."""
    return _FLIPPED[op]


def truth(value: bool) -> Instruction:
    """A constant."""
    return (vm.OP_TRUE if value else vm.OP_FALSE, 0, 0, 0, 0)


def compare_numbers(op: T.CompareOp, a: Fraction, b: Fraction) -> bool:
    """A comparison of two constants."""
    return bool(vm.compare(OPS[op], a, b))


def whole_threshold(op: T.CompareOp, bound: Fraction) -> tuple[int, int] | bool:
    """`x op bound` for whole x as (comparison, whole number), or a constant where it is the same for all x."""
    whole = bound.denominator == 1
    if not whole and op in ("==", "!="):
        return op == "!="
    value = math.ceil(bound) if op in ("<", ">=") else math.floor(bound)
    if abs(value) > _INT64_MAX:
        return compare_numbers(op, Fraction(0), bound)
    return OPS[op], value


def logic(expr: T.Expr, leaf: Callable[[T.Expr], list[Instruction]]) -> list[Instruction]:
    """`not`, `and`, `or` over what `leaf` makes of the rest."""
    match expr:
        case T.Not(item):
            return [*leaf(item), (vm.OP_NOT, 0, 0, 0, 0)]
        case T.And(items) | T.Or(items):
            op = vm.OP_AND if isinstance(expr, T.And) else vm.OP_OR
            return [i for item in items for i in leaf(item)] + [(op, len(items), 0, 0, 0)]
    raise AssertionError(f"the type check let {type(expr).__name__} through as a condition")
