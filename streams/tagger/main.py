"""Puts the tagger together from the settings and runs it until the process is asked to end."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from contextlib import suppress
from types import FrameType

import structlog

from streams import topics as catalogue
from streams.broker_probe import BrokerProbe
from streams.clock import Clock
from streams.definitions import follow_rules
from streams.health import HealthServer
from streams.kafka_log import KafkaLog
from streams.registry import Interrupted, writers_of
from streams.settings import Settings
from streams.tagger.loop import Tagger
from streams.tagger.topics import Topics

__all__ = ["run"]

COLLECT_EVERY = 200_000
"""Objects between two runs of the garbage collector. A record in hand is an object, and none of them is part of a
cycle: with Python's own 700, looking at them all again and again took a quarter of the tagger's time."""

STALE_AFTER_S = 90.0
"""A turn may lawfully last as long as a transaction with all its repetitions."""

_LOG = structlog.get_logger(__name__)


def run(settings: Settings, clock: Clock, leave: bool) -> None:
    """Run until SIGTERM or SIGINT: the step is finished, then the group is closed, and left if `leave`.

    Only from the main thread. Raises RuleErrors, ConfigError, KafkaError.
    """
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    admin = catalogue.admin_client(settings.kafka)
    partitions = catalogue.check(catalogue.inspect(admin, settings.kafka))
    definitions = follow_rules(settings.kafka, settings.rules, clock)
    rule_set = definitions.in_force()
    sensitive = [tag.id for tag in rule_set.tags if tag.sensitive]
    if sensitive and not settings.encryption.keys_by_id():
        _LOG.warning("encryption.off", sensitive_tags=sensitive, cure="Give encryption.keys; see docs/privacy.md")
    instance = settings.kafka.instance_id or f"{socket.gethostname()}-{os.getpid()}"

    def go_on() -> bool:
        health.tick()
        return not stop.is_set()

    schemas = writers_of(settings, clock, go_on)
    log = KafkaLog(settings.kafka, settings.tagger, clock, instance)
    tagger = Tagger(
        log,
        clock,
        settings,
        definitions,
        Topics.of(settings.kafka, partitions),
        schemas,
        on_turn=lambda: health.tick(),
    )
    probe = BrokerProbe(settings.kafka, clock)
    health = HealthServer(
        host=settings.metrics.host,
        port=settings.metrics.port,
        stale_after_s=STALE_AFTER_S,
        monotonic_s=clock.monotonic_s,
        why_not_ready=lambda: [*probe.why_not_ready(), *tagger.why_not_ready()],
    )
    # What is there by now stays for good, so the collector need not look at it again.
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    with health, probe:
        _LOG.info("tagger.started", tags=len(rule_set.tags), rule_version=rule_set.version, instance=instance)
        # the step that needs the schema was not begun, so nothing is lost
        with suppress(Interrupted):
            tagger.run(stop.is_set, lambda: leave)
    _LOG.info("tagger.stopped")
