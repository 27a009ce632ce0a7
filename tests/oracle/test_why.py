"""Why a tag changed, by hand, and when it flips next."""

from __future__ import annotations

from processors.oracle.event import DAY_MS, HOUR_MS, MINUTE_MS, Record
from processors.oracle.judge import run
from processors.oracle.why import FORGOTTEN, Seen
from processors.rules.tree import And, Compare, Expr, ForEach, Happening, Not, Or, ProfileRef, Sequence, TagRef, Text
from tests.oracle.by_hand import (
    FAR_MS,
    command,
    compare,
    count,
    event,
    is_text,
    rules,
    tag,
    taken,
    told,
    total,
)
from tests.oracle.flips import next_flip_ms
from tests.oracle.tables import START_MS

BUSY = compare(count("purchase", HOUR_MS), ">=", 2)


def reasons(of: object, *events: Record) -> list[list[tuple[Expr, str | None, object, object]]]:
    """For each change what was looked at: (condition, key, value, threshold)."""
    result = run(rules(of), list(events), START_MS + FAR_MS)  # type: ignore[arg-type]
    return [[(seen.expr, seen.key, seen.value, seen.threshold) for seen in each] for each in result.reasons]


def test_a_condition_tells_its_value_its_threshold_and_its_window() -> None:
    result = run(rules(tag(BUSY)), [event(0), event(61_000)], START_MS + FAR_MS)
    left_ms = START_MS + HOUR_MS + MINUTE_MS
    assert result.reasons == [
        (Seen(BUSY, None, "2", "2", START_MS + MINUTE_MS - HOUR_MS, START_MS + 61_000),),
        (Seen(BUSY, None, "1", "2", START_MS + MINUTE_MS, left_ms),),
    ]


def test_all_parts_are_told_left_to_right_whatever_joins_them() -> None:
    seldom = compare(count("browse", None), "<", 5)
    rule = tag(And((BUSY, Not(Or((compare(count("service", DAY_MS), ">", 0), Not(seldom)))))))
    (entered, left) = reasons(rule, event(0), event(1))
    assert [value for _, _, value, _ in entered] == ["2", "0", "0"]
    assert [value for _, _, value, _ in left] == ["0", "0", "0"]


def test_a_tag_with_a_leave_of_its_own_tells_that_when_it_is_left() -> None:
    gone = compare(count("purchase", HOUR_MS), "==", 0)
    (entered, left) = reasons(tag(BUSY, leave=gone), event(0), event(1))
    assert (entered, left) == ([(BUSY, None, "2", "2")], [(gone, None, "0", "0")])


def test_levels_are_told_down_to_the_one_that_is_reached() -> None:
    spent = total("purchase", "amount", HOUR_MS)
    levels = [(name, compare(spent, ">=", least)) for name, least in (("gold", 30), ("silver", 20), ("bronze", 10))]
    changes = reasons(tag(tiers=levels), event(0, amount_cents=2_000), event(1, amount_cents=1_000))
    assert [[threshold for *_, threshold in each] for each in changes] == [["30", "20"], ["30"], ["30", "20", "10"]]


def test_keys_are_told_one_by_one() -> None:
    rule = tag(compare(count("browse", HOUR_MS), ">=", 1), for_each=ForEach("browse", "category", 20))
    changes = reasons(rule, event(0, "browse", category="b"), event(1, "browse", category="a"))
    assert [[(key, value) for _, key, value, _ in each] for each in changes] == [
        [("b", "1")],
        [("a", "1")],
        [("a", "0"), ("b", "0")],
    ]


def test_texts_of_events_are_told_where_the_rule_names_them_and_those_of_the_profile_always() -> None:
    last = taken("last", "browse", "category", None)
    rule = tag(Or((Compare("!=", last, Text("shoes")), Compare("==", ProfileRef("city"), Text("Ghent")))))
    (entered,) = reasons(rule, told(0, city="Bruges"), event(1, "browse", category="hats"))
    assert [value for _, _, value, _ in entered] == [FORGOTTEN, "Bruges"]
    (left,) = reasons(
        rule, told(0, city="Bruges"), event(1, "browse", category="hats"), event(2, "browse", category="shoes")
    )[1:]
    assert [value for _, _, value, _ in left] == ["shoes", "Bruges"]


def test_absence_tells_how_long_the_first_event_has_waited() -> None:
    absent = Sequence(Happening("browse", None), Happening("purchase", None), 2 * DAY_MS, negated=True)
    (entered, left) = reasons(tag(absent), event(0, "browse"), event(3 * DAY_MS))
    assert (entered, left) == ([(absent, None, "2", "2")], [(absent, None, None, "2")])


def test_what_people_decide_has_no_conditions() -> None:
    rule = tag(compare(count("purchase", None), ">=", 1))
    assert reasons(rule, command(0, "assign", True), event(1)) == [[]]
    (_, left) = reasons(rule, command(0, "assign", True), command(1, "remove"))
    assert left == [(rule.when, None, "0", "1")]


def test_the_next_flip_is_that_of_the_tag_alone() -> None:
    rule_set = rules(tag(BUSY), tag(compare(count("purchase", 2 * HOUR_MS), ">=", 1), id="u"), tag(TagRef("u"), id="v"))
    read = [event(0), event(1)]
    far_ms = START_MS + FAR_MS
    assert next_flip_ms(rule_set, read, "c", "t", START_MS + 1, far_ms) == START_MS + HOUR_MS + MINUTE_MS
    assert next_flip_ms(rule_set, read, "c", "v", START_MS + 1, far_ms) == START_MS + 2 * HOUR_MS + MINUTE_MS
    assert next_flip_ms(rule_set, read, "c", "v", START_MS + 1, START_MS + 2 * HOUR_MS) is None
    assert next_flip_ms(rules(tag(is_ever())), read, "c", "t", START_MS + 1, far_ms) is None


def is_ever() -> Expr:
    return compare(count("purchase", None, is_text("kind", "order")), ">=", 1)
