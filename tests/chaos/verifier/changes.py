"""I2, I3 and I4: the changes in order, their numbers, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from schemas.records import Change, Current, Value
from streams.redis_layout import META_PREFIX, PART, SEQ, text_of
from tests.chaos.verifier.difference import Findings

__all__ = ["Changes", "Holder", "check_current", "check_redis"]


@dataclass(slots=True)
class Holder:
    """A customer, as the changes so far have them."""

    partition: int
    seq: int = 0
    """Of the last change."""
    tags: dict[str, Value] = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        """The tags as Redis holds them."""
        return {tag: text_of(value) for tag, value in self.tags.items()}


@dataclass(slots=True)
class Changes:
    """Takes all of them in order of partition and offset, and compares while it does."""

    findings: Findings
    holders: dict[str, Holder] = field(default_factory=dict)
    last_seq: dict[int, int] = field(default_factory=dict)
    """By partition."""
    count: int = 0

    def take(self, partition: int, change: Change, at_ms: int) -> None:
        """`at_ms`: the broker's stamp."""
        note, last = self.findings.note, self.last_seq.get(partition, 0)
        self.count += 1
        self.findings.compared.update({"I2": 1, "I4": 1})
        if change.id != f"{partition}-{change.seq}":
            note("I4", f"change {change.id} has seq {change.seq} in partition {partition}", at_ms)
        if change.seq <= last:
            note("I2", f"change {change.id} stands there twice, the second time behind {partition}-{last}", at_ms)
            return
        if change.seq > last + 1:
            note("I2", f"{change.seq - last - 1} changes are lost before {change.id}", at_ms)
            note("I4", f"{change.id} comes after {partition}-{last}", at_ms)
        self.last_seq[partition] = change.seq
        self._follow(self.holders.setdefault(change.customer_id, Holder(partition)), change, at_ms)

    def _follow(self, holder: Holder, change: Change, at_ms: int) -> None:
        note, held = self.findings.note, holder.tags.get(change.tag)
        # Nothing is remembered of a customer without tags for whom no window holds anything: their last is unknown.
        if change.prev_seq != holder.seq and (holder.tags or change.prev_seq):
            note("I4", f"{change.id} names {change.prev_seq} as the last of {change.customer_id}: {holder.seq}", at_ms)
        if change.before != held:
            note("I4", f"{change.id} takes {change.tag} of {change.customer_id} from {change.before}: {held}", at_ms)
        op = "left" if change.after is None else "entered" if change.before is None else "changed"
        if change.op != op:
            note("I4", f"{change.id} is told as {change.op}, but is {op}", at_ms)
        holder.seq = change.seq
        if change.after is None:
            holder.tags.pop(change.tag, None)
        else:
            holder.tags[change.tag] = change.after

    def check_complete(self, last_seqs: Mapping[int, int]) -> None:
        """`last_seqs`: by partition the number of the last change by the journal."""
        for partition, wanted in last_seqs.items():
            got = self.last_seq.get(partition, 0)
            self.findings.compare("I2", got == wanted, f"partition {partition}: {got} is the last change of {wanted}")


def check_current(changes: Changes, values: Iterable[Current], gone: Set[str]) -> None:
    """`values`: of each customer in `tags.current` the last one; `gone`: of whom the last one is a tombstone."""
    seen = set()
    for current in values:
        customer = current.customer_id
        seen.add(customer)
        holder = changes.holders.get(customer, Holder(current.partition))
        got = {each.tag: each.value for each in current.tags}
        same = got == holder.tags and current.seq == holder.seq
        text = "" if same else f"{customer} in tags.current: {got} by {current.seq}, not {holder.tags} by {holder.seq}"
        changes.findings.compare("I3", same, text)
    for customer in gone:
        holder = changes.holders.get(customer)
        is_empty = holder is None or not holder.tags
        changes.findings.compare("I3", is_empty, f"{customer} is gone from tags.current, but not their tags")
    for customer in changes.holders.keys() - seen - gone:
        changes.findings.note("I3", f"{customer} is not in tags.current")


def check_redis(changes: Changes, hashes: Mapping[str, Mapping[str, str]], gone: Set[str]) -> None:
    """`hashes`: by customer the fields in Redis; of who is `gone` there is nothing."""
    for customer in sorted(gone & hashes.keys()):
        changes.findings.note("I3", f"{customer} is gone, but in Redis: {dict(hashes[customer])}")
    for customer in sorted((changes.holders.keys() | hashes.keys()) - gone):
        got = hashes.get(customer, {})
        tags = {name: value for name, value in got.items() if not name.startswith(META_PREFIX)}
        holder = changes.holders.get(customer)
        wanted = {} if holder is None else holder.texts()
        meta = holder is not None and got.get(SEQ) == str(holder.seq) and got.get(PART) == str(holder.partition)
        same = tags == wanted and meta
        text = "" if same else f"{customer} in Redis: {dict(got)}, not {wanted} by {holder and holder.seq}"
        changes.findings.compare("I3", same, text)
