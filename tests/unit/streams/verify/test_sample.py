from __future__ import annotations

import random

from streams.verify.sample import CUSTOMER_WEIGHS, Sample, rank_of

IDS = [f"c{n}" for n in range(500)]


def test_a_sample_is_the_same_in_whatever_order_it_is_asked() -> None:
    drawn = set()
    for seed in range(3):
        sample = Sample(most=7)
        for each in random.Random(seed).sample(IDS, len(IDS)):
            sample.wants(each)
        drawn.add(sample.kept)
    assert len(drawn) == 1 and len(drawn.pop()) == 7


def test_whoever_is_kept_in_the_end_was_kept_from_the_first_question_on() -> None:
    chance = random.Random(1)
    asked = [chance.choice(IDS) for _ in range(3_000)]
    sample = Sample(room=40 * CUSTOMER_WEIGHS)
    kept: dict[str, int] = {}

    def forget(customer_id: str) -> None:
        kept.pop(customer_id, None)

    sample.on_forget(forget)
    for each in asked:
        if sample.wants(each):
            kept[each] = kept.get(each, 0) + 1
        assert sum(kept.values()) + CUSTOMER_WEIGHS * len(kept) <= 40 * CUSTOMER_WEIGHS
    assert kept == {each: asked.count(each) for each in sample.kept}


def test_passes_meet_everybody_once() -> None:
    met: list[str] = []
    sample: Sample | None = Sample(room=100 * CUSTOMER_WEIGHS)
    passes = 0
    while sample is not None:
        passes += 1
        for each in IDS:
            sample.wants(each)
        met += sample.kept
        sample = None if sample.bar is None else Sample(room=100 * CUSTOMER_WEIGHS, after=sample.last)
    assert passes > 4
    assert sorted(met) == sorted(IDS)


def test_there_is_always_room_for_one_customer() -> None:
    sample = Sample(room=1)
    assert all(sample.wants("c") for _ in range(100))
    assert sample.bar is None


def test_those_who_are_named_are_kept_though_nobody_asks_and_no_others_are() -> None:
    sample = Sample(only=["a", "b"], room=1)
    assert (sample.wants("a"), sample.wants("c")) == (True, False)
    assert (sample.kept, sample.bar) == ({"a", "b"}, None)


def test_whoever_was_turned_away_does_not_come_back_when_there_is_room_again() -> None:
    first, second, third = sorted(IDS, key=rank_of)[:3]
    sample = Sample(room=3 * CUSTOMER_WEIGHS)
    assert sample.wants(third)
    assert all(sample.wants(second) for _ in range(2 * CUSTOMER_WEIGHS))
    assert sample.kept == {second}
    assert sample.wants(first)
    assert sample.kept == {first}
    assert not sample.wants(third)
