"""What people and models say of a customer: by hand, what masks what, until when, and what goes on beneath."""

from __future__ import annotations

import pytest

from processors.oracle.judge import DAY_MS, HOUR_MS, MINUTE_MS, Command, Event, Record, run
from processors.rules.tree import And, Compare, ForEach, Not, Tag, TagRef, Text
from schemas.outcomes import Outcome
from tests.oracle.by_hand import (
    command,
    compare,
    count,
    event,
    flips,
    flips_of_tags,
    outcomes,
    rules,
    tag,
    taken,
)
from tests.oracle.tables import START_MS

SEEN = compare(count("browse", MINUTE_MS), ">=", 1)
BY_HAND = tag()
NUMBER = tag(model=True)
LEVELS = tag(levels=("gold", "silver"))
TIER = tag(tiers=[("gold", compare(count("browse", MINUTE_MS), ">=", 2)), ("silver", SEEN)])


def browse(at_ms: int) -> Event:
    return event(at_ms, "browse")


# ------------------------------------------------------------------------------------------------- tags without a rule


def test_a_tag_without_a_rule_is_what_is_said() -> None:
    said: list[Record] = [command(0, "assign", True), command(5, "assign", True), command(9, "remove")]
    assert flips(rules(BY_HAND), said) == [(0, "entered by hand"), (9, "left by hand")]
    change = run(rules(BY_HAND), said[:1], None).changes[0]
    assert (change.cause, change.cause_time_ms, change.origin) == ("command 0", None, "manual")


def test_levels_and_numbers_change() -> None:
    said: list[Record] = [command(0, "assign", "gold"), command(5, "assign", "silver"), command(9, "assign", None)]
    assert flips(rules(LEVELS), said) == [
        (0, "entered gold by hand"),
        (5, "changed silver by hand"),
        (9, "left by hand"),
    ]
    said = [command(0, "score", 0.5), command(1, "score", 0.25), command(2, "assign", 7.0), command(3, "score", None)]
    assert flips(rules(NUMBER), said) == [
        (0, "entered 0.5 by model"),
        (1, "changed 0.25 by model"),
        (2, "changed 7.0 by hand"),
    ]


def test_by_hand_is_before_the_model_and_the_model_before_the_rule() -> None:
    tier = tag(
        tiers=[("gold", compare(count("browse", None), ">=", 2)), ("silver", compare(count("browse", None), ">=", 1))],
        model=True,
    )
    said: list[Record] = [
        browse(0), command(1, "score", "gold"), command(2, "assign", None), command(3, "score", "silver"),
        command(4, "remove"), command(5, "score", None), command(6, "assign", "gold"), command(7, "remove"),
    ]  # fmt: skip
    assert flips(rules(tier), said) == [
        (0, "entered silver"),
        (1, "changed gold by model"),
        (2, "left by hand"),
        (4, "entered silver by hand"),
        (5, "left by model"),
        (6, "entered gold by hand"),
        (7, "left by hand"),
    ]


# ----------------------------------------------------------------------------------------------------------- the mask


def test_the_rule_goes_on_beneath() -> None:
    said: list[Record] = [browse(0), command(10, "assign", None), command(50, "remove")]
    assert flips(rules(tag(SEEN)), said) == [
        (0, "entered"),
        (10, "left by hand"),
        (50, "entered by hand"),
        (120_000, "left!"),
    ]
    # What it would have said while it was masked is not said later.
    said = [command(0, "assign", True), browse(10), command(200_000, "remove")]
    assert flips(rules(tag(SEEN)), said) == [(0, "entered by hand"), (200_000, "left by hand")]


def test_what_equals_the_rule_is_no_change() -> None:
    assert flips(rules(tag(SEEN)), [browse(0), command(1, "assign", True), command(2, "remove")], until_ms=3) == [
        (0, "entered")
    ]


def test_dwell_cooldown_and_term_go_on_beneath() -> None:
    dwells = tag(compare(count("browse", None), ">=", 1), dwell_ms=100)
    assert flips(rules(dwells), [browse(0), command(50, "assign", None), command(150, "remove")]) == [
        (150, "entered by hand")
    ]
    assert flips(rules(dwells), [browse(0), command(50, "assign", True), command(70, "remove")]) == [
        (50, "entered by hand"),
        (70, "left by hand"),
        (100, "entered!"),
    ]
    # That a person took it away starts no cooldown.
    cools = tag(compare(count("browse", None), ">=", 1), cooldown_ms=1000)
    assert flips(rules(cools), [browse(0), command(50, "assign", None), command(60, "remove")]) == [
        (0, "entered"),
        (50, "left by hand"),
        (60, "entered by hand"),
    ]
    # The term counts from the entry by the rule.
    ends = tag(compare(count("browse", None), ">=", 1), expires_ms=100)
    assert flips(rules(ends), [command(0, "assign", True), browse(10), command(20, "remove")]) == [
        (0, "entered by hand"),
        (110, "left!"),
    ]


def test_a_score_moves_on_beneath() -> None:
    score = tag(score=count("browse", None), step=2)
    said: list[Record] = [browse(0), command(1, "assign", 9.0), browse(2), browse(3), browse(4), command(5, "remove")]
    assert flips(rules(score), said) == [(0, "entered 1.0"), (1, "changed 9.0 by hand"), (5, "changed 3.0 by hand")]


def test_keys_can_only_be_taken_away() -> None:
    keyed = tag(SEEN, for_each=ForEach("browse", "category", 20))
    said: list[Record] = [event(0, "browse", category="shoes"), command(1, "assign", None, until_ms=50)]
    assert flips(rules(keyed), said) == [
        (0, "entered shoes"),
        (1, "left by hand"),
        (50, "entered shoes!"),
        (120_000, "left!"),
    ]


# -------------------------------------------------------------------------------------------------------------- terms


def test_an_assignment_ends_at_its_own_millisecond() -> None:
    said: list[Record] = [command(0, "assign", True, until_ms=HOUR_MS + 7)]
    assert flips(rules(BY_HAND), said) == [(0, "entered by hand"), (HOUR_MS + 7, "left!")]
    assert flips(rules(BY_HAND), said, until_ms=HOUR_MS + 6) == [(0, "entered by hand")]
    change = run(rules(BY_HAND), said, START_MS + HOUR_MS + 7).changes[1]
    assert (change.cause, change.cause_time_ms, change.origin) == (None, START_MS + HOUR_MS + 7, "timer")


def test_one_that_is_over_at_once_still_takes_the_place_of_the_earlier_one() -> None:
    for until_ms in (5, 4, -DAY_MS):
        said: list[Record] = [command(0, "assign", True), command(5, "assign", True, until_ms=until_ms)]
        assert flips(rules(BY_HAND), said) == [(0, "entered by hand"), (5, "left by hand")]
    assert flips(rules(BY_HAND), [command(5, "assign", True, until_ms=5)]) == []


def test_a_later_one_has_a_term_of_its_own() -> None:
    said: list[Record] = [command(0, "assign", True, until_ms=100), command(50, "assign", True)]
    assert flips(rules(BY_HAND), said) == [(0, "entered by hand")]
    said = [command(0, "assign", True), command(50, "assign", True, until_ms=100)]
    assert flips(rules(BY_HAND), said) == [(0, "entered by hand"), (100, "left!")]


def test_when_a_term_ends_the_next_in_line_is_seen() -> None:
    said: list[Record] = [command(0, "score", 0.5, until_ms=100), command(1, "assign", 2.0, until_ms=50)]
    assert flips(rules(NUMBER), said) == [
        (0, "entered 0.5 by model"),
        (1, "changed 2.0 by hand"),
        (50, "changed 0.5!"),
        (100, "left!"),
    ]
    # The one beneath ends first, unseen.
    said = [command(0, "score", 0.5, until_ms=50), command(1, "assign", 2.0, until_ms=100)]
    assert flips(rules(NUMBER), said)[2:] == [(100, "left!")]


def test_a_term_that_ends_when_a_record_comes_ends_before_it() -> None:
    said: list[Record] = [command(0, "assign", True, until_ms=50), command(50, "assign", True)]
    assert flips(rules(BY_HAND), said) == [(0, "entered by hand"), (50, "left!"), (50, "entered by hand")]


def test_a_term_that_ends_with_a_window_is_one_look() -> None:
    said: list[Record] = [browse(0), command(1, "assign", True, until_ms=120_000)]
    assert flips(rules(tag(SEEN)), said) == [(0, "entered"), (120_000, "left!")]


# ------------------------------------------------------------------------------------------------------ other tags


def test_others_see_what_is_said_and_share_its_cause() -> None:
    rule_set = rules(BY_HAND, tag(TagRef("t"), id="a"), tag(Not(TagRef("t")), id="b"))
    said: list[Record] = [event(0), command(5, "assign", True, until_ms=50)]
    assert flips_of_tags(rule_set, said) == [
        (0, "b", "entered"),
        (5, "t", "entered by hand"),
        (5, "a", "entered by hand"),
        (5, "b", "left by hand"),
        (50, "t", "left!"),
        (50, "a", "left!"),
        (50, "b", "entered!"),
    ]
    assert {change.cause for change in run(rule_set, said, None).changes if change.origin == "manual"} == {"command 5"}


def test_levels_and_numbers_that_were_said_are_compared() -> None:
    gold = tag(Compare("==", TagRef("t"), Text("gold")), id="u")
    said: list[Record] = [command(0, "assign", "silver"), command(1, "assign", "gold")]
    assert flips_of_tags(rules(LEVELS, gold), said)[2:] == [(1, "u", "entered by hand")]
    likely = tag(compare(TagRef("t"), ">=", "0.5"), id="u")
    scored = [command(0, "score", 0.25), command(1, "score", 0.5), command(2, "score", None)]
    assert [what for what in flips_of_tags(rules(NUMBER, likely), scored) if what[1] == "u"] == [
        (1, "u", "entered by model"),
        (2, "u", "left by model"),
    ]


def test_an_assigned_tag_of_a_group_excludes_and_is_not_excluded() -> None:
    first = tag(compare(count("purchase", None), ">=", 1), id="a", exclusive="g", rank=1)
    second = tag(SEEN, id="b", exclusive="g", rank=2)
    said: list[Record] = [
        browse(0),
        command(1, "assign", True, tag="a", until_ms=50),
        event(60),
        command(70, "assign", True, tag="b"),
    ]
    assert flips_of_tags(rules(first, second), said) == [
        (0, "b", "entered"),
        (1, "a", "entered by hand"),
        (1, "b", "left by hand"),
        (50, "a", "left!"),
        (50, "b", "entered!"),
        (60, "a", "entered"),
        (60, "b", "left"),
        (70, "b", "entered by hand"),
    ]


def test_a_command_is_a_cause_like_an_event_and_makes_a_customer() -> None:
    none = compare(count("purchase", None), "==", 0)
    assert flips_of_tags(rules(tag(none, id="a"), BY_HAND), [command(0, "remove")]) == [(0, "a", "entered by hand")]
    restless = tag(none, leave=none, id="a")
    said: list[Record] = [browse(0), command(1, "assign", True, until_ms=50)]
    assert [at_ms for at_ms, name, _ in flips_of_tags(rules(restless, BY_HAND), said) if name == "a"] == [0, 1, 50]


def test_what_is_due_comes_before_a_command() -> None:
    sleeps = tag(And((SEEN, Not(TagRef("t")))), id="a", dwell_ms=100)
    assert flips_of_tags(rules(sleeps, BY_HAND), [browse(0), command(100, "assign", True)]) == [
        (100, "a", "entered!"),
        (100, "t", "entered by hand"),
        (100, "a", "left by hand"),
    ]


# ----------------------------------------------------------------------------------------------------------- outcomes


def test_a_second_command_of_an_id_is_a_duplicate() -> None:
    said: list[Record] = [
        command(0, "assign", True, id="x"),
        command(1, "remove", id="x"),
        event(2, id="x"),
        command(2 * DAY_MS, "remove", id="x"),
    ]
    assert outcomes(rules(BY_HAND), said) == [Outcome.APPLIED, Outcome.DUPLICATE, Outcome.APPLIED, Outcome.APPLIED]
    assert flips(rules(BY_HAND), said) == [(0, "entered by hand"), (2 * DAY_MS, "left by hand")]


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (BY_HAND, command(0, "assign", True, tag="nobody")),
        (BY_HAND, command(0, "remove", tag="nobody")),
        (BY_HAND, command(0, "assign", False)),
        (BY_HAND, command(0, "assign", "gold")),
        (BY_HAND, command(0, "assign", 1.0)),
        (BY_HAND, command(0, "score", True)),
        (tag(SEEN), command(0, "assign", 1.0)),
        (tag(SEEN, model=True), command(0, "score", 0.5)),
        (tag(SEEN, manual=False), command(0, "assign", True)),
        (tag(SEEN, manual=False), command(0, "remove")),
        (LEVELS, command(0, "assign", "bronze")),
        (LEVELS, command(0, "assign", True)),
        (TIER, command(0, "assign", "t")),
        (NUMBER, command(0, "score", True)),
        (NUMBER, command(0, "score", "gold")),
        (tag(score=count("browse", None)), command(0, "assign", True)),
        (tag(SEEN, for_each=ForEach("browse", "category", 20)), command(0, "assign", ("shoes",))),
        (tag(SEEN, for_each=ForEach("browse", "category", 20)), command(0, "assign", True)),
    ],
)
def test_what_does_not_fit_the_tag_is_dead(of: Tag, said: Command) -> None:
    assert outcomes(rules(of), [said]) == [Outcome.DEAD]
    # It is not remembered, and makes no customer.
    quiet = tag(compare(count("purchase", None), "==", 0), id="z")
    assert flips(rules(of, quiet), [said]) == []
    assert outcomes(rules(of, tag(id="u")), [said, command(1, "assign", True, tag="u", id=said.event_id)]) == [
        Outcome.DEAD,
        Outcome.APPLIED,
    ]


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (tag(SEEN), command(0, "assign", True)),
        (tag(SEEN, model=True), command(0, "score", True)),
        (TIER, command(0, "assign", "silver")),
        (tag(levels=("gold",), model=True), command(0, "score", "gold")),
        (tag(score=taken("max", "browse", "dwell_ms")), command(0, "assign", 0.0)),
        (tag(SEEN, manual=False, model=True), command(0, "score", None)),
    ],
)
def test_what_fits_is_applied(of: Tag, said: Command) -> None:
    assert outcomes(rules(of), [said]) == [Outcome.APPLIED]
