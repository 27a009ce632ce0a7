"""The judge of the engine: what a rule set makes of a history, computed in the plainest way that can be right.

Problem: the engine keeps running sums, panes in arenas, timer wheels and compiled programs, and each of them can be
wrong in a way that looks plausible. Design: here nothing is kept but a list of what each customer did. Every aggregate
is added up afresh from that list whenever the rules are looked at; at each instant at which anything ends, all rules of
the customer are looked at, whether it matters to them or not; and numbers are exact fractions. Slow on purpose.

It shares no code with the engine: of the project it reads the field table, the outcomes and the syntax tree.
One call is one partition; all times are milliseconds since the epoch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal

from processors.rules.tree import (
    Aggregate,
    And,
    Compare,
    Expr,
    FieldRef,
    Member,
    Not,
    Number,
    Or,
    RuleSet,
    Tag,
    Text,
)
from schemas.events import AHEAD_IS_DEAD_MS, AHEAD_IS_NOW_MS, EARLIEST_EVENT_MS, FIELDS, KINDS
from schemas.outcomes import Outcome

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

LONGEST_WINDOW_OF_MINUTES_MS: Final = 25 * HOUR_MS
"""Windows up to this length are made of panes of one minute, longer ones of panes of one hour."""

Value = Fraction | int | str | None
"""What an expression is worth; None is missing."""

TagValue = str | Literal[True] | None
"""Value of a tag: None is absent, True is present, a text is a tier's level."""

Scope = Callable[[FieldRef | Aggregate], Value]
"""Gives the names in an expression their value."""


@dataclass(frozen=True, slots=True)
class Event:
    """One record as its sender meant it; it can be read, but it may still be dead by its time, a duplicate or late."""

    type: str
    event_id: str
    customer_id: str
    event_time_ms: int
    arrival_ms: int
    fields: dict[str, int | float | str | None] = field(default_factory=dict)
    """By name, `kind` as text, money as `amount_cents`; a field that is None or not there is missing."""


@dataclass(frozen=True, slots=True)
class OracleChange:
    """One change of one tag of one customer."""

    customer_id: str
    tag: str
    op: Literal["entered", "changed", "left"]
    before: TagValue
    after: TagValue
    effective_at_ms: int
    origin: Literal["live", "timer"]
    cause: str | None
    """Id of the event that caused it, if one did."""
    cause_time_ms: int | None
    """The timer's due time, if a timer caused it."""


def split_cause(cause: str | int | None) -> tuple[str | None, int | None]:
    """A published cause as (event, time): a number is a time."""
    return (None, cause) if isinstance(cause, int) else (cause, None)


@dataclass(slots=True)
class Result:
    """What came of a history. Only the order of one customer's changes has a meaning, not that between customers."""

    changes: list[OracleChange] = field(default_factory=list)
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    tags: dict[str, dict[str, TagValue]] = field(default_factory=dict)
    """customer_id to tag to value, at the end; customers without a tag are left out."""


def run(rule_set: RuleSet, events: list[Event], until_ms: int | None) -> Result:
    """Applies the events in order of (arrival, line), then lets time pass up to and including `until_ms`.

    Events that arrive after `until_ms` are not read. None stops the clock at the last arrival.
    """
    judge = Judge(rule_set)
    for event in sorted(events, key=lambda event: event.arrival_ms):
        if until_ms is None or event.arrival_ms <= until_ms:
            judge.read(event)
    if until_ms is not None:
        judge.let_time_pass(until_ms)
    for customer in judge.customers.values():
        present: dict[str, TagValue] = {
            tag_id: state.value for tag_id, state in customer.states.items() if state.value is not None
        }
        if present:
            judge.result.tags[customer.id] = present
    return judge.result


# ---------------------------------------------------------------------------------------------------- windows


def pane_end_ms(event_time_ms: int, window_ms: int) -> int:
    """End of the pane [start, end) in which a window of this length keeps an event."""
    pane_ms = MINUTE_MS if window_ms <= LONGEST_WINDOW_OF_MINUTES_MS else HOUR_MS
    return event_time_ms // pane_ms * pane_ms + pane_ms


def leaves_at_ms(event_time_ms: int, window_ms: int) -> int:
    """The first instant at which a window of this length no longer holds an event."""
    return pane_end_ms(event_time_ms, window_ms) + window_ms


# ------------------------------------------------------------------------------------------------ expressions

COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def is_true(expr: Expr, scope: Scope) -> bool:
    """Truth of a condition. A comparison with something missing is false, whatever its operator."""
    if isinstance(expr, And):
        return all(is_true(item, scope) for item in expr.items)
    if isinstance(expr, Or):
        return any(is_true(item, scope) for item in expr.items)
    if isinstance(expr, Not):
        return not is_true(expr.item, scope)
    if isinstance(expr, Compare):
        left, right = value_of(expr.left, scope), value_of(expr.right, scope)
        return left is not None and right is not None and COMPARE[expr.op](left, right)
    if isinstance(expr, Member):
        left = value_of(expr.left, scope)
        return left is not None and (left in [item.value for item in expr.values]) != expr.negated
    raise TypeError(f"not a condition: {expr!r}")


def value_of(expr: Expr, scope: Scope) -> Value:
    """Value of one side of a comparison."""
    if isinstance(expr, (Number, Text)):
        return expr.value
    if isinstance(expr, (FieldRef, Aggregate)):
        return scope(expr)
    raise TypeError(f"not a value: {expr!r}")


def field_value(event: Event, name: str, default_currency: str) -> Value:
    """A field as rules see it: `amount` in units, missing kind and currency filled in, reals as their decimals."""
    if name == "amount":
        cents = event.fields.get("amount_cents")
        return None if cents is None else Fraction(int(cents), 100)
    if name not in {known.name for known in FIELDS[event.type]}:
        raise KeyError(f"{event.type} has no field {name}")
    found = event.fields.get(name)
    if found is None and name == "kind":
        return KINDS[event.type][0]
    if found is None and name == "currency":
        return default_currency
    if isinstance(found, float):
        # A real means the decimal that was written (0.1 is one tenth), to nine places.
        return Fraction(round(Decimal(str(found)), 9))
    return found


def parts(expr: Expr | None) -> Iterator[Expr]:
    """An expression and everything in it, `where` filters included."""
    if expr is None:
        return
    yield expr
    if isinstance(expr, (And, Or)):
        for item in expr.items:
            yield from parts(item)
    elif isinstance(expr, Not):
        yield from parts(expr.item)
    elif isinstance(expr, Compare):
        yield from parts(expr.left)
        yield from parts(expr.right)
    elif isinstance(expr, Member):
        yield from parts(expr.left)
    elif isinstance(expr, Aggregate):
        yield from parts(expr.where)


def aggregates_of(rule_set: RuleSet) -> list[Aggregate]:
    """Every aggregate that stands anywhere in the rule set, as often as it stands there."""
    conditions = [
        condition for tag in rule_set.tags for condition in (tag.when, tag.leave, *(level.when for level in tag.tiers))
    ]
    return [part for condition in conditions for part in parts(condition) if isinstance(part, Aggregate)]


def is_counted(aggregate: Aggregate, event: Event, default_currency: str) -> bool:
    """Whether an event is of those that an aggregate is about."""
    return event.type == aggregate.event and (
        aggregate.where is None
        or is_true(
            aggregate.where,
            lambda name: field_value(event, name.name, default_currency) if isinstance(name, FieldRef) else None,
        )
    )


def amount_in(aggregate: Aggregate, event: Event, default_currency: str) -> Fraction | int:
    """What an event that is counted adds while the window holds it: nothing if it lacks the field or is other money."""
    if aggregate.func == "count":
        return 1
    assert aggregate.field is not None
    names_currency = any(isinstance(part, FieldRef) and part.name == "currency" for part in parts(aggregate.where))
    is_money = aggregate.field in ("amount", "amount_cents")
    if is_money and not names_currency and field_value(event, "currency", default_currency) != default_currency:
        return 0
    amount = field_value(event, aggregate.field, default_currency)
    assert not isinstance(amount, str), f"sum of a text: {aggregate.field}"
    return 0 if amount is None else amount


# ---------------------------------------------------------------------------------------------- state machine


@dataclass(slots=True)
class TagState:
    """Where one tag of one customer stands."""

    value: TagValue = None
    value_since_ms: int = 0
    left_at_ms: int | None = None
    """When the tag last stopped having a value (a tier: also when it went from one level to another)."""
    candidate: TagValue = None
    """The value that the conditions ask for, as of the last evaluation. Plain tags keep one only while out."""
    candidate_since_ms: int = 0
    """The first of the evaluations without a gap at which it was this candidate."""
    spent: bool = False
    """Its term ended while the condition was true: out until the condition has been false once."""


def expires_at_ms(tag: Tag, state: TagState) -> int | None:
    if state.value is None or tag.expires_ms is None:
        return None
    return state.value_since_ms + tag.expires_ms


def moves_at_ms(tag: Tag, state: TagState) -> int | None:
    """When the tag takes its candidate's value if nothing else happens; None if nothing is pending."""
    if state.candidate is None or state.candidate == state.value or state.spent:
        return None
    dwelt_ms = state.candidate_since_ms + tag.dwell_ms
    return dwelt_ms if state.left_at_ms is None else max(dwelt_ms, state.left_at_ms + tag.cooldown_ms)


def is_due(due_ms: int | None, now_ms: int) -> bool:
    return due_ms is not None and due_ms <= now_ms


def new_plain_value(tag: Tag, state: TagState, scope: Scope, now_ms: int) -> TagValue:
    """One evaluation of a tag with `when`; notes candidate and term in the state, leaves the value to the caller."""
    assert tag.when is not None
    when = is_true(tag.when, scope)
    if state.value is not None:
        leave = not when if tag.leave is None else is_true(tag.leave, scope)
        expired = is_due(expires_at_ms(tag, state), now_ms)
        if leave or expired:
            state.spent = expired and when
            state.candidate = None
            return None
        return state.value
    if not when:
        state.spent = False
        state.candidate = None
        return None
    if state.candidate is None and not state.spent:
        state.candidate = True
        state.candidate_since_ms = now_ms
    return True if is_due(moves_at_ms(tag, state), now_ms) else None


def new_tier_value(tag: Tag, state: TagState, scope: Scope, now_ms: int) -> TagValue:
    """One evaluation of a tag with levels; notes candidate and term in the state, leaves the value to the caller."""
    assert tag.leave is None, "a tier leaves when no level is true"
    candidate = next((level.name for level in tag.tiers if is_true(level.when, scope)), None)
    if candidate != state.candidate:
        state.candidate = candidate
        state.candidate_since_ms = now_ms
    if candidate is None:
        state.spent = False
        return None
    if is_due(expires_at_ms(tag, state), now_ms):
        state.spent = True
        return None
    return candidate if is_due(moves_at_ms(tag, state), now_ms) else state.value


# -------------------------------------------------------------------------------------------------- the judge


@dataclass(frozen=True, slots=True)
class Term:
    """What one event adds to one aggregate, and until when."""

    amount: Fraction | int
    leaves_at_ms: int | None
    """None stays for ever."""


@dataclass(slots=True)
class Customer:
    id: str
    terms: list[list[Term]]
    """Per aggregate of the rule set, all that ever counted in it."""
    states: dict[str, TagState]
    """By tag, in the rule set's order."""
    instants_ms: set[int] = field(default_factory=set)
    """Still to come: when a window lets a pane of theirs go, and when the cooldown of a tag that they lost ends."""


class Judge:
    """The partition: its clock, its customers, the ids that it has seen, and what came of it so far."""

    def __init__(self, rule_set: RuleSet) -> None:
        self.rule_set = rule_set
        self.aggregates = aggregates_of(rule_set)
        # By identity: the same aggregate written twice may be computed twice, that is only slow.
        self.position = {id(aggregate): position for position, aggregate in enumerate(self.aggregates)}
        self.clock_ms: int | None = None
        self.customers: dict[str, Customer] = {}
        self.seen_in_generation: dict[tuple[str, str], int] = {}
        self.result = Result()

    def read(self, event: Event) -> None:
        """One record: moves the clock, lets what is due happen, then applies the event if it is to be applied."""
        self.let_time_pass(event.arrival_ms)
        clock_ms = event.arrival_ms if self.clock_ms is None else max(self.clock_ms, event.arrival_ms)
        self.clock_ms = clock_ms
        event_time_ms = event.event_time_ms
        if clock_ms + AHEAD_IS_NOW_MS < event_time_ms <= clock_ms + AHEAD_IS_DEAD_MS:
            event_time_ms = clock_ms
        outcome = self.outcome_of(event, event_time_ms, clock_ms)
        self.result.outcomes[outcome] += 1
        if outcome in (Outcome.LATE, Outcome.APPLIED):
            customer = self.customer(event.customer_id)
            self.take(customer, event, event_time_ms, clock_ms)
            self.evaluate(customer, clock_ms, event)

    def outcome_of(self, event: Event, event_time_ms: int, clock_ms: int) -> Outcome:
        if event_time_ms < EARLIEST_EVENT_MS or event_time_ms > clock_ms + AHEAD_IS_DEAD_MS:
            return Outcome.DEAD
        identity = (event.type, event.event_id)
        generation = clock_ms // DAY_MS
        last_seen_in = self.seen_in_generation.get(identity)
        self.seen_in_generation[identity] = generation
        if last_seen_in is not None and last_seen_in >= generation - 1:
            return Outcome.DUPLICATE
        windows_ms = self.windows_ms(event.type)
        if windows_ms and all(leaves_at_ms(event_time_ms, window_ms) <= clock_ms for window_ms in windows_ms):
            return Outcome.LATE
        return Outcome.APPLIED

    def windows_ms(self, event_type: str) -> set[int]:
        """Lengths of the windows over events of a type, `ever` left out."""
        return {
            aggregate.window_ms
            for aggregate in self.aggregates
            if aggregate.event == event_type and aggregate.window_ms is not None
        }

    def customer(self, customer_id: str) -> Customer:
        if customer_id not in self.customers:
            states = {tag.id: TagState() for tag in self.rule_set.tags}
            self.customers[customer_id] = Customer(customer_id, [[] for _ in self.aggregates], states)
        return self.customers[customer_id]

    def take(self, customer: Customer, event: Event, event_time_ms: int, clock_ms: int) -> None:
        """Adds an event to the customer's list, whether or not a window still holds it."""
        currency = self.rule_set.default_currency
        for aggregate, terms in zip(self.aggregates, customer.terms, strict=True):
            if not is_counted(aggregate, event, currency):
                continue
            window_ms = aggregate.window_ms
            departure_ms = None if window_ms is None else leaves_at_ms(event_time_ms, window_ms)
            # An event without the field that is summed is in the window all the same, and leaves it.
            terms.append(Term(amount_in(aggregate, event, currency), departure_ms))
            if departure_ms is not None and departure_ms > clock_ms:
                customer.instants_ms.add(departure_ms)

    def let_time_pass(self, until_ms: int) -> None:
        """All that happens by itself up to and including an instant, oldest first, to each customer once an instant."""
        while True:
            due = [
                (due_ms, customer.id)
                for customer in self.customers.values()
                if (due_ms := self.next_due_ms(customer)) is not None and due_ms <= until_ms
            ]
            if not due:
                return
            due_ms, customer_id = min(due)
            customer = self.customers[customer_id]
            customer.instants_ms.discard(due_ms)
            self.evaluate(customer, due_ms, None)
            next_due_ms = self.next_due_ms(customer)
            assert next_due_ms is None or next_due_ms > due_ms, "an instant is evaluated once"

    def next_due_ms(self, customer: Customer) -> int | None:
        """The next instant at which anything of the customer's may change by itself."""
        due_ms = set(customer.instants_ms)
        for tag in self.rule_set.tags:
            state = customer.states[tag.id]
            due_ms |= {due for due in (moves_at_ms(tag, state), expires_at_ms(tag, state)) if due is not None}
        return min(due_ms, default=None)

    def evaluate(self, customer: Customer, now_ms: int, event: Event | None) -> None:
        """Looks at every rule once; `event` is None for an instant at which time alone did it."""
        totals = [
            sum(term.amount for term in terms if term.leaves_at_ms is None or term.leaves_at_ms > now_ms)
            for terms in customer.terms
        ]

        def scope(name: FieldRef | Aggregate) -> Value:
            assert isinstance(name, Aggregate), "a field outside of an aggregate"
            return totals[self.position[id(name)]]

        for tag in self.rule_set.tags:
            state = customer.states[tag.id]
            new_value = new_tier_value if tag.tiers else new_plain_value
            after = new_value(tag, state, scope, now_ms)
            if after != state.value:
                self.note(customer, tag, state.value, after, now_ms, event)
                if state.value is not None:
                    state.left_at_ms = now_ms
                if after is None and tag.cooldown_ms:
                    customer.instants_ms.add(now_ms + tag.cooldown_ms)
                state.value = after
                state.value_since_ms = now_ms

    def note(
        self, customer: Customer, tag: Tag, before: TagValue, after: TagValue, now_ms: int, event: Event | None
    ) -> None:
        self.result.changes.append(
            OracleChange(
                customer_id=customer.id,
                tag=tag.id,
                op="entered" if before is None else "left" if after is None else "changed",
                before=before,
                after=after,
                effective_at_ms=now_ms,
                origin="timer" if event is None else "live",
                cause=None if event is None else event.event_id,
                cause_time_ms=now_ms if event is None else None,
            )
        )
