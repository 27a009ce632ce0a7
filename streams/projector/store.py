"""The projector's side of Redis: what it reads there, and the four scripts it calls.

Redis' own errors (`redis.RedisError`) go through: whether to wait and try again is the loop's to decide. After one it
is not known what Redis did; the positions have to be read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Final, cast

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.metrics import RebuildReason
from streams.projector.batch import Chunk
from streams.redis_layout import BUILD, EPOCH, PART, SEQ, Layout
from streams.settings import RedisSettings

__all__ = ["Refused", "Standing", "Store", "Work", "connect"]

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 20.0
"""A round of calls takes some 20 ms; a Redis that saves to a slow disk or unlinks much may stand still for seconds."""
SWEEP_KEYS: Final = 1_000
"""Keys looked at in one turn of a sweep: about a millisecond of Redis' time."""

_SCRIPTS: Final = {
    name: resources.files("streams.projector").joinpath(f"{name}.lua").read_text("utf-8")
    for name in ("apply", "begin", "sweep", "finish")
}
_NOTES: Final = ("build", "topic", "written", "asked")
COMPARED_BY: Final = (EPOCH, SEQ, PART)


class Refused(Exception):
    """Redis does not stand where this projector left it: it was emptied or put back, or another one wrote."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where Redis stands in one partition."""

    position: bytes
    """Next offset in `tags.current`, as it stands there; empty: none."""
    build: bytes
    """Name of the rebuild that is under way; empty: none."""
    topic: bytes
    """Id of the topic that was read; empty: unknown."""
    idle_s: float
    """Seconds since anything was written, by Redis' own clock; infinite: never."""
    asked: bytes = b""
    """Why a rebuild was asked for that has not begun; empty: none was."""


Hash = dict[bytes, bytes]
"""A customer's hash, without the mark of a rebuild."""

Work = Mapping[int, tuple[Standing, Sequence[Chunk]]]
"""By partition: where Redis should stand, and what to write there."""


def connect(settings: RedisSettings) -> redis.Redis:
    """A client that never tries again by itself. Opens no connection yet."""
    given: dict[str, Any] = {"username": settings.username} if settings.username else {}
    if settings.password is not None:
        given["password"] = settings.password.get_secret_value()
    return redis.Redis.from_url(
        settings.url,
        protocol=2,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=ANSWER_TIMEOUT_S,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        client_name="tagstream-projector",
        **given,
    )


class Store:
    """All calls block until Redis answers, `ANSWER_TIMEOUT_S` at most, and raise `redis.RedisError`.

    `client` must not decode responses.
    """

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._sha: dict[str, str] = {}
        self._connection: Any = None
        """The one that batches go through, kept out of the pool for good. redis-py leaves its type open."""
        self._awaited = 0
        """Answers to come on it."""

    def open(self, partitions: Sequence[int]) -> dict[int, Standing]:
        """Loads the scripts and reads where Redis stands, all partitions at one moment."""
        calls = self._client.pipeline(transaction=True)
        for script in _SCRIPTS.values():
            calls.script_load(script)
        calls.time()
        calls.hmget(self._layout.position, [str(p) for p in partitions])
        calls.hmget(self._layout.projector, [f"{p}.{note}" for p in partitions for note in _NOTES])
        *shas, (now_s, now_us), positions, notes = calls.execute()
        self._sha = dict(zip(_SCRIPTS, shas, strict=True))
        standings = {}
        for i, partition in enumerate(partitions):
            build, topic, written, asked = notes[len(_NOTES) * i : len(_NOTES) * (i + 1)]
            idle_s = now_s + now_us / 1e6 - int(written) if written else float("inf")
            standings[partition] = Standing(positions[i] or b"", build or b"", topic or b"", idle_s, asked or b"")
        return standings

    def begin(self, partition: int, seen: Standing, *, start: int, build: bytes, topic: bytes) -> Standing:
        """Begins a rebuild from offset `start`, named `build`. Raises Refused if Redis no longer stands as `seen`."""
        keys = (self._layout.position, self._layout.clock, self._layout.projector)
        args = (partition, seen.position, seen.build, start, build, topic)
        if self._client.evalsha(self._sha["begin"], len(keys), *keys, *args) != 1:
            raise Refused(f"partition {partition}: another projector began first")
        return Standing(str(start).encode(), build, topic, 0.0)

    def send(self, work: Work) -> dict[int, Standing]:
        """Begins to write the chunks of each partition, in order, given where Redis should stand there; `receive` tells
        whether it did. Returns where Redis then stands in these partitions.

        Redis works while the next batch is read and decoded. Done one after the other the two would be slower by half.
        """
        assert self._awaited == 0, "the answers to the batch before were not received"
        then: dict[int, Standing] = {}
        if self._connection is None:
            self._connection = self._client.connection_pool.get_connection()
        for partition, (standing, chunks) in work.items():
            for chunk in chunks:
                # A chunk that finds Redis elsewhere changes nothing, nor do those after it, which build on it: they
                # need not wait for its answer. Answers are short, so they fill no buffer before they are read.
                self._connection.send_packed_command(
                    self._connection.pack_command(*self._call(partition, standing, chunk))
                )
                self._awaited += 1
                standing = replace(standing, position=str(chunk.next_offset).encode(), idle_s=0.0)
            then[partition] = standing
        return then

    def receive(self) -> int:
        """Waits for the answers to what was sent. Returns how many hashes were written or removed; the rest were older
        than what Redis had.

        Raises Refused if Redis did not stand as it should; then part of the chunks may have been written, and the
        position in Redis says which.
        """
        changed = 0
        while self._awaited:
            assert self._connection is not None
            answer = int(self._connection.read_response())
            self._awaited -= 1
            if answer < 0:
                raise Refused("the position in Redis is not the one written last")
            changed += answer
        return changed

    def drop(self) -> None:
        """Forgets what was sent and not answered: the positions in Redis will tell. To be called after every error."""
        self._awaited = 0
        if self._connection is not None:
            self._connection.disconnect()

    def _call(self, partition: int, standing: Standing, chunk: Chunk) -> tuple[Any, ...]:
        layout, prefix = self._layout, self._layout.tags_prefix
        keys = (layout.position, layout.clock, layout.projector, *[prefix + customer for customer in chunk.customers])
        epoch, clock_ms = chunk.clock or (b"", b"")
        place = (partition, standing.position, standing.build, chunk.next_offset, epoch, clock_ms)
        return ("EVALSHA", self._sha["apply"], len(keys), *keys, *place, orjson.dumps(chunk.hashes))

    def sweep(self, builds: Mapping[int, bytes], cursor: int) -> tuple[int, int]:
        """One turn of removing what rebuilds (partition -> name) did not meet; `cursor` is 0 at first.

        Returns the next cursor, 0 when all keys were looked at, and how many hashes were removed. Raises Refused if one
        of the rebuilds is no longer under way.
        """
        cursor, found = self._client.scan(cursor, match=self._layout.tags_pattern, count=SWEEP_KEYS, _type="HASH")
        if not found:
            return cursor, 0
        keys = (self._layout.projector, *found)
        args = [arg for partition, build in builds.items() for arg in (partition, build)]
        removed = cast(int, self._client.evalsha(self._sha["sweep"], len(keys), *keys, *args))
        if removed < 0:
            raise Refused("a rebuild is no longer under way")
        return cursor, removed

    def finish(self, partition: int, build: bytes) -> None:
        """Ends a rebuild. Raises Refused if it is no longer under way."""
        if self._client.evalsha(self._sha["finish"], 1, self._layout.projector, partition, build) != 1:
            raise Refused(f"partition {partition}: the rebuild is no longer under way")

    def ask_rebuild(self, partitions: Iterable[int], why: RebuildReason) -> None:
        """Has whoever projects these partitions rebuild them: without a position they can do nothing else."""
        asked = list(partitions)
        calls = self._client.pipeline(transaction=True)
        calls.hset(self._layout.projector, mapping={f"{p}.asked": why for p in asked})
        calls.hdel(self._layout.position, *[str(p) for p in asked])
        calls.execute()

    # --------------------------------------------------------------------------------------------- reconciling

    def versions(self, customers: Sequence[bytes]) -> list[tuple[bytes | None, ...] | None]:
        """Of each customer `_epoch`, `_seq` and `_part`, each None if it is not there; None: the key is no hash."""
        return self._ask_each("HMGET", customers, *COMPARED_BY)

    def hashes(self, customers: Sequence[bytes]) -> list[Hash | None]:
        """Each customer's hash, empty if there is none; None: the key is no hash."""
        found: list[Hash | None] = self._ask_each("HGETALL", customers)
        for held in found:
            if held is not None:
                held.pop(BUILD.encode(), None)
        return found

    def _ask_each(self, command: str, customers: Sequence[bytes], *words: str) -> list[Any]:
        calls = self._client.pipeline(transaction=False)
        for customer in customers:
            calls.execute_command(  # type: ignore[no-untyped-call]
                command, self._layout.tags_prefix + customer, *words
            )
        answers = calls.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, redis.RedisError) and not str(answer).startswith("WRONGTYPE"):
                raise answer
        return [None if isinstance(answer, redis.RedisError) else answer for answer in answers]

    def scan(self, cursor: int, keys: int) -> tuple[int, list[bytes]]:
        """Some customers that have a hash, and the next cursor, 0 when all keys were looked at; `cursor` is 0 at first.
        `keys` says about how many keys to look at."""
        cursor, found = self._client.scan(cursor, match=self._layout.tags_pattern, count=keys, _type="HASH")
        prefix = self._layout.tags_prefix
        return cursor, [key.removeprefix(prefix) for key in cast(Sequence[bytes], found)]

    def ask_reconcile(self, partitions: Sequence[int], name: bytes) -> dict[int, bytes]:
        """Has whoever projects these partitions compare them now. Returns by partition the name under which the result
        will be told: `name`, or an earlier one that is not done yet."""
        fields = [f"{p}.reconcile" for p in partitions]
        calls = self._client.pipeline(transaction=True)
        for each in fields:
            calls.hsetnx(self._layout.projector, each, name)
        calls.hmget(self._layout.projector, fields)
        return dict(zip(partitions, calls.execute()[-1], strict=True))

    def asked_to_reconcile(self, partitions: Sequence[int]) -> dict[int, bytes]:
        """The partitions that somebody wants compared, with the name under which they asked."""
        names = self._notes(partitions, "reconcile")
        return {partition: name for partition, name in zip(partitions, names, strict=True) if name}

    def tell_reconciled(self, partition: int, result: bytes) -> None:
        """Keeps the result of a comparison, and takes back what had been asked for."""
        calls = self._client.pipeline(transaction=True)
        calls.hset(self._layout.projector, f"{partition}.reconciled", result)
        calls.hdel(self._layout.projector, f"{partition}.reconcile")
        calls.execute()

    def reconciled(self, partitions: Sequence[int]) -> dict[int, bytes]:
        """The result of each partition's last comparison that was asked for; empty: none."""
        results = self._notes(partitions, "reconciled")
        return {partition: result or b"" for partition, result in zip(partitions, results, strict=True)}

    def _notes(self, partitions: Sequence[int], note: str) -> list[bytes | None]:
        return (
            cast(list[bytes | None], self._client.hmget(self._layout.projector, [f"{p}.{note}" for p in partitions]))
            if partitions
            else []
        )

    def eviction_policy(self) -> str:
        """Redis' `maxmemory-policy`; anything but `noeviction` may drop customers unseen."""
        return str(self._client.info("memory").get("maxmemory_policy", "noeviction"))

    def close(self) -> None:
        """Closes the connections."""
        self.drop()
        self._client.close()
