"""Pulled cables: the process lives and works, and nobody hears of it."""

from __future__ import annotations

from tests.chaos.faults.processes import TAKEN_AFTER_S
from tests.chaos.fleet import Member, Name
from tests.chaos.scene import PROJECTOR_SESSION_S, SESSION_S, Scene

__all__ = ["projector_cut_off", "tagger_cut_off", "tagger_cut_off_for_long"]


def _caged(scene: Scene, kind: Name) -> Member:
    return next(member for member in scene.fleet.of(kind) if member.cable is not None)


def tagger_cut_off(scene: Scene) -> None:
    """Not for so long that its session ends."""
    with _caged(scene, "tagger").cut_off():
        scene.wait(scene.chance.uniform(1, SESSION_S - 3))


def tagger_cut_off_for_long(scene: Scene) -> None:
    with _caged(scene, "tagger").cut_off():
        scene.wait(TAKEN_AFTER_S)


def projector_cut_off(scene: Scene) -> None:
    """From the broker and from Redis, until its partitions are taken."""
    with _caged(scene, "projector").cut_off():
        scene.wait(PROJECTOR_SESSION_S + 4)
