"""Rule sets that have some of their tags alike."""

from __future__ import annotations

import random
from dataclasses import fields, is_dataclass, replace
from typing import Any

from processors.rules import program as G
from processors.rules.compile import compile_rules
from processors.rules.depend import dependencies
from processors.rules.kept import kept
from processors.rules.tree import RuleSet, Tag, TagRef

__all__ = ["alike", "other_rules", "unsteady_tags"]


def renamed(node: Any) -> Any:
    """The same part of a rule, about other tags."""
    if isinstance(node, TagRef):
        return replace(node, tag="new_" + node.tag)
    if isinstance(node, tuple):
        return tuple(map(renamed, node))
    if is_dataclass(node) and not isinstance(node, type):
        return replace(node, **{f.name: renamed(getattr(node, f.name)) for f in fields(node) if f.init})
    return node


def other_rules(rules: RuleSet, more: RuleSet, rng: random.Random) -> RuleSet:
    """Some tags of the one, and those of the other under new names; their zone and currency are the first one's."""
    tags: list[Tag] = list(rules.tags)
    while rng.random() < 0.5:
        gone = rng.choice(tags) if tags else None
        tags = [
            t for t in tags if gone is not None and t is not gone and f'"{gone.id}"' not in repr(t).replace("'", '"')
        ]
    exclusive = [f"new_{tag.exclusive}" if tag.exclusive else None for tag in more.tags]
    new = [
        replace(renamed(tag), id=f"new_{tag.id}", exclusive=group)
        for tag, group in zip(more.tags, exclusive, strict=True)
    ]
    return replace(rules, tags=tuple(sorted([*tags, *new], key=lambda t: t.id)), version="1" * 16)


def alike(rules: RuleSet, others: RuleSet) -> set[str]:
    """Tags that decide alike, and ask for such ones alone."""
    found = kept(rules, others)
    tags = enumerate(others.tags)
    return {tag.id for i, tag in tags if found.old_tags[i] >= 0 and i not in found.asking.tolist()}


def unsteady_tags(rules: RuleSet) -> set[str]:
    """Ids of tags, and of those that see them, for which it matters how often somebody looks, or since when a customer
    is known; and both depend on the other tags."""
    g, sees = compile_rules(rules).g, dependencies(rules.tags)
    ranks = [G.look(g, G.DEFAULT_TAGS, i) for i in range(g[G.DEFAULT_COUNT])]
    by_default = {rules.tags[G.look(g, G.RANKED_TAGS, rank)].id for rank in ranks}
    unsteady = by_default | {tag.id for tag in rules.tags if tag.leave is not None}
    while more := {tag for tag, seen in sees.items() if unsteady & set(seen)} - unsteady:
        unsteady |= more
    return unsteady
