from __future__ import annotations

import orjson

from schemas.errors import StateError
from streams.verify.compare import Found
from streams.verify.difference import Difference
from streams.verify.run import PartReport, Report
from streams.verify.show import MOST_SHOWN, as_record, lines

WRONG = Difference("c", "t", "value", {"changes": "1", "redis": None}, "1")


def report(found: Found, refused: StateError | None = None) -> Report:
    return Report([PartReport(0, found=found, refused=refused)])


def test_a_difference_is_a_line_with_customer_tag_and_what_each_place_says() -> None:
    shown = list(lines(report(Found(1, [WRONG]))))
    assert shown[0] == "c t: oracle 1, tags.changes 1, Redis –"
    assert shown[-1] == "1 customers, 0 events: 1 difference"


def test_what_was_not_verified_is_said() -> None:
    refused = StateError("TS-S107", "the first 3 of events.browse are gone")
    shown = "\n".join(lines(report(Found(2, uncertain={"c"}, too_many={"d"}, behind={"e"}), refused)))
    for text in ("TS-S107", "1 have too many records", "of 1 Redis is behind", "of 1 the order", "not verified"):
        assert text in shown
    assert not report(Found(), refused).is_whole
    assert not report(Found(uncertain={"c"})).is_whole


def test_only_the_first_differences_are_listed_and_all_are_counted() -> None:
    many = report(Found(1, [WRONG] * (MOST_SHOWN + 5), ["tags.changes lacks number 7"]))
    assert "… and 5 more" in list(lines(many))
    record = orjson.loads(orjson.dumps(as_record(many)))
    assert (len(record["listed"]), record["differences"]) == (MOST_SHOWN, MOST_SHOWN + 6)
    assert record["partitions"][0]["wrong"] == ["tags.changes lacks number 7"]


def test_what_the_oracle_did_not_say_is_missing_in_the_record() -> None:
    silent = Difference("c", "t", "value", {"current": None, "redis": "1"}, judged=False)
    (listed,) = as_record(report(Found(1, [silent])))["listed"]
    assert listed == {"customer_id": "c", "tag": "t", "kind": "value", "current": None, "redis": "1"}
