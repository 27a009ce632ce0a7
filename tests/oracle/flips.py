"""When a tag flips if nothing happens: the judge reads what was read, and then lets time pass."""

from __future__ import annotations

from collections.abc import Sequence

from processors.oracle.judge import Judge, Record
from processors.rules.tree import RuleSet


def next_flip_ms(
    rule_set: RuleSet, read: Sequence[Record], customer_id: str, tag: str, at_ms: int, until_ms: int
) -> int | None:
    """When the customer's tag first changes after `at_ms`, None if it does not by `until_ms`.

    `read` are the records that had been read when the clock stood at `at_ms`, in order.
    """
    judge = Judge(rule_set, until_ms)
    for record in read:
        judge.read(record)
    judge.let_time_pass(at_ms)
    if customer_id not in judge.customers:
        return None  # they were erased
    judge.customers = {customer_id: judge.customers[customer_id]}
    while (due_ms := judge.customers[customer_id].due_ms) is not None and due_ms <= until_ms:
        known = len(judge.result.changes)
        judge.let_time_pass(due_ms)
        if any(change.tag == tag for change in judge.result.changes[known:]):
            return due_ms
    return None
