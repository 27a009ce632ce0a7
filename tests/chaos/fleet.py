"""The product's processes: who runs, who is started again, and what may be done to one of them."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from benchmarks.processes import Process
from benchmarks.stand import Role, Stand
from tests.chaos.network import Cable

__all__ = ["Fleet", "Member", "Name"]

Name = Literal["tagger", "projector"]
AGAIN_AFTER_S: Final = 0.5
"""A process that ended by itself is started again, as a supervisor does; not at once, or one that cannot start would
keep a core busy."""


@dataclass(slots=True)
class Member:
    """One process. Its name outlives it: who is started again under it has its partitions back."""

    role: Role
    kind: Name
    name: str
    cable: Cable | None
    leaves: bool
    """When asked to end, it gives its partitions to the others at once."""
    pid: int | None = None

    def signal(self, number: int) -> None:
        """To the process alone, not to the guard above it, which must see to it that nothing is left."""
        if self.pid is None:
            found = Process.of_child(self.role.child)
            assert found is not None, f"{self.name} does not run: {self.role.child.tail()}"
            self.pid = found.pid
        os.kill(self.pid, number)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Held as by a debugger, or a virtual machine that is moved: it does nothing and learns nothing."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Its cable is pulled."""
        assert self.cable is not None
        self.cable.pull()
        try:
            yield
        finally:
            self.cable.push()


@dataclass(slots=True)
class Fleet:
    """All of them. A process that ends by itself is started again, and counted."""

    stand: Stand
    settings: dict[str, str]
    caged: frozenset[str]
    """Names of members with a network of their own."""
    members: dict[str, Member] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    """How often somebody ended without being told to, by kind and exit code."""
    _again_at_s: dict[str, float] = field(default_factory=dict)

    def start(self, kind: Name, name: str, leaves: bool = False) -> Member:
        """A new process of that name."""
        cable = Cable() if name in self.caged else None
        flags = ("--leave",) if leaves else ()
        settings = {**self.settings, "KAFKA__INSTANCE_ID": name}
        if cable is None:
            role = self.stand.start(kind, *flags, **settings)
        else:
            role = self.stand.start_at(cable.place, kind, *flags, **settings)
            cable.plug(role.child)
        self.members[name] = Member(role, kind, name, cable, leaves)
        return self.members[name]

    def of(self, kind: Name) -> list[Member]:
        """In order of their names."""
        return sorted((m for m in self.members.values() if m.kind == kind), key=lambda m: m.name)

    def kill(self, member: Member) -> None:
        """SIGKILL, and it is started again."""
        member.role.child.kill()
        self.start(member.kind, member.name, member.leaves)

    def stop(self, member: Member, within_s: float) -> float:
        """Ask it to end. Returns the seconds that it took; it is no member any more."""
        del self.members[member.name]
        began_s = time.monotonic()
        member.role.child.stop(within_s)
        return time.monotonic() - began_s

    def tend(self) -> None:
        """Start those again that have ended. To be called often."""
        for member in list(self.members.values()):
            code = member.role.child.exit_code()
            if code is None:
                continue
            if member.name not in self._again_at_s:
                self.ended[f"{member.kind}: exit code {code}"] += 1
                self._again_at_s[member.name] = time.monotonic() + AGAIN_AFTER_S
            elif time.monotonic() > self._again_at_s[member.name]:
                del self._again_at_s[member.name]
                member.role.child.kill()
                self.start(member.kind, member.name, member.leaves)
