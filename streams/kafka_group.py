"""Leaving a consumer group for good."""

from __future__ import annotations

from typing import Final

from confluent_kafka import Consumer, KafkaException

from streams.clock import Clock

__all__ = ["leave"]

WITHIN_S: Final = 5.0
POLL_S: Final = 0.02


def leave(consumer: Consumer, clock: Clock) -> None:
    """Before `close`: the others get this member's partitions at once. Calls its revoke callback.

    A member with a name says nothing when it closes (KIP-345), for it is expected back; only unsubscribing tells the
    group. That takes effect when the callback has been called, which only a poll does: closed before, the consumer
    leaves without a word (librdkafka 2.16: tried).
    """
    until_s = clock.monotonic_s() + WITHIN_S
    try:
        consumer.unsubscribe()
    except KafkaException:
        # fenced: there is no member left that could leave
        return
    while consumer.memberid() and clock.monotonic_s() < until_s:
        consumer.poll(POLL_S)
