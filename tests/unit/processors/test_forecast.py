"""What a change foretells comes true if nothing happens; and foretelling changes nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from processors import layout as L
from processors.partition import Partition
from schemas.records import Change
from tests.oracle.generate import Knobs, Scenario, random_scenario
from tests.properties.engine_run import WHOLE, EngineRun, random_cuts, run_engine, tiny_memory
from tests.unit.processors.edges import browse, happens, purchase, said, world_of
from tests.unit.processors.world import START_MS, Record

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

AHEAD_MS = 732 * DAY
"""How far a forecast looks; what is further off is unknown."""

TOLD: dict[str, tuple[str, list[Record], list[int | str]]] = {
    # name: (rule, history, when the next flip is as of each change, in ms after START_MS)
    "window": ("count(browse, 1h) >= 1", [browse(5)], [MINUTE + HOUR, "never"]),
    "the last of many panes": (
        "count(browse, 1d) >= 1", [browse(n * MINUTE) for n in range(40)], [MINUTE + DAY, "never"],
    ),
    "a value that turns twice": (
        "avg(purchase.amount, 1h) >= 20", [purchase(0, amount_cents=1000), purchase(MINUTE, amount_cents=3001)],
        [2 * MINUTE + HOUR, "never"],
    ),
    "empty again": ("count(browse, 1h) == 0", [happens("service", 0), browse(5)], ["never", MINUTE + HOUR, "never"]),
    "time since": ("days_since(browse) > 1 and days_since(browse) < 2", [browse(5)], [2 * DAY + 5, "never"]),
    "dwell and what ends it": ("count(browse, 1h) >= 1\ndwell: 10m", [browse(5)], [MINUTE + HOUR, "never"]),
    "term": ("count(browse, 1h) >= 1\nexpires: 10m", [browse(5)], [10 * MINUTE + 5, "never"]),
    "term beyond the condition": ("count(browse, 1h) >= 1\nexpires: 2h", [browse(5)], [MINUTE + HOUR, "never"]),
    "own leave": (
        "count(browse, 1h) >= 1\nleave: count(browse, 7d) == 0", [browse(5)], [HOUR + 7 * DAY, "never"],
    ),
    "waiting in vain": ("not (browse then no purchase within 1h)", [browse(5)], [HOUR + 5, "never"]),
    "birthday": (
        "age(profile.birthday) < 24", [happens("profile", 0, attributes={"birthday": "2000-01-02"})], [DAY, "unknown"],
    ),
    "levels": (
        "\ntier: [{level: b, when: 'count(browse, 1h) > 1'}, {level: a, when: 'count(browse, 1h) > 0'}]",
        [browse(0), browse(MINUTE)], [MINUTE + HOUR, MINUTE + HOUR, 2 * MINUTE + HOUR, "never"],
    ),
    "score": (
        "\nscore: sum(purchase.amount, 1h)\nstep: 5",
        [purchase(0, amount_cents=499), purchase(MINUTE, amount_cents=500)], ["never", 2 * MINUTE + HOUR, "never"],
    ),
    "keys": (
        "count(browse, 1h) >= 1\nfor_each: browse.category", [browse(0, category="a"), browse(MINUTE, category="b")],
        [MINUTE + HOUR, MINUTE + HOUR, 2 * MINUTE + HOUR, "never"],
    ),
    "an assignment ends": (
        "\nmanual: true", [said(5, "assign", True, until_ms=HOUR)], [HOUR, "never"],
    ),
    "the mask falls": (
        "count(browse, 1d) >= 1", [browse(0), said(5, "assign", None, until_ms=HOUR)],
        [MINUTE + DAY, HOUR, MINUTE + DAY, "never"],
    ),
    "further off than is looked": (
        "days_since(browse) < 733", [browse(5)], ["unknown"],
    ),
    "as far off as is looked": ("days_since(browse) < 732", [browse(5)], [732 * DAY + 5]),
}  # fmt: skip


def told(changes: Sequence[Change]) -> list[int | str | None]:
    """What each change foretells, in ms after START_MS."""
    return [c.next_flip_at - START_MS if isinstance(c.next_flip_at, int) else c.next_flip_at for c in changes]


@pytest.mark.parametrize("name", TOLD)
def test_a_change_says_when_the_tag_flips_next(name: str) -> None:
    rule, history, expected = TOLD[name]
    one = world_of(f"{rule}\nforecast: true")
    one.step(*history, to_ms=0 if "off" in name else 9 * DAY)
    assert told(one.changes) == expected


@pytest.mark.parametrize("name", TOLD)
def test_who_does_not_ask_is_told_nothing(name: str) -> None:
    rule, history, expected = TOLD[name]
    one = world_of(rule)
    one.step(*history, to_ms=0 if "off" in name else 9 * DAY)
    assert told(one.changes) == [None] * len(expected)


# --------------------------------------------------------------------------------------------------- drawn histories


def asking(scenario: Scenario, forecast: bool) -> Scenario:
    tags = tuple(replace(tag, forecast=forecast) for tag in scenario.rule_set.tags)
    return replace(scenario, rule_set=replace(scenario.rule_set, tags=tags))


def without_forecast(changes: Sequence[Change]) -> list[Change]:
    return [replace(change, next_flip_at=None) for change in changes]


def quiet_until(scenario: Scenario, change: Change) -> int | None:
    """Up to when (ms) nothing happens to the customer behind a change; None if something does at its own millisecond.

    What is due at the millisecond of an event comes before it, and so is foretold.
    """
    arrivals = [event.arrival_ms for event in scenario.events if event.customer_id == change.customer_id]
    if arrivals.count(change.effective_at) > (change.origin != "timer"):
        return None
    last = max((event.arrival_ms for event in scenario.events), default=0)
    end = last if scenario.until_ms is None else scenario.until_ms
    return min([end, *(arrival for arrival in arrivals if arrival > change.effective_at)])


def judged(scenario: Scenario, run: EngineRun) -> dict[str, int]:
    """Asserts that what was foretold came true. Returns how many changes foretold what."""
    seen = dict.fromkeys(("time", "never", "unknown"), 0)
    of_tags: dict[tuple[str, str], list[Change]] = {}
    for change in run.changes:
        of_tags.setdefault((change.customer_id, change.tag), []).append(change)
    for changes in of_tags.values():
        for change, came in pairwise([*changes, None]):
            assert change is not None
            quiet = quiet_until(scenario, change)
            if quiet is None:
                continue
            told_at = change.next_flip_at
            if came is not None and came.effective_at < quiet:
                assert told_at == came.effective_at, (change, came)
            elif came is None or came.effective_at > quiet or came.origin != "timer":
                # a flip that is due with the next event may be foretold, and be undone or not by that event
                assert not isinstance(told_at, int) or told_at > quiet, (change, came)
            seen[told_at if isinstance(told_at, str) else "time"] += 1
    return seen


KNOBS = Knobs(max_tags=3, max_events=12, customers=2, commands=True, rich_percent=80, long_silences=False)


def drawn(seed: int) -> Scenario:
    scenario = random_scenario(random.Random(seed), KNOBS)
    # a customer is looked at for two days behind the last event: days are long for the interpreted wheel
    last = max((event.arrival_ms for event in scenario.events), default=0)
    return replace(scenario, until_ms=last + 2 * DAY)


def test_what_is_foretold_of_drawn_histories_comes_true() -> None:
    seen = dict.fromkeys(("time", "never", "unknown"), 0)
    for seed in range(40):
        scenario = asking(drawn(seed), True)
        for kind, count in judged(scenario, run_engine(scenario, WHOLE)).items():
            seen[kind] += count
    assert min(seen.values()) >= 10


@pytest.mark.parametrize("block", range(2))
def test_foretelling_changes_nothing(block: int) -> None:
    """However the history is cut, and with memory that has to grow while it is looked ahead."""
    for seed in range(100 + block * 8, 108 + block * 8):
        scenario = drawn(seed)
        plain, partition = asking(scenario, False), Partition(asking(scenario, False).rule_set)
        # cut alike: a budget for timers may change the order between customers
        expected = run_engine(plain, random_cuts(random.Random(seed)), partition)
        with tiny_memory():
            asked = Partition(asking(scenario, True).rule_set)
            found = run_engine(asking(scenario, True), random_cuts(random.Random(seed)), asked)
        assert without_forecast(found.changes) == without_forecast(expected.changes)
        assert found.outcomes == expected.outcomes
        for each in (asked, partition):
            # what a step's changes name is given back when the next one begins
            run_engine(Scenario(each.rule_set, [], None), WHOLE, each)
        assert asked.sizes()["rows"] == partition.sizes()["rows"]
        assert asked.sizes()["panes"] == partition.sizes()["panes"]
        assert asked.state.m[L.R_TEXTS_LIVE] == partition.state.m[L.R_TEXTS_LIVE]


def test_a_customer_who_is_looked_ahead_of_takes_no_more_memory() -> None:
    one = world_of("count(browse, 1h) >= 2\nfor_each: browse.category\nforecast: true")
    tops = []
    for round_ in range(6):
        start = round_ * 3 * HOUR
        one.step(*(browse(start + n, category=f"{n % 7} {'x' * 30}") for n in range(40)), to_ms=start + 2 * HOUR)
        one.step()
        assert one.partition.sizes()["rows"] == 0
        assert one.partition.state.m[L.R_TEXTS_LIVE] == 0
        tops.append(int(one.partition.state.m[L.R_TOP]))
    assert tops[-1] == tops[1]


def test_a_table_that_grows_where_it_was_looked_ahead_holds_its_own_entries_alone() -> None:
    """The customers' table begins with room for a thousand; what was copied for a forecast stood in fresh words."""
    one = world_of("count(browse, 1h) >= 1\nforecast: true")
    customers = 1_100
    one.step(*(browse(n, customer=f"c{n}") for n in range(customers)))
    m = one.partition.state.m
    table, size = int(m[L.R_TABLE]), int(m[L.R_TABLE_SIZE])
    assert m[L.R_ROWS_LIVE] == (m[table : table + size] != 0).sum() == customers
