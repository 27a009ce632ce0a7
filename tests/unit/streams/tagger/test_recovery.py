"""streams.tagger.recovery and backfill: what is made of a journal, and what is refused"""

from __future__ import annotations

import pytest

from schemas.codec import event_from_json
from schemas.errors import StateError
from schemas.records import Current, TagValue
from tests.unit.streams.tagger.taking import (
    BROWSE,
    CURRENT,
    JOURNAL,
    MINUTE_MS,
    RECENT,
    START_MS,
    VISITED,
    Installation,
    changes,
    journal,
    rewrite,
    rules,
    run,
    send,
    taken,
)  # fmt: skip


def test_a_partition_that_is_taken_again_goes_on_as_if_it_had_never_been_left(site: Installation) -> None:
    send(site, "anna", START_MS)
    run(site, RECENT, START_MS + 10)
    send(site, "anna", START_MS + 20)
    run(site, RECENT, START_MS + 5 * MINUTE_MS)
    assert [(c.tag, c.op, c.seq, c.prev_seq) for c in changes(site)] == [
        ("t0", "entered", 1, 0),
        ("t1", "entered", 2, 1),
        ("t0", "left", 3, 2),
    ]
    again = taken(site, RECENT)
    assert again.work.engine.seq == 3
    assert again.work.tags_by_customer() == {"anna": {"t1": True}}
    assert again.work.number == 2
    assert not again.changed and not again.published


def test_the_epoch_is_the_offset_of_the_claim_and_the_clock_says_so(site: Installation) -> None:
    run(site, VISITED, START_MS)
    work = taken(site, VISITED).work
    assert [r.kind for r in journal(site)] == ["claim", "step", "claim"]
    # each record is followed by its transaction's marker
    assert work.epoch == 4
    clock = Current.from_value(site.records(CURRENT)[-1].given_value or b"")
    assert clock.is_clock and clock.epoch == 4


def test_what_an_older_owner_writes_behind_a_newer_claim_is_not_applied(site: Installation) -> None:
    send(site, "anna", START_MS)
    run(site, VISITED, START_MS)
    zombie = site.records(JOURNAL)[-1].given_value
    taken(site, VISITED)
    site.put(JOURNAL, b"0", zombie)
    assert taken(site, VISITED).work.number == 1


def test_an_event_that_is_another_than_it_was_stops_the_partition(site: Installation) -> None:
    send(site, "anna", START_MS)
    run(site, VISITED, START_MS)
    other = event_from_json("browse", {"event_id": "e0", "customer_id": "bert", "event_time": START_MS})
    rewrite(site, BROWSE, 0, other)
    with pytest.raises(StateError, match="TS-S102"):
        taken(site, VISITED)


def test_a_journal_record_that_cannot_be_read_stops_the_partition(site: Installation) -> None:
    run(site, VISITED, START_MS)
    rewrite(site, JOURNAL, 2, b"\xc3\x01 damaged")
    with pytest.raises(StateError, match=r"TS-S103.*tags.journal\[0\] at 2"):
        taken(site, VISITED)


@pytest.mark.parametrize("gone", [[0], [1], [2], [0, 1, 2]])
def test_events_that_are_gone_from_their_topic_stop_the_partition(site: Installation, gone: list[int]) -> None:
    for minute in range(3):
        send(site, "anna", START_MS + minute * MINUTE_MS)
    run(site, VISITED)
    site.partition(BROWSE).keep([r for r in site.records(BROWSE) if r.at_offset not in gone])
    with pytest.raises(StateError, match=r"TS-S10[24]"):
        taken(site, VISITED)


def test_published_tags_without_a_journal_are_no_first_start(site: Installation) -> None:
    tags = (TagValue("t0", True),)
    current = Current(customer_id="anna", partition=0, epoch=9, seq=4, clock=1, rule_version="v", tags=tags)
    site.put(CURRENT, b"anna", current.to_avro())
    for _ in range(2):
        with pytest.raises(StateError, match="TS-S101"):
            taken(site, VISITED)
    site.put(CURRENT, b"anna", None)
    assert taken(site, VISITED).work.number == 0


def test_other_rules_have_all_their_timers_fired_by_the_end_of_the_journal(site: Installation) -> None:
    send(site, "anna", START_MS)
    run(site, VISITED, START_MS + 10 * MINUTE_MS)
    work = taken(site, RECENT).work
    # no timer fired by the old rules; by the new ones a window has let anna go
    assert not work.engine.due()
    assert work.tags_by_customer() == {}
    assert [(c.tag, c.op, c.origin) for c in changes(site)[1:]] == [("t0", "left", "backfill")]


def test_the_difference_is_told_once_and_numbers_go_on_from_those_published(site: Installation) -> None:
    send(site, "anna", START_MS)
    run(site, VISITED)
    send(site, "anna", START_MS + 5 * MINUTE_MS)
    run(site, RECENT)
    send(site, "anna", START_MS + 10 * MINUTE_MS)
    run(site, RECENT)
    assert [(c.seq, c.prev_seq) for c in changes(site)] == [(n, n - 1) for n in range(1, len(changes(site)) + 1)]
    told = len(changes(site))
    assert taken(site, RECENT).work.engine.seq == told == len(changes(site))


def test_changes_that_other_rules_would_have_made_have_no_numbers(site: Installation) -> None:
    never = rules("count(browse, ever) >= 100")
    send(site, "anna", START_MS)
    send(site, "bert", START_MS + 10 * MINUTE_MS)
    run(site, never, START_MS + 20 * MINUTE_MS)
    send(site, "bert", START_MS + 20 * MINUTE_MS)
    run(site, RECENT)
    (first, second) = changes(site)
    # in the fold bert had come and gone already, but nobody was told of it
    assert {(c.customer_id, c.tag) for c in (first, second)} == {("bert", "t0"), ("bert", "t1")}
    assert [(c.seq, c.prev_seq) for c in (first, second)] == [(1, 0), (2, 1)]


def test_a_step_cut_short_by_its_timers_is_cut_at_the_same_place_again(site: Installation) -> None:
    for number in range(5):
        send(site, f"c{number}", START_MS)
    run(site, RECENT, START_MS + 10 * MINUTE_MS, budget=2)
    assert journal(site)[-1].timers_fired == 2
    work = taken(site, RECENT).work
    assert work.engine.due()
    assert len(work.tags_by_customer()) == 3


def test_a_step_that_the_log_has_doubled_is_applied_once(site: Installation) -> None:
    send(site, "anna", START_MS)
    left = run(site, RECENT, START_MS + 10)
    site.put(JOURNAL, b"0", site.records(JOURNAL)[-1].given_value)
    again = taken(site, RECENT).work
    assert (again.number, again.engine.seq, again.offsets()) == (left.number, left.engine.seq, left.offsets())
