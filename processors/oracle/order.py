"""The order in which the tags of a customer are looked at, and what an exclusive group adds to their conditions."""

from __future__ import annotations

from dataclasses import replace

from processors.oracle.expression import parts
from processors.rules.tree import And, Expr, Not, Or, RuleSet, Tag, TagRef


def in_order(rule_set: RuleSet) -> list[Tag]:
    """The tags with their exclusions written out, each after all that it asks for, then by id."""
    tags = {tag.id: with_exclusions(tag, rule_set) for tag in rule_set.tags}
    return sorted(tags.values(), key=lambda tag: (depth_of(tag, tags), tag.id))


def conditions_of(tag: Tag) -> list[Expr]:
    """`when`, `leave` and the levels' conditions, as far as there are any."""
    found = (tag.when, tag.leave, *(level.when for level in tag.tiers))
    return [condition for condition in found if condition is not None]


def depth_of(tag: Tag, tags: dict[str, Tag]) -> int:
    """0 for a tag that asks for no other, else one more than the deepest that it asks for. There are no cycles."""
    asked = {part.tag for condition in conditions_of(tag) for part in parts(condition) if isinstance(part, TagRef)}
    return max((1 + depth_of(tags[tag_id], tags) for tag_id in asked), default=0)


def with_exclusions(tag: Tag, rule_set: RuleSet) -> Tag:
    """A tag of a group, as if its author had written what the group means; any other tag as it is."""
    if tag.exclusive is None:
        return tag
    before = tuple(
        TagRef(other.id)
        for other in sorted(rule_set.tags, key=lambda other: (other.rank, other.id))
        if other.exclusive == tag.exclusive and (other.rank, other.id) < (tag.rank, tag.id)
    )
    if not before:
        return tag
    none_before = tuple(Not(other) for other in before)
    if tag.when is None:
        return replace(tag, tiers=tuple(replace(level, when=And((level.when, *none_before))) for level in tag.tiers))
    leave = Not(tag.when) if tag.leave is None else tag.leave
    return replace(tag, when=And((tag.when, *none_before)), leave=Or((leave, *before)))
