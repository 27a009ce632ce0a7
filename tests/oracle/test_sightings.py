from __future__ import annotations

from processors.oracle.event import DAY_MS
from processors.oracle.sightings import Sightings


def test_an_id_is_a_duplicate_in_its_day_and_the_next() -> None:
    seen = Sightings()
    assert [seen.add("browse", "a", day * DAY_MS) for day in (0, 0, 1, 3)] == [False, True, True, False]


def test_ids_of_another_type_are_others() -> None:
    seen = Sightings()
    assert [seen.add(each, "a", 0) for each in ("browse", "purchase", "browse")] == [False, False, True]


def test_a_bound_on_ids_ends_the_older_generation_early() -> None:
    seen = Sightings(most=2)
    assert [seen.add("browse", each, 0) for each in "abca"] == [False, False, False, False]
