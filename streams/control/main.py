"""Puts the control role together from the settings and runs it until the process is asked to end."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Any, Final

import faust
import structlog

from streams import metrics
from streams import topics as catalogue
from streams.broker_probe import BrokerProbe
from streams.clock import Clock
from streams.control.app import control_app
from streams.definitions import follow_rules
from streams.health import HealthServer
from streams.settings import Settings

__all__ = ["run"]

STALE_AFTER_S: Final = 60.0
"""The loop turns many times a second, also while it recovers or waits for the broker."""
PULSE_S: Final = 1.0

_LOG = structlog.get_logger(__name__)


def run(settings: Settings, clock: Clock) -> None:
    """Runs until SIGTERM or SIGINT. Only from the main thread. Ends by SystemExit: 0, or 1 if it failed in the middle.

    Raises RuleErrors, ConfigError, KafkaError; OSError if the metrics' port is taken.
    """
    admin = catalogue.admin_client(settings.kafka)
    partitions = catalogue.check(catalogue.inspect(admin, settings.kafka))
    definitions = follow_rules(settings.kafka, settings.rules, clock)
    rule_set = definitions.in_force()
    _quieten(settings.log.level)
    # Nothing of worth is kept there: what the role knows is in Kafka.
    with tempfile.TemporaryDirectory(prefix="tagstream-control-") as directory:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        app = control_app(settings, definitions, partitions, clock, Path(directory))
        probe = BrokerProbe(settings.kafka, clock)
        health = HealthServer(
            host=settings.metrics.host,
            port=settings.metrics.port,
            stale_after_s=STALE_AFTER_S,
            monotonic_s=clock.monotonic_s,
            why_not_ready=lambda: [*probe.why_not_ready(), *_why_not_ready(app)],
        )
        pulse = Pulse(app, health, catalogue.REQUESTS.named(settings.kafka), loop=loop)
        worker = faust.Worker(app, pulse, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False)
        worker.spinner = None
        with health, probe:
            _LOG.info("control.started", tags=len(rule_set.tags), rule_version=rule_set.version)
            try:
                worker.execute_from_commandline()
            finally:
                _LOG.info("control.stopped")


class Pulse(faust.Service):
    """Says every second that the loop turns, and how far behind the requests are."""

    mundane_level = "debug"

    def __init__(self, app: faust.App, health: HealthServer, topic: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._app = app
        self._health = health
        self._topic = topic

    @faust.Service.task
    async def _beat(self) -> None:
        told: set[str] = set()
        while not self.should_stop:
            self._health.tick()
            lags = {} if _why_not_ready(self._app) else await self._lags()
            for partition, lag in lags.items():
                metrics.CONSUMER_LAG.labels(self._topic, partition).set(lag)
            for partition in told - lags.keys():
                metrics.CONSUMER_LAG.remove(self._topic, partition)
            told = set(lags)
            await self.sleep(PULSE_S)

    async def _lags(self) -> dict[str, int]:
        consumer = self._app.consumer
        lags = {}
        for tp in consumer.assignment():
            if tp.topic == self._topic:
                # Neither is known before the first fetch.
                end, position = consumer.highwater(tp) or 0, await consumer.position(tp) or 0
                lags[str(tp.partition)] = max(0, end - position)
        return lags


def _why_not_ready(app: faust.App) -> list[str]:
    """Called on a thread of the health server's too: looks at plain values only."""
    if not app.started:
        return ["it is starting"]
    if app.rebalancing:
        return ["the group is rebalancing"]
    if not app.tables.actives_ready:
        return ["what was decided is being read back"]
    return []


def _quieten(level: str) -> None:
    """Faust and its client tell each commit and each rebalance in tables of many lines; warnings are enough."""
    if level != "debug":
        for name in ("faust", "mode", "aiokafka"):
            logging.getLogger(name).setLevel(logging.WARNING)
