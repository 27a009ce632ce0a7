"""What belongs to the repository: what git tracks, and what is new and not ignored."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "processors", "streams")


@cache
def tracked() -> list[Path]:
    """Relative to the root, those that exist."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(name) for name in sorted(set(listed.stdout.split("\0"))) if name]
    return [path for path in paths if (ROOT / path).is_file()]


def sources(*folders: str) -> list[Path]:
    """The Python files in these top-level folders."""
    return [path for path in tracked() if path.suffix == ".py" and path.parts[0] in folders]


def text_of(path: Path) -> str | None:
    """None if it is not a text."""
    try:
        return (ROOT / path).read_text("utf-8")
    except UnicodeDecodeError:
        return None
