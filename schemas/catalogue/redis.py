"""TS-P: what can be wrong with Redis and the projection into it."""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry

ENTRIES: Final[dict[str, Entry]] = {
    "TS-P101": Entry(
        title="Redis does not answer",
        why="The address in `redis.url` is wrong, or Redis is down. Tags go on being computed; only their copy in "
        "Redis stands still.",
        cure="Start Redis or correct the setting; the projector goes on by itself once it answers.",
        example="TAGSTREAM_REDIS__URL=redis://localhost:1",
    ),
    "TS-P102": Entry(
        title="Redis refuses to write",
        why="It is out of memory, a read-only replica, or its user may not write.",
        cure="Raise `maxmemory`, or point `redis.url` at the primary and a user who may write.",
        example="redis-cli config set maxmemory 1mb",
    ),
    "TS-P103": Entry(
        title="Redis is loading its data",
        why="It was restarted and reads its data from disk; until it has all of it, it answers nothing.",
        cure="Wait: the projector goes on by itself as soon as Redis answers. `INFO persistence` says how far it is.",
        example="redis-cli debug reload",
    ),
    "TS-P104": Entry(
        title="No projector is at work",
        why="What was asked for is done by the projector, which writes to Redis at least once a second. None has "
        "written for a while: none is running, or it waits for Redis or Kafka and says so in its log and at `/readyz`.",
        cure="Start `tagstream projector`. What was asked for is noted in Redis, and is done once one is at work.",
        example="tagstream rebuild-redis",
    ),
    "TS-P105": Entry(
        title="There is no such partition",
        why="The partitions are numbered from 0, and there are as many as the topics have.",
        cure="Leave `--partition` out for all of them; `tagstream topics` says how many there are.",
        example="tagstream rebuild-redis --partition 1000000",
    ),
}
