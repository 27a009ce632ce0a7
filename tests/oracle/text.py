"""Writes rule sets and events as the text that users write, to judge everything from the parser on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

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
from tests.oracle.oracle import DAY_MS, HOUR_MS, MINUTE_MS, Event


def to_yaml(rule_set: RuleSet) -> str:
    """The tags as one rules file. Time zone and default currency are settings, and stay with the caller."""
    return "\n".join(line for tag in rule_set.tags for line in _tag_lines(tag)) + "\n"


def to_json_lines(events: Iterable[Event]) -> str:
    """One event a line, in the given order."""
    lines = [
        {
            "type": event.type,
            "event_id": event.event_id,
            "customer_id": event.customer_id,
            "event_time": event.event_time_ms,
            "arrival_time": event.arrival_ms,
            **event.fields,
        }
        for event in events
    ]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def to_expression(expr: Expr) -> str:
    """The expression in the rule language, with brackets wherever operators are nested."""
    if isinstance(expr, Number):
        return _number(expr.value)
    if isinstance(expr, Text):
        return json.dumps(expr.value, ensure_ascii=False)
    if isinstance(expr, FieldRef):
        return expr.name
    if isinstance(expr, Aggregate):
        what = expr.event if expr.field is None else f"{expr.event}.{expr.field}"
        where = "" if expr.where is None else f" where {to_expression(expr.where)}"
        return f"{expr.func}({what}{where}, {'ever' if expr.window_ms is None else _duration(expr.window_ms)})"
    if isinstance(expr, Compare):
        return f"{to_expression(expr.left)} {expr.op} {to_expression(expr.right)}"
    if isinstance(expr, Member):
        values = ", ".join(to_expression(value) for value in expr.values)
        return f"{to_expression(expr.left)} {'not in' if expr.negated else 'in'} [{values}]"
    if isinstance(expr, Not):
        return f"not ({to_expression(expr.item)})"
    word = " and " if isinstance(expr, And) else " or "
    return word.join(
        f"({to_expression(item)})" if isinstance(item, And | Or) else to_expression(item) for item in expr.items
    )


def _tag_lines(tag: Tag) -> list[str]:
    lines = [
        f"- tag: {tag.id}",
        f"  name: {json.dumps(tag.name, ensure_ascii=False)}",
        f"  class: {tag.class_}",
        f"  category: {tag.category}",
    ]
    if tag.when is not None:
        lines.append(f"  when: {json.dumps(to_expression(tag.when), ensure_ascii=False)}")
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
