"""A call that never returns ends the process."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.tidy.files import ROOT

PROGRAM = """
import time
from streams.clock import SystemClock
from streams.watchdog import Watchdog

began_s = time.monotonic()
with Watchdog(SystemClock()).at_most(0.1, "the call", lambda: {excused}):
    time.sleep({call_s})
time.sleep(1.2)
print("went on")
"""


def run(excused: str, call_s: float) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(excused=excused, call_s=call_s)
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_a_process_that_hangs_in_a_call_ends_and_asks_to_be_started_again() -> None:
    done = run("False", 50)
    assert done.returncode == os.EX_TEMPFAIL
    assert "went on" not in done.stdout
    told = done.stdout + done.stderr
    assert "process.hangs" in told and "the call" in told


def test_a_call_that_returns_in_time_is_forgotten() -> None:
    done = run("False", 0)
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr


def test_a_call_with_a_reason_to_wait_is_waited_for_as_long_as_it_has_one() -> None:
    waits = run("True", 2)
    assert (waits.returncode, waits.stdout) == (0, "went on\n"), waits.stderr
    ends = run("time.monotonic() < began_s + 2", 50)
    assert ends.returncode == os.EX_TEMPFAIL
