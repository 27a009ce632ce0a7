"""The judge of the engine: what a rule set makes of a history, computed in the plainest way that can be right.

Problem: the engine keeps running sums, panes in arenas, timer wheels and compiled programs, and each of them can be
wrong in a way that looks plausible. Design: here nothing is kept but a list of what each customer did. Every value is
computed afresh from that list whenever the rules are looked at; at each instant at which anything ends, all rules of
the customer are looked at, whether it matters to them or not; and numbers are exact fractions, or doubles where they
are doubles by meaning. Slow on purpose.

It shares no code with the engine: of the project it reads the field table, the outcomes and the syntax tree.
One call is one partition; all times are milliseconds since the epoch. What an expression is worth stands in
`expression.py`, when it changes by itself in `moments.py`, in which order tags are looked at in `order.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from processors.rules.tree import Aggregate, Compare, Present, RuleSet, Sequence, Tag, TagRef, Trend
from schemas.events import AHEAD_IS_DEAD_MS, AHEAD_IS_NOW_MS, EARLIEST_EVENT_MS
from schemas.outcomes import Outcome
from tests.oracle.event import DAY_MS, HOUR_MS, MINUTE_MS, Event, Placed, leaves_at_ms
from tests.oracle.expression import (
    Counted,
    Met,
    Name,
    Scope,
    Value,
    aggregate_value,
    aggregates_of,
    counted,
    is_true,
    met,
    parts_of_rules,
    sequence_holds,
    trend_value,
)
from tests.oracle.moments import next_turn_ms, sinces_in
from tests.oracle.order import in_order

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "MINUTE_MS",
    "Event",
    "Judge",
    "OracleChange",
    "Result",
    "TagValue",
    "aggregates_of",
    "leaves_at_ms",
    "run",
    "split_cause",
]

TagValue = str | Literal[True] | None
"""Value of a tag: None is absent, True is present, a text is a tier's level."""


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
    read = [event for event in events if until_ms is None or event.arrival_ms <= until_ms]
    last_ms = max((event.arrival_ms for event in read), default=0)
    judge = Judge(rule_set, last_ms if until_ms is None else until_ms)
    for event in sorted(read, key=lambda event: event.arrival_ms):
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


@dataclass(slots=True)
class Customer:
    id: str
    counted: list[list[Counted]]
    """Per aggregate of the rule set, all that ever counted in it, in order of application."""
    met: list[list[Met]]
    """Per sequence of the rule set, all that was ever of it, in order of application."""
    states: dict[str, TagState]
    """By tag."""
    instants_ms: set[int] = field(default_factory=set)
    """When a window lets a pane of theirs go, and when the cooldown of a tag that they lost ends; past ones too."""
    due_ms: int | None = None
    """The next instant at which anything of theirs may change by itself, as of the last look at them."""


class Judge:
    """The partition: its clock, its customers, the ids that it has seen, and what came of it so far."""

    def __init__(self, rule_set: RuleSet, end_ms: int) -> None:
        """`end_ms`: the instant up to which the judge will be asked."""
        self.rule_set = rule_set
        self.end_ms = end_ms
        self.tags = in_order(rule_set)
        everything = parts_of_rules(rule_set)
        self.aggregates = aggregates_of(rule_set)
        self.sequences = [part for part in everything if isinstance(part, Sequence)]
        # What is present is equal to itself.
        asked = [Compare("==", part.item, part.item) for part in everything if isinstance(part, Present)]
        compared = [part for part in everything if isinstance(part, Compare)]
        self.comparisons = [part for part in (*compared, *asked) if sinces_in(part)]
        # By identity: the same aggregate written twice may be computed twice, that is only slow.
        self.position = {id(aggregate): position for position, aggregate in enumerate(self.aggregates)}
        self.position |= {id(sequence): position for position, sequence in enumerate(self.sequences)}
        self.trended = {id(part.item) for part in everything if isinstance(part, Trend)}
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
            self.take(customer, Placed(event, event_time_ms))
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
        of_its_type = [aggregate for aggregate in self.aggregates if aggregate.event == event.type]
        departures_ms = [ms for aggregate in of_its_type for ms in self.departures_ms(aggregate, event_time_ms)]
        if departures_ms and max(departures_ms) <= clock_ms:
            return Outcome.LATE
        return Outcome.APPLIED

    def departures_ms(self, aggregate: Aggregate, event_time_ms: int) -> list[int]:
        """When an event leaves the windows of an aggregate: one, but two where a trend looks back; none of `ever`."""
        if aggregate.window_ms is None:
            return []
        lengths = (1, 2) if id(aggregate) in self.trended else (1,)
        return [leaves_at_ms(event_time_ms, aggregate.window_ms, each) for each in lengths]

    def customer(self, customer_id: str) -> Customer:
        if customer_id not in self.customers:
            self.customers[customer_id] = Customer(
                customer_id,
                counted=[[] for _ in self.aggregates],
                met=[[] for _ in self.sequences],
                states={tag.id: TagState() for tag in self.tags},
            )
        return self.customers[customer_id]

    def take(self, customer: Customer, placed: Placed) -> None:
        """Adds an event to the customer's lists, whether or not a window still holds it."""
        for aggregate, all_counted in zip(self.aggregates, customer.counted, strict=True):
            if (one := counted(aggregate, placed, self.rule_set)) is not None:
                all_counted.append(one)
                customer.instants_ms.update(self.departures_ms(aggregate, one.time_ms))
        for sequence, all_met in zip(self.sequences, customer.met, strict=True):
            if (part := met(sequence, placed, self.rule_set)) is not None:
                all_met.append(part)

    def let_time_pass(self, until_ms: int) -> None:
        """All that happens by itself up to and including an instant, oldest first, to each customer once an instant."""
        while True:
            due = [
                (customer.due_ms, customer.id)
                for customer in self.customers.values()
                if customer.due_ms is not None and customer.due_ms <= until_ms
            ]
            if not due:
                return
            due_ms, customer_id = min(due)
            self.evaluate(self.customers[customer_id], due_ms, None)

    def evaluate(self, customer: Customer, now_ms: int, event: Event | None) -> None:
        """Looks at every rule once; `event` is None for an instant at which time alone did it."""
        scope = self.scope(customer, now_ms)
        for tag in self.tags:
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
        customer.due_ms = self.next_due_ms(customer, now_ms)

    def scope(self, customer: Customer, now_ms: int) -> Scope:
        """What the names in conditions are worth for a customer at an instant; tags are worth what they are by now."""

        def value(name: Name) -> Value:
            if isinstance(name, TagRef):
                return customer.states[name.tag].value
            if isinstance(name, Sequence):
                return sequence_holds(name, customer.met[self.position[id(name)]], now_ms)
            if isinstance(name, Trend):
                return trend_value(name, customer.counted[self.position[id(name.item)]], now_ms)
            assert isinstance(name, Aggregate), f"outside of a filter: {name!r}"
            return aggregate_value(name, customer.counted[self.position[id(name)]], now_ms)

        return value

    def next_due_ms(self, customer: Customer, now_ms: int) -> int | None:
        """The next instant after this one at which anything of the customer's may change by itself."""
        due_ms = {instant for instant in customer.instants_ms if instant > now_ms}
        windows_let_go_ms = min(due_ms, default=self.end_ms + 1)
        for tag in self.tags:
            state = customer.states[tag.id]
            timings = [due for due in (moves_at_ms(tag, state), expires_at_ms(tag, state)) if due is not None]
            assert all(due > now_ms for due in timings), "an instant is evaluated once"
            due_ms.update(timings)
        for sequence in self.sequences:
            due_ms.update(self.sequence_turns_ms(customer, sequence, now_ms))
        for compare in self.comparisons:
            due_ms.update(self.comparison_turns_ms(customer, compare, now_ms, windows_let_go_ms - 1))
        return min(due_ms, default=None)

    def sequence_turns_ms(self, customer: Customer, sequence: Sequence, now_ms: int) -> list[int]:
        """When `a then no b` becomes true after this instant, if no event comes."""
        all_met = customer.met[self.position[id(sequence)]]
        firsts_ms = [one.time_ms for one in all_met if one.is_first]
        if not sequence.negated or not firsts_ms:
            return []
        over_ms = max(firsts_ms) + sequence.within_ms
        return [over_ms] if over_ms > now_ms and sequence_holds(sequence, all_met, over_ms) else []

    def comparison_turns_ms(self, customer: Customer, compare: Compare, now_ms: int, until_ms: int) -> list[int]:
        """When a comparison with `days_since` first changes after this instant, if no event comes."""
        histories = [customer.counted[self.position[id(since)]] for since in sinces_in(compare)]
        if not all(histories):
            return []
        newest_ms = [max(one.time_ms for one in history) for history in histories]
        until_ms = min(until_ms, self.end_ms)
        turn_ms = next_turn_ms(compare, newest_ms, lambda at_ms: self.scope(customer, at_ms), now_ms, until_ms)
        return [] if turn_ms is None else [turn_ms]

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
