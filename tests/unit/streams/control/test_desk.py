"""streams.control.desk: what came too soon is dropped, and what is missing before it is read again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP

from streams.clock import SystemClock
from streams.control.decide import Decision
from streams.control.desk import Desk, Outputs
from streams.control.memory import Memory
from streams.settings import ControlSettings

PLACE = TP("tags.requests", 0)


class Partition:
    """A partition of requests up to `end`, and a desk for it that decides nothing and says what was handled."""

    def __init__(self, end: int) -> None:
        self.handled: list[int] = []
        self.read_again: list[int] = []
        asks = SimpleNamespace(begin=lambda _: 10, first_from=lambda _, offset: min(range(offset, end)))
        memory = Memory(cast(Any, SimpleNamespace(data={}, changelog_topic=None)), ControlSettings())
        self.desk = Desk(
            cast(Any, SimpleNamespace(decide=lambda *_: Decision("refused"))),
            memory,
            cast(Any, asks),
            Outputs(cast(Any, SimpleNamespace(last=lambda *_: {})), cast(Any, None), cast(Any, None)),
            SystemClock(),
            lambda answer: b"",
            lambda: {PLACE},
            self.again,
        )

    async def again(self, tp: TP, offset: int) -> None:
        assert tp == PLACE
        self.read_again.append(offset)

    def event(self, offset: int) -> Any:
        message = SimpleNamespace(tp=PLACE, partition=0, offset=offset, timestamp=1.0, key=b"", value=b"")
        return SimpleNamespace(message=message, ack=lambda: self.handled.append(offset))

    async def hand_over(self, *offsets: int, handled: list[int]) -> None:
        """Let the desk take these, and wait until just these were handled."""
        for offset in offsets:
            await self.desk.take(self.event(offset))
        async with asyncio.timeout(10):
            while self.handled != handled:
                await asyncio.sleep(0.001)
        self.handled.clear()


async def story() -> list[int]:
    partition = Partition(60)
    work = asyncio.create_task(partition.desk.work())
    await partition.hand_over(10, 11, 50, 51, handled=[10, 11])
    await partition.hand_over(12, 13, handled=[12, 13])
    await partition.hand_over(52, 14, 53, handled=[14])
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return partition.read_again


def test_from_the_first_missing_request_on_all_are_read_again_once_for_a_batch() -> None:
    assert asyncio.run(story()) == [12, 15]
