"""What is wrong with Redis, told from its error: for the operator who reads it, and for the metric that counts it."""

from __future__ import annotations

from typing import Final

import redis

from schemas.errors import RedisError
from streams.metrics import RedisFault

__all__ = ["fault_of", "operators_error"]

_SIGNS: Final[tuple[tuple[type[redis.RedisError], str, RedisFault], ...]] = (
    (redis.exceptions.BusyLoadingError, "LOADING ", "loading"),
    (redis.exceptions.ReadOnlyError, "READONLY ", "read_only"),
    (redis.exceptions.OutOfMemoryError, "OOM ", "full"),
)
"""redis-py makes a class of the word that an answer begins with, and takes it off. Of an error within a script or a
transaction it stands further back."""


def fault_of(error: redis.RedisError) -> RedisFault:
    """Which fault it is. What is in no list of ours is `refused`: Redis answered, and said no."""
    for kind, sign, fault in _SIGNS:
        if isinstance(error, kind) or sign in str(error):
            return fault
    if isinstance(error, redis.AuthenticationError):
        return "refused"  # to redis-py a failed connection, but it was answered
    return "away" if isinstance(error, redis.ConnectionError | redis.TimeoutError) else "refused"


def operators_error(error: redis.RedisError) -> RedisError:
    """The error with a number that says what to do."""
    fault = fault_of(error)
    if fault == "away":
        return RedisError("TS-P101", f"Redis does not answer: {error}")
    if fault == "loading":
        return RedisError("TS-P103", f"Redis is loading its data: {error}")
    return RedisError("TS-P102", f"Redis refuses to write: {error}")
