"""Which requests are valid, and by which number the others are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.errors import RequestError
from schemas.records import Request, Value
from streams.control import check
from tests.unit.streams.control.control_rules import request, rule_set

TAGS = {tag.id: tag for tag in rule_set().tags}
DAY_MS = 86_400_000


def judge(asked: Request) -> Value | None:
    check.check_form(asked)
    return check.check_tag(asked, TAGS)


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({}, True),
        ({"value": True}, True),
        ({"tag": "tier", "value": "silver"}, "silver"),
        ({"tag": "tier", "kind": "absent"}, None),
        ({"tag": "tier", "kind": "remove"}, None),
        ({"term_ms": 1_000}, True),
        ({"term_ms": 3_650 * DAY_MS, "kind": "absent"}, None),
        ({"reason": "x" * 1_000, "actor": "y" * 256, "customer_id": "é" * 128}, True),
    ],
)
def test_a_valid_request_gives_the_value_to_assign(fields: dict[str, Any], value: Value | None) -> None:
    assert judge(request(**fields)) == value


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"customer_id": ""}, "TS-Q101"),
        ({"customer_id": "é" * 129}, "TS-Q101"),
        ({"customer_id": "@clock"}, "TS-Q101"),
        ({"customer_id": "\ud800"}, "TS-Q101"),
        ({"request_id": ""}, "TS-Q101"),
        ({"tag": "vpi"}, "TS-Q102"),
        ({"tag": ""}, "TS-Q102"),
        ({"value": False}, "TS-Q104"),
        ({"value": "gold"}, "TS-Q104"),
        ({"value": 1.0}, "TS-Q104"),
        ({"tag": "tier"}, "TS-Q104"),
        ({"tag": "tier", "value": True}, "TS-Q104"),
        ({"tag": "tier", "value": "Gold"}, "TS-Q104"),
        ({"tag": "tier", "value": ("gold",)}, "TS-Q104"),
        ({"kind": "absent", "value": True}, "TS-Q104"),
        ({"kind": "remove", "value": "gold"}, "TS-Q104"),
        ({"actor": ""}, "TS-Q105"),
        ({"actor": "  "}, "TS-Q105"),
        ({"actor": "x" * 257}, "TS-Q105"),
        ({"reason": "x" * 1_001}, "TS-Q106"),
        ({"term_ms": 999}, "TS-Q107"),
        ({"term_ms": -1}, "TS-Q107"),
        ({"term_ms": 3_650 * DAY_MS + 1}, "TS-Q107"),
        ({"kind": "remove", "term_ms": DAY_MS}, "TS-Q107"),
    ],
)
def test_a_request_that_is_not_valid_is_refused_by_its_number(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(RequestError) as caught:
        judge(request(**fields))
    assert caught.value.code == code


def test_an_erasure_is_of_a_customer_and_nothing_else() -> None:
    check.check_form(request(kind="erase", tag=None, reason="case 7"))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"tag": "vip"}, "TS-Q110"),
        ({"tag": ""}, "TS-Q110"),
        ({"value": True}, "TS-Q110"),
        ({"term_ms": DAY_MS}, "TS-Q110"),
        ({"customer_id": ""}, "TS-Q101"),
        ({"actor": ""}, "TS-Q105"),
        ({"reason": "x" * 1_001}, "TS-Q106"),
    ],
)
def test_an_erasure_that_gives_more_or_nobody_is_refused(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(RequestError) as caught:
        check.check_form(request(**{"kind": "erase", "tag": None} | fields))
    assert caught.value.code == code


def test_a_request_without_a_tag_that_is_no_erasure_names_no_tag() -> None:
    with pytest.raises(RequestError) as caught:
        judge(request(tag=None))
    assert caught.value.code == "TS-Q102"


def test_a_mistyped_tag_is_told_the_nearest_and_a_wrong_level_all_of_them() -> None:
    with pytest.raises(RequestError, match="did you mean vip"):
        judge(request(tag="vpi"))
    with pytest.raises(RequestError, match="Give one of gold, silver"):
        judge(request(tag="tier", value="bronze"))


def test_a_tag_that_may_not_be_set_by_hand_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TAGS, "vip", replace(TAGS["vip"], manual=False))
    assert judge(request(tag="tier", value="gold")) == "gold"
    for kind in ("assign", "absent", "remove"):
        with pytest.raises(RequestError) as caught:
            judge(request(kind=kind))
        assert caught.value.code == "TS-Q103"
