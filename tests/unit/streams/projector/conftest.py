"""A real Redis for the projector's tests, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from schemas.errors import ConfigError
from streams.local.redis import LocalRedis
from streams.projector.store import Store
from streams.redis_layout import Layout


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRedis]:
    try:
        with LocalRedis(tmp_path_factory.mktemp("redis")) as server:
            yield server
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture
def client(redis_server: LocalRedis) -> Iterator[redis.Redis]:
    """Gives bytes; the server is empty when the test begins."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        client.config_set("maxmemory", 0)
        yield client


@pytest.fixture
def store(client: redis.Redis) -> Store:
    return Store(client, Layout())
