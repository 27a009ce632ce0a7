"""A child process that cannot outlive us and that ^C at the terminal does not reach."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["Child"]

GUARD: Final = Path(__file__).with_name("guard.py")
KILLED_WITHIN_S: Final = 10.0
"""The kernel ends a killed process at once, unless the disk keeps it."""


class Child:
    """`argv` runs from construction on, in a session of its own; what it prints is appended to the file `log`.

    `env` is added to our environment. The process is started through `guard.py`, so it is killed when we end in any
    way. Raises OSError if the command can't be started by the guard's Python; a missing command is seen as an exit.
    """

    def __init__(
        self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.argv = tuple(argv)
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        lifeline, self._lifeline = os.pipe()
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(GUARD), str(lifeline), *argv],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(env or {})},
                    cwd=cwd,
                    pass_fds=(lifeline,),
                    start_new_session=True,
                )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)

    @property
    def pid(self) -> int:
        """The number of the process group, and of the guard in it."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; 128 and more: ended by the signal of that number less 128."""
        code = self._process.poll()
        return code if code is None or code >= 0 else 128 - code

    def kill(self) -> None:
        """SIGKILL to the command and all it started; returns when they are gone."""
        if self._lifeline < 0:
            return
        self._signal(signal.SIGKILL)
        self._process.wait(KILLED_WITHIN_S)
        self._close()

    def stop(self, within_s: float) -> int:
        """SIGTERM; SIGKILL after `within_s` seconds. Returns the exit code. A second time it does nothing."""
        if self._lifeline >= 0:
            self._signal(signal.SIGTERM)
        code = self.wait(within_s)
        if code is None:
            self.kill()
            code = self.exit_code()
        assert code is not None
        self._close()
        return code

    def signal(self, number: int) -> None:
        """Sends the signal to the command (and to the guard, which leaves it to the command)."""
        if self.exit_code() is None:
            self._signal(number)

    def wait(self, within_s: float) -> int | None:
        """The exit code once it has ended, None if it still runs after `within_s` seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        return self.exit_code()

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        with suppress(OSError):
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])
        return ""

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _close(self) -> None:
        """Ends what the command may have left behind in its group. Afterwards its number may be another's."""
        if self._lifeline >= 0:
            self._signal(signal.SIGKILL)
            os.close(self._lifeline)
            self._lifeline = -1
