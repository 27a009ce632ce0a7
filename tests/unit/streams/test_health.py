"""The one port: what each path answers, and that it comes and goes cleanly."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from streams import health
from streams.health import HealthServer


class Process:
    """What the server is told of its process; the tests turn the clock by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.reasons: list[str] = []
        self.registry = CollectorRegistry()
        Counter("probe_total", "Probe.", registry=self.registry).inc(3)

    def why_not_ready(self) -> list[str]:
        return self.reasons

    def server(self, port: int = 0) -> HealthServer:
        return HealthServer(
            host="127.0.0.1",
            port=port,
            stale_after_s=10.0,
            monotonic_s=lambda: self.now_s,
            why_not_ready=self.why_not_ready,
            registry=self.registry,
        )


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def server(process: Process) -> HealthServer:
    return process.server()


@pytest.fixture
def port(server: HealthServer) -> Iterator[int]:
    yield server.start()
    server.stop()


def ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_metrics_shows_the_registry_of_the_process(port: int) -> None:
    status, body = ask(port, "/metrics")
    assert status == 200
    assert b"probe_total 3.0" in body


def test_healthz_is_well_until_the_loop_has_not_ticked_for_too_long(
    port: int, process: Process, server: HealthServer
) -> None:
    process.now_s += 10.0
    status, body = ask(port, "/healthz")
    assert (status, json.loads(body)["last_tick_seconds_ago"]) == (200, 10.0)
    process.now_s += 0.5
    status, body = ask(port, "/healthz")
    assert (status, json.loads(body)["healthy"]) == (503, False)
    server.tick()
    assert ask(port, "/healthz")[0] == 200


def test_readyz_gives_the_reasons(port: int, process: Process) -> None:
    assert ask(port, "/readyz") == (200, b'{"ready": true, "reasons": []}\n')
    process.reasons = ["partition 3 is recovering"]
    status, body = ask(port, "/readyz")
    assert (status, json.loads(body)["reasons"]) == (503, ["partition 3 is recovering"])


def test_a_readiness_that_raises_is_not_ready(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[str]:
        raise KeyError("partition")

    monkeypatch.setattr(process, "why_not_ready", broken)
    with process.server() as server:
        assert server._server is not None
        status, body = ask(server._server.server_port, "/readyz")
    assert status == 503
    assert "KeyError" in json.loads(body)["reasons"][0]


def test_other_paths_and_methods_are_refused(port: int) -> None:
    status, body = ask(port, "/")
    assert status == 404 and b"/readyz" in body
    assert ask(port, "/healthz", "POST")[0] == 405
    assert ask(port, "/metrics", "POST")[0] == 405
    assert ask(port, "/healthz", "HEAD") == (200, b"")


def test_a_stopped_server_frees_its_port(process: Process) -> None:
    first = process.server()
    port = first.start()
    with pytest.raises(RuntimeError, match="already"):
        first.start()
    first.stop()
    first.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/healthz")
    again = process.server(port)
    assert again.start() == port
    again.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "health"]


def test_a_taken_port_is_an_error_at_start(port: int, process: Process) -> None:
    with pytest.raises(OSError, match="in use"):
        process.server(port).start()


def test_clients_that_say_nothing_do_not_pile_up(port: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(health.MAX_REQUESTS)]
    try:
        for _ in range(200):  # until every silent client has taken its place
            try:
                ask(port, "/healthz")
            except (http.client.HTTPException, OSError):
                break
            time.sleep(0.01)
        else:
            pytest.fail("more than MAX_REQUESTS connections were answered at one time")
    finally:
        for client in silent:
            client.close()
    for _ in range(200):
        try:
            assert ask(port, "/healthz")[0] == 200
            return
        except (http.client.HTTPException, OSError):
            time.sleep(0.01)
    pytest.fail("places are not freed when clients go")


def test_a_server_that_could_never_be_healthy_is_refused(process: Process) -> None:
    with pytest.raises(ValueError, match="positive"):
        HealthServer(
            host="127.0.0.1",
            port=0,
            stale_after_s=0,
            monotonic_s=lambda: 0.0,
            why_not_ready=process.why_not_ready,
        )
