"""A call that never returns ends the process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from tests.tidy.files import ROOT


def run(body: str) -> subprocess.CompletedProcess[str]:
    program = f"""
        import time
        from streams.clock import SystemClock
        from streams.watchdog import Watchdog
        watchdog = Watchdog(SystemClock())
        {body}
        print("went on")
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_a_process_that_hangs_in_a_call_ends_and_asks_to_be_started_again() -> None:
    done = run("exec('with watchdog.at_most(0.1, \"the call\"): time.sleep(50)')")
    assert done.returncode == os.EX_TEMPFAIL
    assert "went on" not in done.stdout
    assert "process.hangs" in done.stdout + done.stderr and "the call" in done.stdout + done.stderr


def test_a_call_that_returns_in_time_is_forgotten() -> None:
    done = run("exec('with watchdog.at_most(0.1, \"the call\"): pass'); time.sleep(1.2)")
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr
