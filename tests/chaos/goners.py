"""Customers who ask to be forgotten. What is still sent of them afterwards must not count if it happened before, and
makes them known anew if it did not.

What comes before and after an erasure must be known for certain, in whatever order the broker takes the topics. So each
part waits until the broker has all of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from schemas.outcomes import Outcome
from schemas.records import Command
from streams.topics import COMMANDS, EVENTS
from tests.chaos.mix import Sent

__all__ = ["GONE", "Goners"]

GONE: Final = "gone-"
"""Their ids begin with it."""
ONE_EVERY_MS: Final = 400
KNOWN_FOR_MS: Final = 3_000
QUIET_MS: Final = 12_000
"""Behind the erasure: longer than a topic's records come late to its end."""


@dataclass(slots=True)
class _Life:
    customer_id: str
    born_ms: int
    comes_back: bool
    """Does something once more, after all that is sent of them too late."""
    part: int = 0
    """Known, erased, spoken of again."""
    left: int = 0
    """Records of this part that the broker does not have yet."""
    done_ms: int = 0


class Goners:
    """One after another begins; each has three parts."""

    def __init__(self, seed: int) -> None:
        self._prefix = f"{GONE}{seed}-"
        self._lives: dict[str, _Life] = {}
        self._count = 0
        self._next_ms = 0

    def at(self, now_ms: int) -> list[Sent]:
        """What is sent of them now. Of each record `acknowledged` is to be called once."""
        sent: list[Sent] = []
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + ONE_EVERY_MS
            self._count += 1
            life = _Life(f"{self._prefix}{self._count}", now_ms, self._count % 2 == 0, done_ms=now_ms - KNOWN_FOR_MS)
            self._lives[life.customer_id] = life
        for life in list(self._lives.values()):
            if life.left == 0 and now_ms >= life.done_ms + (KNOWN_FOR_MS, KNOWN_FOR_MS, QUIET_MS)[life.part]:
                part = list(self._part(life, now_ms))
                life.part, life.left = life.part + 1, len(part)
                sent += part
                if life.part == 3:
                    del self._lives[life.customer_id]
        return sent

    def acknowledged(self, customer_id: str, now_ms: int) -> None:
        """The broker has a record."""
        life = self._lives.get(customer_id)
        if life is not None:
            life.left -= 1
            life.done_ms = now_ms

    def _part(self, life: _Life, now_ms: int) -> Iterator[Sent]:
        if life.part == 1:
            yield self._erasure(life, now_ms)
            return
        count = 4 if life.part == 0 else 2
        outcome = Outcome.APPLIED if life.part == 0 else Outcome.ERASED
        for number in range(count):
            yield self._event(life, f"{life.part}-{number}", life.born_ms, outcome)
        if life.part == 2 and life.comes_back:
            for number in range(3):
                yield self._event(life, f"new-{number}", now_ms, Outcome.APPLIED)

    def _event(self, life: _Life, name: str, time_ms: int, outcome: Outcome) -> Sent:
        ids = {"event_id": f"{life.customer_id}-{name}", "customer_id": life.customer_id, "event_time": time_ms}
        value = orjson.dumps({**ids, "channel": "app", "dwell_ms": 200_000})
        return Sent(EVENTS["browse"], life.customer_id.encode(), value, -1, outcome)

    def _erasure(self, life: _Life, now_ms: int) -> Sent:
        command = Command(
            command_id=f"{life.customer_id}-erase",
            customer_id=life.customer_id,
            kind="erase",
            tag=None,
            value=None,
            reason=None,
            actor="chaos",
            until=None,
            issued_at=now_ms,
        )
        return Sent(COMMANDS, life.customer_id.encode(), command.to_avro(), -1, Outcome.APPLIED)
