"""`tagstream run`: every role as a child process on this machine, started again when it falls over."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from streams.clock import Clock
from streams.local.child import Child
from streams.settings import MetricsSettings

__all__ = ["ROLES", "Supervisor"]

_LOG = structlog.get_logger(__name__)

ROLES: Final = ("tagger", "projector", "control")
STOP_WITHIN_S: Final = 15.0
"""A step under way is finished first."""
LOOK_EVERY_S: Final = 0.2
WAIT_FIRST_S: Final = 0.5
WAIT_MOST_S: Final = 30.0
"""Between two starts of a role that keeps ending; doubled from the first wait on."""
STEADY_AFTER_S: Final = 60.0
"""A role that ran so long is not one that keeps ending."""
CANNOT_START: Final = 2
"""Exit code of an error with a number: wrong settings or rules, which starting again does not mend."""
STDERR: Final = Path("/dev/stderr")


@dataclass(slots=True)
class _Role:
    name: str
    child: Child
    started_s: float
    failures: int = 0
    start_at_s: float | None = None
    """When it is started again; None while it runs."""


class Supervisor:
    """Runs the roles until `stop` says so, or until one ends at once because it cannot be started."""

    def __init__(self, clock: Clock, metrics: MetricsSettings) -> None:
        self._clock = clock
        self._metrics = metrics

    def run(self, stop: Callable[[], bool]) -> int:
        """Returns the exit code: 0, or that of the role that cannot be started."""
        roles = [self._started(name) for name in ROLES]
        try:
            while not stop():
                for role in roles:
                    code = self._look_after(role)
                    if code is not None:
                        return code
                self._clock.sleep(LOOK_EVERY_S)
            return 0
        finally:
            for role in roles:
                role.child.signal(signal.SIGTERM)
            for role in roles:
                role.child.stop(STOP_WITHIN_S)

    def _look_after(self, role: _Role) -> int | None:
        """Start a role again if it has ended. Returns the exit code of one that cannot be started."""
        now_s = self._clock.monotonic_s()
        if role.start_at_s is not None:
            if now_s >= role.start_at_s:
                role.child, role.started_s, role.start_at_s = self._child(role.name), now_s, None
            return None
        code = role.child.exit_code()
        if code is None:
            return None
        was_steady = now_s - role.started_s > STEADY_AFTER_S
        # what has worked can be started: then it met a broker that was away for too long, or the like
        if code == CANNOT_START and role.failures == 0 and not was_steady:
            return code
        role.failures = 1 if was_steady else role.failures + 1
        wait_s = min(WAIT_MOST_S, WAIT_FIRST_S * 2 ** (role.failures - 1))
        _LOG.error("run.role_ended", role=role.name, exit_code=code, again_in_s=wait_s)
        role.start_at_s = now_s + wait_s
        return None

    def _started(self, name: str) -> _Role:
        return _Role(name, self._child(name), self._clock.monotonic_s())

    def _child(self, name: str) -> Child:
        argv = (sys.executable, "-m", "streams.cli.main", name)
        return Child(argv, log=STDERR, env=self._environment(name))

    def _environment(self, name: str) -> Mapping[str, str]:
        """Each process has a port of its own: the one in the settings, and those behind it."""
        port = self._metrics.port
        return {"TAGSTREAM_METRICS__PORT": str(port + ROLES.index(name) if port else 0)}
