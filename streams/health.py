"""The one port of a process: `/metrics`, `/healthz`, `/readyz`.

- `/metrics` is for Prometheus.
- `/healthz` says whether the process' main loop still turns: 200 while its last `tick()` is at most `stale_after_s`
  old, else 503. Whoever restarts processes (Docker, Kubernetes) asks here, so what a restart can't cure, such as
  Kafka or Redis being away, must not show here.
- `/readyz` says whether it does its work just now: 200, or 503 with the reasons.

Bodies of the last two are JSON objects. Everything is answered from memory, on threads of its own.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from streams.metrics import REGISTRY

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["HealthServer"]

REQUEST_TIMEOUT_S: Final = 10.0
"""A client that sends or reads more slowly is cut off; Prometheus itself gives up after 10 s by default."""
MAX_REQUESTS: Final = 16
"""Answered at one time; a connection beyond that is closed at once. Prometheus and a few probes never come near."""
STOP_WITHIN_S: Final = 5.0
"""`stop` waits this long for the listening thread, which looks up every `POLL_S`."""
POLL_S: Final = 0.1


class HealthServer:
    """Serves the three paths on one port, from `start()` to `stop()`; usable in a `with` statement.

    `port` 0 takes any free port; `start` returns and logs the one taken. `monotonic_s` reads a clock that never goes
    back, in seconds. `why_not_ready` returns the reasons why the process is not ready, none if it is; it is called on
    a server thread for each request and must not block. If it raises, the process counts as not ready.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        stale_after_s: float,
        monotonic_s: Callable[[], float],
        why_not_ready: Callable[[], Sequence[str]],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        if stale_after_s <= 0:
            raise ValueError(f"stale_after_s must be positive: {stale_after_s}")
        self._address = (host, port)
        self._stale_after_s = stale_after_s
        self._monotonic_s = monotonic_s
        self._why_not_ready = why_not_ready
        self._metrics_app = make_wsgi_app(registry)
        self._last_tick_s = monotonic_s()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Binds, listens on a daemon thread, and returns the port. Raises OSError if the port is taken, and
        RuntimeError if started already."""
        if self._server is not None:
            raise RuntimeError("started already")
        server = _Server(self._address, _QuietHandler)
        server.set_app(self._answer)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="health", daemon=True)
        self.tick()
        self._thread.start()
        structlog.get_logger(__name__).info("health.listening", host=self._address[0], port=server.server_port)
        return server.server_port

    def tick(self) -> None:
        """Called by the main loop each time round, and by whatever else lawfully keeps it busy (recovery)."""
        self._last_tick_s = self._monotonic_s()

    def stop(self) -> None:
        """Stops listening and frees the port; may be called twice. Answers already begun end on their own."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            # The client's own app negotiates the format and the compression, and answers only GET and OPTIONS.
            metrics: Iterable[bytes] = self._metrics_app(environ, start_response)
            return metrics
        if path == "/healthz":
            status, body = self._health()
        elif path == "/readyz":
            status, body = self._readiness()
        else:
            status, body = "404 Not Found", {"paths": ["/metrics", "/healthz", "/readyz"]}
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status, body = "405 Method Not Allowed", {"methods": ["GET", "HEAD"]}
        payload = json.dumps(body, ensure_ascii=False).encode() + b"\n"
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [payload]

    def _health(self) -> tuple[str, dict[str, object]]:
        since_s = max(0.0, self._monotonic_s() - self._last_tick_s)
        healthy = since_s <= self._stale_after_s
        body: dict[str, object] = {
            "healthy": healthy,
            "last_tick_seconds_ago": round(since_s, 3),
            "stale_after_seconds": self._stale_after_s,
        }
        return ("200 OK" if healthy else "503 Service Unavailable"), body

    def _readiness(self) -> tuple[str, dict[str, object]]:
        try:
            reasons = list(self._why_not_ready())
        except Exception as error:  # a probe must get its answer whatever is wrong inside
            structlog.get_logger(__name__).exception("health.readiness_failed")
            reasons = [f"readiness could not be determined: {type(error).__name__}"]
        body: dict[str, object] = {"ready": not reasons, "reasons": reasons}
        return ("503 Service Unavailable" if reasons else "200 OK"), body


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread for each request, at most `MAX_REQUESTS` of them."""

    daemon_threads = True  # a request under way never keeps the process from ending

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(MAX_REQUESTS)
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer.server_bind looks up the host's full name, which can hang for seconds where DNS does not answer.
        socketserver.TCPServer.server_bind(self)
        self.server_name = str(self.server_address[0])
        self.server_port = int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread was started that would free the place
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away is no event; what fails in an answer is logged by wsgiref's own handler.
        structlog.get_logger(__name__).debug("health.connection_failed", exc_info=True)


class _QuietHandler(WSGIRequestHandler):
    """Logs no requests: a probe every few seconds would drown the log."""

    timeout = REQUEST_TIMEOUT_S

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
