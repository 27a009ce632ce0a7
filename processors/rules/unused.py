"""Tags that nobody is known to use."""

from __future__ import annotations

from processors.rules import tree as T
from processors.rules.depend import references


def unused(rule_set: T.RuleSet) -> list[str]:
    """Ids of the tags that no other tag asks for or stands under, and that have no owner; in order."""
    asked = {tag.parent for tag in rule_set.tags}.union(*map(references, rule_set.tags))
    return [tag.id for tag in rule_set.tags if tag.id not in asked and tag.owner is None]
