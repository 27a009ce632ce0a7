"""Makes the next item in a thread while the present one is used: for work that needs no lock of Python, as ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

__all__ = ["one_ahead"]

Item = TypeVar("Item")

SWITCH_S: Final = 0.0005
"""How long one thread may keep the other from Python's lock. Between its long pieces of work the maker of items needs
the lock some ten times for a moment; with Python's 5 ms it waits longer than it works."""


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items in the same order; `items` runs in another thread, at most one item further than it is asked for.

    What it raises is raised here. An item must not change when the next one is made.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            coming = pool.submit(next, items, None)
            while (item := coming.result()) is not None:
                coming = pool.submit(next, items, None)
                yield item
    finally:
        sys.setswitchinterval(before)
