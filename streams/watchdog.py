"""Ends this process when a call does not return.

Some calls of librdkafka ignore the time-out that they are given: `send_offsets_to_transaction` waits for ever if the
broker is killed at the wrong moment (confluentinc/librdkafka, issues 5456 and 5511; 2.16 still does). Nothing can be
done about such a call from within, and while it lasts the member's heartbeats go on in the background: nobody else is
given its partitions. A process that ends is started again, and goes on from the journal.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from streams.clock import Clock

__all__ = ["Watchdog"]

_LOG = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5


@dataclass(slots=True)
class _Call:
    until_s: float
    seconds: float
    what: str
    excused: Callable[[], bool]


class Watchdog:
    """One call at a time is watched. Its thread starts with the first one and ends with the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._call: _Call | None = None
        self._thread: threading.Thread | None = None

    @contextmanager
    def at_most(self, seconds: float, what: str, excused: Callable[[], bool]) -> Iterator[None]:
        """If the block lasts longer, the process ends with exit code 75 (try again), and says so.

        `excused` is asked first, in another thread, and may take some seconds: where it says yes, there is a reason to
        wait, and as many seconds are given again.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._thread.start()
        self._call = _Call(self._clock.monotonic_s() + seconds, seconds, what, excused)
        try:
            yield
        finally:
            self._call = None

    def _watch(self) -> None:
        while True:
            self._clock.sleep(LOOK_EVERY_S)
            call = self._call
            if call is None or self._clock.monotonic_s() < call.until_s:
                continue
            if call.excused():
                call.until_s = self._clock.monotonic_s() + call.seconds
            elif call is self._call:
                _LOG.error("process.hangs", call=call.what, cure="Nothing to do if it is started again by itself.")
                # the thread that hangs would be waited for by every gentler way
                os._exit(os.EX_TEMPFAIL)
