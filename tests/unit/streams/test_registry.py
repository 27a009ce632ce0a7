"""streams.registry, against a small registry on a real port"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from schemas.registry import SCHEMAS, Writers
from streams.clock import ManualClock
from streams.local.ports import free_ports
from streams.registry import LARGEST_ANSWER_BYTES, MOST_UNKNOWN, UNKNOWN_FOR_S, Interrupted, SchemaRegistry
from tests.integration.registry_server import NO_SUCH_SCHEMA, Answer, RegistryServer, schema_answer, serve

BROWSE = SCHEMAS["browse"].raw


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve({7: BROWSE}) as server:
        yield server


def times(n: int) -> Callable[[], bool]:
    """True so many times."""
    left = iter([True] * n)
    return lambda: next(left, False)


def never() -> bool:
    raise AssertionError("it should not have waited")


def test_an_id_that_the_registry_has_gives_its_schema(server: RegistryServer) -> None:
    assert SchemaRegistry(server.url + "/", ManualClock(), never).schema(7) == BROWSE
    assert server.asked == ["/schemas/ids/7"]


def test_with_writers_before_it_a_known_id_is_asked_once(server: RegistryServer) -> None:
    writers = Writers(fetch_by_id=SchemaRegistry(server.url, ManualClock(), never).schema)
    assert writers.by_id(7) is writers.by_id(7)
    assert len(server.asked) == 1


def test_an_unknown_id_is_asked_again_only_after_some_seconds(server: RegistryServer) -> None:
    clock = ManualClock()
    registry = SchemaRegistry(server.url, clock, never)
    assert registry.schema(8) is None
    clock.sleep(UNKNOWN_FOR_S - 0.1)
    assert registry.schema(8) is None
    assert len(server.asked) == 1
    server.answers[8] = schema_answer(BROWSE)
    clock.sleep(0.2)
    assert registry.schema(8) == BROWSE


def test_so_many_unknown_ids_are_remembered_and_no_more(
    server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_UNKNOWN > 1_000
    monkeypatch.setattr("streams.registry.MOST_UNKNOWN", 3)
    registry = SchemaRegistry(server.url, ManualClock(), never)
    for schema_id in (1, 2, 3, 4, 4, 3, 2, 1):
        assert registry.schema(schema_id) is None
    assert server.asked == [f"/schemas/ids/{n}" for n in (1, 2, 3, 4, 1)]


@pytest.mark.parametrize(
    "answer",
    [
        (500, b'{"error_code": 50001}'),
        (503, b""),
        (401, b"{}"),
        (404, b"<html>no such page</html>"),
        (404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}'),
        (200, b"hello"),
        (200, b"[]"),
        (200, b'{"id": 7}'),
        (200, b'{"schema": 7}'),
        (200, b'{"schema": "' + b"x" * LARGEST_ANSWER_BYTES + b'"}'),
    ],
)
def test_what_is_no_answer_makes_nothing_unknown_but_is_asked_again(server: RegistryServer, answer: Answer) -> None:
    server.broken = answer

    def mend() -> bool:
        if len(server.asked) == 3:
            server.broken = None
        return True

    assert SchemaRegistry(server.url, ManualClock(), mend).schema(7) == BROWSE
    assert len(server.asked) == 4


def test_a_registry_that_is_not_there_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (port,) = free_ports(1)
    clock = ManualClock()
    with pytest.raises(Interrupted, match=f"http://127.0.0.1:{port}"):
        SchemaRegistry(f"http://127.0.0.1:{port}", clock, times(200)).schema(7)
    # looked up ten times a second, asked after 0.1, 0.2, 0.4 … and then every 5 s
    assert 15 < clock.monotonic_s() < 25


def test_it_ends_while_it_waits_when_it_is_told_to(server: RegistryServer) -> None:
    server.broken = (503, b"")
    with pytest.raises(Interrupted):
        SchemaRegistry(server.url, ManualClock(), times(0)).schema(7)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        schema_answer(BROWSE, schemaType="PROTOBUF"),
        schema_answer(BROWSE, references=[{"name": "Other", "subject": "other", "version": 1}]),
        schema_answer("string"),
        schema_answer(["null", BROWSE]),
        (200, json.dumps({"schema": "no JSON"}).encode()),
        NO_SUCH_SCHEMA,
    ],
)
def test_a_schema_that_no_event_can_be_written_by_is_as_unknown_as_none(server: RegistryServer, answer: Answer) -> None:
    server.answers[9] = answer
    assert SchemaRegistry(server.url, ManualClock(), never).schema(9) is None
