"""Ports for the servers that we start."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Final

__all__ = ["HOST", "accepts", "free_ports"]

HOST: Final = "127.0.0.1"
"""Servers of the demo and the tests listen to this machine alone, unless they are told of another address."""


def free_ports(count: int, host: str = HOST) -> list[int]:
    """As many different ports of our address `host` that nobody listens on now. Another process may take one before it
    is used, so whoever starts a server on it tries again with others."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((host, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def accepts(port: int, host: str = HOST) -> bool:
    """Whether somebody accepts a connection on the port."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False
