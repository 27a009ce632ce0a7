"""Rules that are changed while everything goes on, there and back."""

from __future__ import annotations

from typing import Final

from streams.clock import SystemClock
from tests.chaos.scene import Scene

__all__ = ["rules_changed", "rules_changed_and_tagger_killed"]

IN_FORCE_WITHIN_S: Final = 600.0
"""All events that there are count again, and partitions change one after the other."""
TRIES: Final = 5
"""`tagstream apply` ends if it meets a broker that another fault has taken away."""
KILLED_AFTER_S: Final = (0.0, 6.0)
"""It takes a second to start."""


def rules_changed(scene: Scene) -> None:
    _change(scene, killing=False)


def rules_changed_and_tagger_killed(scene: Scene) -> None:
    _change(scene, killing=True)


def _change(scene: Scene, killing: bool) -> None:
    """Bring the other rules in force, and wait until every partition works by them."""
    directory = scene.other_rules()
    for _ in range(TRIES):
        role = scene.fleet.stand.start("apply", "--rules", str(directory), "--yes", "--timeout", "540")
        if killing:
            killing = False
            scene.wait(scene.chance.uniform(*KILLED_AFTER_S))
            scene.fleet.kill(scene.chance.choice(scene.fleet.of("tagger")))
        scene.until(lambda child=role.child: child.exit_code() is not None, IN_FORCE_WITHIN_S)  # type: ignore[misc]
        if role.child.exit_code() == 0:
            scene.hit("rules changed")
            return
    text = f"the rules are not in force: {role.child.tail(5)}"
    scene.findings.note("I6", text, SystemClock().wall_ms())
