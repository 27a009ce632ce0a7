"""Draws rule sets and histories that meet each other: thresholds get crossed, times fall on the edges that matter.

Random numbers alone almost never put an event on the very millisecond at which another one leaves a window. So a
history is drawn with the rule set in hand: most steps of the clock and most event times aim at an edge (of a pane, a
window, a dwell, a cooldown, a term, a dedupe generation) and miss it by -1, 0 or 1 ms.

The same code serves a seeded `random.Random` (fast, for long runs) and Hypothesis (`strategies.py`, which shrinks):
all that it draws, it draws through `Choices`, where the plainest option comes first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Literal, Protocol, TypeVar

from processors.rules.tree import (
    Aggregate,
    And,
    Compare,
    CompareOp,
    Expr,
    FieldRef,
    Level,
    Member,
    Not,
    Number,
    Or,
    RuleSet,
    Tag,
    Text,
)
from schemas.events import AHEAD_IS_DEAD_MS, AHEAD_IS_NOW_MS, EARLIEST_EVENT_MS
from tests.oracle.oracle import DAY_MS, HOUR_MS, MINUTE_MS, Event, aggregates_of, leaves_at_ms

T = TypeVar("T")

START_MS: Final = 1_704_067_200_000
"""2024-01-01T00:00:00Z, an edge of every pane and of a dedupe generation."""

DEFAULT_CURRENCY: Final = "CNY"

WINDOWS_MS: Final[tuple[int | None, ...]] = (
    HOUR_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    30 * MINUTE_MS,
    DAY_MS,
    25 * HOUR_MS,
    25 * HOUR_MS + MINUTE_MS,
    26 * HOUR_MS,
    7 * DAY_MS,
    30 * DAY_MS,
    90 * DAY_MS,
    400 * DAY_MS,
    None,
)
"""Both sizes of panes, both sides of the length at which they change, and `ever`."""

DURATIONS_MS: Final = (10 * MINUTE_MS, MINUTE_MS, HOUR_MS, DAY_MS, 3 * DAY_MS, 30 * DAY_MS)
"""For dwell, cooldown and terms."""

WHERE: Final[dict[str, dict[str, tuple[str | Fraction, ...]]]] = {
    "purchase": {
        "kind": ("order", "refund", "cancel"),
        "category": ("shoes", "books"),
        "channel": ("web", "store"),
        "currency": (DEFAULT_CURRENCY, "USD"),
        "coupon_id": ("spring",),
        "amount": (Fraction(10), Fraction("19.99"), Fraction(0), Fraction("9.995")),
        "amount_cents": (Fraction(1000), Fraction(1999)),
        "quantity": (Fraction(1), Fraction(2)),
    },
    "browse": {
        "channel": ("web", "app"),
        "page_type": ("item", "home"),
        "category": ("shoes", "books"),
        "dwell_ms": (Fraction(1000), Fraction(5000)),
    },
    "service": {
        "kind": ("enquiry", "complaint", "praise"),
        "topic": ("delivery", "配送"),
        "sentiment": (Fraction(0), Fraction("-0.3"), Fraction("0.1")),
        "satisfaction": (Fraction(3), Fraction(5)),
    },
    "profile": {},
}
"""Per event type, the fields that filters use and the values that they compare with; events take theirs from here."""

SUMS: Final[dict[str, dict[str, tuple[Fraction, ...]]]] = {
    "purchase": {
        "amount": (Fraction(20), Fraction("19.99"), Fraction(0), Fraction("29.995"), Fraction(50)),
        "amount_cents": (Fraction(2000), Fraction(0), Fraction(3999)),
        "quantity": (Fraction(2), Fraction(4)),
    },
    "browse": {"dwell_ms": (Fraction(5000), Fraction(6000), Fraction(0))},
    "service": {
        "sentiment": (Fraction(0), Fraction("0.3"), Fraction("-0.2")),
        "satisfaction": (Fraction(5), Fraction(8)),
    },
    "profile": {},
}
"""Per event type, the fields that are summed and thresholds that a few events reach."""

FIELD_VALUES: Final[dict[str, dict[str, tuple[int | float | str, ...]]]] = {
    "purchase": {
        "kind": ("order", "refund", "cancel"),
        "category": ("shoes", "books", "toys"),
        "channel": ("web", "store"),
        "currency": (DEFAULT_CURRENCY, "USD"),
        "coupon_id": ("spring", "autumn"),
        "amount_cents": (1000, 1999, 2000, 1, 0, 5000, -1000, -1999),
        "quantity": (1, 2, 3),
    },
    "browse": {
        "channel": ("web", "app"),
        "page_type": ("item", "home"),
        "category": ("shoes", "books"),
        "dwell_ms": (1000, 5000, 0),
    },
    "service": {
        "kind": ("enquiry", "complaint", "praise", "campaign_open"),
        "topic": ("delivery", "配送"),
        "sentiment": (0.1, 0.2, 0.3, -0.3, 0.0, -1.0),
        "satisfaction": (3, 5, 1),
    },
    "profile": {},
}
"""Per event type, what an event's fields may hold; each may also be missing."""

OPS: Final[tuple[CompareOp, ...]] = (">=", ">", "<", "<=", "==", "!=")


@dataclass(frozen=True, slots=True)
class Knobs:
    """How large and how odd what is drawn may be."""

    max_tags: int = 4
    max_depth: int = 2
    """How deep and, or, not are nested, in rules and in filters."""
    max_events: int = 30
    customers: int = 3
    windows_ms: tuple[int | None, ...] = WINDOWS_MS
    event_types: tuple[str, ...] = ("purchase", "browse", "service", "profile")
    overlapping_leave: bool = False
    """Whether `leave` may hold together with `when`. Such a tag flips at each evaluation, relevant to it or not."""
    tier_expires: bool = True
    compare_aggregates: bool = True
    """Whether an aggregate may stand on the right, or on both sides."""
    long_silences: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """A rule set with a history for it."""

    rule_set: RuleSet
    events: list[Event]
    """In the order of their lines, which is not always that of their arrivals."""
    until_ms: int | None


class Choices(Protocol):
    """Where decisions come from."""

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included; `low` is the plainest."""

    def pick(self, options: Sequence[T]) -> T:
        """One of the options; the first is the plainest."""

    def chance(self, percent: int) -> bool:
        """True about so often; false is the plainest."""


@dataclass(frozen=True, slots=True)
class SeededChoices:
    """Decisions of a `random.Random`: the same seed, the same scenario."""

    rng: random.Random

    def whole(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.rng.randrange(len(options))]

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent


def random_scenario(rng: random.Random, knobs: Knobs | None = None) -> Scenario:
    """A rule set and a history, all of it decided by `rng`."""
    return scenario(SeededChoices(rng), knobs or Knobs())


def scenario(choose: Choices, knobs: Knobs) -> Scenario:
    rules = rule_set(choose, knobs)
    events = history(choose, rules, knobs)
    until_ms = None
    if choose.chance(70):
        last_ms = max((event.arrival_ms for event in events), default=START_MS)
        until_ms = last_ms + choose.pick((0, HOUR_MS, -HOUR_MS, 32 * DAY_MS, 402 * DAY_MS))
    return Scenario(rules, events, until_ms)


# ------------------------------------------------------------------------------------------------------ rules


def rule_set(choose: Choices, knobs: Knobs) -> RuleSet:
    """Some tags over few windows and event types, so that they share series and each is often touched."""
    some = Knobs(
        max_depth=knobs.max_depth,
        windows_ms=tuple(choose.pick(knobs.windows_ms) for _ in range(choose.whole(1, 3))),
        event_types=tuple(choose.pick(knobs.event_types) for _ in range(choose.whole(1, 2))),
        overlapping_leave=knobs.overlapping_leave,
        tier_expires=knobs.tier_expires,
        compare_aggregates=knobs.compare_aggregates,
    )
    tags = tuple(tag(choose, some, f"t{number}") for number in range(1, choose.whole(1, knobs.max_tags) + 1))
    return RuleSet(
        tags=tuple(sorted(tags, key=lambda tag: tag.id)),
        time_zone="UTC",
        default_currency=DEFAULT_CURRENCY,
        version="0" * 16,
        text_hash="0" * 16,
    )


def tag(choose: Choices, knobs: Knobs, tag_id: str) -> Tag:
    tiers: tuple[Level, ...] = ()
    when = leave = None
    if choose.chance(35):
        tiers = levels(choose, knobs)
    else:
        when = condition(choose, knobs, knobs.max_depth)
        leave = leave_of(choose, knobs, when) if choose.chance(40) else None
    may_expire = knobs.tier_expires or not tiers
    return Tag(
        id=tag_id,
        name={"zh": tag_id, "en": tag_id},
        describe={},
        class_="dynamic",
        category="value",
        colour=None,
        when=when,
        leave=leave,
        tiers=tiers,
        dwell_ms=choose.pick(DURATIONS_MS) if choose.chance(35) else 0,
        cooldown_ms=choose.pick(DURATIONS_MS) if choose.chance(35) else 0,
        expires_ms=choose.pick(DURATIONS_MS) if choose.chance(25) and may_expire else None,
        examples=(),
        source={},
        file="generated.yaml",
        line=1,
    )


def levels(choose: Choices, knobs: Knobs) -> tuple[Level, ...]:
    """Mostly one aggregate with falling thresholds, as people write tiers; sometimes unrelated conditions."""
    names = ("gold", "silver", "bronze")[: choose.whole(2, 3)]
    if choose.chance(25):
        return tuple(Level(name, condition(choose, knobs, 1)) for name in names)
    measured = aggregate(choose, knobs)
    least = choose.pick(thresholds(measured))
    step = 1 if measured.func == "count" else choose.pick((1, 10))
    return tuple(
        Level(name, Compare(">=", measured, Number(least + step * (len(names) - 1 - place))))
        for place, name in enumerate(names)
    )


def leave_of(choose: Choices, knobs: Knobs, when: Expr) -> Expr:
    """A condition for leaving; unless overlap is asked for, one that never holds together with `when`."""
    if knobs.overlapping_leave:
        return condition(choose, knobs, 1)
    if isinstance(when, Compare) and when.op in (">=", ">") and isinstance(when.right, Number):
        return Compare("<", when.left, Number(when.right.value - choose.whole(0, 2)))
    return And((Not(when), condition(choose, knobs, 0)))


def condition(choose: Choices, knobs: Knobs, depth: int) -> Expr:
    if depth > 0 and choose.chance(45):
        return nested(choose, [condition(choose, knobs, depth - 1) for _ in range(choose.whole(2, 3))])
    measured = aggregate(choose, knobs)
    op = choose.pick(OPS)
    if knobs.compare_aggregates and choose.chance(8):
        return Compare(op, measured, aggregate(choose, knobs))
    threshold = Number(choose.pick(thresholds(measured)))
    if knobs.compare_aggregates and choose.chance(8):
        return Compare(op, threshold, measured)
    return Compare(op, measured, threshold)


def nested(choose: Choices, items: list[Expr]) -> Expr:
    shape = choose.pick(("and", "or", "not", "and not"))
    if shape == "not":
        return Not(items[0])
    if shape == "and not":
        return And((*items[:-1], Not(items[-1])))
    return And(tuple(items)) if shape == "and" else Or(tuple(items))


def aggregate(choose: Choices, knobs: Knobs) -> Aggregate:
    event = choose.pick(knobs.event_types)
    summed = sorted(SUMS[event])
    func: Literal["count", "sum"] = "sum" if summed and choose.chance(50) else "count"
    chosen = where(choose, event, knobs.max_depth - 1) if WHERE[event] and choose.chance(45) else None
    if event == "purchase" and choose.chance(15):
        # A filter that names the currency changes which money is summed, so it is drawn more often than the others.
        names_currency = Compare(
            choose.pick(("==", "!=")), FieldRef("currency"), Text(choose.pick(("USD", DEFAULT_CURRENCY)))
        )
        chosen = names_currency if chosen is None else nested(choose, [names_currency, chosen])
    return Aggregate(
        func=func,
        event=event,
        field=choose.pick(summed) if func == "sum" else None,
        where=chosen,
        window_ms=choose.pick(knobs.windows_ms),
    )


def thresholds(measured: Aggregate) -> tuple[Fraction, ...]:
    if measured.field is None:
        return (Fraction(1), Fraction(2), Fraction(3), Fraction(0))
    return SUMS[measured.event][measured.field]


def where(choose: Choices, event: str, depth: int) -> Expr:
    if depth > 0 and choose.chance(40):
        return nested(choose, [where(choose, event, depth - 1) for _ in range(2)])
    name = choose.pick(tuple(WHERE[event]))
    values = WHERE[event][name]
    texts = tuple(Text(value) for value in values if isinstance(value, str))
    numbers = tuple(Number(value) for value in values if isinstance(value, Fraction))
    if choose.chance(30):
        # One value or all: a list that leaves some out, and one that leaves out only the values that no rule names.
        listed: tuple[Text | Number, ...] = (*texts, *numbers)
        return Member(FieldRef(name), listed[: choose.whole(1, len(listed))], choose.chance(40))
    if texts:
        return Compare(choose.pick(("==", "!=")), FieldRef(name), choose.pick(texts))
    return Compare(choose.pick(OPS), FieldRef(name), choose.pick(numbers))


# ---------------------------------------------------------------------------------------------------- history


@dataclass(slots=True)
class _Tale:
    """A history while it is told."""

    choose: Choices
    knobs: Knobs
    windows_ms: tuple[int, ...]
    durations_ms: tuple[int, ...]
    event_types: tuple[str, ...]
    now_ms: int = START_MS
    events: list[Event] = field(default_factory=list)


def history(choose: Choices, rules: RuleSet, knobs: Knobs) -> list[Event]:
    """Events of a few customers, in order of their lines; they aim at the edges of this rule set."""
    aggregates = aggregates_of(rules)
    durations_ms = [ms for tag in rules.tags for ms in (tag.dwell_ms, tag.cooldown_ms, tag.expires_ms) if ms]
    used = sorted({found.event for found in aggregates})
    others = [name for name in knobs.event_types if name not in used]
    tale = _Tale(
        choose,
        knobs,
        windows_ms=tuple(sorted({found.window_ms for found in aggregates if found.window_ms is not None})),
        durations_ms=tuple(sorted(set(durations_ms))),
        # An event that no rule reads is applied too, so one type in some is of that sort.
        event_types=(*used, *used, *used, *others[:1]),
    )
    tale.now_ms += choose.whole(0, 2 * DAY_MS) if choose.chance(50) else 0
    for number in range(1, choose.whole(1, knobs.max_events) + 1):
        tale.now_ms = next_arrival_ms(tale)
        tale.events.append(event(tale, f"e{number}"))
    for place in range(1, len(tale.events)):
        if choose.chance(5):
            tale.events[place - 1 : place + 1] = reversed(tale.events[place - 1 : place + 1])
    return tale.events


def near(choose: Choices, edge_ms: int) -> int:
    """The edge itself, or the millisecond on either side of it."""
    return edge_ms + choose.pick((0, -1, 1))


def next_arrival_ms(tale: _Tale) -> int:
    """When the next event arrives: in the same burst, at some edge, or after a silence. Never before now."""
    choose, now_ms = tale.choose, tale.now_ms
    step = choose.pick(
        ("burst", "burst", "same", "minutes", "hours", "pane", "window", "window", "timing", "midnight", "silence")
    )
    if step == "same":
        return now_ms
    if step == "minutes":
        return now_ms + choose.whole(1, 90 * MINUTE_MS)
    if step == "hours":
        return now_ms + choose.whole(1, 30) * HOUR_MS
    if step == "pane":
        pane_ms = choose.pick((MINUTE_MS, HOUR_MS))
        return max(now_ms, near(choose, (now_ms // pane_ms + 1) * pane_ms))
    if step == "window" and tale.windows_ms and tale.events:
        earlier = choose.pick(tale.events[-6:])
        edge_ms = leaves_at_ms(earlier.event_time_ms, choose.pick(tale.windows_ms))
        if now_ms < edge_ms < now_ms + 500 * DAY_MS:
            return near(choose, edge_ms)
    if step == "timing" and tale.durations_ms and tale.events:
        edge_ms = near(choose, choose.pick(tale.events[-4:]).arrival_ms + choose.pick(tale.durations_ms))
        return max(now_ms, edge_ms)
    if step == "midnight":
        return max(now_ms, near(choose, (now_ms // DAY_MS + choose.whole(1, 2)) * DAY_MS))
    if step == "silence" and tale.knobs.long_silences:
        return now_ms + choose.whole(1, 120) * DAY_MS
    return now_ms + choose.whole(1, 20_000)


def event_time_ms(tale: _Tale) -> int:
    """When it happened, for an event that arrives now: mostly just then; else on an edge, late, ahead or impossible."""
    choose, now_ms = tale.choose, tale.now_ms
    kind = choose.pick(("now", "now", "now", "now", "behind", "behind", "window", "window", "pane", "ahead", "absurd"))
    if kind == "behind":
        return now_ms - choose.whole(1, 3 * HOUR_MS)
    if kind == "window" and tale.windows_ms:
        # A pane is left whole, so the last instant that still counts is up to one pane before now - W.
        pane_ms = choose.pick((MINUTE_MS, HOUR_MS))
        edge_ms = now_ms - choose.pick(tale.windows_ms)
        return near(choose, choose.pick((edge_ms, edge_ms - pane_ms, edge_ms // pane_ms * pane_ms)))
    if kind == "pane":
        pane_ms = choose.pick((MINUTE_MS, HOUR_MS))
        return near(choose, now_ms // pane_ms * pane_ms)
    if kind == "ahead":
        return now_ms + choose.pick((1, MINUTE_MS, AHEAD_IS_NOW_MS, AHEAD_IS_NOW_MS + 1, HOUR_MS))
    if kind == "absurd":
        return choose.pick(
            (
                now_ms - 500 * DAY_MS,
                now_ms + AHEAD_IS_DEAD_MS,
                now_ms + AHEAD_IS_DEAD_MS + 1,
                EARLIEST_EVENT_MS,
                EARLIEST_EVENT_MS - 1,
            )
        )
    return now_ms


def event(tale: _Tale, event_id: str) -> Event:
    """An event that arrives now, or a second copy of an earlier one, perhaps with its id under another type."""
    choose = tale.choose
    event_type = choose.pick(tale.event_types)
    if tale.events and choose.chance(12):
        again = choose.pick(tale.events)
        event_id = again.event_id
        if choose.chance(85):
            event_type = again.type
    fields: dict[str, int | float | str | None] = {}
    for name, values in FIELD_VALUES[event_type].items():
        present = choose.pick(("first", "any", "any", "missing", "null"))
        if present == "null":
            fields[name] = None
        elif present != "missing":
            fields[name] = values[0] if present == "first" else choose.pick(values)
    return Event(
        type=event_type,
        event_id=event_id,
        customer_id=f"c{choose.whole(1, tale.knobs.customers)}",
        event_time_ms=event_time_ms(tale),
        arrival_ms=tale.now_ms,
        fields=fields,
    )
