"""A real Apache Kafka broker as a child process: one node that is broker and controller, on this machine only."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import KafkaError
from streams.clock import Clock, SystemClock
from streams.local import jars
from streams.local.child import Child
from streams.local.ports import HOST, accepts, free_ports
from streams.local.server import Managed, Say, quiet, until

__all__ = ["LocalKafka"]

READY_WITHIN_S: Final = 90.0
"""It takes 4 s alone on two cores; a machine busy with other work may need many times that."""
FORMAT_WITHIN_S: Final = 60.0
FENCED_WITHIN_S: Final = 20.0
"""It takes 3 s; and if the broker was killed before it had ever registered, there is nothing to note."""
STOP_WITHIN_S: Final = 20.0
ASK_WITHIN_S: Final = 2.0
PORT_TRIES: Final = 5
"""Others may take a port between our finding it free and Kafka's using it."""
JVM: Final = ("-Xmx1g", "-Xms256m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
              "-Dorg.slf4j.simpleLogger.showDateTime=true", "-Djava.awt.headless=true")  # fmt: skip
"""A heap of 1 GB does for a few topics; the serial collector leaves the other cores to those who work beside it."""

BOTH_ROLES: Final = """\
process.roles=broker,controller
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
# Node and controller are one process, so a busy machine slows both and none is taken for dead.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
"""
CONTROLLER_ALONE: Final = """\
process.roles=controller
listeners=CONTROLLER://{host}:{controller_port}
advertised.listeners=CONTROLLER://{host}:{controller_port}
broker.session.timeout.ms=500
broker.heartbeat.interval.ms=100
"""
PROPERTIES: Final = """\
node.id=1
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={host}:{controller_port}
log.dirs={data}

# A mistyped name must not become a topic.
auto.create.topics.enable=false

# One broker cannot hold the three copies that are the default, and a few partitions do for a few groups.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Nobody waits for members of a group that may still come.
group.initial.rebalance.delay.ms=0
# Tests kill a member and wait until it is missed.
group.min.session.timeout.ms=1000
# How often it looks for transactions past their time-out: readers wait behind an open one.
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.threads=1
# Of the heap; the default is 128 MB.
log.cleaner.dedupe.buffer.size=16777216
# Nobody takes over from a single node.
controlled.shutdown.enable=false
"""


class LocalKafka(Managed):
    """Files go to `run_dir`/kafka: properties, data, log. `say` is told what takes a while; it listens to `host`.

    `start` raises ConfigError TS-C203 (the jars can't be fetched) and KafkaError TS-K201 (it did not start).
    """

    def __init__(self, run_dir: Path, *, say: Say = quiet, clock: Clock | None = None, host: str = HOST) -> None:
        self._host = host
        self._directory = run_dir.resolve() / "kafka"
        self._say = say
        self._clock = SystemClock() if clock is None else clock
        self._child: Child | None = None
        self._port = 0
        self._classpath = ""

    @property
    def bootstrap(self) -> str:
        """`host:port`, once it is started; the same after `restart`."""
        assert self._port, "not started"
        return f"{self._host}:{self._port}"

    @property
    def log(self) -> Path:
        return self._directory / "kafka.log"

    def start(self) -> None:
        """Returns when it answers. A second `start` after `stop` begins with no data, on another port."""
        self._classpath = f"{jars.fetch(self._say)}/*"
        self._say("starting Apache Kafka")
        for last_try in (False,) * (PORT_TRIES - 1) + (True,):
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory.mkdir(parents=True)
            self._port, controller_port = free_ports(2, self._host)
            self._write_properties(controller_port)
            self._format()
            self._launch()
            if self._answers_in_time():
                return
            if last_try or not self._port_was_taken():
                raise self._not_started(self._why())
            self._kill()

    def kill(self) -> None:
        """SIGKILL, as if the power failed for the process: what it had not yet told the kernel is lost."""
        self._kill()

    def restart(self) -> None:
        """Starts it again after `kill` (ending it first if it still runs): same port, same data."""
        assert self._port, "not started"
        self._kill()
        self._fence()
        self._launch()
        if not self._answers_in_time():
            raise self._not_started(self._why())

    def stop(self) -> None:
        """Ends it and removes its data; the log stays. Nothing happens if it does not run."""
        if self._child is not None:
            self._child.stop(STOP_WITHIN_S)
            self._child = None
        shutil.rmtree(self._directory / "data", ignore_errors=True)

    def _write_properties(self, controller_port: int) -> None:
        for path, roles in ((self._properties, BOTH_ROLES), (self._controller_properties, CONTROLLER_ALONE)):
            path.write_text(
                (roles + PROPERTIES).format(
                    host=self._host,
                    port=self._port,
                    controller_port=controller_port,
                    data=self._directory / "data",
                )
            )

    @property
    def _properties(self) -> Path:
        return self._directory / "server.properties"

    @property
    def _controller_properties(self) -> Path:
        return self._directory / "controller.properties"

    def _fence(self) -> None:
        """Lets the controller alone note that the killed broker is gone.

        A node that has both roles first believes itself alive, from what it reads, and begins to finish the prepared
        transactions; then its old registration runs out, partitions have no leader for a moment, and it takes those
        of the transaction for deleted. Their markers are never written, and readers of committed data wait behind
        them for ever (seen in every other restart within a second of a commit). A broker that reads that it is gone
        waits until it is back.
        """
        log = self._directory / "controller.log"
        log.unlink(missing_ok=True)
        shows = "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.controller.ReplicationControlManager=info"
        child = Child([*self._java(), shows, "kafka.Kafka", str(self._controller_properties)], log=log)
        until(
            self._clock,
            FENCED_WITHIN_S,
            lambda: child.exit_code() is not None or "handleBrokerFenced" in child.tail(1_000),
        )
        ended = child.exit_code() is not None
        child.stop(STOP_WITHIN_S)
        if ended:
            raise KafkaError("TS-K201", f"The local Kafka's controller did not start again; its log is {log}")

    def _format(self) -> None:
        """Kafka does not start on a directory that was not prepared with the cluster's id."""
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ["format", f"--cluster-id={cluster}", "-c", str(self._properties), "--standalone"]
        with self.log.open("ab") as output:
            try:
                subprocess.run(
                    [*self._java(), "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=FORMAT_WITHIN_S,
                    check=True,
                    start_new_session=True,
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise self._not_started(str(error)) from None

    def _launch(self) -> None:
        self._child = Child([*self._java(), "kafka.Kafka", str(self._properties)], log=self.log)

    def _java(self) -> list[str]:
        return ["java", *JVM, "-cp", self._classpath]

    def _answers_in_time(self) -> bool:
        """False as soon as the process has ended, too."""
        child = self._child
        assert child is not None
        until(self._clock, READY_WITHIN_S, lambda: child.exit_code() is not None or accepts(self._port, self._host))
        # No client before somebody listens: it would wait for its next try, and complain on standard error.
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200})
        until(self._clock, READY_WITHIN_S, lambda: child.exit_code() is not None or _has_broker(admin))
        return child.exit_code() is None and _has_broker(admin)

    def _port_was_taken(self) -> bool:
        return self._child is not None and "Address already in use" in self._child.tail(100)

    def _why(self) -> str:
        code = self._child.exit_code() if self._child is not None else None
        return f"no answer within {READY_WITHIN_S:.0f} s" if code is None else f"it ended with exit code {code}"

    def _not_started(self, why: str) -> KafkaError:
        return KafkaError("TS-K201", f"The local Kafka did not start ({why}); its log is {self.log}")

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


def _has_broker(admin: AdminClient) -> bool:
    try:
        return bool(admin.list_topics(timeout=ASK_WITHIN_S).brokers)
    except KafkaException:
        return False
