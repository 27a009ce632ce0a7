"""A place in the network before Redis: where clients are sent to can be switched, and answers can be made slow."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Self


class RedisProxy:
    """Listens on a port of its own from construction on; `close` it at the end."""

    def __init__(self, port: int) -> None:
        self.slow_s = 0.0
        """How long each piece of an answer takes."""
        self._target = port
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"

    def switch(self, port: int) -> None:
        """From now on to the server at another port. Connections end, as they do when a server goes away."""
        self._target = port
        for each in list(self._open):
            _end(each)

    def close(self) -> None:
        _end(self._listening)
        self.switch(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target), 5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                self._open |= {client, server}
                for source, sink, is_answer in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._copy, args=(source, sink, is_answer), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if is_answer and self.slow_s:
                    time.sleep(self.slow_s)
                sink.sendall(data)
        for each in (source, sink):
            self._open.discard(each)
            _end(each)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
