"""The demo as a user starts it: it shows tags, ends as it should, and leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from streams.local.choose import choose_kafka, choose_redis

ROOT = Path(__file__).parents[2]
PROC = Path("/proc")
COMMAND = [sys.executable, "-m", "streams.cli.main", "demo"]
WITHIN_S = 240
"""The demo takes 20 s longer than `--seconds`, and a minute more if the engine's code has to be compiled first."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A working directory that only this demo and its processes have."""
    try:
        choose_kafka(tmp_path)
        choose_redis(tmp_path)
    except ConfigError as error:
        pytest.skip(str(error))
    return tmp_path


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def processes_in(home: Path) -> list[str]:
    """The command lines of the processes whose working directory is `home` or below."""
    found = []
    for process in PROC.glob("[0-9]*"):
        try:
            directory = (process / "cwd").resolve()
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if words and directory.is_relative_to(home):
            found.append(words)
    return found


def wait_until(done: Callable[[], bool], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.timeout(WITHIN_S + 60)
def test_the_demo_shows_tags_that_come_and_go_and_leaves_nothing_running(home: Path) -> None:
    ran = subprocess.run(
        [*COMMAND, "--seconds", "20"], cwd=home, env=environment(), capture_output=True, text=True, timeout=WITHIN_S
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "loaded 69,659 purchases of 23,570 customers" in ran.stdout
    figures = re.findall(
        r"tags entered ([\d,]+) · changed ([\d,]+) · left ([\d,]+) · arrival to change (\S+)", ran.stdout
    )
    entered, _, left = (int(number.replace(",", "")) for number in figures[-1][:3])
    # Every customer of the history has at least been a new buyer.
    assert entered > 23_570
    assert left > 0
    assert figures[-1][3] != "-", "no live event changed a tag"
    assert "to Redis -" not in ran.stdout.splitlines()[-2]
    assert processes_in(home) == []


@pytest.mark.skipif(not PROC.is_dir(), reason="needs /proc to see what is left; run it on Linux")
@pytest.mark.timeout(WITHIN_S)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_all_that_it_started(home: Path, number: signal.Signals) -> None:
    output = home / "output"
    with output.open("wb") as file:
        demo = subprocess.Popen(COMMAND, cwd=home, env=environment(), stdout=file, stderr=file)
    try:
        assert wait_until(lambda: b"started tagstream run" in output.read_bytes(), 120), output.read_text()
        assert any("kafka.Kafka" in words for words in processes_in(home))
        demo.send_signal(number)
        assert demo.wait(60) == 0, output.read_text()
        assert processes_in(home) == []
    finally:
        demo.kill()
        demo.wait()


@pytest.mark.timeout(WITHIN_S)
def test_without_java_and_docker_the_demo_says_so_and_replays_the_same_history(tmp_path: Path) -> None:
    lacking = environment() | {"PATH": str(tmp_path)}
    ran = subprocess.run(
        [*COMMAND, "--seconds", "1"], cwd=tmp_path, env=lacking, capture_output=True, text=True, timeout=WITHIN_S
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    first_line = ran.stdout.splitlines()[0]
    assert "TS-C201" in first_line
    assert "Java" in first_line
    entered = re.search(r"69,659 purchases: tags entered ([\d,]+)", ran.stdout)
    assert entered is not None, ran.stdout
    assert int(entered[1].replace(",", "")) > 23_570


@pytest.mark.timeout(WITHIN_S)
def test_the_demo_takes_other_rules(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    when = "  when: count(purchase, ever) >= 1"
    (rules / "buyer.yaml").write_text(f"- tag: buyer\n  name: Buyer\n  class: static\n  category: base\n{when}\n")
    lacking = environment() | {"PATH": str(tmp_path)}
    command = [*COMMAND, "--seconds", "1", "--rules", str(rules)]
    ran = subprocess.run(command, cwd=tmp_path, env=lacking, capture_output=True, text=True, timeout=WITHIN_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "69,659 purchases: tags entered 23,570 · changed 0 · left 0" in ran.stdout
