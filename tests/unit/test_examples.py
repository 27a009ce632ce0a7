"""The example files are what their README says."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import event_from_json
from schemas.events import EVENT_TYPES

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def cdnow() -> list[dict[str, Any]]:
    with gzip.open(EXAMPLES / "cdnow.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_cdnow_is_whole(cdnow: list[dict[str, Any]]) -> None:
    assert len(cdnow) == 69_659
    assert len({purchase["customer_id"] for purchase in cdnow}) == 23_570
    # Totals of the published data: 2,500,315.63 dollars and 167,881 CDs.
    assert sum(purchase["amount_cents"] for purchase in cdnow) == 250_031_563
    assert sum(purchase["quantity"] for purchase in cdnow) == 167_881


def test_cdnow_ids_are_the_numbers_of_the_purchases(cdnow: list[dict[str, Any]]) -> None:
    assert {purchase["event_id"] for purchase in cdnow} == {f"cdnow-{number}" for number in range(1, 69_660)}
    assert {purchase["customer_id"] for purchase in cdnow} == {f"cdnow-{number}" for number in range(1, 23_571)}


def test_cdnow_is_sorted_by_time_and_then_by_number(cdnow: list[dict[str, Any]]) -> None:
    order = [(purchase["event_time"], int(purchase["event_id"].removeprefix("cdnow-"))) for purchase in cdnow]
    assert order == sorted(order)


def test_cdnow_has_its_true_dates_at_midnight(cdnow: list[dict[str, Any]]) -> None:
    assert all(purchase["event_time"] % DAY_MS == 0 for purchase in cdnow)
    first, last = (datetime.fromtimestamp(cdnow[at]["event_time"] / 1000, UTC).date() for at in (0, -1))
    assert (first.isoformat(), last.isoformat()) == ("1997-01-01", "1998-06-30")


def test_cdnow_names_no_currency_so_that_it_counts_as_the_default_one(cdnow: list[dict[str, Any]]) -> None:
    fields = {"type", "event_id", "customer_id", "event_time", "order_id", "kind", "quantity", "amount_cents"}
    assert all(set(purchase) == fields for purchase in cdnow)


def test_cdnow_is_made_again_as_it_is_from_the_master_file(tmp_path: Path) -> None:
    source, target = tmp_path / "master.txt", tmp_path / "out.jsonl.gz"
    rows = ["customer_id  date number_of_cds  dollar_value", "00001 19970112  1   11.77", "00002 19970101  5   77.00"]
    source.write_bytes("\r\n".join([*rows, "00002 19970101  5   77.00", ""]).encode())
    made = []
    for _ in range(2):
        subprocess.run([sys.executable, EXAMPLES / "make_cdnow.py", source, target], check=True, stdout=subprocess.PIPE)
        made.append(target.read_bytes())
    assert made[0] == made[1]
    events = [json.loads(line) for line in gzip.decompress(made[0]).splitlines()]
    assert [(event["event_id"], event["customer_id"], event["amount_cents"]) for event in events] == [
        ("cdnow-2", "cdnow-2", 7700),
        ("cdnow-3", "cdnow-2", 7700),
        ("cdnow-1", "cdnow-1", 1177),
    ]


def test_shop_has_all_four_types_and_every_line_is_valid() -> None:
    events = [json.loads(line) for line in (EXAMPLES / "shop.jsonl").read_text("utf-8").splitlines()]
    for event in events:
        event_from_json(event["type"], event)
    assert {event["type"] for event in events} == set(EVENT_TYPES)
    assert set(Counter((event["type"], event["event_id"]) for event in events).values()) == {1}
    times = [event["event_time"] for event in events]
    assert times == sorted(times)
