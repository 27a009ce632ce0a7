"""Which way this machine can run Kafka and Redis: a child process if it has what that needs, else a container."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import ConfigError
from streams.local import jars
from streams.local.docker import DockerKafka, DockerRedis, docker_answers
from streams.local.kafka import LocalKafka
from streams.local.redis import LocalRedis, find_server
from streams.local.server import Say, quiet

__all__ = ["choose_kafka", "choose_redis"]


def choose_kafka(run_dir: Path, *, say: Say = quiet) -> LocalKafka | DockerKafka:
    """A broker that is not yet started. Raises ConfigError TS-C201 if this machine can run none."""
    lacks = jars.missing()
    if not lacks:
        return LocalKafka(run_dir, say=say)
    if docker_answers():
        return DockerKafka(run_dir, say=say)
    raise ConfigError("TS-C201", f"This machine cannot run Kafka: {' and '.join(lacks)} is missing, and Docker as well")


def choose_redis(run_dir: Path, *, say: Say = quiet) -> LocalRedis | DockerRedis:
    """A Redis server that is not yet started. Raises ConfigError TS-C202 if this machine can run none."""
    if find_server() is not None:
        return LocalRedis(run_dir, say=say)
    if docker_answers():
        return DockerRedis(run_dir, say=say)
    raise ConfigError("TS-C202")
