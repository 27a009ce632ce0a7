"""Blocks: none overlap, what they hold stays, and what is given back is used again."""

from __future__ import annotations

import random

import numpy as np

from processors import arena
from processors import layout as L
from tests.unit.processors.world import raw_state


def test_classes_grow_by_a_half_and_a_third_in_turn() -> None:
    assert [arena.class_words(cls) for cls in range(9)] == [4, 6, 8, 12, 16, 24, 32, 48, 64]
    for words in range(1, 3000):
        cls = arena.class_for(words)
        assert arena.class_words(cls) >= words
        assert cls == 0 or arena.class_words(cls - 1) < words


def test_live_blocks_never_overlap_and_keep_their_content() -> None:
    st, _ = raw_state(1 << 20)
    rng = random.Random(3)
    live: list[tuple[int, int, int, list[int]]] = []
    for turn in range(4000):
        if live and rng.random() < 0.4:
            block, cls, _, content = live.pop(rng.randrange(len(live)))
            assert st.m[block : block + len(content)].tolist() == content
            arena.release(st.m, block, cls)
        elif live and rng.random() < 0.4:
            place = rng.randrange(len(live))
            block, cls, words, content = live[place]
            words += rng.randrange(1, 20)
            block, cls = arena.resized(st.m, block, cls, len(content), words)
            assert st.m[block : block + len(content)].tolist() == content
            content = [*content, *range(turn, turn + words - len(content))]
            st.m[block : block + words] = content
            live[place] = (block, cls, words, content)
        else:
            words = rng.randrange(1, 40)
            cls = arena.class_for(words)
            block = arena.allocate(st.m, cls)
            st.m[block : block + words] = np.arange(turn, turn + words)
            live.append((block, cls, words, list(range(turn, turn + words))))
    taken: set[int] = set()
    for block, cls, _, content in live:
        assert st.m[block : block + len(content)].tolist() == content
        words_of_block = set(range(block, block + arena.class_words(cls)))
        assert not taken & words_of_block
        taken |= words_of_block


def test_what_is_given_back_is_used_before_fresh_words() -> None:
    st, _ = raw_state()
    blocks = [arena.allocate(st.m, 5) for _ in range(50)]
    top = st.m[L.R_TOP]
    for _ in range(100):
        for block in blocks:
            arena.release(st.m, block, 5)
        blocks = [arena.allocate(st.m, 5) for _ in range(50)]
    assert st.m[L.R_TOP] == top
    assert len(set(blocks)) == 50


def test_cut_takes_words_out_and_closes_the_gap() -> None:
    m = np.arange(100, dtype=np.int64)
    arena.cut(m, 20, 10, 3, 4)
    assert m[20:26].tolist() == [20, 21, 22, 27, 28, 29]
    assert m[:20].tolist() == list(range(20))
    assert m[30:].tolist() == list(range(30, 100))
