"""Puts the projector together from the settings and runs it until the process is asked to end."""

from __future__ import annotations

import random
import signal
import threading
from types import FrameType
from typing import Final

import redis
import structlog

from streams.broker_probe import BrokerProbe
from streams.clock import Clock
from streams.health import HealthServer
from streams.projector.loop import Projector
from streams.projector.reconcile import Reconciler
from streams.projector.source import KafkaLogReader, KafkaSource
from streams.projector.store import ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S, Store, connect
from streams.redis_layout import Layout
from streams.settings import Settings
from streams.topics import CURRENT

__all__ = ["run"]

STALE_AFTER_S: Final = 60 + 2 * (ANSWER_TIMEOUT_S + CONNECT_TIMEOUT_S)
"""A turn may lawfully wait for Redis twice, and for the broker to describe the partitions."""

_LOG = structlog.get_logger(__name__)


def run(settings: Settings, clock: Clock, leave: bool) -> None:
    """Runs until SIGTERM or SIGINT: the batch is ended, then the group is closed, and left if `leave`. Only from the
    main thread.

    Raises KafkaError if there is no broker or no topic, and OSError if the metrics' port is taken.
    """
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    store = Store(connect(settings.redis), Layout(settings.redis.key_prefix))
    _warn_of_eviction(store)
    source = KafkaSource(settings.kafka, clock)
    projector = Projector(
        source,
        store,
        clock,
        topic=CURRENT.named(settings.kafka),
        chance=random.random,
        reconciler=Reconciler(KafkaLogReader(settings.kafka), store, clock, settings.projector, random.random),
        on_turn=lambda: health.tick(),
    )
    probe = BrokerProbe(settings.kafka, clock)
    health = HealthServer(
        host=settings.metrics.host,
        port=settings.metrics.port,
        stale_after_s=STALE_AFTER_S,
        monotonic_s=clock.monotonic_s,
        why_not_ready=lambda: [*probe.why_not_ready(), *projector.why_not_ready()],
    )
    with health, probe:
        projector.run(stop.is_set, leave)
    _LOG.info("projector.stopped")


def _warn_of_eviction(store: Store) -> None:
    try:
        policy = store.eviction_policy()
    except redis.RedisError:
        return  # Redis is away or does not let us ask; the loop waits for it, and says so.
    if policy != "noeviction":
        _LOG.warning(
            "projector.redis_may_evict", maxmemory_policy=policy, cure="CONFIG SET maxmemory-policy noeviction"
        )
