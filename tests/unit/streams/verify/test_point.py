from __future__ import annotations

from schemas.records import JournalRecord
from streams.tagger.journal import BESIDE, DONE, Entry
from streams.verify.point import Clocks, newest_point
from tests.unit.streams.verify.published_world import clock_of, step


def point_step(journal: list[JournalRecord], with_clock: list[JournalRecord]) -> int | None:
    clocks = Clocks()
    for offset, record in enumerate(with_clock):
        clocks.add(offset, clock_of(record))
    found = newest_point([Entry(offset, record) for offset, record in enumerate(journal)], clocks)
    if found is None:
        return None
    point, entries = found
    assert entries[-1].record.step == point.step
    return point.step


def test_the_point_is_the_newest_step_whose_clock_is_told() -> None:
    one, two, three = step(1), step(2, seq=4), step(3, seq=5)
    assert point_step([one, two, three], [one, two]) == 2
    assert point_step([one, two, three], [one, two, three]) == 3
    assert point_step([one], []) is None


def test_a_snapshot_is_a_point_only_where_no_steps_are_left() -> None:
    snapshot = step(2, kind="snapshot")
    assert point_step([step(3), snapshot], [snapshot]) is None
    assert point_step([snapshot], [snapshot]) == 2
    beside = step(2, kind="snapshot", note=BESIDE)
    assert point_step([beside], [beside]) is None


def test_there_is_no_point_within_a_changeover() -> None:
    old = step(1, version="old")
    part, done = (step(n, kind="changeover", note=note) for n, note in ((2, "backfill"), (3, f"{DONE} run")))
    assert point_step([old, part], [old, part]) == 1
    assert point_step([old, part, done], [old, part, done]) == 3
