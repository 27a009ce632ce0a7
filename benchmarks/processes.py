"""What a process has used, from Linux' /proc; None where the system has no such thing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from streams.local.child import Child

__all__ = ["Process"]

PROC: Final = Path("/proc")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Process:
    """One process, by its number."""

    pid: int

    @classmethod
    def of_child(cls, child: Child) -> Self | None:
        """The command of a child, which runs below the child's guard."""
        return next((cls(pid) for pid, parent in _parents() if parent == child.pid), None)

    @classmethod
    def of_broker(cls) -> Self | None:
        """The broker that we started as a child process; one in a container is not found."""
        ours = {os.getpid()}
        found = None
        # Numbers rise from parent to child unless they have wrapped around; two rounds do for what is two deep.
        for pid, parent in [*_parents()] * 2:
            if parent in ours:
                ours.add(pid)
                if b"\0kafka.Kafka\0" in _read(pid, "cmdline") and b"guard.py" not in _read(pid, "cmdline"):
                    found = cls(pid)
        return found

    def cpu_s(self) -> float | None:
        """Processor seconds, of the user's and the system's time, of all its threads."""
        # The name in brackets may hold anything; behind it stand the state and then numbers.
        fields = _read(self.pid, "stat").rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S if fields else None

    def peak_mib(self) -> float | None:
        """The most memory that it ever held."""
        for line in _read(self.pid, "status").splitlines():
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) / MIB
        return None


def _parents() -> Iterator[tuple[int, int]]:
    """(process, its parent) of all processes."""
    for entry in sorted((int(e.name) for e in PROC.iterdir() if e.name.isdecimal()) if PROC.is_dir() else ()):
        fields = _read(entry, "stat").rpartition(b")")[2].split()
        if fields:
            yield entry, int(fields[1])


def _read(pid: int, name: str) -> bytes:
    """A file of a process; empty if it has ended."""
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
