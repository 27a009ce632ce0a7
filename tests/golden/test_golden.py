"""A history with everything in it, and a real one, give what they always gave; and the oracle says the same."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from processors.change_lines import ChangeLines
from processors.oracle.judge import Event, OracleChange, Result, run, split_cause
from processors.partition import Partition
from processors.replay import replay
from processors.rules.load import load_rules
from processors.rules.tree import RuleSet
from streams.history_file import read_history
from streams.rules_dir import read_rules_dir
from tests.golden import golden
from tests.oracle.difference import diff

NO_EVENT = {23, *range(25, 34)}
"""Lines of the history that the oracle is spared, for it takes events alone: those dead in themselves."""


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load_rules(read_rules_dir(golden.RULES), time_zone="UTC", default_currency="CNY")


def time_ms(value: str | float) -> int:
    if not isinstance(value, str):
        return int(value)
    moment = datetime.fromisoformat(value)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def oracle_events(lines: Iterable[bytes]) -> list[Event]:
    events = []
    for line in lines:
        given = json.loads(line)
        at_ms = time_ms(given.pop("event_time"))
        arrival_ms = time_ms(given.pop("arrival_time", at_ms))
        named = [given.pop(name) for name in ("type", "event_id", "customer_id")]
        events.append(Event(*named, at_ms, arrival_ms, given))
    return events


def as_result(output: bytes) -> Result:
    changes = [json.loads(line) for line in output.splitlines()]
    names = ("customer_id", "tag", "op", "before", "after", "effective_at", "origin")
    return Result(
        [OracleChange(*(change[name] for name in names), *split_cause(change["cause"])) for change in changes]
    )


def differs(rules: RuleSet, events: list[Event], until_ms: int | None, output: bytes) -> str | None:
    expected = run(rules, events, until_ms)
    return diff(Result(expected.changes), as_result(output), events)


def test_the_history_gives_the_changes_that_it_always_gave() -> None:
    code, output, report = golden.replayed(str(golden.HISTORY), "--until", golden.UNTIL)
    assert output.decode() == golden.CHANGES.read_text("utf-8")
    assert report == golden.REPORT.read_text("utf-8")
    assert code == 3


@pytest.mark.parametrize("step_events", [1, 2, 7])
def test_the_changes_do_not_depend_on_how_the_history_is_cut_into_steps(rules: RuleSet, step_events: int) -> None:
    with golden.HISTORY.open("rb") as file:
        history = read_history(file, lambda line, error: None, lambda size: None)
    writer = ChangeLines(rules)
    steps = replay(Partition(rules), history, time_ms(golden.UNTIL), step_events)
    output = b"".join(piece for step in steps for piece in writer.lines(step.output, step.decoded))
    assert output == golden.CHANGES.read_bytes()


def test_the_oracle_finds_the_same_changes_in_the_history(rules: RuleSet) -> None:
    lines = golden.HISTORY.read_bytes().splitlines()
    events = oracle_events(line for number, line in enumerate(lines, 1) if line and number not in NO_EVENT)
    assert differs(rules, events, time_ms(golden.UNTIL), golden.CHANGES.read_bytes()) is None


def test_cdnow_comes_to_what_it_always_came_to() -> None:
    code, output, report = golden.replayed(str(golden.CDNOW))
    assert golden.summary(output, report) == json.loads(golden.CDNOW_SUMMARY.read_text("utf-8"))
    assert code == 0


def test_the_oracle_finds_the_same_changes_in_the_first_customers_of_cdnow(rules: RuleSet, tmp_path: Path) -> None:
    lines = golden.first_customers(300)
    path = tmp_path / "first.jsonl"
    path.write_bytes(lines)
    _, output, _ = golden.replayed(str(path))
    assert differs(rules, oracle_events(io.BytesIO(lines)), None, output) is None
