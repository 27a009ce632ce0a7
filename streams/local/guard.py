"""Runs one command and ends it when the process that asked for it is gone, however that one ended.

    python -I -S guard.py LIFELINE COMMAND…

LIFELINE is the number of a pipe's reading end, whose writing end only the asking process holds: when that process
dies, even by SIGKILL, the pipe ends. Linux' own means (PR_SET_PDEATHSIG) alone would not do: it acts when the *thread*
that started the child ends. Between this process, which has one thread, and the command it does, and is used.

Signals that end a process are left to the command, which gets them as a member of the same process group. This
process ends when the command does, with its exit code, or 128 and the signal's number. Only the standard library is
used, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
"""From <sys/prctl.h>."""
CHECK_PARENT_S = 1.0
"""The pipe does not end while a forked copy of the asking process holds it too, so its life is also looked up."""


def main() -> int:
    lifeline, command = int(sys.argv[1]), sys.argv[2:]
    parent = os.getppid()
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    # A handler that does nothing, not SIG_IGN, which the command would inherit.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    child = subprocess.Popen(command, preexec_fn=_die_with_parent)
    while child.poll() is None:
        ready, _, _ = select.select([lifeline, wake_read], [], [], CHECK_PARENT_S)
        if wake_read in ready:
            os.read(wake_read, 4096)
        if lifeline in ready or os.getppid() != parent:
            child.kill()
            child.wait()
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
