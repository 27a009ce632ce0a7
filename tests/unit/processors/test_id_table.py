"""The table of blocks by hash equals a dictionary, wherever in it the hashes want to stand."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from processors import id_table

REGISTERS, TABLE, BLOCKS, SIZE = 0, 16, 256, 64

HOMES: dict[str, Callable[[int], int]] = {
    "anywhere": lambda drawn: drawn,
    "one place": lambda drawn: drawn & ~(SIZE - 1) | 5,
    # what does not fit behind the last place goes on at the first
    "the last places": lambda drawn: drawn | (SIZE - 3),
    "the last and the first place": lambda drawn: drawn & ~(SIZE - 1) | random.Random(drawn).choice((0, SIZE - 1)),
    "equal hashes": lambda drawn: -7,
    "no hash": lambda drawn: 0,
}


class Table:
    """A table over memory of its own, in which block b stands at word BLOCKS + b."""

    def __init__(self) -> None:
        self.m = np.zeros(4096, np.int64)
        self.m[REGISTERS] = TABLE
        self.m[REGISTERS + 1] = SIZE

    def found(self, block: int) -> bool:
        """By walking on from the block's home to an empty place, as those do who look something up."""
        m, mask = self.m, int(self.m[REGISTERS + 1]) - 1
        place = int(m[block]) & mask
        while entry := int(m[int(m[REGISTERS]) + place]):
            if entry & id_table.LOW == block:
                assert entry & id_table.HIGH == int(m[block]) & id_table.HIGH
                return True
            place = (place + 1) & mask
        return False

    def entries(self) -> list[int]:
        start = int(self.m[REGISTERS])
        return [e & id_table.LOW for e in self.m[start : start + int(self.m[REGISTERS + 1])].tolist() if e]


@pytest.mark.parametrize("name", HOMES)
@pytest.mark.parametrize("seed", range(3))
def test_every_block_that_is_in_is_found_and_no_other(name: str, seed: int) -> None:
    rng = random.Random(f"{name} {seed}")
    table = Table()
    blocks = [BLOCKS + n for n in range(3 * SIZE // 4)]
    inside: set[int] = set()
    for turn in range(600):
        block = rng.choice(blocks)
        if block in inside:
            id_table.remove(table.m, REGISTERS, block)
            inside.remove(block)
        else:
            # half full at most in the first half of the turns, then up to three quarters
            if len(inside) < SIZE // 2 or turn > 300:
                table.m[block] = HOMES[name](rng.randrange(-(2**63), 2**63))
                id_table.insert(table.m, REGISTERS, block)
                inside.add(block)
        assert table.m[REGISTERS + 2] == len(inside)
        if turn % 10 == 0:
            assert [b for b in blocks if table.found(b)] == sorted(inside)
    assert sorted(table.entries()) == sorted(inside)


@pytest.mark.parametrize("name", HOMES)
@pytest.mark.parametrize("size", [SIZE, 2 * SIZE, 8 * SIZE])
def test_a_table_that_moved_holds_the_same(name: str, size: int) -> None:
    rng = random.Random(name)
    table = Table()
    inside = [BLOCKS + n for n in range(SIZE // 2)]
    for block in inside:
        table.m[block] = HOMES[name](rng.randrange(-(2**63), 2**63))
        id_table.insert(table.m, REGISTERS, block)
    id_table.move(table.m, REGISTERS, 1024, size)
    assert table.m[REGISTERS : REGISTERS + 3].tolist() == [1024, size, len(inside)]
    assert all(table.found(block) for block in inside)
    assert sorted(table.entries()) == inside
