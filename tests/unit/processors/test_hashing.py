"""Hashes: Kafka's vectors for murmur2, and what our own must do."""

from __future__ import annotations

import numpy as np
import pytest

from processors.hashing import U, hash_bytes, murmur2, partition_of_key
from processors.partition import ENGINE_VERSION

VECTORS = {
    # org.apache.kafka.common.utils.UtilsTest.testMurmur2
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
    "": 275646681,
    # librdkafka, rdmurmur2.c
    "kafka": -798503068,
    # of Kafka's implementation, by others who port it: each remainder of the length by four
    "1": -1993445489,
    "12": 126087238,
    "123": -267702483,
    "1234": -1614185708,
    "12345": -1188365604,
}  # fmt: skip


def murmur2_plainly(data: bytes) -> int:
    """As Kafka's Utils.murmur2 reads, in Python's whole numbers, signed."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if data[whole:]:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    h ^= h >> 15
    return h - (1 << 32) if h >> 31 else h


def ours(data: bytes) -> int:
    h = int(murmur2(np.frombuffer(data or b"\0", np.uint8), 0, len(data)))
    return h - (1 << 32) if h >> 31 else h


@pytest.mark.parametrize("text", VECTORS)
def test_murmur2_is_kafkas(text: str) -> None:
    assert ours(text.encode()) == murmur2_plainly(text.encode()) == VECTORS[text]


def test_murmur2_is_kafkas_for_all_lengths_and_bytes_with_the_high_bit() -> None:
    rng = np.random.default_rng(1)
    for size in range(300):
        data = rng.integers(0, 256, size, np.uint8).tobytes()
        assert ours(data) == murmur2_plainly(data)


def test_a_key_goes_where_a_java_producer_sends_it() -> None:
    for text, hashed in VECTORS.items():
        for partitions in (1, 3, 4, 12, 1000):
            assert partition_of_key(text.encode(), partitions) == (hashed & 0x7FFFFFFF) % partitions


def test_hash_bytes_reads_its_bytes_alone_wherever_they_lie() -> None:
    rng = np.random.default_rng(2)
    for size in [*range(40), 255, 256]:
        data = rng.integers(0, 256, size, np.uint8).tobytes()
        hashes = set()
        for before in range(9):
            around = (
                rng.integers(0, 256, before, np.uint8).tobytes() + data + rng.integers(0, 256, 9, np.uint8).tobytes()
            )
            hashes.add(int(hash_bytes(np.frombuffer(around, np.uint8), before, size, U(0))))
        assert len(hashes) == 1


def test_hash_bytes_tells_apart_lengths_seeds_and_single_bits() -> None:
    zeros = np.zeros(300, np.uint8)
    hashes = {int(hash_bytes(zeros, 0, size, U(seed))) for size in range(257) for seed in range(5)}
    for at in range(256):
        for bit in range(8):
            one = zeros.copy()
            one[at] = 1 << bit
            hashes.add(int(hash_bytes(one, 0, 256, U(0))))
    assert len(hashes) == 257 * 5 + 256 * 8


HASHES = {
    (0, 0): 0x9CA066F1A4AB2EEA,
    (1, 0): 0x12CC5960D9C8D9A0,
    (8, 0): 0x5429A747D636A820,
    (14, 0): 0x25F398B4EB4C1133,
    (14, 1): 0x58CA1D015BC69496,
}
"""By (length, seed). The order of timers, what is known of ids, and the digests in journals rest on them."""


def test_hash_bytes_stays_what_it_is_within_an_engine_version() -> None:
    buf = np.frombuffer("客户-1234567".encode(), np.uint8)
    assert ENGINE_VERSION == 4
    for (size, seed), hashed in HASHES.items():
        assert int(hash_bytes(buf, 0, size, U(seed))) == hashed
