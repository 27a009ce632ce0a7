"""Tags that are sets of keys: by hand, which keys are known, enter, stay, wait and leave."""

from __future__ import annotations

import pytest

from processors.oracle.judge import DAY_MS, HOUR_MS, MINUTE_MS, Event, Record, run
from processors.rules.tree import And, Compare, Expr, ForEach, Happening, Not, ProfileRef, Sequence, TagRef, Text, Trend
from tests.oracle.by_hand import (
    compare,
    count,
    event,
    flips,
    flips_of_tags,
    is_text,
    rules,
    tag,
    taken,
    told,
    top,
    total,
)
from tests.oracle.tables import START_MS

CATEGORY = ForEach("browse", "category", 20)


def seen(at_ms: int, category: str | None, page_type: str | None = None) -> Event:
    return event(at_ms, "browse", category=category, page_type=page_type)


def keys(
    when: Expr, events: list[Record], *, leave: Expr | None = None, limit: int = 20, field: str = "category"
) -> list[tuple[int, str]]:
    """What becomes of a tag with the keys of a field."""
    return flips(rules(tag(when, leave=leave, for_each=ForEach("browse", field, limit))), events)


ONCE = compare(count("browse", MINUTE_MS), ">=", 1)


def test_the_value_is_the_keys_for_which_it_holds() -> None:
    assert keys(ONCE, [seen(0, "shoes"), seen(60_000, "books"), seen(60_001, "shoes"), seen(60_002, None)]) == [
        (0, "entered shoes"),
        (60_000, "changed books,shoes"),
        (180_000, "left!"),
    ]
    assert keys(ONCE, [seen(0, "shoes"), seen(60_000, "books")]) == [
        (0, "entered shoes"),
        (60_000, "changed books,shoes"),
        (120_000, "changed books!"),
        (180_000, "left!"),
    ]


def test_each_key_counts_by_itself() -> None:
    events: list[Record] = [seen(0, "shoes"), seen(1, "books"), seen(2, None), seen(3, "shoes")]
    assert keys(compare(count("browse", None), ">=", 2), events) == [(3, "entered shoes")]
    assert run(rules(tag(compare(count("browse", None), ">=", 2), for_each=CATEGORY)), events, None).tags == {
        "c": {"t": ("shoes",)}
    }


def test_keys_are_in_order_of_their_bytes() -> None:
    events: list[Record] = [seen(at_ms, key) for at_ms, key in enumerate(("b", "配", "a", "", "B", "ä", "ab"))]
    assert keys(compare(count("browse", None), ">=", 1), events)[-1] == (6, "changed ,B,a,ab,b,ä,配")


def test_keys_are_of_one_customer() -> None:
    other = event(1, "browse", customer="d", category="books")
    result = run(rules(tag(ONCE, for_each=CATEGORY)), [seen(0, "shoes"), other], None)
    assert result.tags == {"c": {"t": ("shoes",)}, "d": {"t": ("books",)}}


def test_several_events_give_keys_by_the_field_of_one_name() -> None:
    looked, bought = compare(count("browse", None), ">=", 1), compare(count("purchase", None), "==", 0)
    events: list[Record] = [seen(0, "shoes"), seen(1, "books"), event(2, category="shoes"), event(3, category="toys")]
    assert keys(And((looked, bought)), events) == [
        (0, "entered shoes"),
        (1, "changed books,shoes"),
        (2, "changed books"),
    ]


def test_only_known_keys_are_asked_for() -> None:
    # For every key that was never seen this holds too; and once the window is empty the key is not known.
    none_long = compare(count("browse", MINUTE_MS, is_text("page_type", "item")), "==", 0)
    few = compare(count("browse", MINUTE_MS), "<=", 5)
    assert keys(few, [seen(0, "shoes"), event(1, "browse")]) == [(0, "entered shoes"), (120_000, "left!")]
    assert keys(none_long, [seen(0, "shoes")]) == []
    # With a longer window beside it is known for longer.
    assert keys(And((few, compare(count("browse", 2 * MINUTE_MS), ">=", 0))), [seen(0, "shoes")]) == [
        (0, "entered shoes"),
        (180_000, "left!"),
    ]


@pytest.mark.parametrize(
    "longer",
    [
        compare(count("browse", None), ">=", 0),
        compare(taken("days_since", "browse"), ">=", 0),
        Not(Compare("==", top("browse", "category"), Text("x"))),
        Not(Sequence(Happening("browse", None), Happening("purchase", None), DAY_MS, negated=False)),
        Not(Sequence(Happening("purchase", None), Happening("browse", None), DAY_MS, negated=True)),
    ],
)
def test_what_looks_back_for_ever_knows_its_keys_for_ever(longer: Expr) -> None:
    few = compare(count("browse", MINUTE_MS), "<=", 5)
    assert keys(And((few, longer)), [seen(0, "shoes")]) == [(0, "entered shoes")]


def test_a_trend_knows_the_keys_of_both_its_windows() -> None:
    assert keys(compare(Trend(count("browse", MINUTE_MS)), "<=", 1), [seen(0, "shoes")]) == [
        (0, "entered shoes"),
        (180_000, "left!"),
    ]


def test_an_order_that_was_taken_back_is_known_as_long_as_its_pane() -> None:
    field = ForEach("purchase", "category", 20)
    events = [event(0, category="shoes"), event(5, kind="cancel", category="shoes", order_time=START_MS)]
    nothing = rules(tag(compare(count("purchase", MINUTE_MS), "==", 0), for_each=field))
    assert flips(nothing, events) == [(5, "entered shoes"), (120_000, "left!")]


def test_a_key_stays_until_leave_and_does_not_enter_where_it_would_leave() -> None:
    twice, none = compare(count("browse", MINUTE_MS), ">=", 2), compare(count("browse", HOUR_MS), "<", 2)
    events: list[Record] = [seen(0, "shoes"), seen(1, "shoes"), seen(2, "books")]
    assert keys(twice, events, leave=none) == [(1, "entered shoes"), (3_660_000, "left!")]
    # Both conditions hold at once: it neither enters nor, looked at again, flips.
    assert keys(ONCE, events, leave=compare(count("browse", HOUR_MS), ">=", 1)) == []
    # The second one makes it leave, and it does not come back while both hold.
    assert keys(ONCE, events[:2], leave=twice) == [(0, "entered shoes"), (1, "left")]


def test_the_smaller_keys_find_room_first_and_others_wait() -> None:
    events: list[Record] = [seen(0, "shoes"), seen(60_000, "toys"), seen(60_001, "books")]
    # shoes has the only place until it leaves; then books is before toys.
    assert keys(ONCE, events, limit=1) == [(0, "entered shoes"), (120_000, "changed books!"), (180_000, "left!")]
    assert keys(ONCE, events, limit=2) == [
        (0, "entered shoes"),
        (60_000, "changed shoes,toys"),
        (120_000, "changed books,toys!"),
        (180_000, "left!"),
    ]
    # By the first letters.
    events = [seen(0, "shoes"), seen(60_000, "cab"), seen(60_001, "boz")]
    assert keys(ONCE, events, limit=1)[1] == (120_000, "changed boz!")
    # What is in stays in, though a smaller one would like its place.
    assert keys(compare(count("browse", None), ">=", 1), events, limit=1) == [(0, "entered shoes")]


def test_sequences_are_within_the_key() -> None:
    soon = Sequence(Happening("browse", None), Happening("purchase", None), HOUR_MS, negated=False)
    events: list[Record] = [seen(0, "shoes"), event(1, category="books"), event(2, category="shoes"), event(3)]
    assert keys(soon, events) == [(2, "entered shoes")]
    never = Sequence(Happening("browse", None), Happening("purchase", None), HOUR_MS, negated=True)
    events = [seen(0, "shoes"), seen(5, "books"), event(6, category="shoes")]
    assert keys(never, events) == [(HOUR_MS + 5, "entered books!")]
    assert keys(never, [seen(0, "shoes"), seen(5, "books"), event(6)]) == [
        (HOUR_MS, "entered shoes!"),
        (HOUR_MS + 5, "changed books,shoes!"),
    ]


def test_times_since_are_within_the_key() -> None:
    quiet = compare(taken("days_since", "browse"), ">", 1)
    assert keys(quiet, [seen(0, "shoes"), seen(5, "books"), seen(HOUR_MS, "shoes")]) == [
        (DAY_MS + 6, "entered books!"),
        (DAY_MS + HOUR_MS + 1, "changed books,shoes!"),
    ]


def test_values_and_tops_are_within_the_key() -> None:
    spent = rules(
        tag(compare(total("purchase", "amount", None), ">=", 10), for_each=ForEach("purchase", "channel", 20))
    )
    events = [event(at_ms, channel=name, amount_cents=500) for at_ms, name in enumerate(("web", "store", "web"))]
    assert flips(spent, events) == [(2, "entered web")]
    items = Compare("==", top("browse", "page_type"), Text("item"))
    looked = [
        seen(0, "shoes", page_type="home"),
        seen(1, "books", page_type="item"),
        seen(2, "books", page_type="home"),
    ]
    assert keys(items, [*looked, seen(3, "books", page_type="item")]) == [
        (1, "entered books"),
        (2, "left"),
        (3, "entered books"),
    ]


def test_a_missing_kind_is_the_first_key() -> None:
    rule_set = rules(tag(compare(count("purchase", None), ">=", 1), for_each=ForEach("purchase", "kind", 20)))
    assert flips(rule_set, [event(0), event(1, kind="refund")]) == [(0, "entered order"), (1, "changed order,refund")]


def test_attributes_and_tags_are_the_customers_own() -> None:
    liked = And((compare(count("browse", None), ">=", 1), Compare("==", ProfileRef("level"), Text("gold"))))
    assert keys(liked, [seen(0, "shoes"), seen(1, "books"), told(2, level="gold"), told(3, level="x")]) == [
        (2, "entered books,shoes"),
        (3, "left"),
    ]


def test_asked_for_it_is_there_while_there_is_a_key() -> None:
    rule_set = rules(tag(ONCE, id="k", for_each=CATEGORY), tag(TagRef("k"), id="t"))
    assert flips_of_tags(rule_set, [seen(0, "shoes"), seen(60_000, "books")]) == [
        (0, "k", "entered shoes"),
        (0, "t", "entered"),
        (60_000, "k", "changed books,shoes"),
        (120_000, "k", "changed books!"),
        (180_000, "k", "left!"),
        (180_000, "t", "left!"),
    ]


def test_in_a_group_it_excludes_and_is_excluded() -> None:
    bought = tag(compare(count("purchase", MINUTE_MS), ">=", 1), id="a", exclusive="g", rank=1)
    looked = tag(ONCE, id="k", for_each=CATEGORY, exclusive="g", rank=2)
    last = tag(compare(count("service", None), "==", 0), id="z", exclusive="g", rank=3)
    assert flips_of_tags(rules(bought, looked, last), [seen(0, "shoes"), event(1), seen(60_000, "shoes")]) == [
        (0, "k", "entered shoes"),
        (1, "a", "entered"),
        (1, "k", "left"),
        (120_000, "a", "left!"),
        (120_000, "k", "entered shoes!"),
        (180_000, "k", "left!"),
        (180_000, "z", "entered!"),
    ]
