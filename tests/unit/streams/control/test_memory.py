"""What is remembered of requests, and what is forgotten: the old, and those that are too many."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from schemas.records import Answer
from streams.control import memory as module
from streams.control.decide import Row
from streams.control.memory import DAY_MS, Memory
from streams.settings import ControlSettings

NOW_MS = 1_750_000_000_000


class Changelog:
    def __init__(self) -> None:
        self.sent: list[tuple[int, str, Any]] = []

    async def send(self, *, key: str, value: Any, partition: int, value_serializer: str | None = None) -> Any:
        # A row that is gone must be a record without a value, not the JSON text null.
        assert (value_serializer == "raw") == (value is None)
        self.sent.append((partition, key, value))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Table:
    """As much of a Faust table as is used."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.changelog_topic = Changelog()


def row(request_id: str, arrived_ms: int = NOW_MS) -> Row:
    answer = Answer(request_id=request_id, customer_id="anna", status="accepted", arrived_at=arrived_ms)
    return Row(7, "digest", "rules", answer)


def filled(table: Table, rows: list[tuple[int, Row]], **settings: int) -> Memory:
    memory = Memory(table, ControlSettings(**settings))  # type: ignore[arg-type]

    async def fill() -> None:
        for partition, each in rows:
            await memory.put(partition, each)

    asyncio.run(fill())
    return memory


def forget(memory: Memory, partitions: set[int]) -> int:
    async def run() -> int:
        return len(await memory.forget(partitions, NOW_MS))

    return asyncio.run(run())


def test_a_row_is_found_in_its_partition_alone_and_is_sent_there() -> None:
    table = Table()
    memory = filled(table, [(2, row("r:1"))])
    assert memory.get(2, "r:1") == row("r:1")
    assert memory.get(1, "r:1") is None
    assert [(partition, key) for partition, key, _ in table.changelog_topic.sent] == [(2, "2:r:1")]
    assert len(memory) == 1


def test_what_is_too_old_is_forgotten_in_the_partitions_that_we_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORGET_EVERY", 4)
    old, young = NOW_MS - 14 * DAY_MS - 1, NOW_MS - 14 * DAY_MS
    table = Table()
    memory = filled(table, [(1, row("a", old)), (1, row("b", young)), (2, row("c", old)), (11, row("d", old))])
    table.changelog_topic.sent.clear()
    assert forget(memory, {1}) == 1
    assert table.changelog_topic.sent == [(1, "1:a", None)]
    assert memory.get(1, "a") is None and memory.get(1, "b") is not None
    assert memory.get(2, "c") is not None and memory.get(11, "d") is not None


def test_of_too_many_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORGET_EVERY", 1)
    rows = [(1, row(f"r{n}", NOW_MS - 1_500 + n)) for n in range(1_500)]
    memory = filled(Table(), rows, remember_most=1_000)
    assert forget(memory, {1}) == 500
    assert memory.get(1, "r499") is None and memory.get(1, "r500") is not None


def test_it_looks_only_now_and_then() -> None:
    memory = filled(Table(), [(1, row("a", 0))])
    assert forget(memory, {1}) == 0
