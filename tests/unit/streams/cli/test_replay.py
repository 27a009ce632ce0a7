"""`tagstream replay`: what it prints where, how it ends, and that the oracle agrees."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from processors.oracle import judge as oracle
from schemas.errors import TagstreamError
from streams.cli import replay
from streams.cli.main import app
from streams.history_file import BLOCK_BYTES
from tests.oracle.difference import diff
from tests.oracle.generate import random_scenario
from tests.oracle.text import to_json_lines, to_yaml

ROOT = Path(__file__).parents[4]

RULES = """
- tag: seen
  name: Seen
  class: dynamic
  category: behaviour
  when: count(browse, 1d) > 0
- tag: value
  name: Value
  class: dynamic
  category: value
  tier:
    - {level: gold, when: "sum(purchase.amount, 30d) >= 100"}
    - {level: silver, when: "sum(purchase.amount, 30d) >= 10"}
"""

DAY_MS = 86_400_000
START_MS = 1_704_067_200_000
LEAVES_MS = START_MS + DAY_MS + 60_000
"""When a browse at START_MS leaves its window of a day: with its pane of a minute."""


@pytest.fixture(autouse=True)
def _in_an_empty_directory_with_rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rules").mkdir()
    Path("rules/r.yaml").write_text(RULES, "utf-8")


def browse(number: int = 1, at: object = START_MS, **fields: object) -> dict[str, Any]:
    return {"type": "browse", "event_id": f"e{number}", "customer_id": "ann", "event_time": at} | fields


def lines(*events: object) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def run(history: bytes, *arguments: str) -> Result:
    """Replays these bytes as a file."""
    Path("events").write_bytes(history)
    return CliRunner().invoke(app, ["replay", "events", *arguments])


def changes(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def said(result: Result) -> list[str]:
    return result.stderr.splitlines()


def error_of(result: Result) -> TagstreamError:
    assert isinstance(result.exception, TagstreamError)
    assert result.stdout == ""
    return result.exception


def in_a_shell(command: str) -> subprocess.CompletedProcess[str]:
    """With `tagstream` and the like as a user has them."""
    tagstream = f"{sys.executable} -c 'from streams.cli.main import main; main()'"
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; tagstream() {{ {tagstream} "$@"; }}; {command}'],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
    )


# ------------------------------------------------------------------------------------------------------ changes


def test_a_change_has_all_its_fields_flat_on_one_line() -> None:
    result = run(lines(browse()))
    assert result.exit_code == 0
    (change,) = changes(result)
    version = change.pop("rule_version")
    assert len(version) == 16
    assert list(change.items()) == [
        ("specversion", "1.0"),
        ("id", "0-1"),
        ("source", "tagstream"),
        ("type", "tagstream.tag.entered"),
        ("customer_id", "ann"),
        ("tag", "seen"),
        ("op", "entered"),
        ("before", None),
        ("after", True),
        ("effective_at", START_MS),
        ("emitted_at", START_MS),
        ("seq", 1),
        ("prev_seq", 0),
        ("epoch", 0),
        ("origin", "live"),
        ("run_id", None),
        ("cause", "e1"),
        ("group", None),
        (
            "evidence",
            [
                {
                    "condition": 0,
                    "key": None,
                    "value": 1.0,
                    "threshold": 0.0,
                    "window_start": START_MS - DAY_MS,
                    "window_end": START_MS,
                    "expression": "count(browse, 1d) > 0",
                }
            ],
        ),
        ("next_flip_at", None),
    ]


def test_the_cause_of_a_change_by_time_is_that_time() -> None:
    left = changes(run(lines(browse()), "--until", str(LEAVES_MS)))[1]
    assert (left["op"], left["before"], left["after"]) == ("left", True, None)
    assert (left["origin"], left["cause"]) == ("timer", LEAVES_MS)
    assert (left["effective_at"], left["emitted_at"], left["prev_seq"]) == (LEAVES_MS, LEAVES_MS, 1)


def test_a_tier_shows_its_levels() -> None:
    purchases = [browse(n, START_MS + n, type="purchase", amount_cents=cents) for n, cents in enumerate((1000, 9000))]
    found = changes(run(lines(*purchases)))
    assert [(c["op"], c["before"], c["after"]) for c in found] == [
        ("entered", None, "silver"),
        ("changed", "silver", "gold"),
    ]


def test_ids_are_written_as_json_needs_them() -> None:
    result = run(lines(browse(customer_id='a"\\\n李', event_id="100% {x}")))
    assert (changes(result)[0]["customer_id"], changes(result)[0]["cause"]) == ('a"\\\n李', "100% {x}")


def test_events_are_applied_in_order_of_arrival_and_then_of_lines() -> None:
    later, first, second = (browse(n, customer_id=f"c{n}", arrival_time=START_MS + a) for n, a in enumerate((1, 0, 0)))
    assert [c["customer_id"] for c in changes(run(lines(later, first, second)))] == ["c1", "c2", "c0"]


def test_times_may_be_iso_and_without_a_zone_are_utc() -> None:
    result = run(lines(browse(1, "2024-01-01T08:00:00+08:00"), browse(2, "2024-01-02", customer_id="bo")))
    assert [c["effective_at"] for c in changes(result)] == [START_MS, START_MS + DAY_MS]


def test_what_the_oracle_finds_in_random_histories_is_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    for _ in range(60):
        scenario = random_scenario(rng)
        Path("rules/r.yaml").write_text(to_yaml(scenario.rule_set), "utf-8")
        monkeypatch.setenv("TAGSTREAM_RULES__TIME_ZONE", scenario.rule_set.time_zone)
        until = [] if scenario.until_ms is None else ["--until", str(scenario.until_ms)]
        result = run(to_json_lines(scenario.events).encode(), *until)
        expected = oracle.Result(oracle.run(scenario.rule_set, scenario.events, scenario.until_ms).changes)
        names = ("customer_id", "tag", "op", "before", "after", "effective_at", "origin")
        got = oracle.Result(
            [
                oracle.OracleChange(*(c[name] for name in names), *oracle.split_cause(c["cause"]))
                for c in changes(result)
            ]
        )
        assert diff(expected, got, scenario.events) is None


# -------------------------------------------------------------------------------------------------------- until


@pytest.mark.parametrize(("until_ms", "ops"), [(LEAVES_MS - 1, ["entered"]), (LEAVES_MS, ["entered", "left"])])
def test_until_is_inclusive_for_timers(until_ms: int, ops: list[str]) -> None:
    assert [c["op"] for c in changes(run(lines(browse()), "--until", str(until_ms)))] == ops


def test_events_that_arrive_after_until_are_not_read() -> None:
    events = [browse(n, START_MS + n, customer_id=f"c{n}") for n in range(3)]
    result = run(lines(*events), "--until", "2024-01-01T00:00:00.001")
    assert [c["customer_id"] for c in changes(result)] == ["c0", "c1"]
    assert said(result)[0] == "lines: 3, of which 2 applied, 1 after --until"


def test_without_until_the_clock_ends_at_the_last_arrival() -> None:
    result = run(lines(browse(), browse(2, LEAVES_MS, type="service", customer_id="bo")))
    assert [c["op"] for c in changes(result)] == ["entered", "left"]
    assert said(result)[-1] == "changes: 2; clock: 2024-01-02T00:01:00.000Z"


@pytest.mark.parametrize("until", ["tomorrow", "-1", "1.5", "1989-12-31", "10000-01-01", "9" * 30, "253402300800000"])
def test_until_must_be_a_time(until: str) -> None:
    assert error_of(run(lines(browse()), f"--until={until}")).code == "TS-C405"


# ---------------------------------------------------------------------------------------------------- bad lines


def test_a_bad_line_is_reported_with_its_number_and_stops_nothing() -> None:
    result = run(
        b"\xef\xbb\xbf" + lines(browse()) + b"\r\n\n{\n" + lines({"type": "browse"}, browse(2, customer_id="bo"))
    )
    assert result.exit_code == 3
    assert [c["customer_id"] for c in changes(result)] == ["ann", "bo"]
    assert said(result) == [
        "line 4: TS-D119 The value is not a JSON object: unexpected end of data: line 1 column 2 (char 1)",
        "line 5: TS-D111 event_id, customer_id or event_time is missing: event_time",
        "lines: 4, of which 2 applied, 2 dead (TS-D111 1, TS-D119 1)",
        "changes: 2; clock: 2024-01-01T00:00:00.000Z",
    ]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ([1], "TS-D119"),
        (browse(type=None), "TS-D101"),
        (browse(type="sale"), "TS-D101"),
        (browse(type=["browse"]), "TS-D101"),
        (browse(customer_id=""), "TS-D112"),
        (browse(event_id="x" * 257), "TS-D113"),
        (browse(customer_id="@clock"), "TS-D114"),
        (browse(channel=5), "TS-D110"),
        (browse(at="yesterday"), "TS-D116"),
        (browse(arrival_time="yesterday"), "TS-D116"),
        (browse(arrival_time=1_704_067_200), "TS-D116"),
        (browse(arrival_time=2**62), "TS-D116"),
        (browse(at=2**62), "TS-D116"),
        (browse(at=2**64), "TS-D116"),
        (browse(at=1_704_067_200), "TS-D117"),
        (browse(at=1_704_067_200, arrival_time=START_MS), "TS-D117"),
        (browse(at=START_MS + DAY_MS + 1, arrival_time=START_MS), "TS-D118"),
        (browse(more={"deep": json.loads("[" * 40 + "]" * 40)}), "TS-D120"),
        (browse(channel="x" * 1_100_000), "TS-D121"),
    ],
)
def test_a_dead_event_is_a_bad_line(event: object, code: str) -> None:
    result = run(lines(browse(0), event))
    assert result.exit_code == 3
    assert said(result)[0].startswith(f"line 2: {code} ")
    assert said(result)[1] == f"lines: 2, of which 1 applied, 1 dead ({code} 1)"


def test_bad_lines_beyond_the_limit_are_counted_only() -> None:
    result = run(lines(browse()) + b"x\n" * 30 + lines(browse(2, at=1, arrival_time=START_MS)))
    assert [line.split(":")[0] for line in said(result)[:-2]] == [f"line {number}" for number in range(2, 22)]
    assert said(result)[-2] == (
        "lines: 32, of which 1 applied, 31 dead (TS-D117 1, TS-D119 30; the first 20 are shown)"
    )
    assert len(said(result)) == replay.SHOWN_BAD_LINES + 2


def test_duplicates_and_late_events_are_counted_and_are_no_bad_lines() -> None:
    late = browse(2, START_MS - 40 * DAY_MS, arrival_time=START_MS)
    result = run(lines(browse(), browse(), late, browse(1, type="service")))
    assert result.exit_code == 0
    assert said(result)[0] == "lines: 4, of which 2 applied, 1 late, 1 duplicate"


def test_a_line_of_a_hundred_megabytes_is_one_bad_line_and_never_held() -> None:
    with Path("events").open("wb") as file:
        file.write(lines(browse()))
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b"\n" + lines(browse(2, customer_id="bo")))
    done = in_a_shell("ulimit -v 4000000; tagstream replay events")
    assert done.returncode == 3
    assert [json.loads(line)["customer_id"] for line in done.stdout.splitlines()] == ["ann", "bo"]
    assert done.stderr.startswith("line 2: TS-D121 The value is larger than 1 MiB: a line of more than 1048576 bytes\n")


# -------------------------------------------------------------------------------------------------------- files


def test_a_gzip_file_is_known_by_its_bytes_whatever_its_name() -> None:
    assert run(gzip.compress(lines(browse()))).stdout == run(lines(browse())).stdout != ""


def test_a_gzip_file_may_have_several_members_and_padding() -> None:
    result = run(gzip.compress(lines(browse())) + b"\0" * 99 + gzip.compress(lines(browse(2, customer_id="b"))) + b"\0")
    assert [c["customer_id"] for c in changes(result)] == ["ann", "b"]


def test_lines_longer_than_what_is_read_at_once_stay_whole() -> None:
    events = [browse(n, customer_id=f"c{n}", channel="x" * size) for n, size in enumerate((BLOCK_BYTES, 600_000, 5))]
    assert [c["customer_id"] for c in changes(run(lines(*events)))] == ["c0", "c1", "c2"]


def test_the_last_line_needs_no_line_break() -> None:
    assert len(changes(run(lines(browse()).rstrip()))) == 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_dash_reads_standard_input(pack: Any) -> None:
    result = CliRunner().invoke(app, ["replay", "-"], input=pack(lines(browse())))
    assert result.stdout == run(lines(browse())).stdout != ""


@pytest.mark.parametrize(
    ("history", "code"),
    [
        (b"", "TS-C402"),
        (b"\n \n", "TS-C402"),
        (gzip.compress(b"", mtime=0), "TS-C402"),
        (b"PK\x03\x04\0\0garbage", "TS-C403"),
        ('{"type": "browse"}'.encode("utf-16"), "TS-C403"),
        (gzip.compress(b"\0\1\2", mtime=0), "TS-C403"),
        (gzip.compress(lines(browse()), mtime=0)[:-9], "TS-C404"),
        (gzip.compress(lines(browse()), mtime=0)[:-8] + b"checksum", "TS-C404"),
        (b"\x1f\x8b", "TS-C404"),
        (b"\x1f\x8bgarbage", "TS-C404"),
    ],
)
def test_what_is_no_history_is_a_numbered_error(history: bytes, code: str) -> None:
    assert error_of(run(history)).code == code


def test_a_file_that_is_not_there_and_a_directory_are_numbered_errors() -> None:
    long = "x" * 300
    reasons = {"nowhere": "No such file or directory", "rules": "Is a directory", long: "File name too long"}
    for name, reason in reasons.items():
        error = error_of(CliRunner().invoke(app, ["replay", name]))
        assert (error.code, error.message) == ("TS-C401", f"{name} cannot be read: {reason}")


# -------------------------------------------------------------------------------------------------- rules, output


def test_rules_with_errors_are_listed_as_by_check_and_end_with_1() -> None:
    Path("rules/r.yaml").write_text(RULES.replace("count(browse,", "count(brows,"), "utf-8")
    result = run(lines(browse()))
    checked = CliRunner().invoke(app, ["check", "rules"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "rules/r.yaml:6:15: TS-R201: There is no event `brows`." in result.stderr
    assert checked.stdout.startswith(result.stderr)


def test_rules_that_are_not_there_end_with_1() -> None:
    result = run(lines(browse()), "--rules", "nowhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "TS-R316: There is no directory nowhere" in result.stderr


def test_a_reader_who_has_seen_enough_ends_it_quietly() -> None:
    Path("events").write_bytes(lines(*(browse(n, customer_id=f"customer-{n}") for n in range(20_000))))
    done = in_a_shell("tagstream replay events | head -n 1")
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")


def test_nothing_of_kafka_or_redis_is_loaded() -> None:
    Path("events").write_bytes(lines(browse()))
    code = (
        "import sys\nfrom streams.cli.main import app\n"
        "app(['replay', 'events'], standalone_mode=False)\n"
        "print([name for name in ('confluent_kafka', 'redis', 'faust', 'rich.progress') if name in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=100)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
