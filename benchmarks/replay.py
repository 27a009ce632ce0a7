"""How long `tagstream replay` takes for the CDNOW purchases, from the command's start to its end."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import Any, Final

from benchmarks.stand import ROOT
from schemas.errors import ConfigError
from streams.local.server import Say

__all__ = ["replay"]

CDNOW: Final = ROOT / "examples" / "cdnow.jsonl.gz"
RULES: Final = ROOT / "rules"
RUNS: Final = 5


def replay(say: Say) -> dict[str, Any]:
    """Seconds of five runs, after one that compiles."""
    say("replay: warming up")
    _run()
    say(f"replay: {RUNS} runs")
    seconds = sorted(_run() for _ in range(RUNS))
    return {"runs": RUNS, "seconds_median": median(seconds), "seconds_least": seconds[0], "seconds_most": seconds[-1]}


def _run() -> float:
    """One run, its output thrown away. Raises ConfigError TS-C303 if it fails."""
    command = [sys.executable, "-m", "streams.cli.main", "replay", str(CDNOW), "--rules", str(RULES)]
    began = time.perf_counter()
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT
    )
    seconds = time.perf_counter() - began
    if ended.returncode != 0:
        raise ConfigError("TS-C303", f"`tagstream replay` ended with exit code {ended.returncode}: {ended.stderr!r}")
    return seconds
