"""The load: what shops send on a bad day. Most of it is sound; the rest comes twice, too late, under the wrong
partition, broken or empty, and people and models say their part.

What is not simply to be applied says so in a header, which nothing of the product reads: so what should have become of
each single record can be told later from the log alone.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import orjson

from benchmarks.data import TYPES, Generator
from processors.oracle.place import partition_of
from schemas.codec import event_from_json
from schemas.outcomes import Outcome
from schemas.records import Command
from streams.topics import COMMANDS, EVENTS, Topic

__all__ = ["EXPECTED", "Mix", "Sent"]

EXPECTED: Final = "expected"
"""The header with the name of an outcome; a record without it is to be applied."""

SHARES: Final[dict[str, float]] = {
    "twice": 0.02,
    "behind": 0.05,
    "late": 0.01,
    "astray": 0.01,
    "dead": 0.01,
    "empty": 0.002,
    "json": 0.02,
    "profile": 0.01,
    "command": 0.005,
}
"""Of all records; the rest is sound and new."""
KEPT: Final = 5_000
"""Sound records of which one may come again: a second's worth and more."""
BEHIND_MS: Final = 150_000
LATE_MS: Final = 2 * 3_600_000
"""Behind every window of the rules (half an hour at most), however long the broker was away."""
AHEAD_MS: Final = 2 * 86_400_000
TERM_MS: Final = 60_000


class Sent(NamedTuple):
    """One record, ready to be produced."""

    topic: Topic
    key: bytes
    value: bytes | None
    partition: int
    """-1: that of the key."""
    expected: Outcome


class Mix:
    """Records of `customers` customers. The same seed, the same draws."""

    def __init__(self, customers: int, partitions: int, seed: int) -> None:
        self._customers = customers
        self._partitions = partitions
        self._chance = random.Random(seed)
        self._numbers = np.random.default_rng(seed)
        self._sound = Generator(customers, seed)
        self._recent: deque[Sent] = deque(maxlen=KEPT)
        self._count = 0
        self._prefix = f"s{seed}"
        self._kinds: dict[str, Callable[[Sent, int], Sent]] = {
            "twice": self._twice,
            "behind": lambda sent, now_ms: sent,
            "late": lambda sent, now_ms: sent._replace(expected=Outcome.LATE),
            "astray": self._astray,
            "dead": self._dead,
            "empty": lambda sent, now_ms: sent._replace(value=None, expected=Outcome.SKIPPED),
            "json": self._json,
            "profile": self._profile,
            "command": self._command,
        }
        self._names = list(self._kinds)
        self._shares = np.array([1 - sum(SHARES.values()), *(SHARES[name] for name in self._names)])

    def at(self, now_ms: int, count: int) -> Iterator[Sent]:
        """So many records that are sent now, in the order of sending."""
        kinds = self._numbers.choice(len(self._shares), count, p=self._shares) - 1
        times = np.full(count, now_ms, np.int64)
        times[kinds == self._names.index("behind")] -= self._chance.randrange(BEHIND_MS)
        times[kinds == self._names.index("late")] -= LATE_MS
        for event, kind in zip(self._sound.at(times), kinds.tolist(), strict=True):
            sent = Sent(EVENTS[TYPES[event.type]], event.key, event.value, -1, Outcome.APPLIED)
            if kind >= 0:
                sent = self._kinds[self._names[kind]](sent, now_ms)
            elif not self._count % 10:
                self._recent.append(sent)
            self._count += 1
            yield sent

    def _twice(self, sent: Sent, now_ms: int) -> Sent:
        return self._chance.choice(self._recent)._replace(expected=Outcome.DUPLICATE) if self._recent else sent

    def _astray(self, sent: Sent, now_ms: int) -> Sent:
        right = partition_of(sent.key.decode(), self._partitions)
        wrong = (right + self._chance.randrange(1, self._partitions)) % self._partitions
        return sent._replace(partition=wrong, expected=Outcome.REKEYED)

    def _dead(self, sent: Sent, now_ms: int) -> Sent:
        assert sent.value is not None
        ahead = self._told("browse", sent.key, now_ms + AHEAD_MS, {})
        value = self._chance.choice(
            (b"\x01nothing that anybody knows", sent.value[:-1], sent.value + b"!", b'{"event_id": "only"}', ahead)
        )
        # a browse event can also be read as JSON; its topic takes all of these
        return (
            Sent(EVENTS["browse"], sent.key, value, -1, Outcome.DEAD)
            if value == ahead
            else sent._replace(value=value, expected=Outcome.DEAD)
        )

    def _json(self, sent: Sent, now_ms: int) -> Sent:
        fields = {"kind": self._chance.choice(("order", "order", "refund")), "amount_cents": 1_999}
        return sent._replace(topic=EVENTS["purchase"], value=self._told("purchase", sent.key, now_ms, fields))

    def _profile(self, sent: Sent, now_ms: int) -> Sent:
        level = self._chance.choice(("gold", "silver", None))
        about = {**self._ids(sent.key, now_ms), "attributes": {"level": level}}
        return sent._replace(topic=EVENTS["profile"], value=event_from_json("profile", about))

    def _command(self, sent: Sent, now_ms: int) -> Sent:
        kind, tag, value = self._chance.choice(
            (
                ("assign", "favourite", True),
                ("assign", "favourite", None),
                ("remove", "favourite", None),
                ("score", "risk", round(self._chance.random(), 2)),
                ("assign", "nobody_knows_it", True),
            )
        )
        ids = self._ids(sent.key, now_ms)
        command = Command(
            command_id=str(ids["event_id"]),
            customer_id=sent.key.decode(),
            kind=kind,  # type: ignore[arg-type]
            tag=tag,
            value=value,
            reason=None,
            actor="chaos",
            until=now_ms + TERM_MS if kind != "remove" and self._chance.random() < 0.5 else None,
            issued_at=now_ms,
        )
        expected = Outcome.DEAD if tag == "nobody_knows_it" else Outcome.APPLIED
        return Sent(COMMANDS, sent.key, command.to_avro(), -1, expected)

    def _told(self, event_type: str, key: bytes, time_ms: int, fields: Mapping[str, object]) -> bytes:
        """An event as JSON."""
        return orjson.dumps({**self._ids(key, time_ms), **fields})

    def _ids(self, key: bytes, time_ms: int) -> dict[str, object]:
        return {"event_id": f"{self._prefix}-{self._count}", "customer_id": key.decode(), "event_time": time_ms}
