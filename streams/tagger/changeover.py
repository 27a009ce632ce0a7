"""Other rules come into force in a partition that goes on working: beside the old state the new one is built.

1. The new state follows the journal from the source events on, as far as these reach, while the old rules go on
   deciding. Where events or the journal's beginning are gone, what the old state knows better is carried over
   (processors/carry.py).
2. When it stands where the old one does, a snapshot of it is written. From its manifest on a crash goes on with the new
   rules; before that with the old ones, and all of this begins again.
3. The partition stands still while the difference goes out (backfill.py). Then the new state takes the old one's place.

A removed tag is one that nobody has under the new rules: the difference says that it is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np

from processors import layout as L
from processors.carry import carry_over, twins
from processors.decoder import COMMANDS
from schemas.records import JournalRecord
from streams.log import Log, Stamp, TopicPartition
from streams.tagger.backfill import Different, backfill
from streams.tagger.fold import Fold
from streams.tagger.from_events import begin_with_events
from streams.tagger.journal import read_journal
from streams.tagger.rules import Compiled
from streams.tagger.snapshots import Saved, Written
from streams.tagger.topics import Topics
from streams.tagger.work import Work

__all__ = ["Changeover"]

ROWS_PER_PIECE: Final = 500
CLOSE: Final = 3
"""Steps behind the old work, after which it may as well stand still for the rest."""
MOST_STEPS_WAITED: Final = 200
"""Until all that is due is done. Tags that never come to rest always have something due."""


class Changeover:
    """One partition on its way to other rules. For the loop's thread alone."""

    def __init__(
        self, log: Log, topics: Topics, old: Work, rules: Compiled, *, stamp: Stamp, saved: Saved, now_ms: int
    ) -> None:
        """`stamp`: of the partition's last step in the journal; `saved`: its snapshots so far; `now_ms` is stamped on
        the changes."""
        self.work = old.under(rules)
        self.stamp = stamp
        """Of the last record in the journal."""
        self.saved = saved
        self.stands_still = False
        """The old work may not be stepped for now."""
        self.waits = False
        """There is nothing to do in this turn."""
        self.saves = False
        """From here on a snapshot of the old state is of no use."""
        self._log = log
        self._topics = topics
        self._old = old
        self._now_ms = now_ms
        self._behind: deque[JournalRecord] = deque()
        """Steps that the old work has committed and the new one has not followed."""
        self._pieces = self._change()

    def follow(self, record: JournalRecord, stamp: Stamp) -> None:
        """The old work has committed one more step."""
        self._behind.append(record)
        self.stamp = stamp

    def turn(self) -> bool:
        """A bounded piece of work; to be called between steps. Returns whether the new work has taken over.

        Raises StateError if the new state cannot be had, Fenced, KafkaError.
        """
        try:
            next(self._pieces)
        except StopIteration:
            return True
        return False

    def to_snapshot(self) -> list[Written]:
        """The new state, if a snapshot of it is wanted and it stands where the old one does."""
        # a step may have been taken up and not be applied yet
        if not self.saved.wanted or self._behind or self.work.number != self._old.number:
            return []
        return [Written(self.work, self.stamp.offset + 1, self.saved, owner=self._old)]

    # ---------------------------------------------------------------------------------------------------- the pieces

    def _change(self) -> Iterator[None]:
        journal = TopicPartition(self._topics.journal, self.work.partition)
        entries = yield from read_journal(self._log, journal, max(self.stamp.offset, self.saved.offset))
        self._know_erased()
        is_exact = yield from begin_with_events(self._log, self.work, entries, self._old.offsets(), accept_loss=True)
        follower = Fold(self._log, self.work, compare=False)
        try:
            for _, record in entries:
                if record.step > self.work.number or record.kind == "claim":
                    yield from follower.apply(record)
            if not is_exact:
                yield from self._stand_still(follower)
                yield from carry_over(self._old.engine, self.work.engine)
                self.stands_still = False
            yield from self._save(follower)
            yield from self._stand_still(follower)
        finally:
            follower.close()
        found = self._differences()
        stamp = yield from backfill(self._log, self._topics, self.work, found, self._now_ms, changed=True)
        assert stamp is not None
        self.stamp = stamp

    def _know_erased(self) -> None:
        """Where commands are gone, the old state alone knows whom they erased: what is left of these must not count."""
        place = self._topics.sources_of(self.work.partition)[self._topics.source_types.index(COMMANDS)]
        if self._log.extent(place)[0] > 0:
            self.work.engine.know_erased(self._old.engine)

    def _come_close(self, follower: Fold) -> Iterator[None]:
        """To the old work, which goes on: as long as each round leaves fewer steps for the next."""
        left = len(self._behind) + 1
        while CLOSE < len(self._behind) < left:
            left = len(self._behind)
            for _ in range(left):
                yield from follower.apply(self._behind.popleft())

    def _catch_up(self, follower: Fold) -> Iterator[None]:
        """Until the new work stands where the old one does, which stands still from then on."""
        yield from self._come_close(follower)
        self.stands_still = True
        while self._behind:
            yield from follower.apply(self._behind.popleft())

    def _stand_still(self, follower: Fold) -> Iterator[None]:
        """Where both works stand in the same place, and the old one has done all that was due: in the new one it is."""
        last_step = self._old.number + MOST_STEPS_WAITED
        yield from self._catch_up(follower)
        while self._old.engine.due() and self._old.number < last_step:
            self.stands_still = False
            yield from self._wait()
            yield from self._catch_up(follower)

    def _save(self, follower: Fold) -> Iterator[None]:
        """Until a snapshot of the new state is written; the old work goes on but for the moment of the copy."""
        self.saves = self.saved.wanted = True
        while self.saved.work is not self.work:
            if self.saved.wanted:
                yield from self._catch_up(follower)
                yield from self._wait()
            self.stands_still = False
            yield from self._wait()
            yield from self._come_close(follower)

    def _wait(self) -> Iterator[None]:
        """A turn, in which the old work steps unless it is to stand still, and a snapshot goes on."""
        self.waits = True
        yield
        self.waits = False

    def _differences(self) -> Iterator[list[Different]]:
        """Customers whose tags the old and the new state have differently."""
        old, new = self._old, self.work
        rows, before = new.engine.rows(), old.engine.rows()
        same, m, m_before = twins(new.engine, rows, old.engine), new.engine.state.m, old.engine.state.m
        new.engine.set_seq(old.engine.seq)
        m[rows + L.ROW_SEQ] = np.where(same > 0, m_before[same + L.ROW_SEQ], 0)
        gone = before[twins(old.engine, before, new.engine) == 0]
        for start in range(0, rows.size, ROWS_PER_PIECE):
            piece = slice(start, start + ROWS_PER_PIECE)
            pairs = zip(same[piece].tolist(), rows[piece].tolist(), strict=True)
            yield [d for was, now in pairs if (d := _different(old, was, new, now)).before != d.after]
        for start in range(0, gone.size, ROWS_PER_PIECE):
            pieces = gone[start : start + ROWS_PER_PIECE].tolist()
            yield [d for was in pieces if (d := _different(old, was, new, 0)).before]


def _different(old: Work, was: int, new: Work, now: int) -> Different:
    """A customer's tags by the rows that both works have of them, 0: none."""
    customer_id = new.customer_of(now) if now else old.customer_of(was)
    seq = int(old.engine.state.m[was + L.ROW_SEQ]) if was else 0
    return Different(customer_id, seq, old.tags_of(was) if was else {}, new.tags_of(now) if now else {})
