"""A real Kafka and a real Redis for all tests of a run; each test gets names of its own in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from schemas.errors import ConfigError
from streams.local.choose import choose_kafka, choose_redis
from streams.local.docker import DockerKafka, DockerRedis
from streams.local.kafka import LocalKafka
from streams.local.redis import LocalRedis
from streams.settings import KafkaSettings, RedisSettings
from tests.integration.pipeline import Pipeline

HERE = Path(__file__).parent
HALF_WITHOUT_SERVERS = HERE / "test_log.py"
"""It marks those of its cases that need a server itself."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and item.path != HALF_WITHOUT_SERVERS:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def kafka(run_dir: Path) -> Iterator[LocalKafka | DockerKafka]:
    """The broker. A test may `kill` it if it also calls `restart`."""
    try:
        server = choose_kafka(run_dir)
    except ConfigError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def redis_server(run_dir: Path) -> Iterator[LocalRedis | DockerRedis]:
    """The Redis server. A test may `kill` it if it also calls `restart`."""
    try:
        server = choose_redis(run_dir)
    except ConfigError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """Put before topics, groups and keys: no other test uses it."""
    _COUNT.append(request.node.nodeid)
    return f"t{len(_COUNT)}-{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())[:40].strip('-')}."


_COUNT: list[str] = []


@pytest.fixture
def kafka_settings(kafka: LocalKafka | DockerKafka, prefix: str) -> KafkaSettings:
    return KafkaSettings(bootstrap=kafka.bootstrap, topic_prefix=prefix, group_id=f"{prefix}group", partitions=3)


@pytest.fixture
def redis_settings(redis_server: LocalRedis | DockerRedis, prefix: str) -> RedisSettings:
    return RedisSettings(url=redis_server.url, key_prefix=prefix)


@pytest.fixture
def redis_client(redis_server: LocalRedis | DockerRedis) -> Iterator[redis.Redis]:
    """A client that gives texts, on a server that is empty when the test begins."""
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def pipeline(kafka_settings: KafkaSettings, redis_settings: RedisSettings, tmp_path: Path) -> Iterator[Pipeline]:
    """An installation of the test's own, with its topics; events keep the times that their producers give them."""
    pipeline = Pipeline(kafka_settings, redis_settings, tmp_path)
    pipeline.create_topics()
    yield pipeline
    pipeline.stop()
