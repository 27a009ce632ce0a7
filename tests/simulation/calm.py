"""The same events once more, with one tagger and nothing that goes wrong: what came of them must be the same."""

from __future__ import annotations

from dataclasses import replace

from processors.oracle.judge import Result
from schemas.records import Change
from streams.log import TopicPartition
from streams.verify.told import oracle_change
from tests.oracle.difference import diff
from tests.simulation.judge import Wrong, has_late_timers_rebuilt, judge
from tests.simulation.plan import KEEP_ALL
from tests.simulation.watch import watching
from tests.simulation.world import World

__all__ = ["compare_with_calm", "is_comparable"]


def is_comparable(world: World) -> bool:
    """Whether what comes of the events depends on nothing but them."""
    return world.plan.strict and not world.plan.changes_rules and not has_late_timers_rebuilt(world)


def compare_with_calm(world: World) -> None:
    """Changes of each customer, in content and order, of a run that is over and of one without faults. Raises Wrong."""
    plan = replace(world.plan, members=1, rates={}, rounds=1, snapshots_kept=KEEP_ALL, fetch_most=20_000)
    calm = World(plan)
    calm.sender.leave_it()
    for number in range(plan.partitions):
        for place in world.topics.sources_of(number):
            calm.broker.take_over(place, world.broker.partition(place))
    with watching(calm.trace):
        calm.run()
    calm.sender.meanings = world.sender.meanings
    judge(calm)
    for number in range(plan.partitions):
        difference = diff(result_of(calm, number), result_of(world, number))
        if difference is not None:
            raise Wrong(f"without faults partition {number} comes to something else: {difference}")


def result_of(world: World, number: int) -> Result:
    """The changes of a partition, in the oracle's words."""
    records = world.broker.partition(TopicPartition(world.topics.changes, number)).records
    return Result([oracle_change(Change.from_value(r.given_value or b"")) for r in records])
