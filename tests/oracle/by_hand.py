"""Short words for rules and histories that are made by hand, and for what comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Literal

from processors.oracle.judge import DAY_MS, Command, Event, Record, TagValue, run
from processors.rules.tree import (
    Aggregate,
    Compare,
    CompareOp,
    Expr,
    FieldRef,
    ForEach,
    Func,
    Level,
    Number,
    ProfileRef,
    RuleSet,
    Tag,
    Text,
    Top,
)
from schemas.outcomes import Outcome
from tests.oracle.tables import START_MS

FAR_MS = 2_000 * DAY_MS
"""An end, counted from the start, by which everything has left."""


def number(value: str | int | Fraction) -> Number:
    return Number(Fraction(value))


def count(event: str, window_ms: int | None, where: Expr | None = None) -> Aggregate:
    return Aggregate("count", event, None, where, window_ms)


def total(event: str, field: str, window_ms: int | None, where: Expr | None = None) -> Aggregate:
    return Aggregate("sum", event, field, where, window_ms)


def taken(
    func: Func, event: str, field: str | None = None, window_ms: int | None = None, where: Expr | None = None
) -> Aggregate:
    """Any aggregate; `ever` unless a window is given."""
    return Aggregate(func, event, field, where, window_ms)


def top(event: str, field: str, by: str | None = None, window_ms: int | None = None, where: Expr | None = None) -> Top:
    """The most frequent value of a field; `ever` unless a window is given."""
    return Top(event, field, by, where, window_ms)


def compare(left: Expr, op: CompareOp, right: str | int | Fraction) -> Compare:
    return Compare(op, left, number(right))


def is_text(name: str, value: str, op: CompareOp = "==") -> Compare:
    return Compare(op, FieldRef(name), Text(value))


def attribute_is(name: str, value: str, op: CompareOp = "==") -> Compare:
    return Compare(op, ProfileRef(name), Text(value))


def tag(
    when: Expr | None = None,
    *,
    id: str = "t",
    leave: Expr | None = None,
    tiers: Sequence[tuple[str, Expr]] = (),
    dwell_ms: int = 0,
    cooldown_ms: int = 0,
    expires_ms: int | None = None,
    exclusive: str | None = None,
    rank: int = 0,
    for_each: ForEach | None = None,
    score: Expr | None = None,
    step: str | int = 0,
    manual: bool = True,
    model: bool = False,
    levels: tuple[str, ...] = (),
) -> Tag:
    return Tag(
        id=id, name={}, describe={}, class_="dynamic", category="value", colour=None, when=when, leave=leave,
        tiers=tuple(Level(name, condition) for name, condition in tiers), dwell_ms=dwell_ms, cooldown_ms=cooldown_ms,
        expires_ms=expires_ms, examples=(), source={}, file="test.yaml", line=1, exclusive=exclusive, rank=rank,
        for_each=for_each, score=score, step=Fraction(step), manual=manual, model=model, levels=levels,
    )  # fmt: skip


def rules(*tags: Tag, zone: str = "UTC") -> RuleSet:
    return RuleSet(tuple(sorted(tags, key=lambda tag: tag.id)), zone, "CNY", "0" * 16, "0" * 16)


def event(
    at_ms: int,
    type: str = "purchase",
    *,
    id: str | None = None,
    customer: str = "c",
    happened_ms: int | None = None,
    **fields: int | float | str | None,
) -> Event:
    """An event that arrives `at_ms` after the start and happened then, or at `happened_ms` after the start."""
    happened_ms = at_ms if happened_ms is None else happened_ms
    return Event(
        type, id or f"{type} {at_ms} {happened_ms}", customer, START_MS + happened_ms, START_MS + at_ms, fields
    )


def told(at_ms: int, *, happened_ms: int | None = None, customer: str = "c", **attributes: str | None) -> Event:
    """A profile event; times as in `event`."""
    happened_ms = at_ms if happened_ms is None else happened_ms
    name, fields = f"profile {at_ms} {happened_ms}", {"attributes": attributes}
    return Event("profile", name, customer, START_MS + happened_ms, START_MS + at_ms, fields)


def command(
    at_ms: int,
    kind: Literal["assign", "remove", "score"],
    value: bool | str | float | tuple[str, ...] | None = None,
    *,
    until_ms: int | None = None,
    tag: str = "t",
    id: str | None = None,
    customer: str = "c",
) -> Command:
    """A command that arrives `at_ms` after the start and ends, if it does, `until_ms` after it."""
    end_ms = None if until_ms is None else START_MS + until_ms
    return Command(id or f"command {at_ms}", customer, START_MS + at_ms, kind, tag, value, end_ms)


ORIGINS: Final = {"live": "", "timer": "!", "manual": " by hand", "model": " by model", "erasure": " for good"}


def flips(rule_set: RuleSet, events: Sequence[Record], until_ms: int = FAR_MS) -> list[tuple[int, str]]:
    """All changes as (ms since the start, what): the op, with it a level, a number or keys, `!` for a timer's."""
    return [(at_ms, what) for at_ms, _, what in flips_of_tags(rule_set, events, until_ms)]


def flips_of_tags(rule_set: RuleSet, events: Sequence[Record], until_ms: int = FAR_MS) -> list[tuple[int, str, str]]:
    """All changes as (ms since the start, tag, what), in their order."""
    result = run(rule_set, events, START_MS + until_ms)
    return [
        (
            change.effective_at_ms - START_MS,
            change.tag,
            change.op + shown(change.after) + ORIGINS[change.origin],
        )
        for change in result.changes
    ]


def shown(value: TagValue) -> str:
    """What is said of a value beside the op."""
    if value is None or value is True:
        return ""
    return " " + (",".join(value) if isinstance(value, tuple) else str(value))


def outcomes(rule_set: RuleSet, events: Sequence[Record]) -> list[Outcome]:
    """The outcome of each event, in order of arrival."""
    ends = [run(rule_set, events[: length + 1], None).outcomes for length in range(len(events))]
    befores = [dict.fromkeys(Outcome, 0), *ends[:-1]]
    return [
        next(outcome for outcome in Outcome if end[outcome] != before[outcome])
        for before, end in zip(befores, ends, strict=True)
    ]


def holds(condition: Expr, *events: Record) -> bool:
    return bool(run(rules(tag(condition)), list(events), None).tags)


def times_held(condition: Expr, events: Sequence[Record], until_ms: int = FAR_MS) -> list[int]:
    """When a condition becomes true and false in turn, in ms since the start."""
    return [at_ms for at_ms, _ in flips(rules(tag(condition)), events, until_ms)]
