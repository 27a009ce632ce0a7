"""Does the harm: each kind of fault once, in an order drawn from the seed, then on at random until the time is up.

Between two faults it waits until the pipeline has caught up, and that is measured; in the second round and later it
sometimes does not wait, so that a fault meets the recovery from another one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from streams.clock import SystemClock
from streams.local.server import Say
from tests.chaos.faults.kinds import Kind
from tests.chaos.scene import Scene

__all__ = ["Fired", "direct", "wait_until_mended"]

QUIET_S: Final = (0.5, 3.0)
"""Between a recovery and the next fault."""
AT_ONCE: Final = 0.3
"""How often the next fault does not wait, once each was done by itself."""
GIVEN_UP_AFTER: Final = 4
"""Times the bound: who has not recovered by then does not."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A fault that was done."""

    kind: Kind
    began_ms: int
    harm_s: float
    """How long it was done."""
    mended_s: float | None
    """From the end of the harm until all that had arrived by then could be read in Redis. None: nobody waited."""


def direct(scene: Scene, kinds: tuple[Kind, ...], seconds: float, say: Say) -> list[Fired]:
    """Returns what was done. The first round is finished even if it takes longer."""
    fired: list[Fired] = []
    last = time.monotonic() + seconds
    while True:
        for kind in scene.chance.sample(kinds, len(kinds)):
            first_round = len(fired) < len(kinds)
            if not first_round and time.monotonic() > last:
                wait_until_mended(scene, "the end", max(k.mended_within_s for k in kinds))
                return fired
            say(f"{last - time.monotonic():.0f} s left: {kind.name}")
            waits = first_round or scene.chance.random() > AT_ONCE
            fired.append(_fire(scene, kind, waits))
            if waits:
                say(f"{kind.name}: mended in {fired[-1].mended_s:.1f} s")
                scene.wait(scene.chance.uniform(*QUIET_S))


def _fire(scene: Scene, kind: Kind, waits: bool) -> Fired:
    began_ms, began_s = SystemClock().wall_ms(), time.monotonic()
    kind.inflict(scene)
    harm_s = time.monotonic() - began_s
    mended_s = wait_until_mended(scene, kind.name, kind.mended_within_s) if waits else None
    return Fired(kind, began_ms, harm_s, mended_s)


def wait_until_mended(scene: Scene, after: str, within_s: float) -> float:
    """Seconds until what has arrived by now can be read in Redis."""
    over_ms, began_s = SystemClock().wall_ms(), time.monotonic()

    def mended() -> bool:
        return scene.watch.applied_ms() >= over_ms and scene.watch.shown_ms() >= over_ms

    scene.until(mended, GIVEN_UP_AFTER * within_s * scene.patience)
    took_s = time.monotonic() - began_s
    scene.promise(f"the recovery from {after}", took_s, within_s)
    return took_s
