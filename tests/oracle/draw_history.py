"""Draws histories for a rule set: most times aim at an edge of it and miss it by -1, 0 or 1 ms."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from processors.oracle.event import DAY_MS, HOUR_MS, MINUTE_MS, Attributes, Command, Event, Record, leaves_at_ms
from processors.oracle.expression import parts_of_rules
from processors.oracle.moments import is_since
from processors.oracle.profile import next_birthday_ms
from processors.rules.tree import (
    Age,
    Aggregate,
    Calendar,
    Compare,
    Number,
    Present,
    ProfileRef,
    RuleSet,
    Sequence,
    Top,
    Trend,
)
from schemas.events import AHEAD_IS_DEAD_MS, AHEAD_IS_NOW_MS, EARLIEST_EVENT_MS
from tests.oracle.choices import Choices, Knobs
from tests.oracle.draw_said import attributes, command, erasure
from tests.oracle.tables import CLOCK_CHANGES_MS, ERASED_FOR_MS, FIELD_VALUES, START_MS


@dataclass(slots=True)
class _Tale:
    """A history while it is told."""

    choose: Choices
    knobs: Knobs
    rules: RuleSet
    windows_ms: tuple[int, ...]
    durations_ms: tuple[int, ...]
    """Counted from arrivals: dwell, cooldown, terms."""
    spans_ms: tuple[int, ...]
    """Counted from event times: lengths of sequences, thresholds of `days_since`."""
    compares_times: bool
    """Whether it matters which of two events happened first, or whether two happened at once."""
    reads_clocks: bool
    """Whether hours, weekdays and order times matter."""
    reads_profiles: bool
    """Whether attributes matter."""
    ages: tuple[int, ...]
    """That are asked for."""
    has_keys: bool
    """Whether it matters that one customer does several things."""
    has_commands: bool
    event_types: tuple[str, ...]
    now_ms: int = START_MS
    events: list[Record] = field(default_factory=list)


def history(choose: Choices, rules: RuleSet, knobs: Knobs) -> list[Record]:
    """Events and commands of a few customers, in order of their lines; they aim at the edges of this rule set."""
    tale = _begin(choose, rules, knobs)
    tale.now_ms += choose.whole(0, 2 * DAY_MS) if choose.chance(50) else 0
    if tale.reads_clocks and choose.chance(50):
        tale.now_ms = choose.pick(CLOCK_CHANGES_MS) - choose.whole(0, 30) * HOUR_MS
    for number in range(1, choose.whole(1, knobs.max_events) + 1):
        tale.now_ms = next_arrival_ms(tale)
        tale.events.append(record(tale, f"e{number}"))
    for place in range(1, len(tale.events)):
        if choose.chance(5):
            tale.events[place - 1 : place + 1] = reversed(tale.events[place - 1 : place + 1])
    return tale.events


def _begin(choose: Choices, rules: RuleSet, knobs: Knobs) -> _Tale:
    everything = parts_of_rules(rules)
    aggregates = [part for part in everything if isinstance(part, Aggregate)]
    measured = [part for part in everything if isinstance(part, Aggregate | Top)]
    sequences = [part for part in everything if isinstance(part, Sequence)]
    ages = {math.ceil(bound.value) for part in everything if isinstance(part, Compare)
            for age, bound in ((part.left, part.right), (part.right, part.left))
            if isinstance(age, Age) and isinstance(bound, Number)}  # fmt: skip
    reads_profiles = any(isinstance(part, ProfileRef | Age) for part in everything)
    windows_ms = {found.window_ms for found in measured if found.window_ms is not None}
    windows_ms |= {2 * part.item.window_ms for part in everything if isinstance(part, Trend) and part.item.window_ms}
    days = [part.right.value for part in everything if isinstance(part, Compare) and isinstance(part.right, Number)
            and is_since(part.left)]  # fmt: skip
    spans_ms = {int(value * DAY_MS) for value in days if value > 0} | {found.within_ms for found in sequences}
    used = {found.event for found in measured} | {s.event for q in sequences for s in (q.first, q.second)}
    used |= {"profile"} if reads_profiles else set()
    others = [name for name in knobs.event_types if name not in used]
    timings_ms = {ms for tag in rules.tags for ms in (tag.dwell_ms, tag.cooldown_ms, tag.expires_ms) if ms}
    return _Tale(
        choose,
        knobs,
        rules,
        windows_ms=tuple(sorted(windows_ms)),
        durations_ms=tuple(sorted(timings_ms)),
        spans_ms=tuple(sorted(spans_ms)),
        compares_times=bool(sequences) or reads_profiles or any(a.func not in ("count", "sum") for a in aggregates),
        reads_clocks=any(isinstance(part, Calendar | Present) for part in everything),
        reads_profiles=reads_profiles,
        ages=tuple(sorted(ages)) or (18,),
        has_keys=any(tag.for_each is not None for tag in rules.tags),
        has_commands=knobs.commands and choose.chance(50),
        # An event that no rule reads is applied too, so one type in some is of that sort.
        event_types=(*sorted(used) * 3, *others[:1]),
    )


def near(choose: Choices, edge_ms: int) -> int:
    """The edge itself, or the millisecond on either side of it."""
    return edge_ms + choose.pick((0, -1, 1))


def next_arrival_ms(tale: _Tale) -> int:
    """When the next event arrives: in the same burst, at some edge, or after a silence. Never before now."""
    choose, now_ms = tale.choose, tale.now_ms
    steps = ["burst", "burst", "same", "minutes", "hours", "pane", "window", "window", "timing", "midnight", "silence"]
    steps += ["span", "span"] if tale.spans_ms else []
    steps += ["clocks"] if tale.reads_clocks else []
    steps += ["birthday", "birthday"] if tale.reads_profiles else []
    steps += ["term", "term"] if tale.has_commands else []
    steps += ["erased"] if erasures_ms(tale) else []
    step = choose.pick(steps)
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
    if step == "span" and tale.events:
        edge_ms = near(choose, choose.pick(tale.events[-4:]).event_time_ms + choose.pick(tale.spans_ms))
        return min(max(now_ms, edge_ms), now_ms + 500 * DAY_MS)
    if step == "clocks":
        return max(now_ms, clock_edge_ms(choose, now_ms))
    if step in ("birthday", "term"):
        edges_ms = birthdays_ms(tale) if step == "birthday" else terms_ms(tale)
        if edges_ms:
            return max(now_ms, near(choose, choose.pick(edges_ms)))
    if step == "erased":
        return max(now_ms, near(choose, choose.pick(erasures_ms(tale)) + choose.pick((0, ERASED_FOR_MS))))
    if step == "midnight":
        return max(now_ms, near(choose, (now_ms // DAY_MS + choose.whole(1, 2)) * DAY_MS))
    if step == "silence" and tale.knobs.long_silences:
        return now_ms + choose.whole(1, 120) * DAY_MS
    return now_ms + choose.whole(1, 20_000)


def birthdays_ms(tale: _Tale) -> list[int]:
    """The next birthdays of dates that were told lately, as far as they are within a year or so."""
    told = [one.attributes.get("birthday") for one in tale.events[-8:] if isinstance(one, Event)]
    found = [next_birthday_ms(text, tale.now_ms, tale.rules.time_zone) for text in told]
    return [each for each in found if each is not None and each < tale.now_ms + 400 * DAY_MS]


def terms_ms(tale: _Tale) -> list[int]:
    """When assignments end."""
    found = [one.until_ms for one in tale.events[-8:] if isinstance(one, Command)]
    return [each for each in found if each is not None and each >= tale.now_ms]


def erasures_ms(tale: _Tale) -> list[int]:
    """When customers were to be forgotten."""
    return [one.arrival_ms for one in tale.events if isinstance(one, Command) and one.kind == "erase"]


def clock_edge_ms(choose: Choices, now_ms: int) -> int:
    """About when a wall clock strikes: the next half hour, or an hour about the next change of the clocks."""
    changes_ms = [change_ms for change_ms in CLOCK_CHANGES_MS if change_ms > now_ms]
    if changes_ms and choose.chance(50):
        return near(choose, changes_ms[0] + choose.pick((0, -1, 1, 2, -24)) * HOUR_MS)
    half_hour_ms = HOUR_MS // 2
    return near(choose, (now_ms // half_hour_ms + choose.whole(1, 48)) * half_hour_ms)


def event_time_ms(tale: _Tale) -> int:
    """When it happened, for an event that arrives now: mostly just then; else on an edge, late, ahead or impossible."""
    choose, now_ms = tale.choose, tale.now_ms
    kinds = ["now", "now", "now", "now", "behind", "behind", "window", "window", "pane", "ahead", "absurd"]
    kinds += ["as another", "as another", "span", "span"] if tale.compares_times and tale.events else []
    kinds += ["clocks"] if tale.reads_clocks else []
    kinds += ["erased", "erased", "erased"] if erasures_ms(tale) else []
    kind = choose.pick(kinds)
    if kind == "erased":
        return near(choose, choose.pick(erasures_ms(tale)))
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
    if kind == "as another":
        return near(choose, choose.pick(tale.events[-6:]).event_time_ms)
    if kind == "span" and tale.spans_ms:
        span_ms = choose.pick(tale.spans_ms) * choose.pick((1, -1))
        happened_ms = near(choose, choose.pick(tale.events[-6:]).event_time_ms + span_ms)
        # A span from another event may be long to come; then as long ago, counted from now.
        return happened_ms if happened_ms <= now_ms + AHEAD_IS_NOW_MS else near(choose, now_ms - abs(span_ms))
    if kind == "clocks":
        return min(now_ms, clock_edge_ms(choose, now_ms - choose.whole(1, 40) * HOUR_MS))
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


def record(tale: _Tale, event_id: str) -> Record:
    """An event or a command that arrives now, or a second copy of an earlier one, perhaps with its id under another
    type."""
    choose = tale.choose
    again = choose.pick(tale.events) if tale.events and choose.chance(12) else None
    if again is not None:
        event_id = again.event_id
    is_same = again is not None and choose.chance(85)
    if tale.has_commands and (isinstance(again, Command) if is_same else choose.chance(30)):
        if choose.chance(8):
            return erasure(event_id, customer_id(tale), tale.now_ms)
        ends_ms = [tale.now_ms + duration_ms for duration_ms in tale.durations_ms]
        ends_ms += [*terms_ms(tale), *birthdays_ms(tale)]
        ends_ms += [leaves_at_ms(one.event_time_ms, ms) for one in tale.events[-3:] for ms in tale.windows_ms]
        lately = [one for one in tale.events[-6:] if isinstance(one, Command)]
        if lately and choose.chance(50):
            # What is said of a tag of a customer again and again masks and unmasks itself.
            of = next((tag for tag in tale.rules.tags if tag.id == lately[-1].tag), tale.rules.tags[0])
            return command(choose, of, event_id, lately[-1].customer_id, tale.now_ms, ends_ms)
        return command(choose, choose.pick(tale.rules.tags), event_id, customer_id(tale), tale.now_ms, ends_ms)
    return event(tale, event_id, again.type if is_same and isinstance(again, Event) else None)


def event(tale: _Tale, event_id: str, event_type: str | None) -> Event:
    """An event that arrives now, of any type unless one is given."""
    choose = tale.choose
    if event_type is None:
        event_type = choose.pick(tale.event_types)
    fields: dict[str, int | float | str | Attributes | None] = {}
    if event_type == "profile" and not choose.chance(8):
        fields["attributes"] = attributes(choose, tale.now_ms, tale.ages)
    for name, values in FIELD_VALUES[event_type].items():
        present = choose.pick(("first", "any", "any", "missing", "null"))
        if present == "null":
            fields[name] = None
        elif present != "missing":
            fields[name] = values[0] if present == "first" else choose.pick(values)
    if event_type == "purchase" and choose.chance(60 if tale.reads_clocks else 25):
        fields["order_time"] = order_time_ms(tale)
    return Event(
        type=event_type,
        event_id=event_id,
        customer_id=customer_id(tale),
        event_time_ms=event_time_ms(tale),
        arrival_ms=tale.now_ms,
        fields=fields,
    )


def customer_id(tale: _Tale) -> str:
    """Any customer; where what is said of one meets what else is said of them, mostly the first one."""
    if (tale.compares_times or tale.has_keys or tale.has_commands) and tale.choose.chance(50):
        return "c1"
    return f"c{tale.choose.whole(1, tale.knobs.customers)}"


def order_time_ms(tale: _Tale) -> int | None:
    """When the order was placed: as an earlier event, at the edge of a window, at a stroke of the clock, to come."""
    choose, now_ms = tale.choose, tale.now_ms
    kind = choose.pick(("before", "as another", "as another", "window", "clocks", "clocks", "ahead", "null"))
    if kind == "null":
        return None
    if kind == "as another" and tale.events:
        return near(choose, choose.pick(tale.events[-6:]).event_time_ms)
    if kind == "window" and tale.windows_ms:
        return near(choose, now_ms - choose.pick(tale.windows_ms))
    if kind == "clocks":
        return clock_edge_ms(choose, now_ms - choose.whole(1, 400) * DAY_MS)
    return now_ms + choose.whole(0, 30 * DAY_MS) * (1 if kind == "ahead" else -1)
