"""A partition that was told to forget a customer: whoever takes it knows, and its snapshots are soon replaced."""

from __future__ import annotations

import pytest

from processors import layout as L
from schemas.errors import StateError
from schemas.outcomes import Outcome
from schemas.records import CLOCK_KEY
from streams.clock import ManualClock
from streams.settings import TaggerSettings
from streams.tagger.snapshots import IDLE_FACTOR, Saved, Snapshots, Written
from streams.tagger.work import Erasures, Work
from tests.unit.streams.tagger.taking import (
    CURRENT,
    JOURNAL,
    START_MS,
    TOPICS,
    VISITED,
    Installation,
    changes,
    erase,
    journal,
    send,
    snapshot,
    step,
    taken,
)  # fmt: skip

KEY = bytes(range(16))
SHORT = Erasures(KEY, 1_000)
LONG = Erasures(KEY, 1_000_000)


def published(site: Installation) -> list[tuple[bytes, bool]]:
    """Key of each record of tags.current but the clock's, and whether it is a tombstone."""
    records = site.records(CURRENT)
    return [(r.given_key or b"", r.given_value is None) for r in records if r.given_key != CLOCK_KEY.encode()]


def erased(site: Installation) -> int:
    """By the last step."""
    return journal(site)[-1].outcomes[Outcome.ERASED]


def forgetful(site: Installation) -> Work:
    """A partition that knew two customers and forgot one."""
    work = taken(site, VISITED, erasures=LONG).work
    send(site, "anna", START_MS)
    send(site, "bert", START_MS)
    step(site, work)
    erase(site, "anna", START_MS + 10)
    step(site, work)
    return work


def test_the_step_of_an_erasure_writes_a_tombstone_and_says_that_it_erases(site: Installation) -> None:
    work = forgetful(site)
    assert published(site) == [(b"anna", False), (b"bert", False), (b"anna", True)]
    assert [(c.customer_id, c.op, c.origin) for c in changes(site)][-1] == ("anna", "left", "erasure")
    assert set(work.tags_by_customer()) == {"bert"}


def test_the_same_in_json(site: Installation) -> None:
    work = taken(site, VISITED, as_json=True).work
    send(site, "anna", START_MS)
    erase(site, "anna", START_MS + 10)
    step(site, work)
    assert published(site) == [(b"anna", True)]
    assert site.records(CURRENT)[-1].given_value is not None


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_whoever_takes_the_partition_drops_what_comes_late(site: Installation, from_snapshot: bool) -> None:
    work = forgetful(site)
    if from_snapshot:
        snapshot(site, work, site.partition(JOURNAL).end, Saved(0.0))
    again = taken(site, VISITED, erasures=LONG).work
    assert set(again.tags_by_customer()) == {"bert"}
    send(site, "anna", START_MS + 5)
    step(site, again)
    assert erased(site) == 1
    assert set(again.tags_by_customer()) == {"bert"}
    send(site, "anna", START_MS + 11)
    step(site, again)
    assert set(again.tags_by_customer()) == {"anna", "bert"}


def test_a_changed_term_holds_from_its_claim_on(site: Installation) -> None:
    forgetful(site)
    again = taken(site, VISITED, erasures=SHORT).work
    erase(site, "bert", START_MS + 20)
    step(site, again)
    again = taken(site, VISITED, erasures=SHORT).work
    for name in ("anna", "bert"):
        send(site, name, START_MS + 2_000, happened_ms=START_MS + 5)
    step(site, again, START_MS + 2_000)
    assert erased(site) == 1, "of anna, whose term is the longer one"


def test_a_snapshot_that_knows_erased_customers_by_another_key_stops_the_partition(site: Installation) -> None:
    work = forgetful(site)
    snapshot(site, work, site.partition(JOURNAL).end, Saved(0.0))
    with pytest.raises(StateError, match="TS-S109"):
        taken(site, VISITED, erasures=Erasures(bytes(16), LONG.term_ms))
    assert set(taken(site, VISITED, erasures=LONG).work.tags_by_customer()) == {"bert"}


def test_the_settings_say_key_and_term() -> None:
    assert Erasures.by(TaggerSettings()) == Erasures(bytes(16), 90 * L.DAY_MS)
    given = TaggerSettings.model_validate({"erasure_key": KEY.hex(), "erasure_term_days": 3})
    assert Erasures.by(given) == Erasures(KEY, 3 * L.DAY_MS)


class Writer:
    """Snapshots of one partition to which nothing comes any more."""

    def __init__(self, site: Installation, work: Work, kept: int) -> None:
        self.site, self.work, self.saved = site, work, Saved(0.0)
        self.clock = ManualClock()
        self.snapshots = Snapshots(site.log, TOPICS, self.clock, 10.0, kept)

    def due_after_s(self) -> float:
        """How long it takes until the next one is written."""
        before_s, written = self.clock.monotonic_s(), self.saved.offset
        while self.saved.offset == written:
            assert self.clock.monotonic_s() < before_s + 1_000, "none is written any more"
            self.clock.sleep(1.0)
            for _ in range(20):
                self.snapshots.turn([Written(self.work, self.site.partition(JOURNAL).end, self.saved)])
        return self.clock.monotonic_s() - before_s


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_after_an_erasure_snapshots_come_at_the_interval_until_those_from_before_are_gone(
    site: Installation, kept: int
) -> None:
    writer = Writer(site, forgetful(site), kept)
    for _ in range(kept):
        assert writer.due_after_s() >= 10 * IDLE_FACTOR
    writer.snapshots.erased(writer.saved)
    for _ in range(kept):
        assert writer.due_after_s() <= 11
    assert writer.saved.stale == 0
    assert writer.due_after_s() >= 10 * IDLE_FACTOR


def test_a_snapshot_that_is_under_way_at_an_erasure_is_replaced_too(site: Installation) -> None:
    writer = Writer(site, forgetful(site), 2)
    writer.saved.wanted = True
    writer.snapshots.turn([Written(writer.work, site.partition(JOURNAL).end, writer.saved)])
    while not writer.snapshots.busy:
        writer.snapshots.turn([Written(writer.work, site.partition(JOURNAL).end, writer.saved)])
    writer.snapshots.erased(writer.saved)
    assert writer.saved.stale == 1
    while writer.snapshots.busy:
        writer.snapshots.turn([])
    assert [writer.due_after_s() <= 11 for _ in range(3)] == [True, True, False]
