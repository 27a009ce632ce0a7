from __future__ import annotations

from streams.order_of_application import Source, merged


class Sent:
    """A message with nothing but an offset and a timestamp."""

    def __init__(self, offset: int, timestamp_ms: int) -> None:
        self._offset, self._timestamp_ms = offset, timestamp_ms

    def offset(self) -> int | None:
        return self._offset

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, self._timestamp_ms


def places(sources: list[Source], *ends: int) -> list[tuple[int, int]]:
    """(source, offset) in the order in which they come."""
    return [(each.source, each.offset) for each in merged(sources, ends)]


def test_records_come_by_arrival_then_topic_then_offset() -> None:
    sources = [Source(0, [Sent(0, 5), Sent(1, 7), Sent(2, 7)]), Source(1, [Sent(0, 5), Sent(1, 6), Sent(2, 7)])]
    assert places(sources, 3, 3) == [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)]


def test_a_time_that_goes_back_in_its_topic_is_raised() -> None:
    sources = [Source(0, [Sent(0, 9), Sent(1, 3)]), Source(1, [Sent(0, 8), Sent(4, 10)])]
    assert places(sources, 9, 9) == [(1, 0), (0, 0), (0, 1), (1, 4)]


def test_what_is_in_a_later_step_comes_later_though_it_arrived_before() -> None:
    sources = [Source(0, [Sent(0, 1), Sent(1, 2)]), Source(1, [Sent(0, 5)])]
    assert places(sources, 1, 1) == [(0, 0), (1, 0)]
    assert places(sources, 2, 1) == [(0, 1)]
    assert places(sources, 2, 1) == []
