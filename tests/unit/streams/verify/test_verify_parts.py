"""The parts of `tagstream verify` that need no broker."""

from __future__ import annotations

import random

from processors.oracle.event import DAY_MS
from processors.oracle.sightings import Sightings
from streams.verify.compare import compare
from streams.verify.published import Point, Published, Version
from streams.verify.redis_side import Held
from streams.verify.sample import Sample


def published(seq: int, *versions: Version) -> Published:
    found = Published(point=Point(step=1, seq=seq, clock=0, rule_version="v", next={}, position=9))
    found.versions["c"].extend(versions)
    return found


def test_a_sample_is_the_same_in_whatever_order_it_is_asked() -> None:
    ids = [f"c{n}" for n in range(500)]
    drawn = set()
    for seed in range(3):
        random.Random(seed).shuffle(ids)
        sample = Sample(7)
        for each in ids:
            sample.wants(each)
        drawn.add(sample.kept)
    assert len(drawn) == 1 and len(drawn.pop()) == 7


def test_an_id_is_a_duplicate_in_its_day_and_the_next() -> None:
    seen = Sightings()
    assert [seen.add("browse", "a", day * DAY_MS) for day in (0, 0, 1, 3)] == [False, True, True, False]


def test_a_bound_on_ids_ends_the_older_generation_early() -> None:
    seen = Sightings(most=2)
    assert [seen.add("browse", each, 0) for each in "abca"] == [False, False, False, False]


def test_what_stands_behind_the_point_is_no_difference() -> None:
    part = published(5, Version((1, 4), {}), Version((1, 6), {"t": True}))
    found = compare(["c"], {}, part, {"c": Held((1, 6), {"t": "1"}, True)})
    assert (found.differences, found.moved_on) == ([], {"c"})


def test_redis_that_is_behind_is_no_difference_and_one_that_is_not_is() -> None:
    part = published(5, Version((1, 5), {"t": True}))
    part.changed["c"]["t"] = (1, 5), True
    late = compare(["c"], {"c": {"t": True}}, part, {"c": Held((1, 4), {}, False)})
    assert (late.differences, late.behind) == ([], {"c"})
    wrong = compare(["c"], {"c": {"t": True}}, part, {"c": Held((1, 4), {}, True)})
    assert [d.wrong for d in wrong.differences] == [["redis"]]
