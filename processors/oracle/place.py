"""Which partition a key belongs to, as Kafka's clients in Java have it."""

from __future__ import annotations

__all__ = ["murmur2", "partition_of"]


def partition_of(customer_id: str, partitions: int) -> int:
    """Where the murmur2 partitioner puts a customer."""
    return murmur2(customer_id.encode()) % partitions


def murmur2(key: bytes) -> int:
    """Kafka's hash of a key, made positive: org.apache.kafka.common.utils.Utils, line by line."""
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
