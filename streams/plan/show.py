"""What a plan looks like: a table for people, one object for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from processors.rules.tree import RuleSet
from streams.plan.compare import Cost, Difference

__all__ = ["as_record", "show"]


def as_record(difference: Difference, old: RuleSet, new: RuleSet) -> dict[str, Any]:
    """For `--json`."""
    return {
        "rules_before": old.version,
        "rules_after": new.version,
        "customers": difference.customers,
        "tags": {
            tag: {
                "before": difference.before[tag],
                "after": difference.after[tag],
                "entered": difference.entered[tag],
                "left": difference.left[tag],
                "changed": difference.changed[tag],
                "customers": difference.samples.get(tag, []),
            }
            for tag in _tags(old, new)
        },
        "cost_before": _cost(difference.old),
        "cost_after": _cost(difference.new),
        "gone": difference.cut,
    }


def _tags(old: RuleSet, new: RuleSet) -> list[str]:
    return sorted({tag.id for tag in old.tags} | {tag.id for tag in new.tags})


def _cost(cost: Cost) -> dict[str, float]:
    return {"events": cost.events, "ns_per_event": round(cost.ns_per_event), "state_bytes": cost.state_bytes}


def show(console: Console, difference: Difference, old: RuleSet, new: RuleSet, everything: bool) -> None:
    """Tags that change first for most customers; `everything`: also those that change for nobody."""
    table = Table(box=None, pad_edge=False)
    table.add_column("tag")
    for name in ("before", "after", "coverage", "enter", "leave", "change"):
        table.add_column(name, justify="right")
    table.add_column("such as")
    moved = difference.entered + difference.left + difference.changed
    ordered = sorted(_tags(old, new), key=lambda tag: (-moved[tag], tag))
    shown = [tag for tag in ordered if moved[tag] or everything]
    for tag in shown:
        table.add_row(*_row(difference, tag, old, new))
    console.print(f"{difference.customers:,} customers, {difference.new.events:,} events")
    console.print(table)
    if len(shown) < len(ordered):
        console.print(f"{len(ordered) - len(shown)} tags change for nobody")
    for name, cost in (("before", difference.old), ("after", difference.new)):
        console.print(
            f"{name:7} {cost.ns_per_event:8,.0f} ns an event with reading it, {cost.state_bytes / 1e6:,.1f} MB of state"
        )
    for topic, count in sorted(difference.cut.items()):
        console.print(
            f"{topic}: the first {count:,} records are gone; what the partitions know of them is carried over"
        )


def _row(difference: Difference, tag: str, old: RuleSet, new: RuleSet) -> Iterable[str]:
    is_new, is_gone = tag not in _ids(old), tag not in _ids(new)
    before, after = difference.before[tag], difference.after[tag]
    share = f"{100 * before / max(1, difference.customers):.1f} % → {100 * after / max(1, difference.customers):.1f} %"
    mark = " (new)" if is_new else " (removed)" if is_gone else ""
    counts = (difference.entered[tag], difference.left[tag], difference.changed[tag])
    return (
        tag + mark, f"{before:,}", f"{after:,}", share, *(f"{n:,}" if n else "" for n in counts),
        ", ".join(difference.samples.get(tag, [])),
    )  # fmt: skip


def _ids(rule_set: RuleSet) -> set[str]:
    return {tag.id for tag in rule_set.tags}
