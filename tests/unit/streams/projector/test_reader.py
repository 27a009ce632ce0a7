"""What apps read is what the projector wrote."""

from __future__ import annotations

import pytest
import redis

from streams.reader import TagReader, Tags
from streams.redis_layout import Layout
from tests.unit.streams.projector.projector_world import MemoryLog, World


@pytest.mark.parametrize("decode_responses", [False, True])
def test_tags_have_their_values_version_and_freshness(client: redis.Redis, decode_responses: bool) -> None:
    log = MemoryLog(2)
    log.write("anna", 7, {"vip": True, "tier": "金牌", "risk": 0.35, "likes": ("b", "a")}, epoch=3, partition=1)
    log.tick(123_456, epoch=3, partition=1)
    World(log, client, layout=Layout("shop.")).run()
    address = client.connection_pool.connection_kwargs
    with redis.Redis(address["host"], address["port"], decode_responses=decode_responses) as app:
        tags = TagReader(app, key_prefix="shop.").tags("anna")
    assert tags == Tags({"vip": True, "tier": "金牌", "risk": 0.35, "likes": ("a", "b")}, 7, 3, 1, 123_456)


def test_a_customer_without_tags_is_known_and_a_stranger_is_not(client: redis.Redis) -> None:
    log = MemoryLog()
    log.write("anna", 7, {})
    World(log, client).run()
    reader = TagReader(client)
    assert reader.tags("anna") == Tags({}, 7, 1, 0, None)
    assert reader.tags("stranger") == Tags({}, None, None, None, None)


def test_many_customers_are_read_by_id(client: redis.Redis) -> None:
    log = MemoryLog()
    for seq in range(1, 2_501):
        log.write(f"c{seq}", seq, {"seq": float(seq)})
    World(log, client).run()
    found = TagReader(client).many([f"c{seq}" for seq in range(2_600, 0, -1)] + ["c1"])
    assert len(found) == 2_600
    assert all(found[f"c{seq}"].values == ({"seq": float(seq)} if seq <= 2_500 else {}) for seq in range(1, 2_601))
