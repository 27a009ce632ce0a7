"""`tagstream check`: what it prints and how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from processors.rules import tree as T
from processors.rules.examples import START_MS, Change, Event
from streams.cli import check

GOOD = """
- tag: seen
  name: {zh: 来过, en: Seen}
  class: dynamic
  category: behaviour
  when: count(browse, 1d) > 0
  examples:
    - given: [browse at 0d]
      then: [entered at 0d, left at 1d1m]
- tag: buyer
  name: Buyer
  class: dynamic
  category: value
  tier:
    - {level: often, when: 'count(purchase, 30d) > 5'}
    - {level: once, when: 'count(purchase, 30d) > 0'}
"""


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAGSTREAM_CONFIG", raising=False)


@pytest.fixture
def left_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The engine enters at once and leaves at this offset; tests change it."""
    offset_ms = [86_460_000]

    def replay(rule_set: T.RuleSet, tag: str, events: list[Event], until_ms: int) -> Sequence[Change]:
        return [("entered", START_MS, None), ("left", START_MS + offset_ms[0], None)]

    monkeypatch.setattr(check, "engine", lambda: replay)
    return offset_ms


def run(tmp_path: Path, rules: str, *options: str) -> Result:
    directory = tmp_path / "rules"
    directory.mkdir(exist_ok=True)
    (directory / "r.yaml").write_text(rules, encoding="utf-8")
    app = typer.Typer()
    app.command()(check.command)
    return CliRunner().invoke(app, ["rules", *options], catch_exceptions=False)


def test_good_rules_end_with_0_and_are_summed_up_by_category(tmp_path: Path, left_at: list[int]) -> None:
    result = run(tmp_path, GOOD)
    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[:3] == [
        ["category", "tags", "tiers", "examples"],
        ["behaviour", "1", "0", "1"],
        ["value", "1", "1", "0"],
    ]
    assert "2 tags in 1 file, 0 warnings, 1 example run." in result.output


def test_conditions_are_listed_by_the_numbers_that_changes_name_them_by(tmp_path: Path, left_at: list[int]) -> None:
    result = run(tmp_path, GOOD, "--conditions")
    assert result.output.splitlines()[:4] == [
        "0  buyer  tier[0]  count(purchase, 30d) > 5",
        "1  buyer  tier[1]  count(purchase, 30d) > 0",
        "2  seen   when     count(browse, 1d) > 0",
        "",
    ]


def test_tags_that_nobody_is_known_to_use_are_named(tmp_path: Path, left_at: list[int]) -> None:
    told = "No other tag asks for these, and they have no owner: "
    assert run(tmp_path, GOOD).output.splitlines()[-1] == told + "buyer, seen."
    rules = GOOD.replace("count(purchase, 30d) > 5", 'tag("seen")').replace("name: Buyer", "name: Buyer\n  owner: Ann")
    assert told not in run(tmp_path, rules).output
    many = GOOD + "".join(
        f"- {{tag: t{n}, name: T, class: dynamic, category: value, when: 'count(browse, {n}h) > 1'}}\n"
        for n in range(10, 30)
    )
    assert run(tmp_path, many).output.splitlines()[-1].endswith(", t18, t19 and 10 more.")


def test_a_review_is_held_against_the_date_in_the_rules_zone(
    tmp_path: Path, left_at: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = GOOD.replace("name: Buyer", "name: Buyer\n  review_by: 2030-01-31")
    evening = datetime(2030, 1, 31, 20, tzinfo=UTC).timestamp() * 1_000
    monkeypatch.setattr("streams.clock.SystemClock.wall_ms", lambda self: int(evening))
    assert "TS-R906" not in run(tmp_path, rules).output
    monkeypatch.setenv("TAGSTREAM_RULES__TIME_ZONE", "Asia/Shanghai")
    assert "TS-R906" in run(tmp_path, rules).output, "there it is February already"


def test_all_errors_are_shown_with_code_place_source_caret_and_cure(tmp_path: Path, left_at: list[int]) -> None:
    result = run(tmp_path, GOOD.replace("count(browse, 1d)", "count(brows, 1d)").replace("value", "valu"))
    assert result.exit_code == 1
    assert result.output.startswith(
        "rules/r.yaml:6:15: TS-R201: There is no event `brows`.\n"
        "      when: count(brows, 1d) > 0\n"
        "                  ^^^^^\n"
        "  Cure: Did you mean browse? There is browse, purchase, service, profile.\n"
        "\n"
        "rules/r.yaml:13:13: TS-R310: `valu` is no category.\n"
    )
    assert "2 errors in 1 file" in result.output


def test_a_failed_example_shows_expected_and_got_and_ends_with_1(tmp_path: Path, left_at: list[int]) -> None:
    left_at[0] = 90_000_000
    result = run(tmp_path, GOOD)
    assert result.exit_code == 1
    assert result.output.startswith(
        "rules/r.yaml:8: TS-R406: Example 1 of seen does not come out as it says.\n"
        "      expected        got\n"
        "      entered at 0d   entered at 0d\n"
        "    ! left at 1d1m    -\n"
        "    ! -               left at 1d1h\n"
        "  Cure: Correct the rule if it is wrong, or else the example.\n"
    )
    assert "1 example run, 1 failed." in result.output


def test_warnings_are_shown_and_change_no_exit_code(tmp_path: Path, left_at: list[int]) -> None:
    result = run(tmp_path, GOOD.replace("> 5", "< 0"))
    assert result.exit_code == 0
    assert "rules/r.yaml:15:29: TS-R901:" in result.output
    assert "1 warning," in result.output


def test_a_directory_that_is_not_there_ends_with_1(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(check.command)
    result = CliRunner().invoke(app, ["nowhere"])
    assert result.exit_code == 1
    assert "TS-R316: There is no directory nowhere" in result.output


def test_markup_in_rules_is_shown_as_it_is(tmp_path: Path, left_at: list[int]) -> None:
    result = run(tmp_path, GOOD.replace("behaviour", '"[red]x[/]"'))
    assert "`[red]x[/]` is no category" in result.output
