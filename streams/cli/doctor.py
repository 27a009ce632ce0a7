"""`tagstream doctor`: what is there, what is missing, what to do about it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import typer

if TYPE_CHECKING:
    from streams.settings import Loaded

REDIS_WITHIN_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `note`: it is not there, and nothing needs it as things are set."""

    what: str
    state: Literal["ok", "note", "missing"]
    detail: str
    cure: str = ""


def command() -> None:
    """Look at Java, Maven, Docker, the broker, the topics and Redis, and say what to do.

    Exit code 1: something needed is missing. Needed is what the settings name; of what they leave at its default, that
    for which nothing else can stand in.
    """
    from streams.settings import load

    needed_is_missing = False
    for finding in examine(load()):
        colour = {"ok": typer.colors.GREEN, "note": typer.colors.YELLOW, "missing": typer.colors.RED}[finding.state]
        typer.secho(f"{finding.state:8}", fg=colour, nl=False)
        typer.echo(f"{finding.what:12} {finding.detail}")
        if finding.cure:
            typer.echo(f"{'':8}{'':12} {finding.cure}")
        needed_is_missing |= finding.state == "missing"
    if needed_is_missing:
        raise typer.Exit(1)


def examine(loaded: Loaded) -> Iterator[Finding]:
    """All findings, each as soon as it is known."""
    from schemas.errors import CATALOGUE
    from streams.local import docker, jars, redis

    yield Finding("Python", "ok", platform.python_version())
    lacks = jars.missing()
    has_docker = docker.docker_answers()
    yield _tool("Java, Maven", not lacks, f"{' and '.join(lacks)} is missing" if lacks else "Kafka can run here")
    yield _tool("Docker", has_docker, "it answers, with Compose" if has_docker else "it does not answer")
    can_run_kafka = not lacks or has_docker
    yield from _kafka(loaded, "kafka.bootstrap" in loaded.origins or not can_run_kafka)
    if not can_run_kafka:
        yield Finding("local Kafka", "note", CATALOGUE["TS-C201"].title, CATALOGUE["TS-C201"].cure)
    program = redis.find_server()
    can_run_redis = program is not None or has_docker
    yield _tool("redis-server", program is not None, str(program) if program else CATALOGUE["TS-C202"].cure)
    yield _redis(loaded, "redis.url" in loaded.origins or not can_run_redis)


def _tool(what: str, there: bool, detail: str) -> Finding:
    return Finding(what, "ok" if there else "note", detail)


def _kafka(loaded: Loaded, needed: bool) -> Iterator[Finding]:
    """The broker, and the topics if it answers."""
    from schemas.errors import KafkaError
    from streams import topics

    kafka = loaded.settings.kafka
    try:
        states = topics.inspect(topics.admin_client(kafka), kafka)
    except KafkaError as error:
        yield Finding("Kafka", "missing" if needed else "note", error.message, error.cure)
        return
    yield Finding("Kafka", "ok", f"{kafka.bootstrap} answers")
    try:
        partitions = topics.check(states)
    except KafkaError as error:
        yield Finding("topics", "missing", error.message, error.cure)
        return
    notes = [f"{state.name}: {difference}" for state in states for difference in state.differences()]
    yield Finding("topics", "ok", f"{len(states)} with {partitions} partitions", "; ".join(notes))


def _redis(loaded: Loaded, needed: bool) -> Finding:
    import redis

    from schemas.errors import CATALOGUE

    settings = loaded.settings.redis
    password = settings.password.get_secret_value() if settings.password else None
    try:
        # Only what is set: given as None they would hide the ones in the address.
        login = {name: text for name, text in (("username", settings.username), ("password", password)) if text}
        with redis.Redis.from_url(
            settings.url, socket_timeout=REDIS_WITHIN_S, socket_connect_timeout=REDIS_WITHIN_S, **login
        ) as client:
            version = client.info("server")["redis_version"]
    except (redis.RedisError, OSError) as error:
        return Finding("Redis", "missing" if needed else "note", f"no answer: {error}", CATALOGUE["TS-P101"].cure)
    return Finding("Redis", "ok", f"version {version} answers")
