"""Hashes over bytes: ours (64 bits, for tables, dedupe, timer order and digests) and Kafka's murmur2 (for partitions).

Ours is a multiply-xorshift hash over 8-byte words with the finaliser of MurmurHash3 (fmix64). It is stored in the
order of timers and in digests, so it may never change within an engine version.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processors.jit import hot, inline, jit

U = np.uint64
_MULTIPLIER = U(0x9FB21C651E98DF25)
_SEED = U(0x9E3779B97F4A7C15)
_FMIX_1 = U(0xFF51AFD7ED558CCD)
_FMIX_2 = U(0xC4CEB9FE1A85EC53)
_M32 = U(0xFFFFFFFF)
_MURMUR_M = U(0x5BD1E995)
_MURMUR_SEED = U(0x9747B28C)
"""Seed of Kafka's DefaultPartitioner (org.apache.kafka.common.utils.Utils.murmur2)."""


@inline
def mix64(h):  # type: ignore[no-untyped-def]
    """Finaliser: every bit of `h` (uint64) changes half of the result's."""
    h ^= h >> U(33)
    h *= _FMIX_1
    h ^= h >> U(33)
    h *= _FMIX_2
    h ^= h >> U(33)
    return h


@inline
def load64(buf, p):  # type: ignore[no-untyped-def]
    """Eight bytes of `buf` at `p`, little-endian; LLVM makes one load of it."""
    return (
        U(buf[p])
        | (U(buf[p + 1]) << U(8))
        | (U(buf[p + 2]) << U(16))
        | (U(buf[p + 3]) << U(24))
        | (U(buf[p + 4]) << U(32))
        | (U(buf[p + 5]) << U(40))
        | (U(buf[p + 6]) << U(48))
        | (U(buf[p + 7]) << U(56))
    )


@inline
def load32(buf, p):  # type: ignore[no-untyped-def]
    """Four bytes of `buf` at `p`, little-endian, as uint64."""
    return U(buf[p]) | (U(buf[p + 1]) << U(8)) | (U(buf[p + 2]) << U(16)) | (U(buf[p + 3]) << U(24))


@hot
def hash_bytes(buf, p, n, seed):  # type: ignore[no-untyped-def]
    """64-bit hash of `n` bytes of `buf` (uint8) from `p`; `seed` (uint64) separates uses. Returns uint64."""
    # mixed, for the first word meets it by exclusive or: seeds 1 and 2 would make one of the texts "1…" and "2…"
    h = _SEED ^ (U(n) * _MULTIPLIER) ^ mix64(seed)
    end = p + n
    while p + 8 <= end:
        h = (h ^ load64(buf, p)) * _MULTIPLIER
        h ^= h >> U(35)
        p += 8
    if p < end:
        w = U(0)
        shift = U(0)
        while p < end:
            w |= U(buf[p]) << shift
            shift += U(8)
            p += 1
        h = (h ^ w) * _MULTIPLIER
        h ^= h >> U(35)
    return mix64(h)


@jit
def murmur2(buf, p, n):  # type: ignore[no-untyped-def]
    """Kafka's murmur2 of `n` bytes of `buf` (uint8) from `p`, as uint64 below 2^32."""
    h = (_MURMUR_SEED ^ U(n)) & _M32
    end = p + n
    while p + 4 <= end:
        k = (load32(buf, p) * _MURMUR_M) & _M32
        k ^= k >> U(24)
        k = (k * _MURMUR_M) & _M32
        h = ((h * _MURMUR_M) & _M32) ^ k
        p += 4
    left = end - p
    if left >= 3:
        h ^= U(buf[p + 2]) << U(16)
    if left >= 2:
        h ^= U(buf[p + 1]) << U(8)
    if left >= 1:
        h = ((h ^ U(buf[p])) * _MURMUR_M) & _M32
    h ^= h >> U(13)
    h = (h * _MURMUR_M) & _M32
    h ^= h >> U(15)
    return h


@jit
def partition_of(buf, p, n, partitions):  # type: ignore[no-untyped-def]
    """Partition (int64) to which Kafka's Java producer, and librdkafka's murmur2_random, send this key."""
    return np.int64(murmur2(buf, p, n) & U(0x7FFFFFFF)) % partitions


def partition_of_key(key: bytes, partitions: int) -> int:
    """`partition_of` for one key given as bytes."""
    buf: NDArray[np.uint8] = np.frombuffer(key or b"\0", np.uint8)
    return int(partition_of(buf, 0, len(key), partitions))


def id_hash(customer_id: bytes) -> np.int64:
    """Hash of a customer's id, by which their row is found."""
    buf: NDArray[np.uint8] = np.frombuffer(customer_id or b"\0", np.uint8)
    # compiled code hands out a Python int, which may be beyond int64
    return np.uint64(hash_bytes(buf, 0, len(customer_id), U(0))).astype(np.int64)
