"""What befalls the broker and Redis."""

from __future__ import annotations

import resource
from typing import Final

from benchmarks.processes import Process
from streams.local.ports import HOST
from tests.chaos.scene import Scene

__all__ = [
    "broker_disk_full",
    "broker_killed",
    "broker_stopped",
    "redis_emptied",
    "redis_full",
    "redis_killed",
    "redis_read_only",
]

AWAY_S: Final = (2.0, 5.0)
"""How long Redis is harmed: some of the projector's tries."""
BROKER_ENDS_WITHIN_S: Final = 30.0


def broker_killed(scene: Scene) -> None:
    """And it comes back with what the kernel has of its data."""
    scene.kafka.kill()
    scene.kafka.restart()


def broker_disk_full(scene: Scene) -> None:
    """It can write no more byte, in the middle of whatever it writes; it ends by itself, and there is room again when
    it comes back. A limit on the size of its files stands for the disk: a write fails in the same way."""
    broker = Process.of_broker()
    assert broker is not None
    _, hard = resource.prlimit(broker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (1, hard))
    if scene.until(lambda: broker.cpu_s() is None, BROKER_ENDS_WITHIN_S):
        scene.hit("broker ended, its disk full")
    scene.kafka.restart()


def broker_stopped(scene: Scene) -> None:
    """All at once wait, and all sessions end at once when it wakes."""
    with scene.broker_stopped():
        scene.wait(scene.chance.uniform(3, scene.broker_away_most_s))


def redis_killed(scene: Scene) -> None:
    scene.redis_server.kill()
    scene.wait(scene.chance.uniform(*AWAY_S))
    scene.redis_server.restart()


def redis_emptied(scene: Scene) -> None:
    scene.client.flushall()


def redis_full(scene: Scene) -> None:
    scene.client.config_set("maxmemory", 1)
    scene.wait(scene.chance.uniform(*AWAY_S))
    scene.client.config_set("maxmemory", 0)


def redis_read_only(scene: Scene) -> None:
    """A replica of nobody: what a client meets that was not told of a failover. It keeps what it has."""
    scene.client.replicaof(HOST, "1")
    scene.wait(scene.chance.uniform(*AWAY_S))
    scene.client.replicaof("NO", "ONE")
