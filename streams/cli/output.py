"""Standard output that nobody reads any more, or that cannot be written."""

from __future__ import annotations

import os
import sys

__all__ = ["write_no_more"]


def write_no_more() -> None:
    """What is left in the buffer is flushed when the process ends, and must not fail there once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
