"""What operators do: restarts one by one under the same names, more processes and fewer. Nothing of it may hurt, and
none of it may take long.
"""

from __future__ import annotations

import signal
import time

from tests.chaos.fleet import Member, Name
from tests.chaos.scene import ENDS_WITHIN_S, JOINED_WITHIN_S, LEFT_WITHIN_S, Scene

__all__ = ["projectors_restarted", "projectors_scaled", "taggers_restarted", "taggers_scaled"]

KILLED_AFTER_S = 30.0
"""Longer than is promised, so that what takes too long is seen, and ends nevertheless."""


def taggers_restarted(scene: Scene) -> None:
    _restart(scene, "tagger")


def projectors_restarted(scene: Scene) -> None:
    _restart(scene, "projector")


def taggers_scaled(scene: Scene) -> None:
    _scale(scene, "tagger")


def projectors_scaled(scene: Scene) -> None:
    _scale(scene, "projector")


def _restart(scene: Scene, kind: Name) -> None:
    for member in scene.fleet.of(kind):
        took_s = scene.fleet.stop(member, KILLED_AFTER_S)
        scene.promise(f"the end of {member.name}", took_s, ENDS_WITHIN_S)
        scene.fleet.start(kind, member.name)
        scene.joined(kind)


def _scale(scene: Scene, kind: Name) -> None:
    """From all to one, to three, to one, and back to all."""
    first, *others = scene.fleet.of(kind)
    # who was not started to leave would keep its partitions from the others until its session ends
    for member in others:
        scene.fleet.stop(member, KILLED_AFTER_S)
        scene.fleet.start(kind, member.name, leaves=True)
    scene.joined(kind)
    _leave(scene, kind, [scene.fleet.members[member.name] for member in others])
    more = [scene.fleet.start(kind, f"{first.name}-more{number}", leaves=True) for number in (1, 2)]
    scene.joined(kind)
    _leave(scene, kind, more)
    for member in others:
        scene.fleet.start(kind, member.name)
    scene.joined(kind)


def _leave(scene: Scene, kind: Name, leaving: list[Member]) -> None:
    """All at once; the first time-piece is their end, the second that of those who stay."""
    began_s = time.monotonic()
    for member in leaving:
        del scene.fleet.members[member.name]
        member.role.child.signal(signal.SIGTERM)
    for member in leaving:
        code = member.role.child.wait(KILLED_AFTER_S)
        took_s = time.monotonic() - began_s
        scene.promise(f"the end of {member.name} (exit code {code}), which left,", took_s, ENDS_WITHIN_S)
        member.role.child.kill()
    staying = [member.name for member in scene.fleet.of(kind)]
    scene.wait_until_all_run(kind, staying, JOINED_WITHIN_S)
    scene.promise(f"until {', '.join(staying)} had the partitions", time.monotonic() - began_s, LEFT_WITHIN_S)
