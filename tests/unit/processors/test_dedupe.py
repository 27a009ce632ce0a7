"""Repeated ids: two generations of a day of clock each, with a bound that ends the older one early."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import dedupe
from processors import layout as L
from processors.partition import Partition
from processors.state import make_room
from schemas.outcomes import Outcome
from tests.unit.processors.world import START_MS, World, event, raw_state, rules

DAY_MS = 86_400_000


class Model:
    """Two sets."""

    def __init__(self, clock: int, limit: int) -> None:
        self.generation = clock // DAY_MS
        self.now: set[int] = set()
        self.before: set[int] = set()
        self.limit = limit

    def is_duplicate(self, h: int, clock: int) -> bool:
        while self.generation < clock // DAY_MS:
            self.before, self.now = self.now, set()
            self.generation += 1
        if h in self.now:
            return True
        repeated = h in self.before
        if len(self.now) >= self.limit:
            self.before, self.now = self.now, set()
        self.now.add(h)
        return repeated


@pytest.mark.parametrize("limit", [1, 2, 5, 40, 10_000])
@pytest.mark.parametrize("spread", [1, 4_000_000_000])
def test_duplicates_are_those_of_two_sets(limit: int, spread: int) -> None:
    rng = random.Random(limit)
    st, g = raw_state()
    clock = START_MS
    st.m[L.R_SEEN_GENERATION] = clock // DAY_MS
    st.m[L.R_SEEN_LIMIT] = limit
    model = Model(clock, limit)
    found = 0
    for _ in range(6000):
        clock += rng.choice((0, 0, 1000, 60_000, 600_000, 5 * 3_600_000 if rng.random() < 0.1 else 0))
        if rng.random() < 0.001:
            clock += rng.randrange(4) * DAY_MS
        # multiples of `spread` share their place in the table
        h = rng.randrange(1, 4000) * spread << (12 if spread > 1 else 0)
        st = make_room(st, g)
        got = bool(dedupe.is_duplicate(st.m, np.int64(h), clock))
        assert got == model.is_duplicate(h, clock)
        found += got
    assert found > 0 or limit < 40


@pytest.mark.parametrize(
    ("sightings_ms", "repeats"),
    [
        ((0, 1), [False, True]),
        ((DAY_MS - 1, 2 * DAY_MS - 1), [False, True]),
        ((DAY_MS - 1, 2 * DAY_MS), [False, False]),
        ((0, 2 * DAY_MS - 1), [False, True]),
        ((0, DAY_MS, 2 * DAY_MS, 3 * DAY_MS, 5 * DAY_MS), [False, True, True, True, False]),
        ((0, 30 * DAY_MS), [False, False]),
    ],
)
def test_an_id_is_known_in_its_generation_and_the_next(sightings_ms: tuple[int, ...], repeats: list[bool]) -> None:
    one = World(Partition(rules(t="count(purchase, 1h) >= 9")))
    for at_ms in sightings_ms:
        one.step(event(at_ms, id="again"))
    assert one.outcomes[Outcome.DUPLICATE] == sum(repeats)
    assert one.outcomes[Outcome.APPLIED] == len(repeats) - sum(repeats)


def test_the_same_id_in_another_type_is_another_event() -> None:
    one = World(Partition(rules(t="count(purchase, 1h) >= 9")))
    one.step(event(0, id="x"), event(1, kind="browse", id="x"), event(2, kind="service", id="x"), event(3, id="x"))
    assert one.happened() == {Outcome.APPLIED: 3, Outcome.DUPLICATE: 1}


def test_ids_that_differ_as_the_numbers_of_their_types_do_are_two_events() -> None:
    one = World(Partition(rules(t="count(purchase, 1h) >= 9")))
    digits = "0123456789abcdef"
    for kind in ("browse", "purchase", "service", "profile"):
        one.step(*(event(0, kind=kind, id=f"{digit}000") for digit in digits))
    assert one.happened() == {Outcome.APPLIED: 64}


def test_the_horizon_tells_how_far_back_every_id_is_known() -> None:
    part = Partition(rules(t="count(purchase, 1h) >= 9"), dedupe_max_ids=8)
    one = World(part)
    one.step(event(0, id="first"), to_ms=DAY_MS)
    assert part.dedupe_horizon_ms() == DAY_MS
    # the bound is on both generations: the ninth id since the older one began ends it
    one.step(*(event(DAY_MS + n, id=f"n{n}") for n in range(1, 5)))
    assert part.dedupe_horizon_ms() == DAY_MS + 4
    one.step(event(DAY_MS + 5, id="n5"))
    assert part.dedupe_horizon_ms() == 4
    assert one.step(event(DAY_MS + 6, id="first")).outcomes[Outcome.APPLIED] == 1
    assert one.step(event(DAY_MS + 7, id="n1")).outcomes[Outcome.DUPLICATE] == 1


def test_a_hash_is_never_the_mark_of_an_empty_place() -> None:
    buf = np.frombuffer(b"e1", np.uint8)
    assert dedupe.event_hash(buf, 0, 2, 0) != 0
    assert len({int(dedupe.event_hash(buf, 0, 2, kind)) for kind in range(4)}) == 4
