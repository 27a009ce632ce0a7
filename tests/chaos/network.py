"""Networks of their own, so that a cable can be pulled: a namespace for the run, and in it one for each caged process.

    the run's namespace                       a cage
    lo: 127.0.0.1, SERVERS                    lo: 127.0.0.1
    cageN: 10.200.N.1/30  <---- veth ---->    cage: 10.200.N.2/30, the way to everything

The servers listen to SERVERS, which every cage reaches. The cable is pulled by taking the run's end down: packets are
lost in both directions and nobody is told, as with a switch that dies. A kernel removes a cage with its last process.

No privileges are needed where the kernel lets everybody make user namespaces. Linux alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.processes import Process
from benchmarks.stand import ROOT, Place
from streams.local.child import Child

__all__ = ["SERVERS", "Cable", "enter", "why_not"]

SERVERS: Final = "10.200.0.1"
INSIDE: Final = "TAGSTREAM_CHAOS_NETWORK"
"""Set in the run's own namespace. It is no setting: those of the product are forgotten before any is read."""
WAYS: Final = (("unshare", "--user", "--map-root-user", "--net"), ("unshare", "--net"))
"""The second for root where user namespaces are switched off."""
JOINED_WITHIN_S: Final = 20.0
LOOK_EVERY_S: Final = 0.02
TRIED_WITHIN_S: Final = 10.0
CURE: Final = (
    "install iproute2 and util-linux, and allow user namespaces (sysctl kernel.unprivileged_userns_clone=1 or "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container, --privileged)"
)


def enter() -> None:
    """Run this program again, in a namespace of its own, if the machine allows it; returns where it does not, and in
    the namespace itself."""
    if INSIDE in os.environ:
        _ip("link", "set", "lo", "up")
        _ip("addr", "add", f"{SERVERS}/32", "dev", "lo")
        return
    way = next((way for way in WAYS if _works(way)), None)
    if way is not None:
        sys.stdout.flush()
        os.execvpe(way[0], [*way, sys.executable, *sys.orig_argv[1:]], {**os.environ, INSIDE: "yes"})


def why_not() -> str | None:
    """Why no cable can be pulled here, with the cure; None: it can."""
    return None if INSIDE in os.environ else f"this machine gives no network namespaces; {CURE}"


class Cable:
    """Between the run and one cage; a new one for each process. Numbers are below 64,000."""

    _count = 0

    def __init__(self) -> None:
        Cable._count += 1
        high, low = divmod(Cable._count, 64)
        self._name = f"cage{Cable._count}"
        self._ours, theirs = (f"10.{201 + high // 256}.{high % 256}.{4 * low + last}" for last in (1, 2))
        self.place = Place(theirs, ("unshare", "--net", sys.executable, "-I", "-S", str(CAGE), self._ours, theirs))
        """Where the process runs that is to be plugged in."""

    def plug(self, child: Child) -> None:
        """Lay the cable to a process that was started at `place`. Raises AssertionError if it does not come so far."""
        last = time.monotonic() + JOINED_WITHIN_S
        while (process := Process.of_child(child)) is None or not _is_apart(process.pid):
            assert child.exit_code() is None and time.monotonic() < last, f"no cage: {child.tail()}"
            time.sleep(LOOK_EVERY_S)
        _ip("link", "add", self._name, "type", "veth", "peer", "name", "cage", "netns", str(process.pid))
        _ip("addr", "add", f"{self._ours}/30", "dev", self._name)
        _ip("link", "set", self._name, "up")

    def pull(self) -> None:
        _ip("link", "set", self._name, "down")

    def push(self) -> None:
        _ip("link", "set", self._name, "up")


CAGE: Final = ROOT / "tests" / "chaos" / "cage.py"


def _is_apart(pid: int) -> bool:
    """Whether a process has left our namespace."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    except OSError:
        return False


def _works(way: tuple[str, ...]) -> bool:
    """Whether a namespace can be made in that way, and a cage in it, with a cable between them."""
    if shutil.which("unshare") is None or shutil.which("ip") is None or not Path("/proc/self/ns/net").exists():
        return False
    script = "ip link add cage0 type veth peer name cage1 && unshare --net true"
    done = subprocess.run([*way, "sh", "-c", script], capture_output=True, timeout=TRIED_WITHIN_S, check=False)
    return done.returncode == 0


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=TRIED_WITHIN_S)
