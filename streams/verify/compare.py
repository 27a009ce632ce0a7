"""Compares of customers what the oracle says with the three things that are published. Pure.

What is published goes on changing while it is read. So each place is compared as of the change whose number it holds:
with what the oracle says at the point, and the published changes from there on. Where the oracle says nothing, the
places are compared with each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from streams.redis_layout import SEQ, text_of
from streams.verify.difference import Difference, Texts
from streams.verify.history import compare_with_oracle, contradictions
from streams.verify.published import Published, Version
from streams.verify.recompute import Recomputed
from streams.verify.redis_side import Held
from streams.verify.told import Told

__all__ = ["Found", "compare"]


@dataclass(slots=True)
class Found:
    """What came of comparing some customers."""

    customers: int = 0
    differences: list[Difference] = field(default_factory=list)
    of_partition: list[str] = field(default_factory=list)
    """What is wrong with a partition as a whole, in words."""
    uncertain: set[str] = field(default_factory=set)
    """Customers of whom the oracle says something else, perhaps only because of the order before the journal's cut."""
    too_many: set[str] = field(default_factory=set)
    """Customers with more records than are computed of one: their places were compared with each other."""
    behind: set[str] = field(default_factory=set)
    """Customers of whom Redis does not have yet what stood at the point."""
    changes_gone: int = 0
    """Tags whose last change is no longer in tags.changes."""

    def add(self, other: Found) -> None:
        """What was found of others."""
        self.customers += other.customers
        self.differences += other.differences
        self.of_partition += [line for line in other.of_partition if line not in self.of_partition]
        self.uncertain |= other.uncertain
        self.too_many |= other.too_many
        self.behind |= other.behind
        self.changes_gone += other.changes_gone

    def put_right(self, again: Found) -> None:
        """What was found of those who were uncertain, when they were looked at again."""
        self.differences = [d for d in self.differences if d.customer_id not in self.uncertain] + again.differences
        self.uncertain = again.uncertain

    @property
    def is_right(self) -> bool:
        """Whether nothing wrong was found."""
        return not self.differences and not self.of_partition

    @property
    def is_whole(self) -> bool:
        """Whether all was compared that was to be."""
        return not self.uncertain and not self.too_many and not self.behind


def compare(
    customers: Iterable[str],
    oracle: Recomputed | None,
    published: Published,
    redis: Mapping[str, Held],
) -> Found:
    """The differences of these customers, in order of id. `oracle` None: it could not be asked."""
    found = Found()
    for customer_id in sorted(customers):
        found.customers += 1
        one = _Customer(customer_id, published, redis.get(customer_id))
        if one.redis_is_behind:
            found.behind.add(customer_id)
        found.changes_gone += len(one.tags_without_changes())
        by_themselves = one.by_themselves()
        if oracle is None or customer_id in oracle.too_many:
            found.differences += by_themselves
            if oracle is not None:
                found.too_many.add(customer_id)
            continue
        judged = one.against(oracle)
        wrong = {difference.tag for difference in by_themselves}
        if customer_id in oracle.before_the_cut and any(difference.tag not in wrong for difference in judged):
            found.uncertain.add(customer_id)
            judged = [difference for difference in judged if difference.tag in wrong]
        told = {(difference.tag, difference.kind) for difference in judged}
        found.differences += judged
        found.differences += [d for d in by_themselves if (d.tag, d.kind) not in told]
    return found


class _Customer:
    """What is published of one customer."""

    def __init__(self, customer_id: str, published: Published, held: Held | None) -> None:
        told = published.told
        self.id = customer_id
        self._point_seq = published.point.seq
        self._comparable_from = published.comparable_from()
        self._newest_seq = max(told.newest_seq, self._point_seq)
        self._whole = told.whole
        self._told: Sequence[Told] = told.of.get(customer_id, ())
        self._by_then = [each for each in self._told if each.seq <= self._point_seq]
        self._since = self._told[len(self._by_then) :]
        self._repeated: Sequence[Told] = told.repeated.get(customer_id, ())
        # one of whom nothing stands there was erased by the last erasure that is told, or never had a tag
        erased_seq = max((each.seq for each in self._told if each.change.origin == "erasure"), default=0)
        self._version = published.versions.get(customer_id, Version((-1, erased_seq), {}))
        if held is not None and held.seq == 0 and not held.tags:
            held = replace(held, seq=erased_seq)
        last_seq = self._by_then[-1].seq if self._by_then else min(self._version.at[1], self._point_seq)
        self.redis_is_behind = held is not None and held.seq < last_seq and not held.arrived
        self._places: dict[str, tuple[int, Texts]] = {
            "current": (self._version.at[1], {t: text_of(v) for t, v in self._version.tags.items()})
        }
        if held is not None and not self.redis_is_behind:
            self._places["redis"] = held.seq, held.tags

    def tags_without_changes(self) -> set[str]:
        """Those of whom no change is left."""
        return set() if self._whole else self._version.tags.keys() - {each.change.tag for each in self._told}

    def by_themselves(self) -> list[Difference]:
        """Where what is published contradicts itself."""
        found = list(contradictions(self._told, self._repeated, self._whole))
        without = self.tags_without_changes()
        base = {t: text_of(v) for t, v in self._version.tags.items() if t in without}
        first = {each.change.tag: each.change.before for each in reversed(self._told)}
        if not self._whole:
            base |= {tag: text_of(before) for tag, before in first.items() if before is not None}
        return found + list(self._values(_after(base, self._by_then), judged=False))

    def against(self, oracle: Recomputed) -> list[Difference]:
        """Where the oracle says something else."""
        tags = oracle.tags.get(self.id, {})
        found = list(compare_with_oracle(oracle.changes.get(self.id, ()), self._by_then, self._comparable_from))
        return found + list(self._values({t: text_of(v) for t, v in tags.items() if v is not None}, judged=True))

    def _values(self, base: Texts, *, judged: bool) -> Iterable[Difference]:
        """The places whose tags are not those at the point, changed as it is told from there on."""
        folded = {each.change.tag: each.change.after for each in self._by_then}
        places = {
            place: (_after(base, (each for each in self._since if each.seq <= seq)), texts)
            for place, (seq, texts) in self._places.items()
        }
        tags = base.keys() | folded.keys() | {t for pair in places.values() for texts in pair for t in texts}
        for tag in sorted(tags):
            said: dict[str, str | None] = {}
            if tag in folded or self._whole:
                value = folded.get(tag)
                said["changes"] = None if value is None else text_of(value)
            wrong = "changes" in said and said["changes"] != base.get(tag)
            for place, (expected, texts) in places.items():
                if texts.get(tag) != expected.get(tag) or expected.get(tag) == base.get(tag):
                    said[place] = texts.get(tag)
                wrong |= texts.get(tag) != expected.get(tag)
            if wrong:
                yield Difference(self.id, tag, "value", said, base.get(tag) if judged else None, judged)
        for place, (seq, _) in self._places.items():
            if seq > self._newest_seq:
                yield Difference(self.id, SEQ, "value", {place: str(seq)}, str(self._newest_seq), judged)


def _after(base: Texts, told: Iterable[Told]) -> dict[str, str]:
    """Tags with changes applied to them."""
    tags = dict(base)
    for each in told:
        change = each.change
        if change.after is None:
            tags.pop(change.tag, None)
        else:
            tags[change.tag] = text_of(change.after)
    return tags
