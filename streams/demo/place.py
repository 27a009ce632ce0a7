"""Where the demo takes place: a broker and a Redis, its own or given ones, and its topics."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import ConfigError, KafkaError
from streams.local.choose import choose_kafka, choose_redis
from streams.local.server import Say
from streams.settings import KafkaSettings, RedisSettings, Settings
from streams.topics import ASK_WITHIN_S

TOPIC_PREFIX: Final = "demo."
"""On a broker that is not the demo's own, its topics stand apart from all others."""
KEY_PREFIX: Final = "demo:"
"""The same in a Redis that is not the demo's own."""
GROUP_ID: Final = "tagstream-demo"
PARTITIONS: Final = 6


@dataclass(frozen=True, slots=True)
class Place:
    """How to reach what the demo uses."""

    kafka: KafkaSettings
    redis: RedisSettings
    owns_kafka: bool
    """Whether the broker ends with the demo, and everything in it."""


def open_place(
    held: ExitStack, run_dir: Path, settings: Settings, *, kafka: str | None, redis: str | None, yes: bool, say: Say
) -> Place:
    """Starts what is not given; `held` ends it. `kafka` is an address, `redis` a URL, `yes` allows a foreign Kafka.

    Raises ConfigError: TS-C201 and TS-C202 if this machine can't run what is not given, TS-C203, TS-C301; KafkaError
    TS-K101, TS-K201; RedisError TS-P201.
    """
    if kafka is not None:
        refuse_foreign(_hosts(kafka), yes=yes)
    # Both are chosen before one is started, so that a machine that lacks Redis learns it at once.
    own_kafka = choose_kafka(run_dir, say=say) if kafka is None else None
    own_redis = choose_redis(run_dir, say=say) if redis is None else None
    if own_redis is not None:
        held.enter_context(own_redis)
        redis_settings = RedisSettings(url=own_redis.url)
    else:
        redis_settings = settings.redis.model_copy(update={"url": redis, "key_prefix": KEY_PREFIX})
    if own_kafka is not None:
        held.enter_context(own_kafka)
        at = KafkaSettings(bootstrap=own_kafka.bootstrap, group_id=GROUP_ID, partitions=PARTITIONS)
        return Place(at, redis_settings, owns_kafka=True)
    given = {"bootstrap": kafka, "topic_prefix": TOPIC_PREFIX, "group_id": GROUP_ID, "partitions": PARTITIONS}
    at = settings.kafka.model_copy(update=given)
    # A local address may be a tunnel: what counts is where the brokers say they are.
    refuse_foreign(_brokers(at), yes=yes)
    return Place(at, redis_settings, owns_kafka=False)


def refuse_foreign(hosts: Sequence[str], *, yes: bool) -> None:
    """Raises ConfigError TS-C301 if one of the hosts is another machine, unless `yes`."""
    foreign = sorted({host for host in hosts if not is_local(host)})
    if foreign and not yes:
        raise ConfigError("TS-C301", f"{', '.join(foreign)} is not this machine")


def is_local(host: str) -> bool:
    """Whether a host is this machine by its name or address alone; no name is looked up."""
    if host.lower() in ("localhost", "localhost.localdomain"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _hosts(bootstrap: str) -> list[str]:
    """The hosts of `host:port,host:port`; a protocol before them (`PLAINTEXT://`) and a missing port are allowed."""
    hosts = []
    for address in bootstrap.split(","):
        host = address.strip().rpartition("://")[2]
        bare_ipv6 = host.count(":") > 1 and not host.startswith("[")
        hosts.append(host if bare_ipv6 or host.endswith("]") or ":" not in host else host.rpartition(":")[0])
    return hosts


def _brokers(kafka: KafkaSettings) -> list[str]:
    try:
        found = AdminClient({"log_level": 0, **kafka.client_config()}).list_topics(timeout=ASK_WITHIN_S)
    except KafkaException as error:
        raise KafkaError("TS-K101", f"Kafka at {kafka.bootstrap} cannot be used: {error.args[0].str()}") from None
    return [str(broker.host) for broker in found.brokers.values()]
