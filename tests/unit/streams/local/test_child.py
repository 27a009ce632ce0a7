"""streams.local.child and its guard"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.local.child import Child

NAP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


def eventually(true: Callable[[], bool], within_s: float = 10.0) -> bool:
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def group_lives(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def started(argv: list[str], log: Path) -> Child:
    child = Child(argv, log=log)
    assert eventually(lambda: "up" in child.tail())
    return child


def test_what_it_prints_is_in_its_log_and_its_exit_code_is_told(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "echo out; echo err >&2; exit 7"], log=tmp_path / "deep" / "log")
    assert child.wait(10.0) == 7
    assert child.tail() == "out\nerr"
    assert child.stop(1.0) == 7


def test_a_command_that_does_not_exist_is_seen_as_an_exit(tmp_path: Path) -> None:
    child = Child(["/no/such/command"], log=tmp_path / "log")
    assert child.wait(10.0) not in (0, None)
    assert "/no/such/command" in child.tail()
    child.stop(1.0)


def test_stop_lets_it_end_by_itself(tmp_path: Path) -> None:
    script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"
    child = started(["sh", "-c", script], tmp_path / "log")
    assert child.stop(10.0) == 3
    assert child.tail().endswith("bye")
    assert not group_lives(child.pid)


def test_stop_kills_what_does_not_end(tmp_path: Path) -> None:
    child = started(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"], tmp_path / "log")
    assert child.stop(0.2) == 128 + signal.SIGKILL
    assert eventually(lambda: not group_lives(child.pid))


def test_kill_ends_it_with_all_it_started(tmp_path: Path) -> None:
    child = started(["sh", "-c", "sleep 60 & echo up; wait"], tmp_path / "log")
    child.kill()
    assert child.exit_code() == 128 + signal.SIGKILL
    assert eventually(lambda: not group_lives(child.pid))
    child.kill()
    child.stop(1.0)


def test_it_is_in_a_session_of_its_own_so_that_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    child = started(NAP, tmp_path / "log")
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    child.kill()


def test_the_command_gets_the_signals_default_actions(tmp_path: Path) -> None:
    child = started(NAP, tmp_path / "log")
    child.signal(signal.SIGTERM)
    assert child.wait(10.0) == 128 + signal.SIGTERM
    child.stop(1.0)


@pytest.mark.parametrize("ends", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.abort()"])
def test_it_does_not_outlive_its_parent(tmp_path: Path, ends: str) -> None:
    script = f"""
import os, sys, time
from pathlib import Path
from streams.local.child import Child
log = Path(sys.argv[1])
child = Child({NAP!r}, log=log)
while "up" not in child.tail():
    time.sleep(0.01)
print(child.pid, flush=True)
{ends}
"""
    parent = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    pid = int(parent.stdout)
    assert eventually(lambda: not group_lives(pid))


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    import threading

    children: list[Child] = []
    thread = threading.Thread(target=lambda: children.append(started(NAP, tmp_path / "log")))
    thread.start()
    thread.join()
    (child,) = children
    assert child.wait(0.3) is None
    child.kill()
