"""A partition's state as bytes, and back: a flat copy of its memory, cut into chunks with a checksum each.

All state is one array of words in which everything is known by its place (layout.py), so nothing has to be walked. The
price is that the words mean something under the very same layout and compiled rules only: `FORMAT` and `program_hash`
say under which, and whoever reads a snapshot of another kind must make the state from the events instead.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from processors import layout as L
from processors.rules.program import I64, Program

__all__ = ["CHUNK_WORDS", "FORMAT", "Filling", "checksum", "chunk", "chunk_count", "copy_of", "program_hash"]

FORMAT: Final = 2
"""Raised when the same state would be other words: registers, rows, blocks or tables have changed."""

CHUNK_WORDS: Final = 112_500
"""900 KB, below the usual limit of a record, 1 MiB."""


def program_hash(program: Program) -> int:
    """64 bits, signed, of all that the state's words get their meaning from."""
    digest = hashlib.blake2b(digest_size=8)
    for array in program:
        digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(b"|")
    return int.from_bytes(digest.digest(), "little", signed=True)


def copy_of(m: I64, room: I64) -> I64:
    """The words of the memory `m` that are in use, copied to the front of `room`, which is large enough."""
    copied = room[: int(m[L.R_TOP])]
    np.copyto(copied, m[: copied.size])
    return copied


def chunk_count(words: int) -> int:
    """Chunks that a copy of so many words has."""
    return -(-words // CHUNK_WORDS)


def chunk(words: I64, number: int) -> bytes:
    """Chunk `number`, from 0: little-endian words of eight bytes."""
    return words[number * CHUNK_WORDS : (number + 1) * CHUNK_WORDS].astype("<i8", copy=False).tobytes()


def checksum(data: bytes) -> int:
    """CRC-32 of a chunk."""
    return zlib.crc32(data)


class Filling:
    """A copy that is being put together again from its chunks, which may come in any order and more than once."""

    def __init__(self, words: int, checksums: Sequence[int]) -> None:
        self._checksums = checksums
        self._missing = set(range(chunk_count(words)))
        # room behind for the first steps: an array that grows is copied whole
        self._m = np.zeros(words + words // 4 + CHUNK_WORDS, np.int64)
        self._words = words

    def add(self, number: int, data: bytes) -> bool:
        """Put a chunk in its place. Returns whether it is the one that was written."""
        start = number * CHUNK_WORDS
        whole = min(CHUNK_WORDS, self._words - start)
        if (
            not 0 <= number < len(self._checksums)
            or len(data) != 8 * whole
            or checksum(data) != self._checksums[number]
        ):
            return False
        self._m[start : start + whole] = np.frombuffer(data, "<i8")
        self._missing.discard(number)
        return True

    @property
    def whole(self) -> bool:
        """Whether all chunks have come."""
        return not self._missing

    def memory(self) -> I64:
        """The memory, with zeros behind the words that are in use. Only of a whole copy."""
        assert self.whole
        return self._m
