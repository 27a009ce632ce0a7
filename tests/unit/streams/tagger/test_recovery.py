"""streams.tagger.recovery and backfill: what is made of a journal, and what is refused"""

from __future__ import annotations

import pytest

from schemas.codec import event_from_json
from schemas.errors import StateError
from schemas.records import Current, TagValue
from tests.unit.streams.tagger.memory_log import MemoryLog
from tests.unit.streams.tagger.taking import (
    BROWSE,
    CURRENT,
    JOURNAL,
    MINUTE_MS,
    RECENT,
    START_MS,
    VISITED,
    changes,
    journal,
    rewrite,
    rules,
    run,
    send,
    taken,
)  # fmt: skip


def test_a_partition_that_is_taken_again_goes_on_as_if_it_had_never_been_left(log: MemoryLog) -> None:
    send(log, "anna", START_MS)
    run(log, RECENT, START_MS + 10)
    send(log, "anna", START_MS + 20)
    run(log, RECENT, START_MS + 5 * MINUTE_MS)
    assert [(c.tag, c.op, c.seq, c.prev_seq) for c in changes(log)] == [
        ("t0", "entered", 1, 0),
        ("t1", "entered", 2, 1),
        ("t0", "left", 3, 2),
    ]
    again = taken(log, RECENT)
    assert again.work.engine.seq == 3
    assert again.work.tags_by_customer() == {"anna": {"t1": True}}
    assert again.work.number == 2
    assert not again.changed and not again.published


def test_the_epoch_is_the_offset_of_the_claim_and_the_clock_says_so(log: MemoryLog) -> None:
    run(log, VISITED, START_MS)
    work = taken(log, VISITED).work
    assert [r.kind for r in journal(log)] == ["claim", "step", "claim"]
    assert work.epoch == 2
    clock = Current.from_value(log.records[CURRENT][-1].given_value or b"")
    assert clock.is_clock and clock.epoch == 2


def test_what_an_older_owner_writes_behind_a_newer_claim_is_not_applied(log: MemoryLog) -> None:
    send(log, "anna", START_MS)
    run(log, VISITED, START_MS)
    zombie = log.records[JOURNAL][-1].given_value
    taken(log, VISITED)
    log.append(JOURNAL, b"0", zombie)
    assert taken(log, VISITED).work.number == 1


def test_an_event_that_is_another_than_it_was_stops_the_partition(log: MemoryLog) -> None:
    send(log, "anna", START_MS)
    run(log, VISITED, START_MS)
    other = event_from_json("browse", {"event_id": "e0", "customer_id": "bert", "event_time": START_MS})
    rewrite(log, BROWSE, 0, other)
    with pytest.raises(StateError, match="TS-S102"):
        taken(log, VISITED)


def test_a_journal_record_that_cannot_be_read_stops_the_partition(log: MemoryLog) -> None:
    run(log, VISITED, START_MS)
    rewrite(log, JOURNAL, 1, b"\xc3\x01 damaged")
    with pytest.raises(StateError, match=r"TS-S103.*tags.journal\[0\] at 1"):
        taken(log, VISITED)


@pytest.mark.parametrize("gone", [[0], [1], [2], [0, 1, 2]])
def test_events_that_are_gone_from_their_topic_stop_the_partition(log: MemoryLog, gone: list[int]) -> None:
    for minute in range(3):
        send(log, "anna", START_MS + minute * MINUTE_MS)
    run(log, VISITED)
    log.records[BROWSE] = [r for r in log.records[BROWSE] if r.at_offset not in gone]
    with pytest.raises(StateError, match=r"TS-S10[24]"):
        taken(log, VISITED)


def test_published_tags_without_a_journal_are_no_first_start(log: MemoryLog) -> None:
    tags = (TagValue("t0", True),)
    current = Current(customer_id="anna", partition=0, epoch=9, seq=4, clock=1, rule_version="v", tags=tags)
    log.append(CURRENT, b"anna", current.to_avro())
    for _ in range(2):
        with pytest.raises(StateError, match="TS-S101"):
            taken(log, VISITED)
    log.append(CURRENT, b"anna", None)
    assert taken(log, VISITED).work.number == 0


def test_other_rules_have_all_their_timers_fired_by_the_end_of_the_journal(log: MemoryLog) -> None:
    send(log, "anna", START_MS)
    run(log, VISITED, START_MS + 10 * MINUTE_MS)
    work = taken(log, RECENT).work
    # no timer fired by the old rules; by the new ones a window has let anna go
    assert not work.engine.due()
    assert work.tags_by_customer() == {}
    assert [(c.tag, c.op, c.origin) for c in changes(log)[1:]] == [("t0", "left", "backfill")]


def test_the_difference_is_told_once_and_numbers_go_on_from_those_published(log: MemoryLog) -> None:
    send(log, "anna", START_MS)
    run(log, VISITED)
    send(log, "anna", START_MS + 5 * MINUTE_MS)
    run(log, RECENT)
    send(log, "anna", START_MS + 10 * MINUTE_MS)
    run(log, RECENT)
    assert [(c.seq, c.prev_seq) for c in changes(log)] == [(n, n - 1) for n in range(1, len(changes(log)) + 1)]
    told = len(changes(log))
    assert taken(log, RECENT).work.engine.seq == told == len(changes(log))


def test_changes_that_other_rules_would_have_made_have_no_numbers(log: MemoryLog) -> None:
    never = rules("count(browse, ever) >= 100")
    send(log, "anna", START_MS)
    send(log, "bert", START_MS + 10 * MINUTE_MS)
    run(log, never, START_MS + 20 * MINUTE_MS)
    send(log, "bert", START_MS + 20 * MINUTE_MS)
    run(log, RECENT)
    (first, second) = changes(log)
    # in the fold bert had come and gone already, but nobody was told of it
    assert {(c.customer_id, c.tag) for c in (first, second)} == {("bert", "t0"), ("bert", "t1")}
    assert [(c.seq, c.prev_seq) for c in (first, second)] == [(1, 0), (2, 1)]


def test_a_step_cut_short_by_its_timers_is_cut_at_the_same_place_again(log: MemoryLog) -> None:
    for number in range(5):
        send(log, f"c{number}", START_MS)
    run(log, RECENT, START_MS + 10 * MINUTE_MS, budget=2)
    assert journal(log)[-1].timers_fired == 2
    work = taken(log, RECENT).work
    assert work.engine.due()
    assert len(work.tags_by_customer()) == 3
