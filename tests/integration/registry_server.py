"""A schema registry as small as can be: `GET /schemas/ids/{id}`, on a real port."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]


def schema_answer(raw: Any, **more: Any) -> Answer:
    """What a registry says of an id that it has."""
    return 200, json.dumps({"schema": json.dumps(raw), **more}).encode()


NO_SUCH_SCHEMA: Answer = (404, b'{"error_code": 40403, "message": "Schema not found"}')


@dataclass(slots=True)
class RegistryServer:
    """`answers` may be changed while it runs; ids that are not in it are unknown."""

    url: str
    answers: dict[int, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths, in order."""
    broken: Answer | None = None
    """What it answers to everything, if not None."""


@contextmanager
def serve(schemas: Mapping[int, Any], port: int = 0) -> Iterator[RegistryServer]:
    """A registry that has these Avro schemas by id."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            start, _, schema_id = self.path.rpartition("/")
            status, body = server.broken or server.answers.get(int(schema_id), NO_SUCH_SCHEMA)
            assert start == "/schemas/ids"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server = RegistryServer(f"http://127.0.0.1:{http.server_port}")
    server.answers = {schema_id: schema_answer(raw) for schema_id, raw in schemas.items()}
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
