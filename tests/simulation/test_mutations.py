"""The simulation is sharp: of each of these ways to break the tagger's host or its recovery it finds out soon.

Each mutation replaces one function of the product (or of the log under it) by one that is wrong in a way that has been
written before, or that only a comment keeps from being written. A mutation that is not found means that the simulation
does not lead there, or that the judge does not look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from processors import layout as L
from processors.partition import Partition
from processors.rules.program import I64
from schemas.errors import KafkaError
from schemas.records import JournalRecord, Manifest, SourceRange
from streams.log import Log, Stamp, TopicPartition, Transaction
from streams.tagger import from_events, journal, loop, recovery, restore, snapshots
from streams.tagger.backfill import Different
from streams.tagger.changeover import Changeover
from streams.tagger.fold import fold as whole_fold
from streams.tagger.journal import Entry
from streams.tagger.loop import Tagger
from streams.tagger.rebuild import rebuild as whole_rebuild
from streams.tagger.recovery import Recovered
from streams.tagger.topics import Topics
from streams.tagger.work import Work
from tests.simulation.broker import MemoryBroker
from tests.simulation.campaign import run_seeds
from tests.simulation.group import Group, Membership
from tests.simulation.kinds import Kind
from tests.simulation.memory_log import MemoryLog
from tests.simulation.transactions import ProducerId

SEEDS: Final = range(400)
"""Most are found among the first twenty."""

Mutate = Callable[[pytest.MonkeyPatch], None]


class Unmoved(dict[TopicPartition, int]):
    """Offsets that are those of the transaction before."""


def offsets_only_when_they_move(patch: pytest.MonkeyPatch) -> None:
    """A transaction of timers alone is not fenced."""
    attempt, add_offsets = MemoryLog._attempt, MemoryBroker.add_offsets
    sent: dict[MemoryLog, dict[TopicPartition, int]] = {}

    def attempting(self: MemoryLog, transaction: Transaction) -> list[Stamp]:
        if sent.get(self) == transaction.offsets:
            transaction.offsets = Unmoved(transaction.offsets)
        stamps = attempt(self, transaction)
        sent[self] = dict(transaction.offsets)
        return stamps

    def adding(self: MemoryBroker, who: ProducerId, group: Group, member: Membership, offsets: Any) -> None:
        if isinstance(offsets, Unmoved):
            self.coordinator.transaction(who)
        else:
            add_offsets(self, who, group, member, offsets)

    patch.setattr(MemoryLog, "_attempt", attempting)
    patch.setattr(MemoryBroker, "add_offsets", adding)


def journal_to_its_end(patch: pytest.MonkeyPatch) -> None:
    """What lies in a transaction that is still open, or whose marker is late, is not waited for."""

    def mutant(log: Log, place: TopicPartition, last: int) -> Generator[None, None, list[Entry]]:
        low, end = log.extent(place)
        reader, entries = log.reader(place, low), list[Entry]()
        while low < end and (messages := reader.read(10_000, 0)):
            entries += (Entry(m.offset() or 0, journal.journal_record(place, m)) for m in messages)
            yield
        return journal.counted(entries)

    patch.setattr(recovery, "read_journal", mutant)


def remembered_ids_lost_on_restore(patch: pytest.MonkeyPatch) -> None:
    put = restore._put

    def mutant(work: Work, record: JournalRecord, manifest: Manifest, memory: I64) -> None:
        for place, size in ((L.R_SEEN, L.R_SEEN_SIZE), (L.R_BEFORE, L.R_BEFORE_SIZE)):
            memory[memory[place] : memory[place] + memory[size]] = 0
        put(work, record, manifest, memory)

    patch.setattr(restore, "_put", mutant)


def first_step_behind_a_snapshot_left_out(patch: pytest.MonkeyPatch) -> None:
    fold = whole_fold

    def mutant(log: Log, work: Work, entries: Sequence[Entry], compare: bool) -> Iterator[None]:
        steps = [e for e in entries if e.record.kind == "step"]
        if steps and work.number > 0:
            work.number += 1
            entries = [e for e in entries if e is not steps[0]]
        yield from fold(log, work, entries, compare)

    patch.setattr(recovery, "fold", mutant)


def last_step_before_a_snapshot_applied_again(patch: pytest.MonkeyPatch) -> None:
    put = restore._put

    def mutant(work: Work, record: JournalRecord, manifest: Manifest, memory: I64) -> None:
        earlier = tuple(replace(s, next=max(s.first, s.next - 1)) for s in record.sources)
        put(work, replace(record, sources=earlier), manifest, memory)

    patch.setattr(restore, "_put", mutant)


def records_of_zombies_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal, "counted", list)


def changes_numbered_anew(patch: pytest.MonkeyPatch) -> None:
    recover = recovery.recover

    def mutant(log: Log, topics: Topics, recovered: Recovered, **more: Any) -> Iterator[None]:
        yield from recover(log, topics, recovered, **more)
        recovered.work.engine.set_seq(0)

    patch.setattr(loop, "recover", mutant)


def numbers_of_customers_forgotten(patch: pytest.MonkeyPatch) -> None:
    """After a backfill a change does not name its customer's last."""
    patch.setattr(Partition, "set_customer_seq", lambda self, customer_id, seq: None)


def journal_cut_too_far(patch: pytest.MonkeyPatch) -> None:
    """Behind the newest snapshot, though an older one is kept."""
    cut = snapshots.Snapshots._cut

    def mutant(self: snapshots.Snapshots, partition: int, oldest: Manifest) -> None:
        cut(self, partition, replace(oldest, journal_next=oldest.journal_next + 3))

    patch.setattr(snapshots.Snapshots, "_cut", mutant)


def offsets_of_what_is_held(patch: pytest.MonkeyPatch) -> None:
    """What was read and waits for other topics is committed as if it had been applied."""
    patch.setattr(Work, "offsets", lambda self: {s.place: s.fetch_from for s in self.sources})


def kept_state_taken_up_unasked(patch: pytest.MonkeyPatch) -> None:
    """Somebody else has stepped the partition meanwhile."""
    patch.setattr(recovery, "_is_as_it_was", lambda kept, committed, last: True)


def late_half_of_a_backfill_lost(patch: pytest.MonkeyPatch) -> None:
    found_in = Changeover._differences

    def mutant(self: Changeover) -> Iterator[list[Different]]:
        pieces = list(found_in(self))
        yield from pieces[: (len(pieces) + 1) // 2]

    patch.setattr(Changeover, "_differences", mutant)


def end_of_topics_assumed(patch: pytest.MonkeyPatch) -> None:
    """A topic counts as read to its end before its end was seen."""
    read_on = Tagger._read_on

    def mutant(self: Tagger) -> None:
        read_on(self)
        for running in self._running.values():
            for source in running.work.sources:
                source.at_end = True

    patch.setattr(Tagger, "_read_on", mutant)


def offsets_of_the_moment_a_manifest_is_written(patch: pytest.MonkeyPatch) -> None:
    """And not of that of the copy."""
    manifest = snapshots._Copy.manifest

    def mutant(self: snapshots._Copy) -> JournalRecord:
        sources = tuple(SourceRange(s.place.topic, s.origin, s.next) for s in self.work.sources)
        return replace(manifest(self), sources=sources)

    patch.setattr(snapshots._Copy, "manifest", mutant)


def unknown_outcome_sent_again(patch: pytest.MonkeyPatch) -> None:
    """A commit without an answer is taken as not done."""
    commit = Tagger._commit

    def mutant(self: Tagger, steps: Any) -> None:
        try:
            commit(self, steps)
        except KafkaError:
            commit(self, steps)

    patch.setattr(Tagger, "_commit", mutant)


def rebuilt_without_the_last_events(patch: pytest.MonkeyPatch) -> None:
    """As far as the journal goes, less one."""
    rebuild = whole_rebuild

    def mutant(log: Log, work: Work, until: dict[str, int], clock: int) -> Iterator[None]:
        yield from rebuild(log, work, {topic: max(0, end - 1) for topic, end in until.items()}, clock)

    patch.setattr(from_events, "rebuild", mutant)


def step_missed_by_the_new_state(patch: pytest.MonkeyPatch) -> None:
    """What the old rules decide while the new state is built is not followed, but for its number."""
    follow = Changeover.follow

    def mutant(self: Changeover, record: JournalRecord, stamp: Stamp) -> None:
        follow(self, replace(record, kind="changeover", note="backfill"), stamp)

    patch.setattr(Changeover, "follow", mutant)


def every_changeover_taken_as_done(patch: pytest.MonkeyPatch) -> None:
    """Nobody completes a difference that was interrupted."""
    patch.setattr(journal, "DONE", "")
    read = recovery.read_current

    def mutant(log: Log, topics: Topics, work: Work) -> Any:
        published = yield from read(log, topics, work)
        return {} if published else published

    patch.setattr(recovery, "read_current", mutant)


def customers_unknown_to_the_new_rules_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What they had stays published."""
    found_in = Changeover._differences

    def mutant(self: Changeover) -> Iterator[list[Different]]:
        for piece in found_in(self):
            yield [different for different in piece if different.after]

    patch.setattr(Changeover, "_differences", mutant)


def numbers_of_the_old_state_not_taken_over(patch: pytest.MonkeyPatch) -> None:
    found_in = Changeover._differences

    def mutant(self: Changeover) -> Iterator[list[Different]]:
        pieces = found_in(self)
        yield next(pieces, [])
        self.work.engine.set_seq(self.work.engine.seq + 1)
        yield from pieces

    patch.setattr(Changeover, "_differences", mutant)


MUTATIONS: Final[Sequence[Mutate]] = (
    offsets_only_when_they_move,
    journal_to_its_end,
    remembered_ids_lost_on_restore,
    first_step_behind_a_snapshot_left_out,
    last_step_before_a_snapshot_applied_again,
    records_of_zombies_believed,
    changes_numbered_anew,
    numbers_of_customers_forgotten,
    journal_cut_too_far,
    offsets_of_what_is_held,
    kept_state_taken_up_unasked,
    late_half_of_a_backfill_lost,
    end_of_topics_assumed,
    offsets_of_the_moment_a_manifest_is_written,
    unknown_outcome_sent_again,
    rebuilt_without_the_last_events,
    step_missed_by_the_new_state,
    every_changeover_taken_as_done,
    customers_unknown_to_the_new_rules_forgotten,
    numbers_of_the_old_state_not_taken_over,
)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_a_broken_tagger_is_found_out(mutate: Mutate, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    counts: Counter[Kind] = Counter()
    assert next(run_seeds(SEEDS, counts), None) is not None, f"{mutate.__name__} stays hidden: {counts}"
