"""The catalogue of faults. Each is a function that does harm to a scene and returns when the harm is over, as far as it
is up to whoever did it; what is left is the product's to mend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.faults import groups, network, processes, rules, servers
from tests.chaos.scene import Scene

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault."""

    name: str
    inflict: Callable[[Scene], None]
    mended_within_s: float
    """From the end of the harm until all that had arrived by then can be read in Redis."""
    needs_network: bool = False
    is_short: bool = False
    """Done in the short form too: one of each sort."""


KINDS: tuple[Kind, ...] = (
    Kind("tagger killed", processes.tagger_killed, 30),
    Kind("tagger killed in a transaction", processes.tagger_killed_in_a_transaction, 30, is_short=True),
    Kind("projector killed", processes.projector_killed, 30, is_short=True),
    Kind("tagger stopped for a moment", processes.tagger_stopped, 20),
    Kind("tagger stopped, its partitions taken", processes.tagger_stopped_for_long, 30, is_short=True),
    Kind("tagger stopped in a transaction", processes.tagger_stopped_in_a_transaction, 40),
    Kind("tagger cut off for a moment", network.tagger_cut_off, 30, needs_network=True, is_short=True),
    Kind("tagger cut off, its partitions taken", network.tagger_cut_off_for_long, 40, needs_network=True),
    Kind("projector cut off", network.projector_cut_off, 40, needs_network=True),
    Kind("broker killed", servers.broker_killed, 60, is_short=True),
    Kind("broker's disk full", servers.broker_disk_full, 60),
    Kind("broker stopped", servers.broker_stopped, 60),
    Kind("Redis killed", servers.redis_killed, 30),
    Kind("Redis emptied", servers.redis_emptied, 60, is_short=True),
    Kind("Redis full", servers.redis_full, 30),
    Kind("Redis read-only", servers.redis_read_only, 30),
    Kind("taggers restarted one by one", groups.taggers_restarted, 30),
    Kind("projectors restarted one by one", groups.projectors_restarted, 30),
    Kind("taggers scaled 1, 3, 1", groups.taggers_scaled, 30, is_short=True),
    Kind("projectors scaled 1, 3, 1", groups.projectors_scaled, 30),
    Kind("rules changed", rules.rules_changed, 60),
    Kind("rules changed, a tagger killed", rules.rules_changed_and_tagger_killed, 60, is_short=True),
)
"""All that there are. A run is good only if each of them was done that this machine can do."""
