"""What is wrong with Redis, told from its error: for the operator who reads it, and for the metric that counts it."""

from __future__ import annotations

from typing import Final

import redis

from schemas.errors import RedisError
from streams.metrics import RedisFault

__all__ = ["fault_of", "operators_error"]

_SIGNS: Final[tuple[tuple[str, RedisFault], ...]] = (
    ("LOADING", "loading"),
    ("READONLY", "read_only"),
    ("OOM ", "full"),
)
"""Words of Redis' own. An error within a script has them further back, so they are looked for anywhere."""


def fault_of(error: redis.RedisError) -> RedisFault:
    """Which fault it is. What is in no list of ours is `refused`: Redis answered, and said no."""
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return "loading"  # redis-py takes the word off
    if isinstance(error, redis.AuthenticationError):
        return "refused"  # a failed connection to redis-py, but one that was answered
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return "away"
    return next((fault for sign, fault in _SIGNS if sign in str(error)), "refused")


def operators_error(error: redis.RedisError) -> RedisError:
    """The error with a number that says what to do."""
    fault = fault_of(error)
    if fault == "away":
        return RedisError("TS-P101", f"Redis does not answer: {error}")
    if fault == "loading":
        return RedisError("TS-P103", f"Redis is loading its data: {error}")
    return RedisError("TS-P102", f"Redis refuses to write: {error}")
