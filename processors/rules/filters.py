"""`where`: conditions over the fields of one event, to instructions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from processors import interpret as vm
from processors.rules import tree as T
from processors.rules.instructions import OPS, Instruction, Pools, compare_numbers, flip, logic, truth, whole_threshold
from processors.rules.parts import nodes_of
from schemas.events import FIELDS, KINDS, Field

CENTS = 100


class FilterCompiler:
    """Compiles the filters of one event type."""

    def __init__(
        self, event: str, pools: Pools, default_currency: str, state: Callable[[T.Expr, bool | None], tuple[int, int]]
    ) -> None:
        """`state` makes a program about the customer, of a condition (None) or a value, as a text or not.

        It gives the program's range.
        """
        self._event = event
        self._pools = pools
        self._default_currency = default_currency
        self._state = state

    def compile(self, expr: T.Expr) -> list[Instruction]:
        """Instructions that leave the truth of `expr` on the stack."""
        match expr:
            case T.Compare(op, T.FieldRef(name), (T.ProfileRef() | T.Age()) as right):
                return [self._with_state(op, name, right)]
            case T.Compare(op, (T.ProfileRef() | T.Age()) as left, T.FieldRef(name)):
                return [self._with_state(flip(op), name, left)]
            case T.Compare() | T.Member() | T.Present() | T.StartsWith() if _is_about_customer(expr):
                return [(vm.OP_STATE, *self._state(expr, None), 0, 0)]
            case T.Present(T.FieldRef("currency" | "kind")):
                # a missing one means the default one
                return [truth(True)]
            case T.Present(T.FieldRef(name)):
                return [(vm.OP_HAS, self._field(name)[0], 0, 0, 0)]
            case T.StartsWith(T.FieldRef(name), T.Text(prefix)):
                if_missing = name == "currency" and self._default_currency.startswith(prefix)
                return [(vm.OP_PREFIX, self._field(name)[0], self._pools.text(prefix), 0, int(if_missing))]
            case T.Compare(op, T.Calendar() as left, T.Number(value)):
                return [self._calendar(op, left, value)]
            case T.Compare(op, T.Number(value), T.Calendar() as right):
                return [self._calendar(flip(op), right, value)]
            case T.Member(T.Calendar() as left, values, negated):
                return self._any(negated, [self._calendar("!=" if negated else "==", left, v.value) for v in values])
            case T.Compare(op, T.FieldRef() as left, T.FieldRef() as right):
                return [self._two_fields(op, left.name, right.name)]
            case T.Compare(op, T.FieldRef(name), T.Text() | T.Number() as constant):
                return [self._with_constant(op, name, constant)]
            case T.Compare(op, T.Text() | T.Number() as constant, T.FieldRef(name)):
                return [self._with_constant(flip(op), name, constant)]
            case T.Compare(op, T.Number(a), T.Number(b)):
                return [truth(compare_numbers(op, a, b))]
            case T.Compare(op, T.Text(a), T.Text(b)):
                return [truth((a == b) == (op == "=="))]
            case T.Member(T.FieldRef(name), values, negated):
                op = "!=" if negated else "=="
                return self._any(negated, [self._with_constant(op, name, v) for v in values])
            case _:
                return logic(expr, self.compile)

    def _with_state(self, op: T.CompareOp, name: str, value: T.ProfileRef | T.Age) -> Instruction:
        """A field against what is known of the customer."""
        position, f, unit = self._field(name)
        as_text = f.kind in ("text", "kind")
        if name == "currency":
            sort = vm.CURRENCY_FIELD - self._pools.text(self._default_currency)
        elif as_text:
            sort = vm.TEXT_FIELD if f.kind == "text" else -2 - self._pools.kinds(self._event)
        else:
            sort = unit
        start, end = self._state(value, as_text)
        return (vm.OP_WITH_STATE, position, sort, OPS[op], start << 32 | end)

    def _any(self, negated: bool, tests: list[Instruction]) -> list[Instruction]:
        """One of the tests holds, or, negated, all do."""
        if len(tests) == 1:
            return tests
        return [*tests, (vm.OP_AND if negated else vm.OP_OR, len(tests), 0, 0, 0)]

    def _calendar(self, op: T.CompareOp, time: T.Calendar, value: Fraction | str) -> Instruction:
        """The hour or weekday of a time against a constant; none is below 0."""
        assert isinstance(value, Fraction)
        place = vm.EVENT_TIME if time.field == "event_time" else self._field(time.field)[0]
        compared = whole_threshold(op, value)
        if isinstance(compared, bool):
            compared = (vm.GE if compared else vm.LT, 0)
        return (vm.OP_CALENDAR, place, int(time.unit == "weekday"), *compared)

    def _field(self, name: str) -> tuple[int, Field, int]:
        """(position, field, whole units in one; 0 for a real) of a field as rules name it."""
        unit = CENTS if name == "amount" else 1
        stored = "amount_cents" if name == "amount" else name
        for position, f in enumerate(FIELDS[self._event]):
            if f.name == stored:
                return position, f, 0 if f.kind == "real" else unit
        raise AssertionError(f"the type check let field {name} of {self._event} through")

    def _with_constant(self, op: T.CompareOp, name: str, constant: T.Text | T.Number) -> Instruction:
        position, f, unit = self._field(name)
        if isinstance(constant, T.Number):
            return self._number(op, position, unit, constant.value)
        if f.kind == "kind":
            return (vm.OP_INT, position, OPS[op], KINDS[self._event].index(constant.value), 0)
        negated = op == "!="
        # a missing currency is the default one; any other missing text makes a comparison false
        if_missing = name == "currency" and (constant.value == self._default_currency) != negated
        return (vm.OP_TEXT, position, self._pools.text(constant.value), int(negated), int(if_missing))

    def _number(self, op: T.CompareOp, position: int, unit: int, value: Fraction) -> Instruction:
        if unit == 0:
            return (vm.OP_REAL, position, OPS[op], self._pools.real(value), 0)
        compared = whole_threshold(op, value * unit)
        if isinstance(compared, bool):
            # the field must still be there: every int64 is at or above the least one
            least = -(2**63)
            return (vm.OP_INT, position, vm.GE if compared else vm.LT, least, 0)
        return (vm.OP_INT, position, *compared, 0)

    def _two_fields(self, op: T.CompareOp, left: str, right: str) -> Instruction:
        a, field_a, unit_a = self._field(left)
        b, field_b, unit_b = self._field(right)
        if field_a.kind == "text" and field_b.kind == "text":
            return (vm.OP_TEXT_FIELDS, a, b, int(op == "!="), 0)
        return (vm.OP_NUMBER_FIELDS, a, b, OPS[op], unit_a << 32 | unit_b)


def _is_about_customer(expr: T.Expr) -> bool:
    """Whether a comparison names an attribute and no field of the event."""
    nodes = list(nodes_of(expr))
    return any(isinstance(node, T.ProfileRef | T.Age) for node in nodes)


def attributes_in(expr: T.Expr | None) -> list[T.ProfileRef | T.Age]:
    """Every attribute that a filter or a condition looks at."""
    return [node for node in nodes_of(expr) if isinstance(node, T.ProfileRef | T.Age)]


def calendars_in(expr: T.Expr | None) -> bool:
    """Whether a filter asks for the hour or the weekday."""
    return any(isinstance(node, T.Calendar) for node in nodes_of(expr))


def names_currency(expr: T.Expr | None) -> bool:
    """Whether a filter says itself which currencies it wants."""
    return any(isinstance(node, T.FieldRef) and node.name == "currency" for node in nodes_of(expr))
