"""Kafka's hash of a key, written anew from org.apache.kafka.common.utils.Utils."""

from __future__ import annotations

__all__ = ["murmur2"]


def murmur2(key: bytes) -> int:
    """The hash, made positive: its remainder by the number of partitions is the partition."""
    m, seed, mask = 0x5BD1E995, 0x9747B28C, 0xFFFFFFFF
    h = seed ^ len(key)
    for i in range(0, len(key) // 4 * 4, 4):
        k = int.from_bytes(key[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = key[len(key) // 4 * 4 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF
