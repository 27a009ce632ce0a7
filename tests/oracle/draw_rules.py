"""Draws rule sets: tags that share windows and event types, ask for each other and exclude each other."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from processors.oracle.expression import parts
from processors.rules.tree import (
    Age,
    Aggregate,
    And,
    Compare,
    Expr,
    ForEach,
    Level,
    Not,
    Number,
    ProfileRef,
    Ratio,
    RuleSet,
    Sequence,
    Tag,
    Top,
)
from tests.oracle.choices import Choices, Knobs
from tests.oracle.draw_conditions import condition
from tests.oracle.draw_values import aggregate, number_value, since, still_value, thresholds
from tests.oracle.pen import Pen
from tests.oracle.tables import DEFAULT_CURRENCY, DURATIONS_MS, KEYS, ZONES


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
    if rich:
        tags = [published(choose, each) for each in tags]
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
    choose = pen.choose
    if pen.may("for_each") and choose.chance(15) and (keyed := with_keys(pen, plain(tag_id))) is not None:
        return assignable(pen, keyed)
    if pen.may("score") and choose.chance(15):
        return assignable(pen, scored(pen, plain(tag_id)))
    if pen.may("assigned") and choose.chance(15):
        return without_rule(choose, plain(tag_id))
    return assignable(pen, with_rule(pen, plain(tag_id)))


def plain(tag_id: str) -> Tag:
    """A tag of which nothing but its name is decided."""
    return Tag(
        id=tag_id,
        name={"zh": tag_id, "en": tag_id},
        describe={},
        class_="dynamic",
        category="value",
        colour=None,
        when=None,
        leave=None,
        tiers=(),
        dwell_ms=0,
        cooldown_ms=0,
        expires_ms=None,
        examples=(),
        source={},
        file="generated.yaml",
        line=1,
    )


def with_rule(pen: Pen, tag: Tag) -> Tag:
    """A tag that is there or not, or a tier."""
    choose, knobs = pen.choose, pen.knobs
    if choose.chance(35):
        tag = replace(tag, tiers=levels(pen))
    else:
        when = condition(pen, knobs.max_depth)
        tag = replace(tag, when=when, leave=leave_of(pen, when) if choose.chance(40) else None)
    may_expire = knobs.tier_expires or not tag.tiers
    return replace(
        tag,
        dwell_ms=choose.pick(DURATIONS_MS) if choose.chance(35) else 0,
        cooldown_ms=choose.pick(DURATIONS_MS) if choose.chance(35) else 0,
        expires_ms=choose.pick(DURATIONS_MS) if choose.chance(25) and may_expire else None,
    )


def with_keys(pen: Pen, tag: Tag) -> Tag | None:
    """A tag with the keys of one field; its conditions read only events that have this field, of the same sort."""
    choose, known = pen.choose, pen.knobs.event_types
    events = [event for event in known if KEYS[event]]
    if not events:
        return None
    event = choose.pick(events)
    name = choose.pick(KEYS[event])
    alike = [other for other in known if other == event or (name in KEYS[other] and name != "kind")]
    features = tuple(feature for feature in pen.knobs.features if feature != "top")
    pen = replace(pen, knobs=replace(pen.knobs, event_types=tuple(alike), features=features))
    when = condition(pen, pen.knobs.max_depth)
    if choose.chance(50):
        # Something that holds for several keys at once, and soon.
        measured = number_value(pen)
        when = Compare(choose.pick((">=", "<=")), measured, Number(thresholds(measured)[0]))
    if not any(isinstance(part, Aggregate | Top | Sequence) for part in parts(when)):
        # Only events make a key known.
        when = And((Compare(">=", aggregate(pen), Number(choose.pick((Fraction(1), Fraction(0))))), when))
    leave = leave_of(pen, when) if choose.chance(30) else None
    return replace(tag, when=when, leave=leave, for_each=ForEach(event, name, choose.pick((20, 1, 2))))


def without_rule(choose: Choices, tag: Tag) -> Tag:
    """A tag that is only what people and models say."""
    manual, model = choose.pick(((True, False), (False, True), (True, True)))
    names = ("gold", "silver", "bronze")[: choose.whole(1, 3)] if choose.chance(40) else ()
    return replace(tag, manual=manual, model=model, levels=names)


def assignable(pen: Pen, tag: Tag) -> Tag:
    """The tag, perhaps with another word about who may set it."""
    if not pen.may("assigned"):
        return tag
    return replace(tag, manual=not pen.choose.chance(15), model=pen.choose.chance(50))


def scored(pen: Pen, tag: Tag) -> Tag:
    """A number. One that moves by itself has a step so large that it is published some hundred times at most."""
    choose = pen.choose
    kind = choose.pick(("still", "still", "still", "since", "since by", "by since", "age", "attribute"))
    step = choose.pick((Fraction(0), Fraction(1), Fraction("0.5"), Fraction("0.05"), Fraction("19.99"), Fraction(2)))
    if kind in ("since", "since by"):
        found: Expr = since(pen)
        if kind == "since by":
            event = choose.pick(pen.knobs.event_types)
            # At least 1, or nothing.
            found = Ratio(found, Aggregate("count", event, None, None, choose.pick(pen.knobs.windows_ms)))
        return replace(tag, score=found, step=choose.pick((Fraction(30), Fraction("7.5"), Fraction(100))))
    if kind == "by since":
        event = choose.pick(pen.knobs.event_types)
        by = Aggregate("count", event, None, None, choose.pick(pen.knobs.windows_ms))
        # A millisecond after the event it is some 10^8.
        return replace(tag, score=Ratio(by, since(pen)), step=choose.pick((Fraction(10**7), Fraction(3 * 10**7))))
    if kind == "age" and pen.may("profile"):
        return replace(tag, score=Age("birthday"), step=step)
    if kind == "attribute" and pen.may("profile"):
        return replace(tag, score=ProfileRef("limit"), step=step)
    return replace(tag, score=still_value(pen), step=step)


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
    asks for and what it is excluded by never make a circle. Scores, and tags without a rule, are in none."""
    members: dict[str, list[Tag]] = {"one": [], "two": []}
    alone: list[Tag] = []
    for each in tags:
        if each.when is None and not each.tiers:
            alone.append(each)
            continue
        group = choose.pick(("one", "one", "one", "two", None))
        (alone if group is None else members[group]).append(each)
    return alone + [one for group, found in members.items() for one in ranked(choose, group, found)]


def published(choose: Choices, tag: Tag) -> Tag:
    """The tag, perhaps with more in its changes."""
    holdout = choose.pick((Fraction(1, 10), Fraction(1, 2))) if choose.chance(15) else None
    return replace(tag, forecast=choose.chance(20), holdout=holdout)


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
