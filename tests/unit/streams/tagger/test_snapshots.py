"""streams.tagger.snapshots, restore and rebuild: a partition taken from a snapshot is as if it had never been left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from schemas.errors import StateError
from schemas.records import JournalRecord
from streams.tagger.snapshots import Saved
from streams.tagger.work import Work
from tests.unit.streams.tagger.memory_log import MemoryLog
from tests.unit.streams.tagger.taking import (
    BROWSE,
    JOURNAL,
    MINUTE_MS,
    RECENT,
    SNAPSHOTS,
    START_MS,
    VISITED,
    changes,
    journal,
    rewrite,
    run,
    send,
    snapshot,
    step,
    taken,
)  # fmt: skip


def lived(log: MemoryLog, snapshots: int = 1) -> Work:
    """A partition that was stepped for some minutes, with snapshots on the way and steps behind the last one."""
    work = taken(log, RECENT).work
    saved = Saved(0.0)
    minute = 0
    for round_ in range(snapshots + 1):
        for _ in range(3):
            send(log, f"c{minute % 4}", START_MS + minute * MINUTE_MS)
            stamp = step(log, work, START_MS + minute * MINUTE_MS + 30_000)
            minute += 1
        if round_ < snapshots:
            snapshot(log, work, stamp.offset + 1, saved)
    return work


def memory(work: Work) -> np.ndarray:
    """All words of the state."""
    return work.engine.copy(np.empty(0, np.int64))


def same(one: Work, other: Work) -> bool:
    """Whether both would go on alike: their tags, numbers, clocks and places."""
    return (
        one.tags_by_customer() == other.tags_by_customer()
        and (one.number, one.engine.seq, one.engine.clock) == (other.number, other.engine.seq, other.engine.clock)
        and one.offsets() == other.offsets()
        and [s.applied_arrival for s in one.sources] == [s.applied_arrival for s in other.sources]
    )


def manifests(log: MemoryLog) -> list[JournalRecord]:
    return [r for r in journal(log) if r.kind == "snapshot"]


def damage(log: MemoryLog, number: int) -> None:
    """Change a byte in the first chunk of a snapshot."""
    manifest = manifests(log)[number].manifest
    assert manifest is not None
    record = next(r for r in log.records[SNAPSHOTS] if r.at_offset == manifest.first)
    value = bytearray(record.given_value or b"")
    value[4_000] ^= 1
    rewrite(log, SNAPSHOTS, manifest.first, bytes(value))


def test_a_partition_that_is_taken_from_a_snapshot_goes_on_as_if_it_had_never_been_left(log: MemoryLog) -> None:
    left = lived(log)
    told = changes(log)
    log.records[BROWSE] = [r for r in log.records[BROWSE] if r.at_offset >= 3]  # nobody needs what lies before it
    again = taken(log, RECENT)
    assert same(again.work, left)
    assert (memory(again.work) == memory(left)).all()
    assert len(again.manifests) == 1 and again.records == 3
    send(log, "c1", START_MS + 20 * MINUTE_MS)
    step(log, again.work, START_MS + 30 * MINUTE_MS)
    fresh = MemoryLog()
    for minute in range(6):
        send(fresh, f"c{minute % 4}", START_MS + minute * MINUTE_MS)
        run(fresh, RECENT, START_MS + minute * MINUTE_MS + 30_000)
    send(fresh, "c1", START_MS + 20 * MINUTE_MS)
    run(fresh, RECENT, START_MS + 30 * MINUTE_MS)
    assert len(changes(log)) > len(told)
    assert [(c.id, c.tag, c.op, c.effective_at, c.prev_seq) for c in changes(log)] == [
        (c.id, c.tag, c.op, c.effective_at, c.prev_seq) for c in changes(fresh)
    ]


def test_journal_and_chunks_are_cut_behind_the_older_of_two_snapshots(log: MemoryLog) -> None:
    left = lived(log, snapshots=3)
    kept = manifests(log)
    assert [r.step for r in kept] == [6, 9]
    assert min(r.step for r in journal(log) if r.kind == "step") == 7
    oldest = kept[0].manifest
    assert oldest is not None and log.extent(SNAPSHOTS)[0] == oldest.first
    assert same(taken(log, RECENT).work, left)


def test_a_damaged_snapshot_is_passed_over_for_the_one_before(log: MemoryLog) -> None:
    left = lived(log, snapshots=3)
    damage(log, 1)
    again = taken(log, RECENT)
    assert same(again.work, left)
    assert again.records == 6
    assert [m.first for m in again.manifests] == [m.manifest.first for m in manifests(log)[:1] if m.manifest]


def lose_a_chunk(log: MemoryLog) -> None:
    log.records[SNAPSHOTS] = []


def damage_both(log: MemoryLog) -> None:
    damage(log, 0)
    damage(log, 1)


@pytest.mark.parametrize("spoil", [damage_both, lose_a_chunk])
def test_without_a_whole_snapshot_the_state_is_made_of_the_events(
    log: MemoryLog, spoil: Callable[[MemoryLog], None]
) -> None:
    left = lived(log, snapshots=3)
    told = len(changes(log))
    spoil(log)
    again = taken(log, RECENT)
    assert same(again.work, left)
    assert len(changes(log)) == told, "nothing is published again"
    send(log, "c1", START_MS + 20 * MINUTE_MS)
    step(log, again.work)
    assert changes(log)[-1].prev_seq == max(c.seq for c in changes(log)[:-1] if c.customer_id == "c1")


def test_without_a_snapshot_and_without_the_events_the_partition_stops_unless_their_loss_is_accepted(
    log: MemoryLog,
) -> None:
    left = lived(log, snapshots=3)
    damage_both(log)
    log.records[BROWSE] = [r for r in log.records[BROWSE] if r.at_offset >= 6]
    with pytest.raises(StateError, match=r"TS-S104.*events.browse\[0\] lacks offsets 0 to 5"):
        taken(log, RECENT)
    again = taken(log, RECENT, accept_loss=True)
    # of three visits two are gone
    assert left.tags_by_customer()["c0"] == {"t1": True}
    assert "c0" not in again.work.tags_by_customer()
    lost = {(c.customer_id, c.tag, c.op, c.origin) for c in changes(log)[-2:]}
    assert lost == {("c0", "t1", "left", "backfill"), ("c1", "t1", "left", "backfill")}
    assert same(taken(log, RECENT, accept_loss=True).work, again.work)


def test_events_between_the_snapshot_and_the_journals_end_must_be_there(log: MemoryLog) -> None:
    lived(log)
    log.records[BROWSE] = [r for r in log.records[BROWSE] if r.at_offset >= 4]
    with pytest.raises(StateError, match=r"TS-S104.*lacks offsets 3 to 3"):
        taken(log, RECENT)


def test_other_rules_cannot_use_the_snapshot(log: MemoryLog) -> None:
    lived(log, snapshots=3)
    again = taken(log, VISITED)
    assert again.changed
    assert again.work.tags_by_customer() == {f"c{n}": {"t0": True} for n in range(4)}
    assert changes(log)[-1].origin == "backfill"
    told = len(changes(log))
    assert same(taken(log, VISITED).work, again.work)
    assert len(changes(log)) == told


def test_a_step_that_is_missing_in_the_journal_is_an_error(log: MemoryLog) -> None:
    lived(log, snapshots=2)
    log.records[JOURNAL] = [r for r in log.records[JOURNAL] if JournalRecord.from_value(r.given_value or b"").step != 8]
    with pytest.raises(StateError, match=r"TS-S105.*step 9 follows 7"):
        taken(log, RECENT)


def test_a_zombies_snapshot_does_not_count(log: MemoryLog) -> None:
    left = lived(log)
    zombie = manifests(log)[-1]
    claimed = taken(log, RECENT).work
    log.append(JOURNAL, b"0", zombie.to_avro())
    send(log, "c0", START_MS + 20 * MINUTE_MS)
    step(log, claimed)
    assert left.number + 1 == claimed.number
    assert same(taken(log, RECENT).work, claimed)


def test_a_bound_on_remembered_ids_that_is_changed_holds_from_its_claim_on(log: MemoryLog) -> None:
    work = taken(log, VISITED, dedupe_max_ids=4).work
    for number in range(8):
        send(log, f"c{number}", START_MS)
    step(log, work)
    first = log.records[BROWSE][0].given_value
    log.append(BROWSE, b"c0", first, START_MS + 1)
    step(log, work)
    assert journal(log)[-1].outcomes[-1] == 1, "it is forgotten"
    again = taken(log, VISITED, dedupe_max_ids=1_000).work
    assert same(again, work)
    log.append(BROWSE, b"c0", first, START_MS + 2)
    step(log, again)
    assert journal(log)[-1].outcomes[-1] == 0
    assert same(taken(log, VISITED, dedupe_max_ids=4).work, again)
