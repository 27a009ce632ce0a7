"""Hours and weekdays by the clocks of a zone, on the days on which these are put forward and back too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from processors.oracle.event import Placed, calendar_value
from processors.oracle.judge import Event, run
from processors.rules.tree import Calendar, Member, Not
from tests.oracle.by_hand import compare, count, flips, number, rules, tag
from tests.oracle.tables import CLOCK_CHANGES_MS, START_MS


def at(text: str) -> int:
    """Milliseconds of an ISO time in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def purchase(time_ms: int, arrival_ms: int | None = None, order_time_ms: int | None = None) -> Event:
    arrival_ms = time_ms if arrival_ms is None else arrival_ms
    return Event("purchase", f"e{time_ms}", "c", time_ms, arrival_ms, {"order_time": order_time_ms})


@pytest.mark.parametrize(
    ("zone", "utc", "hour", "weekday"),
    [
        ("UTC", "2024-01-01T00:00:00.000", 0, 1),
        ("UTC", "2024-01-07T23:59:59.999", 23, 7),
        ("UTC", "2024-01-08T00:00:00.000", 0, 1),
        # Berlin is an hour ahead in winter: Sunday, 31 March begins at 23:00 of Saturday.
        ("Europe/Berlin", "2024-03-30T22:59:59.999", 23, 6),
        ("Europe/Berlin", "2024-03-30T23:00:00.000", 0, 7),
        # After 1:59:59.999 it is 3:00, and the next midnight is two hours ahead.
        ("Europe/Berlin", "2024-03-31T00:59:59.999", 1, 7),
        ("Europe/Berlin", "2024-03-31T01:00:00.000", 3, 7),
        ("Europe/Berlin", "2024-03-31T21:59:59.999", 23, 7),
        ("Europe/Berlin", "2024-03-31T22:00:00.000", 0, 1),
        # After 2:59:59.999 it is 2:00 once more.
        ("Europe/Berlin", "2024-10-26T23:59:59.999", 1, 7),
        ("Europe/Berlin", "2024-10-27T00:00:00.000", 2, 7),
        ("Europe/Berlin", "2024-10-27T00:59:59.999", 2, 7),
        ("Europe/Berlin", "2024-10-27T01:00:00.000", 2, 7),
        ("Europe/Berlin", "2024-10-27T01:59:59.999", 2, 7),
        ("Europe/Berlin", "2024-10-27T02:00:00.000", 3, 7),
        ("Europe/Berlin", "2024-10-27T23:00:00.000", 0, 1),
        # New York is five hours behind in winter, four in summer.
        ("America/New_York", "2024-03-10T04:59:59.999", 23, 6),
        ("America/New_York", "2024-03-10T05:00:00.000", 0, 7),
        ("America/New_York", "2024-03-10T06:59:59.999", 1, 7),
        ("America/New_York", "2024-03-10T07:00:00.000", 3, 7),
        ("America/New_York", "2024-11-03T05:59:59.999", 1, 7),
        ("America/New_York", "2024-11-03T06:00:00.000", 1, 7),
        ("America/New_York", "2024-11-03T07:00:00.000", 2, 7),
        # Kolkata is five and a half hours ahead, always.
        ("Asia/Kolkata", "2024-07-01T18:29:59.999", 23, 1),
        ("Asia/Kolkata", "2024-07-01T18:30:00.000", 0, 2),
        ("Asia/Kolkata", "2024-12-31T23:59:59.999", 5, 3),
    ],
)
def test_hour_and_weekday_are_those_of_the_zone(zone: str, utc: str, hour: int, weekday: int) -> None:
    placed, rule_set = Placed(purchase(at(utc)), at(utc)), rules(zone=zone)
    assert calendar_value(placed, Calendar("hour", "event_time"), rule_set) == hour
    assert calendar_value(placed, Calendar("weekday", "event_time"), rule_set) == weekday
    ordered = Placed(purchase(START_MS, order_time_ms=at(utc)), START_MS)
    assert calendar_value(ordered, Calendar("hour", "order_time"), rule_set) == hour
    assert calendar_value(ordered, Calendar("weekday", "order_time"), rule_set) == weekday


def test_the_hour_that_a_day_has_twice_counts_twice() -> None:
    two = count("purchase", None, compare(Calendar("hour", "event_time"), "==", 2))
    rule_set = rules(tag(compare(two, ">=", 2)), zone="Europe/Berlin")
    twice = [purchase(at("2024-10-27T00:30:00")), purchase(at("2024-10-27T01:30:00"))]
    assert run(rule_set, twice, None).tags == {"c": {"t": True}}
    assert run(rules(*rule_set.tags), twice, None).tags == {}


def test_an_hour_is_that_of_the_placed_time() -> None:
    # It says an hour ahead of its arrival at 23:30, and so counts as of 23:30.
    late = count("purchase", None, compare(Calendar("hour", "event_time"), "==", 23))
    ahead = purchase(START_MS + 1_800_000, arrival_ms=START_MS - 1_800_000)
    assert run(rules(tag(compare(late, ">=", 1))), [ahead], None).tags == {"c": {"t": True}}
    # Four minutes ahead it is taken at its word, past midnight.
    near = purchase(START_MS + 120_000, arrival_ms=START_MS - 120_000)
    assert run(rules(tag(compare(late, ">=", 1))), [near], None).tags == {}


def test_nothing_compares_with_the_hour_of_a_missing_time() -> None:
    hour = Calendar("hour", "order_time")
    weekend = Member(hour, (number(0),), negated=True)
    for where in (compare(hour, ">=", 0), compare(hour, "!=", 5), weekend):
        assert flips(rules(tag(compare(count("purchase", None, where), ">=", 1))), [purchase(START_MS)]) == []
        none = tag(compare(count("purchase", None, Not(where)), ">=", 1))
        assert flips(rules(none), [purchase(START_MS)]) == [(0, "entered")]


def test_the_table_of_clock_changes_is_right() -> None:
    for change_ms in CLOCK_CHANGES_MS:
        steps = set()
        for zone in ("Europe/Berlin", "America/New_York", "America/Havana"):
            before, after = (
                calendar_value(Placed(purchase(time_ms), time_ms), Calendar("hour", "event_time"), rules(zone=zone))
                for time_ms in (change_ms - 1, change_ms)
            )
            assert before is not None and after is not None
            steps.add((after - before) % 24)
        # One of the clocks leaves an hour out, or strikes it twice.
        assert len(steps) == 2 and steps & {0, 2}, change_ms
