"""streams.tagger.snapshots, restore and rebuild: a partition taken from a snapshot is as if it had never been left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from schemas.errors import StateError
from schemas.records import JournalRecord
from streams.clock import ManualClock
from streams.tagger.snapshots import Saved, Snapshots, Written
from streams.tagger.work import Work
from tests.unit.streams.tagger.taking import (
    BROWSE,
    JOURNAL,
    MINUTE_MS,
    RECENT,
    SNAPSHOTS,
    START_MS,
    TOPICS,
    VISITED,
    Installation,
    changes,
    journal,
    lose,
    rewrite,
    run,
    send,
    snapshot,
    step,
    taken,
)  # fmt: skip


def lived(site: Installation, snapshots: int = 1) -> Work:
    """A partition that was stepped for some minutes, with snapshots on the way and steps behind the last one."""
    work = taken(site, RECENT).work
    saved = Saved(0.0)
    minute = 0
    for round_ in range(snapshots + 1):
        for _ in range(3):
            send(site, f"c{minute % 4}", START_MS + minute * MINUTE_MS)
            stamp = step(site, work, START_MS + minute * MINUTE_MS + 30_000)
            minute += 1
        if round_ < snapshots:
            snapshot(site, work, stamp.offset + 1, saved)
    return work


def memory(work: Work) -> np.ndarray:
    """All words of the state."""
    return work.engine.copy(np.empty(work.engine.words, np.int64))


def same(one: Work, other: Work) -> bool:
    """Whether both would go on alike: their tags, numbers, clocks and places."""
    return (
        one.tags_by_customer() == other.tags_by_customer()
        and (one.number, one.engine.seq, one.engine.clock) == (other.number, other.engine.seq, other.engine.clock)
        and one.offsets() == other.offsets()
        and [s.applied_arrival for s in one.sources] == [s.applied_arrival for s in other.sources]
    )


def manifests(site: Installation) -> list[JournalRecord]:
    return [r for r in journal(site) if r.kind == "snapshot"]


def damage(site: Installation, number: int) -> None:
    """Change a byte in the first chunk of a snapshot."""
    manifest = manifests(site)[number].manifest
    assert manifest is not None
    record = next(r for r in site.records(SNAPSHOTS) if r.at_offset == manifest.first)
    value = bytearray(record.given_value or b"")
    value[4_000] ^= 1
    rewrite(site, SNAPSHOTS, manifest.first, bytes(value))


def test_a_partition_that_is_taken_from_a_snapshot_goes_on_as_if_it_had_never_been_left(site: Installation) -> None:
    left = lived(site)
    told = changes(site)
    lose(site, BROWSE, 3)  # nobody needs what lies before it
    again = taken(site, RECENT)
    assert same(again.work, left)
    assert (memory(again.work) == memory(left)).all()
    assert len(again.manifests) == 1 and again.records == 3
    send(site, "c1", START_MS + 20 * MINUTE_MS)
    step(site, again.work, START_MS + 30 * MINUTE_MS)
    fresh = Installation()
    for minute in range(6):
        send(fresh, f"c{minute % 4}", START_MS + minute * MINUTE_MS)
        run(fresh, RECENT, START_MS + minute * MINUTE_MS + 30_000)
    send(fresh, "c1", START_MS + 20 * MINUTE_MS)
    run(fresh, RECENT, START_MS + 30 * MINUTE_MS)
    assert len(changes(site)) > len(told)
    assert [(c.id, c.tag, c.op, c.effective_at, c.prev_seq) for c in changes(site)] == [
        (c.id, c.tag, c.op, c.effective_at, c.prev_seq) for c in changes(fresh)
    ]


def test_journal_and_chunks_are_cut_behind_the_older_of_two_snapshots(site: Installation) -> None:
    left = lived(site, snapshots=3)
    kept = manifests(site)
    assert [r.step for r in kept] == [6, 9]
    assert min(r.step for r in journal(site) if r.kind == "step") == 7
    oldest = kept[0].manifest
    assert oldest is not None and site.partition(SNAPSHOTS).start == oldest.first
    assert same(taken(site, RECENT).work, left)


def test_a_damaged_snapshot_is_passed_over_for_the_one_before(site: Installation) -> None:
    left = lived(site, snapshots=3)
    damage(site, 1)
    again = taken(site, RECENT)
    assert same(again.work, left)
    assert again.records == 6
    assert [m.first for m in again.manifests] == [m.manifest.first for m in manifests(site)[:1] if m.manifest]


def test_a_snapshot_is_not_used_if_the_journal_is_cut_behind_it(site: Installation) -> None:
    """Its record stands behind later steps, for it was written while these were made; its chunks are deleted last."""
    work, saved = taken(site, RECENT).work, Saved(0.0, wanted=True)
    send(site, "c1", START_MS)
    slow = Snapshots(site.log, TOPICS, ManualClock(), 1e9, 1)
    written = Written(work, step(site, work).offset + 1, saved)
    slow.turn([written])  # first its room
    while not slow.busy:
        slow.turn([written])
    send(site, "c2", START_MS + MINUTE_MS)
    stamp = step(site, work)
    while slow.busy:
        slow.turn([written])
    chunks = site.records(SNAPSHOTS)
    snapshot(site, work, stamp.offset + 1, saved, kept=1)
    assert [r.kind for r in journal(site)] == ["snapshot", "snapshot"]
    site.partition(SNAPSHOTS).keep(sorted({*chunks, *site.records(SNAPSHOTS)}, key=lambda r: r.at_offset))
    site.partition(SNAPSHOTS).start = 0
    damage(site, 1)
    assert same(taken(site, RECENT).work, work)


def lose_a_chunk(site: Installation) -> None:
    site.partition(SNAPSHOTS).keep(site.records(SNAPSHOTS)[1:])


def damage_both(site: Installation) -> None:
    damage(site, 0)
    damage(site, 1)


@pytest.mark.parametrize("spoil", [damage_both, lose_a_chunk])
def test_without_a_whole_snapshot_the_state_is_made_of_the_events(
    site: Installation, spoil: Callable[[Installation], None]
) -> None:
    left = lived(site, snapshots=3)
    told = len(changes(site))
    spoil(site)
    again = taken(site, RECENT)
    assert same(again.work, left)
    assert len(changes(site)) == told, "nothing is published again"
    send(site, "c1", START_MS + 20 * MINUTE_MS)
    step(site, again.work)
    assert changes(site)[-1].prev_seq == max(c.seq for c in changes(site)[:-1] if c.customer_id == "c1")


def test_without_a_snapshot_and_without_the_events_the_partition_stops_unless_their_loss_is_accepted(
    site: Installation,
) -> None:
    left = lived(site, snapshots=3)
    damage_both(site)
    lose(site, BROWSE, 6)
    with pytest.raises(StateError, match=r"TS-S104.*events.browse\[0\] lacks offsets 0 to 5"):
        taken(site, RECENT)
    again = taken(site, RECENT, accept_loss=True)
    # of three visits two are gone
    assert left.tags_by_customer()["c0"] == {"t1": True}
    assert "c0" not in again.work.tags_by_customer()
    lost = {(c.customer_id, c.tag, c.op, c.origin) for c in changes(site)[-2:]}
    assert lost == {("c0", "t1", "left", "backfill"), ("c1", "t1", "left", "backfill")}
    assert same(taken(site, RECENT, accept_loss=True).work, again.work)


def test_events_between_the_snapshot_and_the_journals_end_must_be_there(site: Installation) -> None:
    lived(site)
    lose(site, BROWSE, 4)
    with pytest.raises(StateError, match=r"TS-S104.*lacks offsets 3 to 3"):
        taken(site, RECENT)


def test_other_rules_cannot_use_the_snapshot(site: Installation) -> None:
    lived(site, snapshots=3)
    again = taken(site, VISITED)
    assert again.changed
    assert again.work.tags_by_customer() == {f"c{n}": {"t0": True} for n in range(4)}
    assert changes(site)[-1].origin == "backfill"
    told = len(changes(site))
    assert same(taken(site, VISITED).work, again.work)
    assert len(changes(site)) == told


def test_where_no_step_is_left_in_the_journal_the_newest_manifest_says_how_far_it_went(site: Installation) -> None:
    work, saved = taken(site, RECENT).work, Saved(0.0, wanted=True)
    send(site, "c0", START_MS)
    stamp = step(site, work)
    slow = Snapshots(site.log, TOPICS, ManualClock(), 1e9, 1)
    slow.turn([Written(work, stamp.offset + 1, saved)])
    # the manifest of what was copied before this step comes behind it, and stays when the step is cut off
    send(site, "c1", START_MS + MINUTE_MS)
    stamp = step(site, work)
    while slow.busy:
        slow.turn([])
    snapshot(site, work, stamp.offset + 1, saved, kept=1)
    assert [(r.kind, r.step) for r in journal(site)] == [("snapshot", 1), ("snapshot", 2)]
    again = taken(site, VISITED).work
    assert again.offsets() == work.offsets()
    assert again.number == work.number + 1, "one backfill"
    assert again.tags_by_customer() == {f"c{n}": {"t0": True} for n in range(2)}


def test_a_step_that_is_missing_in_the_journal_is_an_error(site: Installation) -> None:
    lived(site, snapshots=2)
    kept = [r for r in site.records(JOURNAL) if JournalRecord.from_value(r.given_value or b"").step != 8]
    site.partition(JOURNAL).keep(kept)
    with pytest.raises(StateError, match=r"TS-S105.*step 9 follows 7"):
        taken(site, RECENT)


def test_a_zombies_snapshot_does_not_count(site: Installation) -> None:
    left = lived(site)
    zombie = manifests(site)[-1]
    claimed = taken(site, RECENT).work
    site.put(JOURNAL, b"0", zombie.to_avro())
    send(site, "c0", START_MS + 20 * MINUTE_MS)
    step(site, claimed)
    assert left.number + 1 == claimed.number
    assert same(taken(site, RECENT).work, claimed)


def test_a_bound_on_remembered_ids_that_is_changed_holds_from_its_claim_on(site: Installation) -> None:
    work = taken(site, VISITED, dedupe_max_ids=4).work
    for number in range(8):
        send(site, f"c{number}", START_MS)
    step(site, work)
    first = site.records(BROWSE)[0].given_value
    site.put(BROWSE, b"c0", first, START_MS + 1)
    step(site, work)
    assert journal(site)[-1].outcomes[-1] == 1, "it is forgotten"
    again = taken(site, VISITED, dedupe_max_ids=1_000).work
    assert same(again, work)
    site.put(BROWSE, b"c0", first, START_MS + 2)
    step(site, again)
    assert journal(site)[-1].outcomes[-1] == 0
    assert same(taken(site, VISITED, dedupe_max_ids=4).work, again)


def test_a_state_that_was_kept_over_a_rebalance_is_taken_up_if_nobody_has_stepped_it_since(site: Installation) -> None:
    left = lived(site)
    site.partition(SNAPSHOTS).keep([])
    before = left.number, left.engine.seq
    again = taken(site, RECENT, kept=left)
    assert again.work is left
    assert (left.number, left.engine.seq) == before
    assert left.epoch == journal_offsets(site)[-1]
    send(site, "c1", START_MS + 20 * MINUTE_MS)
    step(site, left, START_MS + 30 * MINUTE_MS)
    assert same(taken(site, RECENT).work, left)


def test_a_state_that_was_kept_is_dropped_if_somebody_else_has_stepped_the_partition(site: Installation) -> None:
    left = lived(site)
    send(site, "c1", START_MS + 20 * MINUTE_MS)
    other = run(site, RECENT, START_MS + 30 * MINUTE_MS)
    again = taken(site, RECENT, kept=left)
    assert again.work is not left
    assert same(again.work, other)


def journal_offsets(site: Installation) -> list[int]:
    return [r.at_offset for r in site.records(JOURNAL)]
