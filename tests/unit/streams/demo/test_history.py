"""The history that the demo loads: moved as a whole, so that it ends now."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from streams.demo.history import DAY_MS, move, read_past

NOW_MS = 1_763_000_000_123


def test_the_last_day_of_the_history_ends_now() -> None:
    past = read_past(NOW_MS)
    times = [purchase["event_time"] for purchase in past.purchases]
    assert times == sorted(times)
    assert NOW_MS - DAY_MS <= times[-1] < NOW_MS
    assert 545 * DAY_MS < times[-1] - times[0] <= 546 * DAY_MS


def test_purchases_keep_their_days_apart() -> None:
    moved = list(move(iter([{"event_time": 0}, {"event_time": 0}, {"event_time": 10 * DAY_MS}]), NOW_MS))
    days_before_now = [(NOW_MS - 1 - purchase["event_time"]) // DAY_MS for purchase in moved]
    assert days_before_now == [10, 10, 0]


def test_purchases_of_a_day_are_spread_over_all_its_hours() -> None:
    moved = move(iter([{"event_time": 5 * DAY_MS}] * 240), NOW_MS)
    hours = Counter((purchase["event_time"] - (NOW_MS - DAY_MS)) // 3_600_000 for purchase in moved)
    assert set(hours) == set(range(24))
    assert max(hours.values()) <= 12


def test_no_purchases_move_to_no_purchases() -> None:
    assert list(move(iter([]), NOW_MS)) == []


def test_customers_come_with_those_who_bought_most_first() -> None:
    past = read_past(NOW_MS)
    counts = Counter(purchase["customer_id"] for purchase in past.purchases)
    assert len(past.customers) == len(set(past.customers)) == 23_570
    assert counts[past.customers[0]] == max(counts.values())
    assert counts[past.customers[-1]] == 1


def test_an_installation_without_the_examples_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TS-C302"):
        read_past(NOW_MS, tmp_path / "cdnow.jsonl.gz")
