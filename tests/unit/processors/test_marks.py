"""Marks come out in the order of ranks, each once."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import layout as L
from processors.marks import mark, mark_readers, take_first, todo_words
from processors.rules import program as G
from processors.rules.limits import MAX_TAGS
from tests.unit.processors.world import raw_state


def empty() -> np.ndarray:
    m = np.zeros(L.R_WORDS + todo_words(MAX_TAGS), np.int64)
    m[L.R_TODO] = L.R_WORDS
    return m


def taken(m: np.ndarray) -> list[int]:
    found = []
    while (rank := int(take_first(m))) >= 0:
        found.append(rank)
    return found


@pytest.mark.parametrize("ranks", [[], [0], [63], [64], [4095, 4096], [MAX_TAGS - 1], [*range(130)]])
def test_ranks_at_the_edges_of_words(ranks: list[int]) -> None:
    m = empty()
    for rank in reversed(ranks):
        mark(m, rank)
    assert taken(m) == ranks
    assert not m[L.R_WORDS :].any()


def test_any_ranks_come_out_sorted() -> None:
    rng = random.Random(1)
    for _ in range(50):
        ranks = [rng.randrange(MAX_TAGS) for _ in range(rng.randrange(200))]
        m = empty()
        for rank in ranks:
            mark(m, rank)
        assert taken(m) == sorted(set(ranks))


def test_what_is_marked_meanwhile_comes_in_its_turn() -> None:
    m = empty()
    mark(m, 5)
    mark(m, 9000)
    assert take_first(m) == 5
    mark(m, 6)
    mark(m, 70)
    assert taken(m) == [6, 70, 9000]


def test_the_readers_of_a_series_are_marked_and_no_others() -> None:
    tags = {f"t{n:02}": f'count(browse where channel == "{n % 7}", 1h) >= {n + 1}' for n in range(80)}
    st, g = raw_state(**tags)
    ranked = g[g[G.RANKED_TAGS] : g[G.RANKED_TAGS] + 80].tolist()
    groups = set()
    for sid in range(7):
        mark_readers(st.m, g, sid)
        groups.add(frozenset(ranked[rank] for rank in taken(st.m)))
    # tag n reads the series of its remainder by seven
    assert groups == {frozenset(range(first, 80, 7)) for first in range(7)}
