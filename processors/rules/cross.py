"""What is wrong between tags: names that no tag has, values that it does not have, circles, groups; and duplicates."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.depend import before_in_group, circles, dependencies
from processors.rules.dump import dump_text
from processors.rules.near import Twins
from processors.rules.notes import Notes
from processors.rules.sorts import sort_of
from processors.rules.suggest import did_you_mean, nearest
from processors.rules.walk import level_names
from schemas.errors import RuleError

_MOST_SUGGESTIONS: Final = 100
"""Unknown ids for which the nearest known one is looked for: among ten thousand that takes some milliseconds each."""


def with_ranks(tags: Sequence[T.Tag], ranked: Collection[str]) -> list[T.Tag]:
    """The tags with the rank of those that give none: their place in the group, from 1.

    `tags` are in order of file and line, `ranked` the ids of those that give one.
    """
    sizes: defaultdict[str, int] = defaultdict(int)
    result = []
    for tag in tags:
        if tag.exclusive is not None:
            sizes[tag.exclusive] += 1
            if tag.id not in ranked:
                tag = replace(tag, rank=sizes[tag.exclusive])
        result.append(tag)
    return result


def cross_errors(tags: Mapping[str, T.Tag], known: Collection[str], notes: Notes) -> Iterator[RuleError]:
    """Errors between tags. `tags` are those without faults of their own, `known` the ids of all."""
    yield from _names(tags, known, notes)
    for group, members in _groups(tags.values()).items():
        if len(members) > limits.MAX_GROUP_TAGS:
            message = f"The group `{group}` has {len(members)} tags; {limits.MAX_GROUP_TAGS} is the most"
            yield notes.keys[members[limits.MAX_GROUP_TAGS], "exclusive"].problem("TS-R511", message)
            return
    yield from _circles(tags, notes)


def cross_warnings(tags: Mapping[str, T.Tag], notes: Notes, today: datetime.date | None) -> Iterator[RuleError]:
    """Warnings about tags beside others, and about those that `today` are past their review."""
    before = before_in_group(list(tags.values()))
    twins = Twins()
    for tag in tags.values():
        twin = twins.add(tag, len(before[tag.id]))
        if twin is not None:
            same = f"`{twin.tag.id}` ({notes.keys[twin.tag.id, 'tag']})"
            place = notes.keys[tag.id, "tag"]
            if twin.differences:
                message = f"`{tag.id}` decides nearly the same as {same}: {'; '.join(twin.differences)}"
                yield place.problem("TS-R909", message)
            else:
                yield place.problem("TS-R907", f"`{tag.id}` decides the same as {same}")
        if today is not None and tag.review_by is not None and tag.review_by < today.isoformat():
            owner = f", by {tag.owner}" if tag.owner else ""
            message = f"`{tag.id}` was to be reviewed by {tag.review_by}{owner}"
            yield notes.keys[tag.id, "review_by"].problem("TS-R906", message)
    groups = _groups(tags.values())
    for group, members in groups.items():
        if len(members) == 1:
            near = nearest(group, groups.keys() - {group})
            message = f"`{members[0]}` is the only tag of the group `{group}`"
            cure = f"Did you mean {near}?" if near else None
            yield notes.keys[members[0], "exclusive"].problem("TS-R908", message, cure)


def _groups(tags: Collection[T.Tag]) -> dict[str, list[str]]:
    """Ids of the tags by exclusive group."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for tag in tags:
        if tag.exclusive is not None:
            groups[tag.exclusive].append(tag.id)
    return groups


def _names(tags: Mapping[str, T.Tag], known: Collection[str], notes: Notes) -> Iterator[RuleError]:
    cures: dict[str, str] = {}
    """By unknown id, since one slip is often repeated."""
    for mention in (*notes.references, *notes.parents):
        if mention.tag not in known:
            if mention.tag not in cures and len(cures) < _MOST_SUGGESTIONS:
                cures[mention.tag] = did_you_mean(mention.tag, [tag for tag in known if tag != mention.by])
            yield mention.place.problem("TS-R222", f"There is no tag {dump_text(mention.tag)}", cures.get(mention.tag))
    for compared in notes.levels:
        if compared.tag not in tags:
            continue
        levels = level_names(tags[compared.tag])
        if not levels:
            message = f"The tag `{compared.tag}` has no levels"
            yield compared.place.problem("TS-R221", message, _use_of(tags[compared.tag]))
        elif compared.level not in levels:
            message = f"The tag `{compared.tag}` has no level {dump_text(compared.level)}"
            yield compared.place.problem("TS-R221", message, did_you_mean(compared.level, levels))
    for number in notes.numbers:
        if number.tag in tags and sort_of(tags[number.tag]) != "number":
            message = f"The value of the tag `{number.tag}` is no number"
            yield number.place.problem("TS-R221", message, _use_of(tags[number.tag]))


def _use_of(tag: T.Tag) -> str:
    """A cure: how the tag can be asked for."""
    asked = f"tag({dump_text(tag.id)})"
    match sort_of(tag):
        case "level":
            return f"Write {asked} == {dump_text(level_names(tag)[0])}"
        case "number":
            return f"Write {asked} >= NUMBER"
    return f"Write {asked} alone, or after `not`"


def _circles(tags: Mapping[str, T.Tag], notes: Notes) -> Iterator[RuleError]:
    ordered = list(tags.values())
    named = {(mention.by, mention.tag): mention.place for mention in reversed(notes.references)}
    before = before_in_group(ordered)
    for circle in circles(dependencies(ordered)):
        steps = list(pairwise(circle))
        message = f"The tags see each other in a circle: {' -> '.join(circle)}"
        waits = [(by, other) for by, other in steps if (by, other) not in named and other in before[by]]
        for by, other in waits:
            message += f"; `{other}` comes before `{by}` in the group `{tags[by].exclusive}`"
        cure = "Take one of the references out, or change the ranks in the group" if waits else None
        if len(circle) == 2:
            message = f"The tag names itself: {' -> '.join(circle)}"
        # those of a group are in order, so a circle has a reference
        place = next(named[step] for step in steps if step in named)
        yield place.problem("TS-R223", message, cure)
    named = {(mention.by, mention.tag): mention.place for mention in notes.parents}
    for circle in circles(
        {tag.id: [tag.parent] if tag.parent is not None and tag.parent in tags else [] for tag in ordered}
    ):
        message = f"The parents lead in a circle: {' -> '.join(circle)}"
        yield named[circle[0], circle[1]].problem("TS-R223", message, "Leave one of the parents out")
