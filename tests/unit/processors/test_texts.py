"""Texts are held once, known by their bytes, and given back by the last who holds them; Python's bytes judge."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import layout as L
from processors import texts
from processors.rules import program as G
from processors.state import make_room
from tests.unit.processors.world import key_of, raw_state

SIZES = (0, 1, 7, 8, 9, 15, 16, 17, 255, 256, 1023, texts.MAX_BYTES)


def some_texts(rng: random.Random, count: int) -> list[bytes]:
    """Of all sizes; many begin alike, some hold zeros and the highest bytes."""
    drawn = [rng.choice((b"\0", b"\xff", b"a"))[:1] * size for size in SIZES for _ in range(2)]
    while len(drawn) < count:
        size = rng.choice(SIZES)
        body = bytearray(b"a" * size)
        if size:
            body[rng.randrange(size)] = rng.choice((0, 1, 127, 128, 255))
        drawn.append(bytes(body))
    return drawn


class Texts:
    """A partition's texts."""

    def __init__(self, one_hash: bool = False) -> None:
        self.st, self.g = raw_state(1 << 18, t='profile.a starts_with "prefix"')
        self.one_hash = one_hash

    def key(self, text: bytes) -> tuple[np.int64, np.ndarray[tuple[int], np.dtype[np.uint8]]]:
        hashed, buf = key_of(text or b"\0")
        return (np.int64(-9) if self.one_hash else hashed), buf

    def find(self, text: bytes) -> int:
        hashed, buf = self.key(text)
        return int(texts.find(self.st.m, hashed, buf, 0, len(text)))

    def make(self, text: bytes) -> int:
        self.st = make_room(self.st, self.g)
        hashed, buf = self.key(text)
        return int(texts.make(self.st.m, hashed, buf, 0, len(text)))


@pytest.mark.parametrize("one_hash", [False, True])
def test_texts_equal_a_dictionary_of_who_holds_them(one_hash: bool) -> None:
    rng = random.Random(8)
    held = Texts(one_hash)
    choice = sorted(set(some_texts(rng, 120)))
    holders: dict[bytes, int] = {}
    blocks: dict[bytes, int] = {}
    for _ in range(1500):
        text = rng.choice(choice)
        assert held.find(text) == blocks.get(text, 0)
        if text in holders and rng.random() < 0.5:
            texts.let_go(held.st.m, blocks[text])
            holders[text] -= 1
            if holders[text] == 0:
                del holders[text], blocks[text]
        else:
            if text not in blocks:
                blocks[text] = held.make(text)
            texts.hold(held.st.m, blocks[text])
            holders[text] = holders.get(text, 0) + 1
        assert held.st.m[L.R_TEXTS_LIVE] == len(holders)
    assert len(holders) > 40
    for text in choice:
        assert held.find(text) == blocks.get(text, 0)
    for text, block in blocks.items():
        m = held.st.m
        assert bytes(int(texts.byte_of(m, block, i)) for i in range(len(text))) == text
        assert (m[block + L.TEXT_BYTES], m[block + L.TEXT_HOLDERS]) == (len(text), holders[text])


def test_a_text_is_read_from_any_place_of_the_bytes() -> None:
    held = Texts()
    buf = np.frombuffer(b"0123456789abcdefghij", np.uint8)
    for start in range(10):
        found = texts.make(make_room(held.st, held.g).m, np.int64(start), buf, start, 9)
        assert texts.text_of(held.st.m, int(found)) == "0123456789abcdefghij"[start : start + 9]
        assert texts.find(held.st.m, np.int64(start), buf, start, 9) == found
        assert texts.find(held.st.m, np.int64(start), buf, start, 8) == 0


@pytest.mark.parametrize("text", ["", "a", "eight by", "nine byte", "价格", "🛒" * 256, "é" * 511 + "ab"])
def test_a_text_is_given_back_as_it_came(text: str) -> None:
    held = Texts()
    assert texts.text_of(held.st.m, held.make(text.encode())) == text


def test_texts_are_in_the_order_of_their_bytes() -> None:
    rng = random.Random(9)
    held = Texts()
    blocks = {text: held.make(text) for text in sorted(set(some_texts(rng, 60)))}
    for a, at in blocks.items():
        for b, bt in blocks.items():
            assert bool(texts.is_less(held.st.m, at, bt)) == (a < b), (a[:20], b[:20])


@pytest.mark.parametrize("text", [b"", b"p", b"prefi", b"prefix", b"prefixes", b"Prefix", b"a prefix", b"prefi\0"])
def test_a_text_begins_with_a_prefix_of_the_rules(text: bytes) -> None:
    held = Texts()
    at = int(held.g[G.PREFIXES])
    assert held.g[at : at + 6].astype(np.uint8).tobytes() == b"prefix"
    block = held.make(text)
    for size in range(7):
        assert bool(texts.begins(held.st.m, held.g, block, 0, size)) == text.startswith(b"prefix"[:size])


def test_what_nobody_holds_leaves_its_room_to_others() -> None:
    held = Texts()
    tops = []
    for round_ in range(4):
        blocks = [held.make(f"{round_} {n}".encode() * 40) for n in range(60)]
        for block in blocks:
            texts.hold(held.st.m, block)
        tops.append(int(held.st.m[L.R_TOP]))
        for block in blocks:
            texts.let_go(held.st.m, block)
    assert len(set(tops)) == 1
    assert held.st.m[L.R_TEXTS_LIVE] == 0
