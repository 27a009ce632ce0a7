"""Has the projectors do something, and waits until they have: by notes in Redis that they look at.

Nothing is done here but asking, so it works however many projectors there are, and if the first is only started later.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import orjson
import redis

from schemas.errors import RedisError
from streams import topics
from streams.clock import Clock
from streams.projector.faults import operators_error
from streams.projector.store import Standing, Store, connect
from streams.redis_layout import Layout
from streams.settings import Settings

__all__ = ["Asking", "asking", "chosen_partitions"]

LOOK_EVERY_S: Final = 0.3
AT_WORK_WITHIN_S: Final = 5.0
"""A projector at work writes at least once a second, also where no tags change."""
BACK_WITHIN_S: Final = 30.0
"""One that was disturbed is back at work within its longest wait, and the time that a rebalance takes."""

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much."""


class Asking:
    """Asks for `partitions`. The methods raise what redis-py raises, and RedisError TS-P104 if no projector is at work
    there; what was asked for stays noted then."""

    def __init__(self, store: Store, clock: Clock, partitions: Sequence[int]) -> None:
        self._store = store
        self._clock = clock
        self.partitions = partitions

    def rebuild(self, *, wait: bool, ends: Mapping[int, int], on_progress: Progress) -> None:
        """Has the partitions rebuilt. `ends` are those of `tags.current`; returns when all up to them is in Redis, and
        nothing else, or at once unless `wait`."""
        before = self._store.open(self.partitions)
        self._store.ask_rebuild(self.partitions, "asked")
        _demand_work(before, self.partitions, AT_WORK_WITHIN_S)
        while wait:
            now = self._store.open(self.partitions)
            on_progress(sum(min(_place(now[p]), ends[p]) for p in self.partitions), sum(ends.values()))
            undone = [p for p, standing in now.items() if standing.asked or standing.build or not standing.position]
            if not undone:
                return
            _demand_work(now, undone, BACK_WITHIN_S)
            self._clock.sleep(LOOK_EVERY_S)

    def reconcile(self, *, wait: bool, on_progress: Progress) -> dict[int, dict[str, Any]]:
        """Has the partitions compared, and what differs repaired. Returns the result by partition, as in
        docs/redis-layout.md; unless `wait` none, and at once."""
        before = self._store.open(self.partitions)
        names = self._store.ask_reconcile(self.partitions, secrets.token_hex(8).encode())
        _demand_work(before, self.partitions, AT_WORK_WITHIN_S)
        while wait:
            told = {p: orjson.loads(result or b"{}") for p, result in self._store.reconciled(self.partitions).items()}
            undone = [p for p in self.partitions if told[p].get("name") != names[p].decode()]
            on_progress(len(self.partitions) - len(undone), len(self.partitions))
            if not undone:
                return told
            _demand_work(self._store.open(undone), undone, BACK_WITHIN_S)
            self._clock.sleep(LOOK_EVERY_S)
        return {}


@contextmanager
def asking(settings: Settings, clock: Clock, partitions: Sequence[int]) -> Iterator[Asking]:
    """Raises RedisError TS-P101 to TS-P103 for what Redis answers, within the block as well."""
    try:
        with connect(settings.redis) as client:
            yield Asking(Store(client, Layout(settings.redis.key_prefix)), clock, partitions)
    except redis.RedisError as error:
        raise operators_error(error) from None


def chosen_partitions(settings: Settings, only: int | None) -> Sequence[int]:
    """The one, or all that there are. Raises KafkaError TS-K101 to TS-K103, RedisError TS-P105."""
    number = topics.check(topics.inspect(topics.admin_client(settings.kafka), settings.kafka))
    if only is not None and only >= number:
        raise RedisError("TS-P105", f"There is no partition {only}: there are {number}, from 0 on")
    return range(number) if only is None else [only]


def _place(standing: Standing) -> int:
    """How far a rebuild has come."""
    return int(standing.position) if standing.position.isdigit() and not standing.asked else 0


def _demand_work(standings: Mapping[int, Standing], partitions: Iterable[int], within_s: float) -> None:
    left = [str(p) for p in partitions if standings[p].idle_s > within_s]
    if left:
        raise RedisError("TS-P104", f"No projector is at work in these partitions: {', '.join(left)}")
