"""Compares of each customer what the oracle says with the three things that are published. Pure.

What is published goes on changing while it is read. What does not stand as of the point is not compared, and said to
be so: nothing is called a difference that a moment can explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from processors.oracle.event import TagValue
from schemas.records import Value
from streams.redis_layout import text_of
from streams.verify.published import Published, Version
from streams.verify.redis_side import Held

__all__ = ["PLACES", "Difference", "Found", "compare"]

PLACES: Final = ("changes", "current", "redis")
"""What is compared: the fold of tags.changes, tags.current, Redis."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One tag of one customer of whom somebody says something else than the oracle. All as texts, as Redis has them."""

    customer_id: str
    tag: str
    oracle: str | None
    """None: absent."""
    published: Mapping[str, str | None]
    """By place, without those that could not be compared."""

    @property
    def wrong(self) -> list[str]:
        """The places that say something else."""
        return [place for place, text in self.published.items() if text != self.oracle]


@dataclass(slots=True)
class Found:
    """What came of comparing some customers."""

    customers: int = 0
    differences: list[Difference] = field(default_factory=list)
    moved_on: set[str] = field(default_factory=set)
    """Customers of whom tags.current or Redis was newer already than the point."""
    behind: set[str] = field(default_factory=set)
    """Customers of whom Redis does not have yet what stood at the point."""
    changes_gone: int = 0
    """Tags whose last change is no longer in tags.changes."""

    def add(self, other: Found) -> None:
        """What was found of others, or of the same ones once more."""
        self.customers += other.customers
        self.differences += other.differences
        self.moved_on |= other.moved_on
        self.behind |= other.behind
        self.changes_gone += other.changes_gone


def compare(
    customers: Iterable[str],
    oracle: Mapping[str, Mapping[str, TagValue]],
    published: Published,
    redis: Mapping[str, Held],
) -> Found:
    """The differences of these customers, in order of id and tag."""
    found = Found()
    for customer_id in sorted(customers):
        found.customers += 1
        said = {tag: text_of(value) for tag, value in oracle.get(customer_id, {}).items() if value is not None}
        sides: dict[str, dict[str, str]] = {}
        current = _current(published, customer_id)
        if isinstance(current, Version):
            sides["current"] = _texts(current.tags)
        held = redis.get(customer_id)
        if held is not None and _is_comparable(held, current, published):
            sides["redis"] = held.tags
        elif held is not None and not _is_newer(held, published):
            found.behind.add(customer_id)
        if not isinstance(current, Version) or (held is not None and _is_newer(held, published)):
            found.moved_on.add(customer_id)
        changes = {tag: value for tag, (_, value) in published.changed.get(customer_id, {}).items()}
        tags = sorted(said.keys() | changes.keys() | {tag for side in sides.values() for tag in side})
        for tag in tags:
            one: dict[str, str | None] = {place: side.get(tag) for place, side in sides.items()}
            if tag in changes or published.changes_whole:
                value = changes.get(tag)
                one = {"changes": None if value is None else text_of(value), **one}
            else:
                found.changes_gone += 1
            difference = Difference(customer_id, tag, said.get(tag), one)
            if difference.wrong:
                found.differences.append(difference)
    return found


def _texts(tags: Mapping[str, Value]) -> dict[str, str]:
    return {tag: text_of(value) for tag, value in tags.items()}


def _current(published: Published, customer_id: str) -> Version | None:
    """The customer's tags in tags.current as they stood at the point; None if that cannot be told any more.

    An older record is that of the point only if it has the number of the customer's last change by then: the one in
    between may have been compacted away since.
    """
    assert published.point is not None
    versions = published.versions.get(customer_id)
    if not versions:
        return Version((-1, -1), {})
    newest = max(version.at for version in versions)
    by_then = [v for v in versions if v.at[1] <= published.point.seq]
    # of two of one number the later counts: readers take it so
    at_point = max(enumerate(by_then), key=lambda each: (each[1].at, each[0]))[1] if by_then else None
    if newest[1] <= published.point.seq:
        return at_point
    last_seq = published.last_seq(customer_id)
    if at_point is None:
        return Version((-1, -1), {}) if last_seq is None and published.changes_whole else None
    return at_point if at_point.at[1] == last_seq else None


def _is_newer(held: Held, published: Published) -> bool:
    assert published.point is not None
    return held.at[1] > published.point.seq


def _is_comparable(held: Held, current: Version | None, published: Published) -> bool:
    """Whether the hash is to be what stood at the point: Redis had all of that, or just this customer's."""
    if _is_newer(held, published):
        return False
    return held.arrived or (current is not None and held.at == current.at)
