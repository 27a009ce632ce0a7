"""Where the servers of one run keep their data and their logs: `.run/<id>`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

__all__ = ["new_run_directory"]

BASE: Final = Path(".run")


def new_run_directory(base: Path = BASE) -> Path:
    """A fresh directory of its own under `base`, as an absolute path: the servers have other working directories."""
    base.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="", dir=base.resolve()))
