"""Writes rule sets and events as the text that users write, to judge everything from the parser on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from processors.oracle.event import DAY_MS, HOUR_MS, MINUTE_MS, Event, Record
from processors.rules.tree import (
    Age,
    Aggregate,
    And,
    Calendar,
    Compare,
    Expr,
    FieldRef,
    Happening,
    Member,
    Not,
    Number,
    Or,
    Present,
    ProfileRef,
    Ratio,
    RuleSet,
    Sequence,
    StartsWith,
    Tag,
    TagRef,
    Text,
    Top,
    Trend,
)


def to_yaml(rule_set: RuleSet) -> str:
    """The tags as one rules file. Time zone and default currency are settings, and stay with the caller."""
    return "\n".join(line for tag in rule_set.tags for line in _tag_lines(tag, rule_set)) + "\n"


def to_json_lines(events: Iterable[Record]) -> str:
    """One event a line, in the given order. Commands are no events, and there must be none."""
    lines = [
        {
            "type": event.type,
            "event_id": event.event_id,
            "customer_id": event.customer_id,
            "event_time": event.event_time_ms,
            "arrival_time": event.arrival_ms,
            **event.fields,
        }
        for event in map(_event, events)
    ]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _event(record: Record) -> Event:
    assert isinstance(record, Event), f"not an event: {record!r}"
    return record


def to_expression(expr: Expr) -> str:
    """The expression in the rule language, with brackets wherever operators are nested."""
    if isinstance(expr, Compare):
        return f"{to_expression(expr.left)} {expr.op} {to_expression(expr.right)}"
    if isinstance(expr, Member):
        values = ", ".join(to_expression(value) for value in expr.values)
        return f"{to_expression(expr.left)} {'not in' if expr.negated else 'in'} [{values}]"
    if isinstance(expr, StartsWith):
        return f"{to_expression(expr.left)} starts_with {to_expression(expr.prefix)}"
    if isinstance(expr, Sequence):
        then = "then no" if expr.negated else "then"
        return f"{_events(expr.first)} {then} {_events(expr.second)} within {_duration(expr.within_ms)}"
    if isinstance(expr, Not):
        return f"not ({to_expression(expr.item)})"
    if isinstance(expr, And | Or):
        word = " and " if isinstance(expr, And) else " or "
        return word.join(
            f"({to_expression(item)})" if isinstance(item, And | Or | Sequence) else to_expression(item)
            for item in expr.items
        )
    return _value(expr)


def _value(expr: Expr) -> str:
    """What stands for itself: a constant, a name, a call."""
    if isinstance(expr, Number):
        return _number(expr.value)
    if isinstance(expr, Text):
        return json.dumps(expr.value, ensure_ascii=False)
    if isinstance(expr, FieldRef):
        return expr.name
    if isinstance(expr, Aggregate):
        what = _events(Happening(expr.event if expr.field is None else f"{expr.event}.{expr.field}", expr.where))
        if expr.func == "days_since":
            return f"days_since({what})"
        return f"{expr.func}({what}, {'ever' if expr.window_ms is None else _duration(expr.window_ms)})"
    if isinstance(expr, Top):
        by = "" if expr.measure is None else f" by sum({expr.event}.{expr.measure})"
        what = _events(Happening(f"{expr.event}.{expr.field}{by}", expr.where))
        return f"top({what}, {'ever' if expr.window_ms is None else _duration(expr.window_ms)})"
    if isinstance(expr, ProfileRef):
        return f"profile.{expr.name}"
    if isinstance(expr, Age):
        return f"age(profile.{expr.name})"
    if isinstance(expr, Ratio):
        return f"ratio({to_expression(expr.left)}, {to_expression(expr.right)})"
    if isinstance(expr, Trend):
        return f"trend({to_expression(expr.item)})"
    if isinstance(expr, Present):
        return f"present({to_expression(expr.item)})"
    if isinstance(expr, Calendar):
        return f"{expr.unit}({expr.field})"
    assert isinstance(expr, TagRef), f"not an expression: {expr!r}"
    return f"tag({json.dumps(expr.tag)})"


def _events(happening: Happening) -> str:
    where = "" if happening.where is None else f" where {to_expression(happening.where)}"
    return f"{happening.event}{where}"


def _tag_lines(tag: Tag, rule_set: RuleSet) -> list[str]:
    lines = [
        f"- tag: {tag.id}",
        f"  name: {json.dumps(tag.name, ensure_ascii=False)}",
        f"  class: {tag.class_}",
        f"  category: {tag.category}",
    ]
    if tag.when is not None:
        lines.append(f"  when: {json.dumps(to_expression(tag.when), ensure_ascii=False)}")
    lines += _keys_and_numbers(tag)
    if tag.tiers:
        lines.append("  tier:")
    for level in tag.tiers:
        lines.append(f"    - level: {level.name}")
        lines.append(f"      when: {json.dumps(to_expression(level.when), ensure_ascii=False)}")
    if tag.leave is not None:
        lines.append(f"  leave: {json.dumps(to_expression(tag.leave), ensure_ascii=False)}")
    for key, duration_ms in (("dwell", tag.dwell_ms), ("cooldown", tag.cooldown_ms), ("expires", tag.expires_ms)):
        if duration_ms:
            lines.append(f"  {key}: {_duration(duration_ms)}")
    if tag.exclusive is not None:
        lines.append(f"  exclusive: {tag.exclusive}")
        group = [other.id for other in rule_set.tags if other.exclusive == tag.exclusive]
        # A rank that says no more than the tag's place in the file is left to the reader.
        if tag.rank != 1 + group.index(tag.id):
            lines.append(f"  rank: {tag.rank}")
    return lines


def _keys_and_numbers(tag: Tag) -> list[str]:
    """What is said of keys, of scores, and of who may set the tag; what goes without saying is left out."""
    lines = []
    if tag.for_each is not None:
        lines.append(f"  for_each: {tag.for_each.event}.{tag.for_each.field}")
        if tag.for_each.limit != 20:
            lines.append(f"  limit: {tag.for_each.limit}")
    if tag.score is not None:
        lines.append(f"  score: {json.dumps(to_expression(tag.score), ensure_ascii=False)}")
        if tag.step:
            lines.append(f"  step: {_number(tag.step)}")
    has_rule = tag.when is not None or tag.tiers or tag.score is not None
    # A tag without a rule has to say what it is for.
    if not tag.manual or not has_rule:
        lines.append(f"  manual: {json.dumps(tag.manual)}")
    if tag.model:
        lines.append("  model: true")
    if tag.levels:
        lines.append(f"  levels: [{', '.join(tag.levels)}]")
    return lines


def _duration(duration_ms: int) -> str:
    for unit, unit_ms in (("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS)):
        if duration_ms % unit_ms == 0:
            return f"{duration_ms // unit_ms}{unit}"
    raise ValueError(f"not a whole number of minutes: {duration_ms} ms")


def _number(value: Fraction) -> str:
    text = format(Decimal(value.numerator) / Decimal(value.denominator), "f")
    assert Fraction(text) == value, f"not a finite decimal: {value}"
    return text
