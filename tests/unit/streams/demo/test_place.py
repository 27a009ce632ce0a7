"""Which Kafka the demo writes to without asking."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from streams.demo.place import is_local, open_place, refuse_foreign
from streams.settings import Settings


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])
def test_this_machine_is_local(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["broker.example.com", "10.0.0.7", "localhost.example.com", "2001:db8::1", ""])
def test_everything_else_is_foreign(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize(
    "bootstrap",
    [
        "broker.example.com:9092",
        "localhost:9092,broker.example.com:9092",
        "PLAINTEXT://broker.example.com:9092",
        "[2001:db8::1]:9092",
        "2001:db8::1",
    ],
)
def test_a_foreign_kafka_is_refused_before_anything_is_started(bootstrap: str, tmp_path: Path) -> None:
    with ExitStack() as held, pytest.raises(ConfigError, match=r"TS-C301.*--yes"):
        open_place(held, tmp_path, Settings(), kafka=bootstrap, redis=None, yes=False, say=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_kafka_is_allowed_with_yes() -> None:
    refuse_foreign(["broker.example.com"], yes=True)
