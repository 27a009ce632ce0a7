"""What the local Kafka and Redis have in common, be they child processes or containers."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from streams.clock import Clock

__all__ = ["Say", "Server", "quiet", "until"]

Say = Callable[[str], None]
"""Tells the user, in one short line, what takes a while."""
POLL_S: Final = 0.05
"""Between two looks at a server that starts: short beside its seconds, and cheap."""


class Server(Protocol):
    """Started by `start` or `with`, and gone after `stop` or the end of `with`. `kill` and `restart` are for tests of
    faults: what was running ends at once, and comes back on the same port with the same data."""

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def restart(self) -> None: ...

    def stop(self) -> None: ...


class Managed:
    """`with` for a server."""

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            # ^C while it starts, too, must not leave half of it running.
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def quiet(_: str) -> None:
    """Tells nobody."""


def until(clock: Clock, within_s: float, done: Callable[[], bool]) -> bool:
    """Calls `done` again and again until it is true; false if it was not within that time."""
    last_ms = clock.monotonic_ms() + round(within_s * 1000)
    while not done():
        if clock.monotonic_ms() >= last_ms:
            return False
        clock.sleep(POLL_S)
    return True
