"""One input and one expected output, in `golden_run/`; whatever befalls the taggers, it has to come out.

python -m tests.simulation.golden       writes the expected output anew: what the oracle says, and nobody else
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from processors.oracle import judge as oracle
from processors.oracle.event import Command, Event, Record
from processors.oracle.judge import OracleChange
from processors.oracle.place import partition_of
from processors.rules.load import load_rules
from processors.rules.tree import RuleSet
from schemas.records import Change
from streams.log import Outgoing, TopicPartition
from streams.verify.told import oracle_change
from tests.properties.engine_run import payload
from tests.simulation.kinds import Kind
from tests.simulation.plan import AT_POINTS, AT_ROUNDS, Mode, Plan, draw
from tests.simulation.sender import home_of
from tests.simulation.watch import watching
from tests.simulation.world import START_MS, World

__all__ = ["WAYS", "by_customer", "events", "expected", "recomputed", "run"]

HERE: Final = Path(__file__).with_name("golden_run")
PARTITIONS: Final = 6
Told = dict[str, list[dict[str, Any]]]
"""By customer their changes in order; without what depends on who wrote them: seq, prev_seq, epoch, emitted_at."""


def rules() -> RuleSet:
    text = (HERE / "rules.yaml").read_text()
    return load_rules({"rules.yaml": text}, time_zone="UTC", default_currency="CNY")


def events() -> tuple[Record, ...]:
    """In order of arrival."""
    return tuple(map(_record, map(orjson.loads, (HERE / "events.jsonl").read_bytes().splitlines())))


def _record(told: dict[str, Any]) -> Record:
    return Command(**told) if told["type"] == "command" else Event(**told)


def expected() -> Told:
    """What must come out."""
    changes: Told = defaultdict(list)
    for line in (HERE / "changes.jsonl").read_bytes().splitlines():
        change = orjson.loads(line)
        changes[change["customer_id"]].append(change)
    return dict(changes)


def by_customer(changes: Iterator[OracleChange]) -> Told:
    found: Told = defaultdict(list)
    for change in changes:
        # as it comes back from a file
        told = orjson.loads(orjson.dumps({name: getattr(change, name) for name in OracleChange.__slots__}))
        found[change.customer_id].append(told)
    return dict(found)


def recomputed() -> Told:
    """By the oracle, each partition by itself, up to its last record."""
    parts: dict[int, list[Record]] = defaultdict(list)
    # at one instant, the topics come in the order of their names
    for event in sorted(events(), key=lambda event: (event.arrival_ms, home_of(event).name)):
        parts[partition_of(event.customer_id, PARTITIONS)].append(event)
    return by_customer(change for part in parts.values() for change in oracle.run(rules(), part, None).changes)


# ------------------------------------------------------------------------------------------------------ the ways


def plainly(world: World) -> None:
    """One tagger, and nothing goes wrong."""


def crashed(world: World) -> None:
    """Taggers die at any moment, come back, and their transactions are aborted."""
    assert world.trace.counts[Kind.CRASH] >= 3


def rescaled(world: World) -> None:
    """Taggers come and go."""
    assert world.trace.counts[Kind.LEFT] >= 3


def from_two_to_three(world: World) -> None:
    """All end in the middle, with snapshots; three others begin with these."""
    while world.trace.counts[Kind.SNAPSHOT_WRITTEN] < PARTITIONS:
        world.play(1)
    world.end_all()
    assert 0 < len(_published(world)) < sum(map(len, expected().values())), "that is not in the middle"
    restored = world.trace.counts[Kind.RESTORED]
    world.plan = replace(world.plan, members=3)
    world.settle()
    assert world.trace.counts[Kind.RESTORED] - restored == PARTITIONS


CRASHES: Final = {kind: 2 * AT_POINTS[kind] for kind in (Kind.CRASH, Kind.MUST_ABORT, Kind.TWIN)}
MOVES: Final = {Kind.LEFT: 8 * AT_ROUNDS[Kind.LEFT], Kind.RESTARTED: 4 * AT_ROUNDS[Kind.RESTARTED]}
WAYS: Final[Mapping[str, tuple[int, Mapping[Kind, float], Callable[[World], None]]]] = {
    "plainly": (1, {}, plainly),
    "crashed": (2, CRASHES, crashed),
    "rescaled": (3, MOVES, rescaled),
    "from two to three": (2, {}, from_two_to_three),
}
"""How many taggers, what goes wrong, and what is to be seen or done besides."""


def run(way: str, seed: int) -> Told:
    """What comes out."""
    members, rates, besides = WAYS[way]
    world = World(_plan(seed, members, rates))
    world.sender.leave_it()
    # the broker takes nothing from the future
    world.clock.sleep((world.plan.events[-1].arrival_ms - START_MS) / 1000)
    for event in world.plan.events:
        key = event.customer_id.encode()
        partition = partition_of(event.customer_id, PARTITIONS)
        world.broker.put(Outgoing(home_of(event).name, partition, key, payload(event), timestamp_ms=event.arrival_ms))
    with watching(world.trace):
        if besides is not from_two_to_three:
            world.run()
        besides(world)
    return by_customer(map(oracle_change, _published(world)))


def _published(world: World) -> list[Change]:
    """Those of a partition in order."""
    places = [TopicPartition(world.topics.changes, number) for number in range(PARTITIONS)]
    return [Change.from_value(r.given_value or b"") for place in places for r in world.broker.partition(place).records]


def _plan(seed: int, members: int, rates: Mapping[Kind, float]) -> Plan:
    return replace(
        draw(seed),
        mode=Mode.BEFORE,
        partitions=PARTITIONS,
        members=members,
        rule_sets=(rules(),),
        events=events(),
        misplaced_percent=0,
        follow_wall=False,
        snapshot_interval_s=0.1,
        snapshots_kept=2,
        max_step_events=2,
        commit_interval_ms=20,
        fetch_most=5,
        max_step_timers=50_000,
        max_poll_ms=1 << 50,
        rounds=60,
        rates=rates,
    )


# ----------------------------------------------------------------------------------------------------- the files


def _drawn() -> Iterator[dict[str, Any]]:
    """The input, as it was once drawn."""
    chance, at_ms = random.Random("golden"), 1_767_225_600_000
    for number in range(400):
        at_ms += chance.choice((0, 1, 60_000, 240_000, 1_500_000))
        event_type = chance.choice(("browse",) * 6 + ("purchase",) * 3 + ("service", "command"))
        told = {"event_id": f"e{number}", "customer_id": f"c{chance.randrange(24)}", "arrival_ms": at_ms}
        if event_type == "command":
            kind = chance.choice(("assign", "assign", "remove"))
            until_ms = chance.choice((None, at_ms + 7_200_000)) if kind == "assign" else None
            yield told | {"type": "command", "kind": kind, "tag": "named", "value": True, "until_ms": until_ms}
            continue
        late_ms = chance.choice((0, 0, 0, 90_000, 4_000_000))
        fields: dict[str, Any] = {
            "browse": {"channel": chance.choice(("app", "web")), "category": chance.choice(("toys", "books"))},
            "purchase": {"amount_cents": chance.choice((1_999, 5_000, 12_000, -3_000))},
            "service": {"sentiment": chance.choice((-0.5, 0.5))},
        }[event_type]
        yield told | {"type": event_type, "event_time_ms": at_ms - late_ms, "fields": fields}


def main() -> None:
    """Both files anew."""
    (HERE / "events.jsonl").write_bytes(b"".join(orjson.dumps(told) + b"\n" for told in _drawn()))
    changes = (change for _, mine in sorted(recomputed().items()) for change in mine)
    (HERE / "changes.jsonl").write_bytes(b"".join(orjson.dumps(change) + b"\n" for change in changes))


if __name__ == "__main__":
    main()
