"""What tags.changes tells: by customer their changes in order, and whether the partition's numbers are all there.

`seq` numbers the changes of a partition without a gap. A record whose number was there before, or whose epoch is older
than that of one before it, is passed over by readers: something wrote it that is not the partition's owner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from processors.oracle.judge import OracleChange, split_cause
from schemas.errors import EventError
from schemas.records import Change
from streams.log import Message
from streams.verify.sample import Sample

__all__ = ["Told", "ToldChanges", "oracle_change"]

MOST_NOTED: Final = 100
"""Gaps and repeats of a partition that are noted, whoever's they are: the first ones say it all."""


class Told(NamedTuple):
    """One change as it is published."""

    seq: int
    change: OracleChange


def oracle_change(c: Change) -> OracleChange:
    """A change in the oracle's words."""
    return OracleChange(
        *(c.customer_id, c.tag, c.op, c.before, c.after, c.effective_at, c.origin, *split_cause(c.cause))  # type: ignore[arg-type]
    )


@dataclass(slots=True)
class ToldChanges:
    """Takes one partition's records in the order of the log; keeps those of the customers that the sample wants."""

    sample: Sample
    rule_version: str
    """Of the rules by which the oracle judges."""
    whole: bool = True
    """Whether the topic still has its first record: else a tag without a change is not known to be absent."""
    of: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    """By customer those that count, in order of number."""
    repeated: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    """By customer those that readers pass over."""
    first_seq: int | None = None
    """Of the oldest record that is there."""
    newest_seq: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """Numbers that nobody has, from the first to the last of each gap."""
    repeats: list[int] = field(default_factory=list)
    """Numbers of those that readers pass over."""
    unreadable: int = 0
    other_rules_until: int = 0
    """The last number of a change that is a backfill's, or of other rules."""
    _epoch: int = -1

    def take(self, messages: Iterable[Message]) -> None:
        """More of the topic."""
        messages = list(messages)
        if self.first_seq is None and messages:
            self.whole = messages[0].offset() == 0
        for change in self._read(messages):
            is_repeat = self._is_repeat(change)
            if not is_repeat and (change.origin == "backfill" or change.rule_version != self.rule_version):
                self.other_rules_until = change.seq
            if self.sample.wants(change.customer_id):
                to = self.repeated if is_repeat else self.of
                to[change.customer_id].append(Told(change.seq, oracle_change(change)))

    def forget(self, customer_id: str) -> None:
        """The sample does not want the customer any more."""
        self.of.pop(customer_id, None)
        self.repeated.pop(customer_id, None)

    def clocks_of(self, customer_id: str) -> dict[str, int]:
        """By id of an event or command the partition's clock (ms) when it was applied, as its changes tell."""
        changes = [told.change for told in self.of.get(customer_id, ())]
        return {change.cause: change.effective_at_ms for change in changes if change.cause is not None}

    def gaps_up_to(self, seq: int) -> list[tuple[int, int]]:
        """Numbers up to `seq` that nobody has."""
        found = [(first, min(last, seq)) for first, last in self.gaps if first <= seq]
        if self.newest_seq < seq and (self.whole or self.first_seq is not None):
            found.append((self.newest_seq + 1, seq))
        return found

    def _read(self, messages: Iterable[Message]) -> Iterator[Change]:
        for message in messages:
            try:
                yield Change.from_value(message.value() or b"")
            except EventError:
                self.unreadable += 1

    def _is_repeat(self, change: Change) -> bool:
        """Takes note of its number."""
        if self.first_seq is None:
            self.first_seq = change.seq
            self.newest_seq = 0 if self.whole else change.seq - 1
        if change.seq <= self.newest_seq or change.epoch < self._epoch:
            if len(self.repeats) < MOST_NOTED:
                self.repeats.append(change.seq)
            return True
        if change.seq > self.newest_seq + 1 and len(self.gaps) < MOST_NOTED:
            self.gaps.append((self.newest_seq + 1, change.seq - 1))
        self.newest_seq, self._epoch = change.seq, change.epoch
        return False
