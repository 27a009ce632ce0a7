"""Processes that die, and processes that are held while they live."""

from __future__ import annotations

from typing import Final

from tests.chaos.fleet import Member, Name
from tests.chaos.scene import SESSION_S, Scene

__all__ = [
    "projector_killed",
    "tagger_killed",
    "tagger_killed_in_a_transaction",
    "tagger_stopped",
    "tagger_stopped_for_long",
    "tagger_stopped_in_a_transaction",
]

TAKEN_AFTER_S: Final = SESSION_S + 4.0
"""The session ends, the others are given the partitions, and take them."""
TRANSACTION_S: Final = 10.0
"""The default of tagger.transaction_timeout_ms: then the broker aborts what is open."""
DECIDED_S: Final = 0.3
"""A commit takes some milliseconds, on a busy machine some tens."""
AIMS: Final = 60
"""A tagger under load is in a transaction for a fifth of its time or more."""


def _one_of(scene: Scene, kind: Name) -> Member:
    return scene.chance.choice(scene.fleet.of(kind))


def _holds_a_transaction(scene: Scene) -> bool:
    """Whether somebody who was just stopped has one open: all others decide theirs in the meantime."""
    first = scene.open_transactions()
    if not first:
        return False
    scene.wait(DECIDED_S)
    return bool(first & scene.open_transactions())


def tagger_killed(scene: Scene) -> None:
    scene.fleet.kill(_one_of(scene, "tagger"))


def projector_killed(scene: Scene) -> None:
    scene.fleet.kill(_one_of(scene, "projector"))


def tagger_stopped(scene: Scene) -> None:
    with _one_of(scene, "tagger").stopped():
        scene.wait(scene.chance.uniform(1, SESSION_S - 3))


def tagger_stopped_for_long(scene: Scene) -> None:
    """The others have its partitions when it wakes, and it does not know."""
    with _one_of(scene, "tagger").stopped():
        scene.wait(TAKEN_AFTER_S)


def tagger_killed_in_a_transaction(scene: Scene) -> None:
    member = _one_of(scene, "tagger")
    for _ in range(AIMS):
        with member.stopped():
            if _holds_a_transaction(scene):
                scene.hit("killed in a transaction")
                member.role.child.kill()
                break
        scene.wait(scene.chance.uniform(0, 0.05))
    scene.fleet.kill(member)


def tagger_stopped_in_a_transaction(scene: Scene) -> None:
    """Until the broker has aborted the transaction and given its partitions away; then it wakes and would go on."""
    member = _one_of(scene, "tagger")
    for _ in range(AIMS):
        with member.stopped():
            if _holds_a_transaction(scene):
                scene.hit("stopped in a transaction")
                scene.wait(TRANSACTION_S + 2)
                return
        scene.wait(scene.chance.uniform(0, 0.05))
