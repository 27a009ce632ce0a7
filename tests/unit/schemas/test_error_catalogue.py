"""The error tree and its catalogue."""

from __future__ import annotations

import re

import pytest

from schemas.errors import (
    CATALOGUE,
    ConfigError,
    EventError,
    KafkaError,
    RedisError,
    RuleError,
    StateError,
    TagstreamError,
)
from schemas.outcomes import Dead


def test_every_reason_for_a_dead_record_has_an_entry_and_no_entry_lacks_a_reason() -> None:
    assert {code for code in CATALOGUE if code.startswith("TS-D")} == {f"TS-D{dead.value}" for dead in Dead}


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_entry_is_complete_and_its_code_is_of_a_known_family(code: str) -> None:
    entry = CATALOGUE[code]
    assert re.fullmatch(r"TS-[RCKSPQD][1-9]\d\d", code)
    assert entry.title and not entry.title.endswith(".")
    assert entry.why.endswith(".")
    assert entry.cure
    assert entry.example


def test_an_error_says_code_message_and_cure() -> None:
    error = KafkaError("TS-K102", "events.browse does not exist")
    assert str(error) == f"TS-K102: events.browse does not exist. Cure: {CATALOGUE['TS-K102'].cure}"
    assert (error.code, error.message) == ("TS-K102", "events.browse does not exist")


def test_an_error_without_a_message_says_the_title_of_its_entry() -> None:
    assert str(StateError("TS-S101")).startswith("TS-S101: The journal is empty but tags are published. Cure: ")


def test_the_cure_can_be_more_exact_than_the_catalogue() -> None:
    assert str(RedisError("TS-P101", "no answer", cure="Start it!")) == "TS-P101: no answer. Cure: Start it!"


def test_a_code_that_is_not_in_the_catalogue_cannot_be_raised() -> None:
    with pytest.raises(AssertionError):
        ConfigError("TS-C999")


def test_a_code_of_another_family_cannot_be_raised() -> None:
    with pytest.raises(AssertionError):
        ConfigError("TS-K101")


def test_a_dead_record_carries_its_reason_and_detail() -> None:
    error = EventError(Dead.LONG_ID, "customer_id of 300 bytes")
    assert (error.dead, error.detail, error.code) == (Dead.LONG_ID, "customer_id of 300 bytes", "TS-D113")
    assert error.message == "An id is longer than 256 bytes: customer_id of 300 bytes"
    assert isinstance(error, TagstreamError)


RULE_CODE = next(code for code in CATALOGUE if code.startswith("TS-R"))


def test_a_rule_error_shows_its_place_and_a_caret_under_the_fault() -> None:
    error = RuleError(RULE_CODE, "unknown event", cure="Did you mean browse", span=(6, 12))
    placed = error.at(file="rules/value.yaml", line=3, column=15, source="  when: count(brwose, 1d) > 0")
    assert str(placed) == f"rules/value.yaml:3:15: {RULE_CODE}: unknown event. Cure: Did you mean browse."
    assert placed.render().splitlines() == [
        f"rules/value.yaml:3:15: {RULE_CODE}: unknown event.",
        "      when: count(brwose, 1d) > 0",
        "                  ^^^^^^",
        "  Cure: Did you mean browse.",
    ]


def test_a_caret_stands_under_the_fault_behind_wide_characters_and_tabs() -> None:
    error = RuleError(RULE_CODE, "no", cure="x", file="f", line=1, column=5, source='\t"高"x', span=(0, 1))
    assert error.render().splitlines()[2] == "    \t    ^"


def test_a_caret_does_not_reach_beyond_the_line() -> None:
    error = RuleError(RULE_CODE, "no", cure="x", file="f", line=1, column=3, source="abcd", span=(0, 50))
    assert error.render().splitlines()[2] == "      ^^"


def test_a_rule_error_without_a_place_still_renders() -> None:
    assert RuleError(RULE_CODE, "no", cure="x").render() == f"{RULE_CODE}: no.\n  Cure: x."
