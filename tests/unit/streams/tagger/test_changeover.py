"""Rules change in a partition that is running: the new state is built beside the old one, and takes its place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from processors.rules.tree import RuleSet
from schemas.records import Current
from streams.clock import ManualClock
from streams.log import Stamp
from streams.tagger.changeover import Changeover
from streams.tagger.journal import BESIDE, DONE
from streams.tagger.snapshots import Saved, Snapshots
from streams.tagger.work import Work
from tests.unit.streams.tagger.taking import (
    BROWSE,
    COMMANDS,
    CURRENT,
    JOURNAL,
    MINUTE_MS,
    START_MS,
    TOPICS,
    Installation,
    changes,
    compiled,
    erase,
    journal,
    lose,
    rules,
    send,
    snapshot,
    step,
    taken,
)

OLD = rules("count(browse, ever) >= 2", "count(browse, 1m) >= 1")
NEW = rules("count(browse, ever) >= 2", "count(browse, 30d) >= 1", "count(browse, ever) >= 3")
"""The first tag decides as before, the second otherwise, the third is new."""


@dataclass
class Partition:
    """One that runs, and may be changing."""

    site: Installation
    work: Work
    stamp: Stamp
    snapshots: Snapshots
    changing: Changeover | None = None
    saved: Saved = field(default_factory=lambda: Saved(0.0))

    def change(self, rule_set: RuleSet) -> None:
        self.changing = Changeover(
            self.site.log, TOPICS, self.work, compiled(rule_set), stamp=self.stamp, saved=self.saved, now_ms=START_MS
        )

    def step(self, clock_ms: int = 0) -> None:
        made_before = len(journal(self.site))
        self.stamp = step(self.site, self.work, clock_ms)
        if self.changing is not None:
            self.changing.follow(journal(self.site)[made_before], self.stamp)

    def finish(self, *, turns: int = 10_000) -> bool:
        """Let the change go on, for so many turns at most. Returns whether it is done."""
        assert self.changing is not None
        for _ in range(turns):
            if self.changing.turn():
                self.work, self.stamp, self.changing = self.changing.work, self.changing.stamp, None
                return True
            self.snapshots.turn(self.changing.to_snapshot())
        return False


@pytest.fixture
def partition(site: Installation) -> Partition:
    """Anna was there three times, bert twice, and carl once, a day ago."""
    for minute, customer in enumerate(["anna", "bert", "carl", "anna", "bert", "anna"]):
        send(site, customer, START_MS + minute * MINUTE_MS)
    work = taken(site, OLD).work
    stamp = step(site, work, START_MS + 86_400_000)
    return Partition(site, work, stamp, Snapshots(site.log, TOPICS, ManualClock(), 1e9, 2))


def published(site: Installation) -> dict[str, dict[str, object]]:
    """What tags.current says in the end."""
    found = {}
    for record in site.records(CURRENT):
        if record.given_value is None:
            found.pop((record.given_key or b"").decode(), None)
            continue
        current = Current.from_value(record.given_value)
        if not current.is_clock:
            found[current.customer_id] = {t.tag: t.value for t in current.tags}
    return found


def behind(site: Installation, count: int) -> set[tuple[str, str, str, str]]:
    """The changes behind the first `count`."""
    return {(c.customer_id, c.tag, c.op, c.origin) for c in changes(site)[count:]}


def assert_numbered(site: Installation) -> None:
    """No gap, and each change names its customer's last one."""
    last: dict[str, int] = {}
    for number, change in enumerate(changes(site), 1):
        assert (change.seq, change.prev_seq) == (number, last.get(change.customer_id, 0)), change
        last[change.customer_id] = change.seq


@pytest.mark.parametrize("gone", [False, True])
def test_one_who_was_erased_is_not_made_known_by_other_rules_also_if_the_command_is_gone(
    partition: Partition, gone: bool
) -> None:
    site = partition.site
    erase(site, "anna", START_MS + 86_400_000)
    partition.step(START_MS + 86_400_000)
    if gone:
        send(site, "bert", START_MS + 86_400_001)
        erase(site, "dora", START_MS + 86_400_001)
        partition.step(START_MS + 86_400_001)
        lose(site, COMMANDS, 1)
    told = len(changes(site))
    partition.change(NEW)
    send(site, "anna", START_MS + 86_400_002, happened_ms=START_MS)
    partition.step(START_MS + 86_400_002)
    assert partition.finish()
    assert "anna" not in published(site)
    assert "anna" not in {customer for customer, *_ in behind(site, told)}
    send(site, "anna", START_MS + 86_400_003, happened_ms=START_MS)
    partition.step()
    assert "anna" not in published(site)
    send(site, "anna", START_MS + 86_400_004)
    partition.step()
    assert set(published(site)["anna"]) == {"t1"}


def test_the_difference_goes_out_once_and_the_rest_goes_on(partition: Partition) -> None:
    site, told = partition.site, len(changes(partition.site))
    partition.change(NEW)
    assert partition.finish()
    assert behind(site, told) == {
        ("anna", "t1", "entered", "backfill"),
        ("bert", "t1", "entered", "backfill"),
        ("carl", "t1", "entered", "backfill"),
        ("anna", "t2", "entered", "backfill"),
    }
    assert published(site)["anna"] == {"t0": True, "t1": True, "t2": True}
    told = len(changes(site))
    send(site, "bert", START_MS + 86_400_000)
    partition.step()
    assert behind(site, told) == {("bert", "t2", "entered", "live")}
    assert_numbered(site)


def test_the_old_rules_go_on_deciding_until_the_new_ones_are_ready(partition: Partition) -> None:
    site = partition.site
    partition.change(NEW)
    for n in range(4):
        assert not partition.finish(turns=1)
        told = len(changes(site))
        send(site, f"new{n}", START_MS + 86_400_000 + n)
        partition.step()
        assert behind(site, told) == {(f"new{n}", "t1", "entered", "live")}
    assert partition.finish()
    assert set(published(site)) == {"anna", "bert", "carl", "new0", "new1", "new2", "new3"}
    assert_numbered(site)


def test_a_removed_tag_is_left(partition: Partition) -> None:
    told = len(changes(partition.site))
    partition.change(rules("count(browse, 9d) >= 9"))
    assert partition.finish()
    assert behind(partition.site, told) == {("anna", "t0", "left", "backfill"), ("bert", "t0", "left", "backfill")}


def test_what_the_events_do_not_say_any_more_is_carried_over(partition: Partition) -> None:
    site, told = partition.site, len(changes(partition.site))
    lose(site, BROWSE, 5)  # but for anna's third visit
    partition.change(NEW)
    assert partition.finish()
    # the new window has what the old cells had of its panes: the window `ever` alone, which has none
    assert behind(site, told) == {("anna", "t1", "entered", "backfill"), ("anna", "t2", "entered", "backfill")}
    told = len(changes(site))
    send(site, "carl", START_MS + 86_400_000)
    partition.step()
    assert behind(site, told) == {
        ("carl", "t0", "entered", "live"),
        ("carl", "t1", "entered", "live"),
    }


def test_after_a_crash_before_the_manifest_the_old_rules_go_on(partition: Partition) -> None:
    partition.change(NEW)
    assert not partition.finish(turns=3)
    work = taken(partition.site, NEW, known=[OLD]).work
    assert work.rule_set.version == OLD.version
    assert published(partition.site) == {"anna": {"t0": True}, "bert": {"t0": True}, "carl": {}}


def test_after_a_crash_behind_the_manifest_the_new_rules_go_on_with_what_was_carried_over(partition: Partition) -> None:
    site, told = partition.site, len(changes(partition.site))
    lose(site, BROWSE, 5)
    partition.change(NEW)
    while not any(record.note == BESIDE for record in journal(site)):
        assert not partition.finish(turns=1)
    work = taken(site, NEW, known=[OLD]).work
    assert work.rule_set.version == NEW.version
    assert behind(site, told) == {("anna", "t1", "entered", "backfill"), ("anna", "t2", "entered", "backfill")}
    assert (journal(site)[-1].note or "").startswith(DONE)
    assert_numbered(site)


def test_behind_a_cut_journal_an_unchanged_tag_keeps_what_it_knows_of_the_order_that_was(site: Installation) -> None:
    """An event that came late to its topic's end was applied at the clock; by its arrival its dwell would be over."""
    waits = tuple(replace(tag, dwell_ms=5 * MINUTE_MS) for tag in rules("count(browse, ever) >= 1").tags)
    both = rules("count(browse, ever) >= 1", "count(browse, 30d) >= 1").tags
    old, new = replace(OLD, tags=waits), replace(NEW, tags=(*waits, both[1]))
    work = taken(site, old).work
    step(site, work, START_MS + 10 * MINUTE_MS)
    send(site, "anna", START_MS + MINUTE_MS)
    step(site, work, START_MS + 11 * MINUTE_MS)
    stamp = step(site, work, START_MS + 12 * MINUTE_MS)
    partition = Partition(site, work, stamp, Snapshots(site.log, TOPICS, ManualClock(), 1e9, 2))
    snapshot(site, work, stamp.offset + 1, partition.saved)
    lose(site, JOURNAL, stamp.offset)
    partition.change(new)
    assert partition.finish()
    assert {(c.tag, c.origin) for c in changes(site)} == {(both[1].id, "backfill")}
    partition.step(START_MS + 16 * MINUTE_MS)
    last = changes(site)[-1]
    assert (last.tag, last.op, last.effective_at, last.origin) == (
        waits[0].id, "entered", START_MS + 15 * MINUTE_MS, "timer"
    )  # fmt: skip
