"""streams.control.requests: requests are taken in the order of their offsets, whatever Faust hands over."""

from __future__ import annotations

from streams.control.requests import Turn


def taken(turn: Turn, offsets: list[int], records: list[int]) -> list[int]:
    """Which of the offsets that come are taken, where these records are in the partition."""
    found = []
    for offset in offsets:
        if turn.unclear(offset):
            turn.there = min(record for record in records if record >= turn.next)
        if turn.take(offset):
            found.append(offset)
    return found


def test_what_was_fetched_before_a_rebalance_is_not_taken_ahead_of_its_turn() -> None:
    assert taken(Turn(10), [50, 51, 10, 11, 50, 12], [*range(60)]) == [10, 11, 12]


def test_offsets_without_a_record_are_passed_over() -> None:
    assert taken(Turn(10), [13, 14, 20, 21], [13, 14, 20, 21, 22]) == [13, 14, 20, 21]


def test_both_at_once() -> None:
    assert taken(Turn(10), [20, 21, 13, 21, 14, 20, 21], [13, 14, 20, 21, 22]) == [13, 14, 20, 21]


def test_what_was_handled_is_handled_again() -> None:
    assert taken(Turn(10), [10, 11, 8, 9, 10, 12], [*range(60)]) == [10, 11, 8, 9, 10, 12]
