"""What is wrong with Redis, told from what redis-py raises for Redis' own words."""

from __future__ import annotations

import pytest
import redis
from redis._parsers.base import BaseParser

from streams.metrics import RedisFault
from streams.projector.faults import fault_of, operators_error


@pytest.mark.parametrize(
    ("answer", "fault", "code"),
    [
        ("LOADING Redis is loading the dataset in memory", "loading", "TS-P103"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "full", "TS-P102"),
        ("ERR Error running script (call to f_1): @user_script:16: -OOM command not allowed", "full", "TS-P102"),
        ("OOM command not allowed. script: 1, on @user_script:16.", "full", "TS-P102"),
        ("READONLY You can't write against a read only replica.", "read_only", "TS-P102"),
        ("ERR Error running script: @user_script: 16: -READONLY You can't write", "read_only", "TS-P102"),
        ("NOAUTH Authentication required.", "refused", "TS-P102"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "refused", "TS-P102"),
        ("NOPERM this user has no permissions to run the 'evalsha' command", "refused", "TS-P102"),
        ("MISCONF Redis is configured to save RDB snapshots", "refused", "TS-P102"),
        ("NOREPLICAS Not enough good replicas to write.", "refused", "TS-P102"),
        ("MASTERDOWN Link with MASTER is down", "refused", "TS-P102"),
    ],
)
def test_what_redis_answers_is_told_apart(answer: str, fault: RedisFault, code: str) -> None:
    error = BaseParser.parse_error(answer)
    assert isinstance(error, redis.RedisError)
    assert (fault_of(error), operators_error(error).code) == (fault, code)


@pytest.mark.parametrize("kind", [redis.ConnectionError, redis.TimeoutError])
def test_a_redis_that_does_not_answer_is_away(kind: type[redis.RedisError]) -> None:
    assert fault_of(kind("no")) == "away"
    assert operators_error(kind("no")).code == "TS-P101"
