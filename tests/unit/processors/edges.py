"""When a tag flips, to the millisecond, seen in two ways: live, with the clock just before, at and behind each flip,
and late, with one look at the end of all that must still give each flip its exact time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from processors.partition import Partition
from schemas.codec import event_from_json
from schemas.records import Command, CommandKind, Value
from tests.unit.processors.world import START_MS, Record, World, rules

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

Flips = Sequence[tuple[object, int]]
"""(value after, ms after START_MS) of each change, in their order; None where the tag is left."""

_serial = iter(range(1 << 60))


def happens(event: str, at_ms: int, /, *, time_ms: int | None = None, customer: str = "c", **fields: object) -> Record:
    """An event of this type that arrives `at_ms` after START_MS and happened then, or at `time_ms` after it."""
    happened = START_MS + (at_ms if time_ms is None else time_ms)
    named = {"event_id": f"edge {next(_serial)}", "customer_id": customer, "event_time": happened}
    return Record(event_from_json(event, {**named, **fields}), at_ms)


def purchase(at_ms: int, *, time_ms: int | None = None, customer: str = "c", **fields: object) -> Record:
    return happens("purchase", at_ms, time_ms=time_ms, customer=customer, **fields)


def browse(at_ms: int, *, time_ms: int | None = None, customer: str = "c", **fields: object) -> Record:
    return happens("browse", at_ms, time_ms=time_ms, customer=customer, **fields)


def said(at_ms: int, kind: CommandKind, value: Value | None = None, *, until_ms: int | None = None) -> Record:
    """A command about the tag `t`; its term ends `until_ms` after START_MS, or never."""
    command = Command(
        command_id=f"edge {next(_serial)}", customer_id="c", kind=kind, tag="t", value=value, reason=None, actor="a",
        until=None if until_ms is None else START_MS + until_ms, issued_at=START_MS + at_ms,
    )  # fmt: skip
    return Record(command.to_avro(), at_ms)


def world_of(rule: str, zone: str = "UTC") -> World:
    """A partition for one tag `t`."""
    return _world({"t": rule}, zone)


def _world(tags: Mapping[str, str], zone: str) -> World:
    return World(Partition(replace(rules(**tags), time_zone=zone)))


def _flips_of_each(one: World, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Flips]:
    """The flips so far by customer and tag, those of the wanted ones also where there are none."""
    found: dict[tuple[str, str], list[tuple[object, int]]] = {key: [] for key in wanted}
    for change in one.changes:
        found.setdefault((change.customer_id, change.tag), []).append((change.after, change.effective_at - START_MS))
    return dict(found)


def assert_flips_of_each(
    tags: Mapping[str, str],
    history: Sequence[Record],
    expected: Mapping[tuple[str, str], Flips],
    *,
    zone: str = "UTC",
    until_ms: int | None = None,
) -> None:
    """Each customer's tags flip at these times, none a millisecond too early or too late, and nothing else flips.

    `until_ms` is by when everything must have left, a while behind the last flip if it is not given. (Days without
    anything cost time here: the interpreted wheel turns minute by minute.)
    """
    times = {at_ms for flips in expected.values() for _, at_ms in flips}
    end_ms = max(times, default=DAY) + 2 * HOUR + 2 if until_ms is None else until_ms
    late = _world(tags, zone)
    late.step(*history, to_ms=end_ms)
    found, wanted = _flips_of_each(late, expected), {key: list(flips) for key, flips in expected.items()}
    assert found == wanted, f"in one step {found}, not {wanted}"
    live = _world(tags, zone)
    waiting = list(history)
    for look_ms in sorted({at_ms + off for at_ms in times for off in (-1, 0, 1)}):
        due = [record for record in waiting if record.at_ms <= look_ms]
        waiting = waiting[len(due) :]
        live.step(*due, to_ms=look_ms)
        so_far = {key: [flip for flip in flips if flip[1] <= look_ms] for key, flips in expected.items()}
        found = _flips_of_each(live, expected)
        assert found == so_far, f"by {look_ms} {found}, not {so_far}"


def assert_flips(
    rule: str, history: Sequence[Record], expected: Flips, *, zone: str = "UTC", until_ms: int | None = None
) -> None:
    """As `assert_flips_of_each`, of the tag `t` of the customer `c`."""
    assert_flips_of_each({"t": rule}, history, {("c", "t"): expected}, zone=zone, until_ms=until_ms)
