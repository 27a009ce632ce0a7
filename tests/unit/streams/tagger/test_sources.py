"""streams.tagger.sources: records are applied in the order of (arrival, topic, offset), however they come in"""

from __future__ import annotations

import random
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.log import Message, TopicPartition
from streams.tagger.sources import Source, ready, take
from tests.simulation.record import Record

PLACES = [TopicPartition(name, 0) for name in ("a", "b", "c")]
"""Three topics of one partition, in their order."""
Applied = tuple[int, int, int]
"""Arrival, topic, offset."""

topics = st.lists(
    # offsets of a topic with transactions or compaction have gaps
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 3)), max_size=8),
    min_size=3,
    max_size=3,
)


def records_of(drawn: list[tuple[int, int]]) -> list[Message]:
    offsets = accumulate(gap for _, gap in drawn)
    return [Record(offset, arrival) for offset, (arrival, _) in zip(offsets, drawn, strict=True)]


def naive(logs: list[list[Message]]) -> list[Applied]:
    """All of it sorted at once."""
    raised = [list(accumulate((r.timestamp()[1] for r in log), max)) for log in logs]
    return sorted(
        (arrival, topic, record.offset() or 0)
        for topic, log in enumerate(logs)
        for arrival, record in zip(raised[topic], log, strict=True)
    )


def step(sources: list[Source], counts: list[int], most: int) -> list[Applied]:
    before = [s.next for s in sources]
    taken = take(sources, counts, most)
    for place, source in enumerate(sources):
        mine = [m.offset() or 0 for m, of in zip(taken.messages, taken.sources, strict=True) if of == place]
        assert taken.first[place] == (mine[0] if mine else before[place])
        assert source.next == (mine[-1] + 1 if mine else before[place])
    return [
        (int(taken.arrivals[i]), int(taken.sources[i]), taken.messages[i].offset() or 0) for i in taken.order.tolist()
    ]


@given(topics, st.integers(0, 1 << 30))
def test_history_is_merged_by_time_however_it_is_fetched_and_cut(drawn: list[list[tuple[int, int]]], seed: int) -> None:
    chance = random.Random(seed)
    logs = [records_of(d) for d in drawn]
    sources = [Source(place, 0) for place in PLACES]
    given_so_far = [0, 0, 0]
    applied: list[Applied] = []
    while len(applied) < sum(map(len, logs)):
        topic = chance.randrange(3)
        some = logs[topic][given_so_far[topic] :][: chance.randint(0, 3)]
        if some:
            sources[topic].add(some)
            given_so_far[topic] += len(some)
        # the end is met by the fetch that brings the last record, or by a later one
        if given_so_far[topic] == len(logs[topic]) and chance.random() < 0.5:
            sources[topic].at_end = True
        applied += step(sources, ready(sources), chance.randint(1, 4))
    assert applied == naive(logs)


@given(topics, st.integers(0, 1 << 30))
def test_with_ends_in_between_no_record_waits_and_none_is_applied_behind_one_that_was_in_hand(
    drawn: list[list[tuple[int, int]]], seed: int
) -> None:
    chance = random.Random(seed)
    sources = [Source(place, 0) for place in PLACES]
    rest: list[list[Message]] = [records_of(d) for d in drawn]
    while any(rest) or any(s.held for s in sources):
        for topic, source in enumerate(sources):
            n = chance.randint(0, 2)
            some, rest[topic] = rest[topic][:n], rest[topic][n:]
            if some:
                source.add(some)
            source.at_end = True
        in_hand = [
            (int(arrival), topic, message.offset() or 0)
            for topic, source in enumerate(sources)
            for arrival, message in zip(source.arrivals, source.messages, strict=True)
        ]
        assert step(sources, ready(sources), 1_000) == sorted(in_hand)


def test_a_topic_that_is_not_at_its_end_holds_up_what_is_later_than_its_last_record() -> None:
    a, b, c = sources = [Source(place, 0) for place in PLACES]
    a.add([Record(0, 10), Record(1, 20), Record(2, 30)])
    b.add([Record(0, 20)])
    c.at_end = True
    # b may yet bring another record of 20: a's come before it, c's would come behind
    assert ready(sources) == [2, 1, 0]
    c.add([Record(0, 20)])
    c.at_end = True
    assert ready(sources) == [2, 1, 0]
    b.at_end = True
    assert ready(sources) == [3, 1, 1]


def test_a_topic_of_which_nothing_is_known_holds_up_everything() -> None:
    a, b, _ = sources = [Source(place, 0) for place in PLACES]
    a.add([Record(0, 10)])
    b.at_end = True
    assert ready(sources) == [0, 0, 0]


def test_the_end_counts_until_the_next_record() -> None:
    source = Source(PLACES[0], 0)
    source.at_end = True
    source.add([Record(0, 10)])
    assert not source.at_end


def test_a_timestamp_that_goes_back_is_raised_to_the_last_one_also_between_two_fetches() -> None:
    source = Source(PLACES[0], 0)
    source.add([Record(0, 10), Record(1, 5)])
    source.add([Record(2, 7), Record(3, 11)])
    assert source.arrivals.tolist() == [10, 10, 10, 11]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_step_takes_the_first_records_of_all_topics_and_leaves_the_rest(most: int) -> None:
    sources = [Source(place, 0) for place in PLACES]
    for topic, source in enumerate(sources):
        source.add([Record(offset, 10 * offset + topic) for offset in range(3)])
        source.at_end = True
    applied = [step(sources, ready(sources), most) for _ in range(-(-9 // most))]
    assert [record for taken in applied for record in taken] == [(10 * o + t, t, o) for o in range(3) for t in range(3)]


def test_where_to_fetch_on_is_behind_what_is_in_hand() -> None:
    source = Source(PLACES[0], 5)
    assert source.fetch_from == 5
    source.add([Record(7), Record(9)])
    assert (source.fetch_from, source.next, source.held) == (10, 5, 2)
    assert [source.before(offset) for offset in (7, 8, 9, 10)] == [0, 1, 1, 2]
    source.take(1)
    assert (source.fetch_from, source.next, source.held) == (10, 8, 1)
