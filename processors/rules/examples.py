"""Examples of rules, run as tests: the events are replayed, and the changes compared with those that the rule lists."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.dump import dump_text
from processors.rules.durations import write_offset
from processors.rules.fields import field_of

START_MS: Final = 1_704_067_200_000
"""2024-01-01T00:00:00Z is an example's 0d: an hour's start, so that panes end where people expect."""

NUMBER_TOLERANCE: Final = 1e-9
"""By which share a number may differ from the one that is expected: people do not write all 17 digits."""

Event = tuple[str, int, dict[str, str | int | float | None]]
"""(type, event_time in ms, fields as stored, of a profile the attributes); it arrives when it happens."""

Change = tuple[str, int, object]
"""(op, effective_at in ms, value after: the level, the number, or the keys as a sequence, where the tag has such)."""

_PLAIN_KEY: Final = re.compile(r"\w+")

Replay = Callable[[T.RuleSet, str, list[Event], int], Sequence[Change]]
"""(rule set, tag id, events of one customer in order of time, until_ms) to the changes of that tag, in order.

`until_ms` is inclusive. The engine gives the events their ids and the customer.
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that did not come out as it says."""

    tag: str
    file: str
    line: int
    number: int
    """Which example of the tag, from 1."""
    table: tuple[str, ...]
    """Lines of expected and got, side by side; those that differ are marked with `!`."""


def run_examples(rule_set: T.RuleSet, replay: Replay) -> list[Failure]:
    """Run every example of every tag. Returns those that fail, in order of tag."""
    failures = []
    for tag in rule_set.tags:
        for number, example in enumerate(tag.examples, start=1):
            events = [_event(given) for given in sorted(example.given, key=lambda g: g.at_ms)]
            changes = replay(rule_set, tag.id, events, START_MS + limits.MAX_WINDOW_MS)
            rows = list(_aligned(sorted(example.then, key=lambda t: t.at_ms), changes))
            if any(expected is None or got is None for expected, got in rows):
                table = tuple(_table(rows))
                failures.append(Failure(tag.id, tag.file, example.line, number, table))
    return failures


def _event(given: T.Given) -> Event:
    """The event at its absolute time; fields that are times count from the same start."""
    fields = dict(given.fields)
    for name, value in fields.items():
        field = field_of(given.event, name)
        if field is not None and field.kind == "time":
            assert isinstance(value, int), "times of examples are read as milliseconds"
            fields[name] = START_MS + value
    return given.event, START_MS + given.at_ms, fields


def _matches(expected: T.Then, got: Change) -> bool:
    op, at_ms, value = got
    return expected.op == op and START_MS + expected.at_ms == at_ms and _is_value(expected.value, value)


def _is_value(expected: str | float | tuple[str, ...] | None, got: object) -> bool:
    if expected is None:
        return True
    if isinstance(expected, float):
        return isinstance(got, int | float) and math.isclose(expected, got, rel_tol=NUMBER_TOLERANCE)
    if isinstance(expected, tuple):
        return isinstance(got, list | tuple) and tuple(got) == expected
    return got == expected


def _aligned(expected: Sequence[T.Then], got: Sequence[Change]) -> Iterator[tuple[str | None, str | None]]:
    """Rows of (expected, got) in order of time; both sides are given only where they agree."""
    i = j = 0
    while i < len(expected) or j < len(got):
        if i < len(expected) and j < len(got) and _matches(expected[i], got[j]):
            # what the rule leaves unsaid is not repeated as if it had been expected
            yield _then(expected[i]), _change(got[j])
            i, j = i + 1, j + 1
        elif j == len(got) or (i < len(expected) and START_MS + expected[i].at_ms <= got[j][1]):
            yield _then(expected[i]), None
            i += 1
        else:
            yield None, _change(got[j])
            j += 1


def _then(then: T.Then) -> str:
    return _line(then.op, then.value, then.at_ms)


def _change(change: Change) -> str:
    op, at_ms, value = change
    return _line(op, None if op == "left" else value, at_ms - START_MS)


def _line(op: str, value: object, at_ms: int) -> str:
    """A change as an example has it, so that it can be copied there."""
    shown = ""
    if isinstance(value, str):
        shown = f" {value}"
    elif isinstance(value, list | tuple):
        shown = f" [{', '.join(key if _PLAIN_KEY.fullmatch(key) else dump_text(key) for key in value)}]"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        shown = f" {Decimal(f'{value:.12g}'):f}"
    return f"{op}{shown} at {write_offset(at_ms)}"


def _table(rows: Sequence[tuple[str | None, str | None]]) -> Iterator[str]:
    lines = [(" " if e is not None and g is not None else "!", e or "-", g or "-") for e, g in rows]
    width = max(len("expected"), *(len(e) for _, e, _ in lines))
    yield f"  {'expected'.ljust(width)}   got"
    for mark, expected, got in lines:
        yield f"{mark} {expected.ljust(width)}   {got}"
