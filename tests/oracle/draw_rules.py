"""Draws rule sets: tags that share windows and event types, ask for each other and exclude each other."""

from __future__ import annotations

from dataclasses import replace

from processors.rules.tree import And, Compare, Expr, Level, Not, Number, RuleSet, Tag
from tests.oracle.choices import Choices, Knobs
from tests.oracle.draw_conditions import Pen, aggregate, condition, number_value, thresholds
from tests.oracle.tables import DEFAULT_CURRENCY, DURATIONS_MS, ZONES


def rule_set(choose: Choices, knobs: Knobs) -> RuleSet:
    """Some tags over few windows and event types, so that they share series and each is often touched."""
    some = replace(
        knobs,
        windows_ms=tuple(choose.pick(knobs.windows_ms) for _ in range(choose.whole(1, 3))),
        event_types=tuple(choose.pick(knobs.event_types) for _ in range(choose.whole(1, 2))),
    )
    rich = choose.chance(knobs.rich_percent)
    ids = [f"t{number}" for number in range(1, choose.whole(1, knobs.max_tags) + 1)]
    tags: list[Tag] = []
    # A tag asks only for those drawn before it. Often these have the smaller ids, but not always.
    for tag_id in shuffled(choose, ids) if rich and choose.chance(50) else ids:
        tags.append(tag(Pen(choose, some, rich, tuple(tags)), tag_id))
    if rich and choose.chance(60):
        tags = grouped(choose, tags)
    return RuleSet(
        tags=tuple(sorted(tags, key=lambda tag: tag.id)),
        time_zone=choose.pick(ZONES) if rich else "UTC",
        default_currency=DEFAULT_CURRENCY,
        version="0" * 16,
        text_hash="0" * 16,
    )


def shuffled(choose: Choices, ids: list[str]) -> list[str]:
    left = list(ids)
    return [left.pop(choose.whole(0, len(left) - 1)) for _ in ids]


def tag(pen: Pen, tag_id: str) -> Tag:
    choose, knobs = pen.choose, pen.knobs
    tiers: tuple[Level, ...] = ()
    when = leave = None
    if choose.chance(35):
        tiers = levels(pen)
    else:
        when = condition(pen, knobs.max_depth)
        leave = leave_of(pen, when) if choose.chance(40) else None
    may_expire = knobs.tier_expires or not tiers
    return Tag(
        id=tag_id,
        name={"zh": tag_id, "en": tag_id},
        describe={},
        class_="dynamic",
        category="value",
        colour=None,
        when=when,
        leave=leave,
        tiers=tiers,
        dwell_ms=choose.pick(DURATIONS_MS) if choose.chance(35) else 0,
        cooldown_ms=choose.pick(DURATIONS_MS) if choose.chance(35) else 0,
        expires_ms=choose.pick(DURATIONS_MS) if choose.chance(25) and may_expire else None,
        examples=(),
        source={},
        file="generated.yaml",
        line=1,
    )


def levels(pen: Pen) -> tuple[Level, ...]:
    """Mostly one value with falling thresholds, as people write tiers; sometimes unrelated conditions."""
    choose = pen.choose
    names = ("gold", "silver", "bronze")[: choose.whole(2, 3)]
    if choose.chance(25):
        return tuple(Level(name, condition(pen, 1)) for name in names)
    measured = number_value(pen) if pen.rich and choose.chance(50) else aggregate(pen)
    least = choose.pick(thresholds(measured))
    step = choose.pick((1, 10)) if getattr(measured, "func", None) == "sum" else 1
    return tuple(
        Level(name, Compare(">=", measured, Number(least + step * (len(names) - 1 - place))))
        for place, name in enumerate(names)
    )


def leave_of(pen: Pen, when: Expr) -> Expr:
    """A condition for leaving; unless overlap is asked for, one that never holds together with `when`."""
    if pen.knobs.overlapping_leave:
        return condition(pen, 1)
    if isinstance(when, Compare) and when.op in (">=", ">") and isinstance(when.right, Number):
        return Compare("<", when.left, Number(when.right.value - pen.choose.whole(0, 2)))
    return And((Not(when), condition(pen, 0)))


def grouped(choose: Choices, tags: list[Tag]) -> list[Tag]:
    """The tags, some of them in one of two groups. Each comes behind all that were drawn before it, so that what it
    asks for and what it is excluded by never make a circle."""
    members: dict[str, list[Tag]] = {"one": [], "two": []}
    alone: list[Tag] = []
    for each in tags:
        group = choose.pick(("one", "one", "one", "two", None))
        (alone if group is None else members[group]).append(each)
    return alone + [one for group, found in members.items() for one in ranked(choose, group, found)]


def ranked(choose: Choices, group: str, members: list[Tag]) -> list[Tag]:
    """The tags as a group in this order: by their places in the file if those will do, else by ranks."""
    ids = [member.id for member in members]
    if ids == sorted(ids) and choose.chance(60):
        return [replace(member, exclusive=group, rank=place) for place, member in enumerate(members, 1)]
    rank, before, found = choose.pick((1, 0, -3, 10)), "", []
    for member in members:
        # A tie goes by the tags' ids.
        rank += choose.whole(0 if member.id > before else 1, 2)
        found.append(replace(member, exclusive=group, rank=rank))
        before = member.id
    return found
