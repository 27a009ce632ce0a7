"""Kafka and Redis as containers, where they cannot be child processes: one service of deploy/local/compose.yml each.

A container outlives the process that started it if that one is killed; its project's name begins with `tagstream-`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final, Literal

from schemas.errors import KafkaError, RedisError, TagstreamError
from streams.local.ports import HOST, free_ports
from streams.local.server import Managed, Say, quiet

__all__ = ["DockerKafka", "DockerRedis", "docker_answers"]

COMPOSE_FILE: Final = Path(__file__).parents[2] / "deploy" / "local" / "compose.yml"
ASK_WITHIN_S: Final = 20.0
COMPOSE_WITHIN_S: Final = 600.0
"""The first start fetches the image, some hundred megabytes."""


def docker_answers() -> bool:
    """Whether a Docker daemon and Compose are there, and compose.yml, which only a checkout has."""
    if shutil.which("docker") is None or not COMPOSE_FILE.is_file():
        return False
    return all(_succeeds(["docker", *question]) for question in (["info"], ["compose", "version"]))


def _succeeds(command: list[str]) -> bool:
    try:
        return (
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=ASK_WITHIN_S).returncode == 0
        )
    except (OSError, subprocess.SubprocessError):
        return False


class _Service(Managed):
    """One service, in a project of its own."""

    name: Literal["kafka", "redis"]

    def __init__(self, run_dir: Path, *, say: Say = quiet) -> None:
        self._project = f"tagstream-{self.name}-{run_dir.resolve().name}".lower()
        self.log: Final = run_dir.resolve() / f"{self.name}-docker.log"
        self._say = say
        self._port = 0

    def start(self) -> None:
        """Returns when it answers. Raises KafkaError TS-K201 or RedisError TS-P201 if it does not."""
        self._say(f"starting {self.name} with Docker Compose")
        (self._port,) = free_ports(1)
        self._compose("up", "--detach", "--wait", self.name)

    def kill(self) -> None:
        """SIGKILL."""
        self._compose("kill", self.name)

    def restart(self) -> None:
        """Starts it again after `kill` (ending it first if it still runs): same port, same data."""
        self._compose("kill", self.name)
        self._compose("up", "--detach", "--wait", self.name)

    def stop(self) -> None:
        """Removes the container and its data. Nothing happens if it was not started."""
        if self._port:
            self._compose("down", "--volumes", "--timeout", "5")
            self._port = 0

    def _compose(self, *arguments: str) -> None:
        command = ["docker", "compose", "-p", self._project, "-f", str(COMPOSE_FILE), *arguments]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            try:
                subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, f"{self.name.upper()}_PORT": str(self._port)},
                    timeout=COMPOSE_WITHIN_S,
                    check=True,
                    start_new_session=True,
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise self._failed(f"{error}; the output is in {self.log}") from None

    def _failed(self, why: str) -> TagstreamError:
        raise NotImplementedError


class DockerKafka(_Service):
    """As `streams.local.kafka.LocalKafka`."""

    name = "kafka"

    @property
    def bootstrap(self) -> str:
        assert self._port, "not started"
        return f"{HOST}:{self._port}"

    def _failed(self, why: str) -> TagstreamError:
        return KafkaError("TS-K201", f"Kafka in Docker: {why}")


class DockerRedis(_Service):
    """As `streams.local.redis.LocalRedis`."""

    name = "redis"

    @property
    def url(self) -> str:
        assert self._port, "not started"
        return f"redis://{HOST}:{self._port}/0"

    def _failed(self, why: str) -> TagstreamError:
        return RedisError("TS-P201", f"Redis in Docker: {why}")
