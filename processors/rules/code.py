"""Programs one behind another, and the shapes in which tables are written."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from processors import interpret as vm
from processors.rules import program as G
from processors.rules.instructions import Instruction
from processors.rules.program import I64


class Code:
    """All programs of a rule set, one behind another."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []

    def add(self, instructions: Iterable[Instruction]) -> tuple[int, int]:
        """Append a program. Returns its range in the words of the packed rules, where code comes first."""
        start = len(self.instructions)
        self.instructions.extend(instructions)
        end = len(self.instructions)
        return G.HEADER + start * vm.CODE_WORDS, G.HEADER + end * vm.CODE_WORDS


def firsts(counts: Iterable[int]) -> I64:
    """Starts of consecutive ranges of these lengths, and the end of the last."""
    return np.concatenate([[0], np.cumsum(np.fromiter(counts, np.int64))]).astype(np.int64)


def ints(values: Iterable[int]) -> I64:
    return np.fromiter(values, np.int64)
