"""The golden files and how they are made: `python -m tests.golden.golden` writes them anew.

Whoever does so reads the difference before keeping it: each changed line is a change of what users get.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from streams.cli.main import app

HERE = Path(__file__).parent
RULES = HERE / "rules"
HISTORY = HERE / "history.jsonl"
CHANGES = HERE / "changes.jsonl"
REPORT = HERE / "report.txt"
"""What is said on standard error."""
UNTIL = "2025-09-01"
"""Where the history's clock ends, to the millisecond: one event arrives then, the next one a millisecond later."""

CDNOW = HERE.parents[1] / "examples" / "cdnow.jsonl.gz"
CDNOW_SUMMARY = HERE / "cdnow.json"


def replayed(*arguments: str) -> tuple[int, bytes, str]:
    """Exit code, standard output and standard error of `tagstream replay` by the golden rules."""
    result = CliRunner().invoke(app, ["replay", *arguments, "--rules", str(RULES)])
    return result.exit_code, result.stdout_bytes, result.stderr


def summary(output: bytes, report: str) -> dict[str, Any]:
    """What the changes come to: their number by tag, op and value, and the hash of every byte."""
    counts: Counter[str] = Counter()
    for line in output.splitlines():
        change = json.loads(line)
        value = "" if change["op"] == "left" or change["after"] is True else f" {change['after']}"
        counts[f"{change['tag']} {change['op']}{value}"] += 1
    return {
        "changes": sum(counts.values()),
        "by_tag": dict(sorted(counts.items())),
        "report": report.splitlines(),
        "sha256": hashlib.sha256(output).hexdigest(),
    }


def first_customers(most: int) -> bytes:
    """The lines of the first customers of CDNOW."""
    with gzip.open(CDNOW) as lines:
        return b"".join(line for line in lines if int(json.loads(line)["customer_id"].removeprefix("cdnow-")) <= most)


def main() -> None:
    """Write the expected results as they are now."""
    _, output, report = replayed(str(HISTORY), "--until", UNTIL)
    CHANGES.write_bytes(output)
    REPORT.write_text(report, "utf-8")
    _, output, report = replayed(str(CDNOW))
    CDNOW_SUMMARY.write_text(json.dumps(summary(output, report), indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
