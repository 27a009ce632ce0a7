"""The judge of the engine: what a rule set makes of a history, computed in the plainest way that can be right.

Problem: the engine keeps running sums, panes in arenas, timer wheels and compiled programs, and each of them can be
wrong in a way that looks plausible. Design: here nothing is kept but a list of what each customer did. Every value is
computed afresh from that list whenever the rules are looked at; at each instant at which anything ends, all rules of
the customer are looked at, whether it matters to them or not; and numbers are exact fractions, or doubles where they
are doubles by meaning. Slow on purpose.

Of the project it reads the field table, the outcomes and the syntax tree, and nothing of the engine.
One call is one partition; all times are milliseconds since the epoch. What an expression is worth stands in
`expression.py`, when it changes by itself in `moments.py`, what is known of a customer in `profile.py`, what becomes of
one tag in `tagstate.py`, in which order tags are looked at in `order.py`.
"""

from __future__ import annotations

from collections.abc import Sequence as Listed
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from processors.oracle.erasures import Erasures
from processors.oracle.event import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Attributes,
    Command,
    Event,
    Placed,
    Record,
    TagValue,
    leaves_at_ms,
)
from processors.oracle.expression import (
    Counted,
    Measured,
    Met,
    Name,
    Scope,
    Value,
    aggregate_value,
    aggregates_of,
    counted,
    held_by,
    met,
    parts_by_themselves,
    parts_of_tag,
    sequence_holds,
    top_value,
    trend_value,
)
from processors.oracle.moments import first_time_ms, next_turn_ms, sinces_in
from processors.oracle.order import conditions_of, in_order
from processors.oracle.profile import age_of, merged, next_birthday_ms
from processors.oracle.sightings import Sightings
from processors.oracle.tagstate import (
    TagState,
    assign,
    end_terms,
    ends_at_ms,
    expires_at_ms,
    fits,
    moves_at_ms,
    new_keys,
    new_plain_value,
    new_score,
    new_tier_value,
)
from processors.oracle.why import MetBy, Seen, deciding, seen
from processors.rules.tree import (
    Age,
    Aggregate,
    Compare,
    Expr,
    Present,
    ProfileRef,
    RuleSet,
    Sequence,
    Tag,
    TagRef,
    Top,
    Trend,
)
from schemas.events import AHEAD_IS_DEAD_MS, AHEAD_IS_NOW_MS, EARLIEST_EVENT_MS
from schemas.outcomes import Outcome

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "MINUTE_MS",
    "Command",
    "Event",
    "Judge",
    "OracleChange",
    "Record",
    "Result",
    "TagValue",
    "aggregates_of",
    "is_out_of_time",
    "leaves_at_ms",
    "run",
    "split_cause",
]


@dataclass(frozen=True, slots=True)
class OracleChange:
    """One change of one tag of one customer."""

    customer_id: str
    tag: str
    op: Literal["entered", "changed", "left"]
    before: TagValue
    after: TagValue
    effective_at_ms: int
    origin: Literal["live", "timer", "manual", "model", "erasure"]
    cause: str | None
    """Id of the event or command that caused it, if one did."""
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
    reasons: list[tuple[Seen, ...]] = field(default_factory=list)
    """Why, for each of the changes; none where it was not asked."""


def run(rule_set: RuleSet, events: Listed[Record], until_ms: int | None) -> Result:
    """Applies the events in order of (arrival, line), then lets time pass up to and including `until_ms`.

    Events that arrive after `until_ms` are not read. None stops the clock at the last arrival.
    """
    read = [event for event in events if until_ms is None or event.arrival_ms <= until_ms]
    last_ms = max((event.arrival_ms for event in read), default=0)
    judge = Judge(rule_set, last_ms if until_ms is None else until_ms)
    for event in sorted(read, key=lambda event: event.arrival_ms):
        judge.read(event)
    judge.let_time_pass(judge.end_ms)
    judge.result.tags = judge.held()
    return judge.result


# -------------------------------------------------------------------------------------------------- the judge


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that stands in a tag."""

    tag: Tag
    expr: Expr

    @property
    def place(self) -> tuple[int, str | None]:
        """What is the same where the same is made of the same events. It is by identity: the same written twice may be
        computed twice, that is only slow."""
        return id(self.expr), key_field_of(self.tag)


def key_field_of(tag: Tag) -> str | None:
    """The field that has the tag's keys."""
    return None if tag.for_each is None else tag.for_each.field


@dataclass(slots=True)
class Customer:
    id: str
    counted: dict[tuple[int, str | None], list[Counted]]
    """Per aggregate, by its place, all that ever counted in it, in order of application."""
    met: dict[tuple[int, str | None], list[Met]]
    """Per sequence, by its place, all that was ever of it, in order of application."""
    states: dict[str, TagState]
    """By tag."""
    said: list[tuple[int, Attributes]] = field(default_factory=list)
    """What profile events said, with the times at which they count, in order of application."""
    instants_ms: set[int] = field(default_factory=set)
    """When a window lets a pane of theirs go, and when the cooldown of a tag that they lost ends; past ones too."""
    due_ms: int | None = None
    """The next instant at which anything of theirs may change by itself, as of the last look at them."""


class Judge:
    """The partition: its clock, its customers, the ids that it has seen, and what came of it so far."""

    def __init__(self, rule_set: RuleSet, end_ms: int, *, asks_why: bool = True) -> None:
        """`end_ms`: the instant up to which the judge will be asked. `asks_why`: whether changes get their reasons."""
        self.rule_set = rule_set
        self.asks_why = asks_why
        self.end_ms = end_ms
        self.tags = in_order(rule_set)
        self.by_id = {tag.id: tag for tag in self.tags}
        everything = [Asked(tag, part) for tag in self.tags for part in parts_of_tag(tag)]
        self.measured = {asked.place: asked for asked in everything if isinstance(asked.expr, Aggregate | Top)}
        self.sequences = {asked.place: asked for asked in everything if isinstance(asked.expr, Sequence)}
        self.comparisons = [each for asked in everything for each in comparisons_of(asked)]
        self.trended = {id(asked.expr.item) for asked in everything if isinstance(asked.expr, Trend)}
        by_themselves = [part for tag in self.tags for root in roots_of(tag) for part in parts_by_themselves(root)]
        self.birthdays = {part.name for part in by_themselves if isinstance(part, Age)}
        self.clock_ms: int | None = None
        self.customers: dict[str, Customer] = {}
        self.sightings = Sightings()
        self.erasures = Erasures()
        self.result = Result()

    # ------------------------------------------------------------------------------------------------ records

    def read(self, record: Record) -> None:
        """One record: moves the clock, lets what is due of its customer happen, then applies it if it is to be."""
        clock_ms = record.arrival_ms if self.clock_ms is None else max(self.clock_ms, record.arrival_ms)
        self.clock_ms = clock_ms
        outcome = self.outcome_of(record, clock_ms)
        if outcome in (Outcome.LATE, Outcome.APPLIED):
            self.apply(record, clock_ms)

    def outcome_of(self, record: Record, clock_ms: int) -> Outcome:
        """What is to become of a record, whoever its customer is; counts it. To be asked once, in order."""
        if isinstance(record, Command):
            outcome = self.outcome_of_command(record, clock_ms)
        else:
            outcome = self.outcome_of_event(record, counts_at_ms(record, clock_ms), clock_ms)
        self.result.outcomes[outcome] += 1
        return outcome

    def apply(self, record: Record, clock_ms: int) -> None:
        """A record that counts."""
        customer = self.customer(record.customer_id)
        self.let_time_pass_for(customer, clock_ms)
        if isinstance(record, Command) and record.kind == "erase":
            self.erase(customer, record, clock_ms)
            return
        if isinstance(record, Command):
            assign(customer.states[record.tag], record, clock_ms)
        else:
            self.take(customer, record, counts_at_ms(record, clock_ms), clock_ms)
        self.evaluate(customer, clock_ms, record)

    def erase(self, customer: Customer, command: Command, clock_ms: int) -> None:
        """Every tag is left, for no reason of a rule's; and nothing is known of the customer any more."""
        for tag in self.tags:
            shown = customer.states[tag.id].shown
            if shown is not None:
                self.add(customer, tag, shown, None, clock_ms, command)
                if self.asks_why:
                    self.result.reasons.append(())
        del self.customers[customer.id]

    def outcome_of_command(self, command: Command, clock_ms: int) -> Outcome:
        if command.kind == "erase":
            if self.sightings.add(command.type, command.event_id, clock_ms):
                return Outcome.DUPLICATE
            self.erasures.add(command.customer_id, clock_ms)
            return Outcome.APPLIED
        tag = self.by_id.get(command.tag)
        if tag is None or not (tag.model if command.kind == "score" else tag.manual):
            return Outcome.DEAD
        if command.kind != "remove" and not fits(tag, command.value):
            return Outcome.DEAD
        if self.erasures.has(command.customer_id, clock_ms, clock_ms):
            return Outcome.ERASED
        return Outcome.DUPLICATE if self.sightings.add(command.type, command.event_id, clock_ms) else Outcome.APPLIED

    def outcome_of_event(self, event: Event, event_time_ms: int, clock_ms: int) -> Outcome:
        if is_out_of_time(event_time_ms, clock_ms):
            return Outcome.DEAD
        if self.erasures.has(event.customer_id, event_time_ms, clock_ms):
            return Outcome.ERASED
        if self.sightings.add(event.type, event.event_id, clock_ms):
            return Outcome.DUPLICATE
        of_its_type = [measured for measured in self.all_measured() if measured.event == event.type]
        departures_ms = [ms for measured in of_its_type for ms in self.departures_ms(measured, event_time_ms)]
        if departures_ms and max(departures_ms) <= clock_ms:
            return Outcome.LATE
        return Outcome.APPLIED

    def all_measured(self) -> list[Measured]:
        return [asked.expr for asked in self.measured.values() if isinstance(asked.expr, Aggregate | Top)]

    def departures_ms(self, measured: Measured, event_time_ms: int) -> list[int]:
        """When an event leaves the windows of an aggregate: one, but two where a trend looks back; none of `ever`."""
        if measured.window_ms is None:
            return []
        lengths = (1, 2) if id(measured) in self.trended else (1,)
        return [leaves_at_ms(event_time_ms, measured.window_ms, each) for each in lengths]

    def customer(self, customer_id: str) -> Customer:
        if customer_id not in self.customers:
            self.customers[customer_id] = Customer(
                customer_id,
                counted={place: [] for place in self.measured},
                met={place: [] for place in self.sequences},
                states={tag.id: TagState() for tag in self.tags},
            )
        return self.customers[customer_id]

    def take(self, customer: Customer, event: Event, time_ms: int, clock_ms: int) -> None:
        """Adds an event to the customer's lists, whether or not a window still holds it. What it says of the customer
        is known before it is counted."""
        if event.attributes:
            customer.said.append((time_ms, event.attributes))
        placed = Placed(event, time_ms, clock_ms, merged(customer.said))
        for place, asked in self.measured.items():
            assert isinstance(asked.expr, Aggregate | Top)
            if (one := counted(asked.expr, placed, self.rule_set, key_field_of(asked.tag))) is not None:
                customer.counted[place].append(one)
                customer.instants_ms.update(self.departures_ms(asked.expr, one.time_ms))
        for place, asked in self.sequences.items():
            assert isinstance(asked.expr, Sequence)
            if (part := met(asked.expr, placed, self.rule_set, key_field_of(asked.tag))) is not None:
                customer.met[place].append(part)

    # --------------------------------------------------------------------------------------------------- time

    def let_time_pass(self, until_ms: int) -> None:
        """All that happens by itself up to and including an instant."""
        for customer in self.customers.values():
            self.let_time_pass_for(customer, until_ms)

    def let_time_pass_for(self, customer: Customer, until_ms: int) -> None:
        """What happens to a customer by itself, oldest first, once an instant. What others do is nothing to them."""
        while customer.due_ms is not None and customer.due_ms <= until_ms:
            self.evaluate(customer, customer.due_ms, None)

    def held(self) -> dict[str, dict[str, TagValue]]:
        """The tags of each customer who has any."""
        found: dict[str, dict[str, TagValue]] = {}
        for customer in self.customers.values():
            present: dict[str, TagValue] = {
                tag_id: state.shown for tag_id, state in customer.states.items() if state.shown is not None
            }
            if present:
                found[customer.id] = present
        return found

    def evaluate(self, customer: Customer, now_ms: int, cause: Record | None) -> None:
        """One look at all tags of a customer, in their order."""
        for state in customer.states.values():
            end_terms(state, now_ms)
        for tag in self.tags:
            state = customer.states[tag.id]
            after = self.new_value(customer, tag, now_ms)
            if after != state.value:
                if state.value is not None:
                    state.left_at_ms = now_ms
                if after is None and tag.cooldown_ms:
                    customer.instants_ms.add(now_ms + tag.cooldown_ms)
                state.value = after
                state.value_since_ms = now_ms
            if state.effective() != state.shown:
                self.note(customer, tag, state.shown, state.effective(), now_ms, cause)
                state.shown = state.effective()
        customer.due_ms = self.next_due_ms(customer, now_ms)

    def new_value(self, customer: Customer, tag: Tag, now_ms: int) -> TagValue:
        """What the rule of a tag makes of the customer as they are now."""
        state = customer.states[tag.id]
        if tag.for_each is not None:
            known = self.known_keys(customer, tag, now_ms)
            return new_keys(tag, state, known, lambda key: self.scope(customer, tag, now_ms, key))
        scope = self.scope(customer, tag, now_ms)
        if tag.score is not None:
            return new_score(tag, state, scope)
        if tag.tiers:
            return new_tier_value(tag, state, scope, now_ms)
        return None if tag.when is None else new_plain_value(tag, state, scope, now_ms)

    def known_keys(self, customer: Customer, tag: Tag, now_ms: int) -> set[str]:
        """The keys of which something in the tag's conditions holds an event."""
        known: set[str | None] = set()
        for part in parts_of_tag(tag):
            place = Asked(tag, part).place
            if isinstance(part, Aggregate | Top):
                lengths = 2 if id(part) in self.trended else 1
                known |= {one.key for one in held_by(part.window_ms, customer.counted[place], now_ms, lengths)}
            if isinstance(part, Sequence):
                known |= {one.key for one in customer.met[place]}
        return {key for key in known if key is not None}

    def scope(self, customer: Customer, tag: Tag, now_ms: int, key: str | None = None) -> Scope:
        """What the names in conditions are worth for a customer at an instant, and for a key where the tag has keys;
        tags are worth what they are by now."""
        field_of_keys, profile = key_field_of(tag), merged(customer.said)

        def of_key(measured: Measured) -> list[Counted]:
            return [c for c in customer.counted[id(measured), field_of_keys] if c.key == key]

        def value(name: Name) -> Value:
            match name:
                case TagRef():
                    return customer.states[name.tag].shown
                case ProfileRef():
                    return profile.get(name.name)
                case Age():
                    return age_of(profile.get(name.name), now_ms, self.rule_set.time_zone)
                case Sequence():
                    all_met = customer.met[id(name), field_of_keys]
                    return sequence_holds(name, [one for one in all_met if one.key == key], now_ms)
                case Trend():
                    return trend_value(name, of_key(name.item), now_ms)
                case Top():
                    return top_value(name, of_key(name), now_ms)
                case Aggregate():
                    return aggregate_value(name, of_key(name), now_ms)
            raise TypeError(f"outside of a filter: {name!r}")

        return value

    def next_due_ms(self, customer: Customer, now_ms: int) -> int | None:
        """The next instant after this one at which anything of the customer's may change by itself."""
        due_ms = {instant for instant in customer.instants_ms if instant > now_ms}
        due_ms |= self.next_birthdays_ms(customer, now_ms)
        still_until_ms = min(min(due_ms, default=self.end_ms + 1) - 1, self.end_ms)
        for tag in self.tags:
            state = customer.states[tag.id]
            timings = [due for due in (moves_at_ms(tag, state), expires_at_ms(tag, state)) if due is not None]
            timings += ends_at_ms(state)
            assert all(due > now_ms for due in timings), "an instant is evaluated once"
            due_ms.update(timings)
            if tag.score is not None:
                due_ms.update(self.score_moves_ms(customer, tag, now_ms, still_until_ms))
        for asked in self.sequences.values():
            due_ms.update(self.sequence_turns_ms(customer, asked, now_ms))
        for asked in self.comparisons:
            due_ms.update(self.comparison_turns_ms(customer, asked, now_ms, still_until_ms))
        return min(due_ms, default=None)

    def next_birthdays_ms(self, customer: Customer, now_ms: int) -> set[int]:
        """The next birthday of each attribute of which a condition or a score takes the age."""
        profile, zone = merged(customer.said), self.rule_set.time_zone
        found = [next_birthday_ms(profile.get(name), now_ms, zone) for name in self.birthdays]
        return {birthday_ms for birthday_ms in found if birthday_ms is not None}

    def sequence_turns_ms(self, customer: Customer, asked: Asked, now_ms: int) -> list[int]:
        """When `a then no b` becomes true after this instant, of any key, if no event comes."""
        sequence, everything = asked.expr, customer.met[asked.place]
        assert isinstance(sequence, Sequence)
        found = []
        for key in {one.key for one in everything if one.is_first and sequence.negated}:
            all_met = [one for one in everything if one.key == key]
            over_ms = max(one.time_ms for one in all_met if one.is_first) + sequence.within_ms
            if over_ms > now_ms and sequence_holds(sequence, all_met, over_ms):
                found.append(over_ms)
        return found

    def comparison_turns_ms(self, customer: Customer, asked: Asked, now_ms: int, until_ms: int) -> list[int]:
        """When a comparison with `days_since` first changes after this instant, of any key, if no event comes."""
        compare, tag = asked.expr, asked.tag
        assert isinstance(compare, Compare)
        histories = [customer.counted[Asked(tag, since).place] for since in sinces_in(compare)]
        found = []
        for key in {one.key for history in histories for one in history}:
            of_key = [[one.time_ms for one in history if one.key == key] for history in histories]
            if all(of_key):
                newest_ms = [max(times_ms) for times_ms in of_key]
                scope_at = partial(self.scope, customer, tag, key=key)
                found.append(next_turn_ms(compare, newest_ms, scope_at, now_ms, until_ms))
        return [turn_ms for turn_ms in found if turn_ms is not None]

    def score_moves_ms(self, customer: Customer, tag: Tag, now_ms: int, until_ms: int) -> list[int]:
        """When a score is next published, if no event comes: only `days_since` moves by itself."""
        assert tag.score is not None
        histories = [customer.counted[Asked(tag, since).place] for since in sinces_in(tag.score)]
        if not histories or not all(histories):
            return []
        state, newest_ms = customer.states[tag.id], [max(one.time_ms for one in history) for history in histories]

        def has_moved(at_ms: int) -> bool:
            return new_score(tag, state, self.scope(customer, tag, at_ms)) != state.value

        move_ms = first_time_ms(has_moved, newest_ms, now_ms, until_ms)
        return [] if move_ms is None else [move_ms]

    def note(
        self, customer: Customer, tag: Tag, before: TagValue, after: TagValue, now_ms: int, cause: Record | None
    ) -> None:
        """One change, and why."""
        self.add(customer, tag, before, after, now_ms, cause)
        if self.asks_why:
            self.result.reasons.append(self.why(customer, tag, before, after, now_ms))

    def add(
        self, customer: Customer, tag: Tag, before: TagValue, after: TagValue, now_ms: int, cause: Record | None
    ) -> None:
        self.result.changes.append(
            OracleChange(
                customer_id=customer.id,
                tag=tag.id,
                op="entered" if before is None else "left" if after is None else "changed",
                before=before,
                after=after,
                effective_at_ms=now_ms,
                origin=origin_of(cause),
                cause=None if cause is None else cause.event_id,
                cause_time_ms=now_ms if cause is None else None,
            )
        )

    def why(self, customer: Customer, tag: Tag, before: TagValue, after: TagValue, now_ms: int) -> tuple[Seen, ...]:
        """The conditions that decided; none where somebody else did."""
        if customer.states[tag.id].is_masked():
            return ()

        def met_by(key: str | None) -> MetBy:
            return lambda sequence: [m for m in customer.met[id(sequence), key_field_of(tag)] if m.key == key]

        return tuple(
            seen(condition, key, self.scope(customer, tag, now_ms, key), met_by(key), now_ms)
            for key, conditions in deciding(tag, before, after)
            for condition in conditions
        )


def counts_at_ms(event: Event, clock_ms: int) -> int:
    """When an event counts: as it says, or as of its arrival if that is a little ahead."""
    ahead_ms = event.event_time_ms - clock_ms
    return clock_ms if AHEAD_IS_NOW_MS < ahead_ms <= AHEAD_IS_DEAD_MS else event.event_time_ms


def is_out_of_time(event_time_ms: int, clock_ms: int) -> bool:
    """Whether an event is dead by the time that it gives, whoever's it is."""
    return event_time_ms < EARLIEST_EVENT_MS or event_time_ms > clock_ms + AHEAD_IS_DEAD_MS


def roots_of(tag: Tag) -> list[Expr]:
    """What a tag's rule is made of."""
    return [*conditions_of(tag), *([] if tag.score is None else [tag.score])]


def comparisons_of(asked: Asked) -> list[Asked]:
    """The comparisons that time alone changes, in a part of a tag. What is present is equal to itself."""
    expr = asked.expr
    if isinstance(expr, Present):
        expr = Compare("==", expr.item, expr.item)
    return [Asked(asked.tag, expr)] if isinstance(expr, Compare) and sinces_in(expr) else []


def origin_of(cause: Record | None) -> Literal["live", "timer", "manual", "model", "erasure"]:
    """All that one look changes has one origin."""
    if cause is None:
        return "timer"
    if isinstance(cause, Command):
        return "erasure" if cause.kind == "erase" else "model" if cause.kind == "score" else "manual"
    return "live"
