"""Which tags a tag sees, and the order of evaluation that follows.

A tag sees those that its conditions name by `tag("…")`, and those of its exclusive group that come before it: it
is out while one of them is there. Tags are evaluated from the bottom up, so that each sees what the others have become.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from processors.rules import tree as T
from processors.rules.parts import nodes_of


def tag_refs_of(tag: T.Tag) -> Iterator[T.TagRef]:
    """Every `tag("…")` of a tag, in the order `when`, levels from the top, `leave`."""
    for condition in (tag.when, *(level.when for level in tag.tiers), tag.leave):
        for node in nodes_of(condition):
            if isinstance(node, T.TagRef):
                yield node


def references(tag: T.Tag) -> tuple[str, ...]:
    """Ids named by `tag("…")` in `when`, the levels and `leave`; each once, sorted."""
    return tuple(sorted({ref.tag for ref in tag_refs_of(tag)}))


def before_in_group(tags: Sequence[T.Tag]) -> dict[str, tuple[str, ...]]:
    """By id of each tag the ids of the tags of its exclusive group that come before it, by (rank, id).

    A tag outside all groups, and the first of each group, has none.
    """
    groups: defaultdict[str, list[T.Tag]] = defaultdict(list)
    for tag in tags:
        if tag.exclusive is not None:
            groups[tag.exclusive].append(tag)
    before: dict[str, tuple[str, ...]] = {tag.id: () for tag in tags}
    for group in groups.values():
        ordered = [tag.id for tag in sorted(group, key=lambda tag: (tag.rank, tag.id))]
        for place, tag_id in enumerate(ordered):
            before[tag_id] = tuple(ordered[:place])
    return before


def dependencies(tags: Sequence[T.Tag]) -> dict[str, tuple[str, ...]]:
    """By id of each tag the ids of all tags that it sees, sorted; ids that no tag has are left out."""
    before = before_in_group(tags)
    return {tag.id: tuple(sorted({*references(tag), *before[tag.id]} & before.keys())) for tag in tags}


def evaluation_order(tags: Sequence[T.Tag]) -> list[int]:
    """Indexes of the tags by (depth, id): a tag comes after all that it sees.

    The depth of a tag that sees no other is 0, that of another is one more than the greatest depth of those it sees.
    The tags must not see each other in a circle (ValueError); `load` refuses such rules.
    """
    sees = dependencies(tags)
    seen_by: defaultdict[str, list[str]] = defaultdict(list)
    for tag_id, seen in sees.items():
        for other in seen:
            seen_by[other].append(tag_id)
    depths: dict[str, int] = {}
    waiting = {tag_id: len(seen) for tag_id, seen in sees.items()}
    # level by level rather than by recursion: a chain may be as long as there are tags
    level = [tag_id for tag_id, count in waiting.items() if count == 0]
    depth = 0
    while level:
        above = []
        for tag_id in level:
            depths[tag_id] = depth
            for other in seen_by[tag_id]:
                waiting[other] -= 1
                if waiting[other] == 0:
                    above.append(other)
        level, depth = above, depth + 1
    if len(depths) < len(sees):
        raise ValueError(f"tags see each other in a circle: {sorted(sees.keys() - depths.keys())}")
    return sorted(range(len(tags)), key=lambda index: (depths[tags[index].id], tags[index].id))


def circles(sees: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Circles of tags that see each other: ids in the order of seeing, the first once more at the end.

    `sees` has for each id those that it sees, all of them keys too. No two circles share a tag, so that one mistake is
    reported once; the least id of a circle stands first, so that it is always reported in the same words.
    """
    done: set[str] = set()
    reported: set[str] = set()
    for start in sorted(sees):
        path: list[str] = []
        places: dict[str, int] = {}
        rest: list[Iterator[str]] = []
        following: str | None = start if start not in done else None
        while following is not None or path:
            if following is None:
                done.add(path[-1])
                places.pop(path.pop())
                rest.pop()
            elif following in places:
                found = path[places[following] :]
                if reported.isdisjoint(found):
                    reported.update(found)
                    least = found.index(min(found))
                    yield (*found[least:], *found[:least], found[least])
            else:
                places[following] = len(path)
                path.append(following)
                rest.append(iter(sees[following]))
            following = next((other for other in rest[-1] if other not in done), None) if path else None
