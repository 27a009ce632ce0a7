"""The Faust app of the control role: an agent on `tags.requests`, a table of what was decided, and what is written.

Faust reads what transactions have rolled back as well, so it reads only topics that no transaction writes to; and it
acknowledges an event whose agent failed, so here nothing is acknowledged but by the desk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import faust
import structlog
from aiokafka.errors import IllegalStateError
from aiokafka.partitioner import murmur2
from faust.types import TP

from streams import topics as catalogue
from streams.clock import Clock
from streams.control.broker import broker_urls, connection
from streams.control.commands import Commands
from streams.control.decide import Decider
from streams.control.desk import Desk, Outputs
from streams.control.memory import Memory
from streams.control.requests import Requests
from streams.definitions import Definitions
from streams.settings import Settings

__all__ = ["control_app"]

_LOG = structlog.get_logger(__name__)

COMMIT_EVERY_S: Final = 0.5
"""What was handled since is read again after a crash, and answered again."""
SEND_WITHIN_S: Final = 120.0
"""With all repetitions. Afterwards the process ends, and begins the batch anew when it is started again."""


def control_app(
    settings: Settings, definitions: Definitions, partitions: int, clock: Clock, data_dir: Path
) -> faust.App:
    """The app, not yet started. `partitions` is the number that all topics have; `data_dir` an own, empty directory."""
    app = _app(settings, partitions, data_dir)
    table = app.Table(
        "decided",
        partitions=partitions,
        changelog_topic=app.topic(
            catalogue.DECIDED.named(settings.kafka),
            key_serializer="json",
            value_serializer="json",
            partitions=partitions,
            acks=False,
            internal=True,
            allow_empty=True,
        ),
    )

    def plain(topic: catalogue.Topic) -> Any:
        """A topic whose keys and values are bytes, as they come."""
        return app.topic(
            topic.named(settings.kafka),
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )

    desk = Desk(
        Decider(definitions.in_force, lambda customer: (murmur2(customer) & 0x7FFFFFFF) % partitions),
        Memory(table, settings.control),
        Requests(settings.kafka, clock, app.conf.id),
        Outputs(Commands(settings.kafka, clock), plain(catalogue.RESULTS), plain(catalogue.DEAD_LETTERS)),
        clock,
        (lambda answer: answer.to_json()) if settings.output_format == "json" else (lambda answer: answer.to_avro()),
        lambda: _assigned(app, catalogue.REQUESTS.named(settings.kafka)),
        lambda tp, offset: _read_again(app, tp, offset),
    )
    _connect(app, desk, plain(catalogue.REQUESTS))
    return app


def _app(settings: Settings, partitions: int, data_dir: Path) -> faust.App:
    session_s = settings.control.session_timeout_ms / 1000
    return faust.App(
        id=f"{settings.kafka.group_id}.control",
        broker=broker_urls(settings.kafka),
        **connection(settings.kafka),
        autodiscover=False,
        datadir=data_dir,
        store="memory://",
        web_enabled=False,
        # The topics are created on purpose, by `tagstream topics --create`.
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=partitions,
        table_standby_replicas=0,
        # A name that is stable over restarts has its partitions back at once.
        consumer_group_instance_id=settings.kafka.instance_id or "",
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 5,
        broker_commit_interval=COMMIT_EVERY_S,
        stream_wait_empty=False,
        producer_acks=-1,
        producer_request_timeout=SEND_WITHIN_S,
    )


def _connect(app: faust.App, desk: Desk, requests: Any) -> None:
    # Faust goes on after an error, without what its agent had in hand. Here an error ends the process, with nothing of
    # it acknowledged, so that all of it is done by the next one.
    async def crash(error: Exception) -> None:
        # an app that is ending stops its producer while a batch may still be in hand: that is no failure
        if not app.should_stop:
            await app.crash(error)

    @app.agent(requests, name="requests")
    async def read(stream: Any) -> None:
        try:
            async for event in stream.noack().events():
                await desk.take(event)
        except Exception as error:
            await crash(error)

    @app.task  # type: ignore[untyped-decorator]
    async def work() -> None:
        try:
            await desk.work()
        except Exception as error:
            await crash(error)

    async def give_up(*_: Any, **__: Any) -> None:
        await desk.give_up()

    app.on_partitions_revoked.connect(give_up, weak=False)


def _assigned(app: faust.App, topic: str) -> set[TP]:
    return {tp for tp in app.consumer.assignment() if tp.topic == topic}


async def _read_again(app: faust.App, tp: TP, offset: int) -> None:
    """Faust goes by the last record that it handed over: it drops whatever lies before it when that comes afterwards,
    and takes what it skipped for acknowledged. Here it forgets both."""
    consumer: Any = app.consumer
    consumer._gap.pop(tp, None)
    try:
        await consumer.seek_wait({tp: offset})
    except IllegalStateError:
        _LOG.info("control.partition_gone", partition=tp.partition)
