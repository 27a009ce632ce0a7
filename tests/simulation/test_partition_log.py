"""tests.simulation.partition_log: what committed readers see of a partition"""

from __future__ import annotations

import random

import pytest

from tests.simulation.partition_log import PartitionLog
from tests.simulation.record import Record


def put(log: PartitionLog, transaction: str | None, key: bytes = b"k", value: bytes | None = b"v") -> int:
    offset = log.end
    log.append(Record(offset, 0, key, value), transaction)
    return offset


def seen(log: PartitionLog) -> list[int]:
    return [record.at_offset for record in log.records]


def test_what_lies_behind_an_open_transaction_waits_for_it_whoever_wrote_it() -> None:
    log = PartitionLog()
    for transaction in (None, "a", "b", None, "b"):
        put(log, transaction)
    assert (seen(log), log.stable_end, log.end) == ([0], 1, 5)
    log.mark("b", committed=True)
    assert (seen(log), log.stable_end, log.end) == ([0], 1, 6)
    put(log, "b2")
    log.mark("a", committed=False)
    assert (seen(log), log.stable_end, log.end) == ([0, 2, 3, 4], 6, 8)
    log.mark("b2", committed=True)
    assert (seen(log), log.stable_end, log.end) == ([0, 2, 3, 4, 6], 9, 9)


def test_what_is_deleted_before_it_is_decided_is_never_seen() -> None:
    log = PartitionLog()
    put(log, "a")
    put(log, "a")
    log.delete_before(1)
    assert log.stable_end == 1
    log.mark("a", committed=True)
    assert seen(log) == [1]
    assert (log.start, log.stable_end) == (1, 3)


@pytest.mark.parametrize("seed", range(20))
def test_committed_readers_see_what_a_plain_search_finds(seed: int) -> None:
    chance = random.Random(seed)
    log = PartitionLog()
    written: list[tuple[int, str | None]] = []
    decided: dict[str | None, bool] = {None: True}
    names = 0
    open_names: list[str] = []
    for _ in range(200):
        action = chance.random()
        if action < 0.15:
            names += 1
            open_names.append(f"t{names}")
        elif action < 0.3 and open_names:
            name = open_names.pop(chance.randrange(len(open_names)))
            decided[name] = chance.random() < 0.7
            log.mark(name, decided[name])
        else:
            writer = chance.choice([None, *open_names])
            written.append((put(log, writer), writer))
        stable = min((offset for offset, writer in written if writer not in decided), default=log.end)
        assert log.stable_end == stable
        assert seen(log) == [offset for offset, writer in written if offset < stable and decided[writer]]
        at = chance.randrange(log.end + 1)
        assert [r.at_offset for r in log.read(at, 5)] == [offset for offset in seen(log) if offset >= at][:5]
        assert log.ready(at) == len([offset for offset in seen(log) if offset >= at])


def test_compaction_leaves_what_is_undecided() -> None:
    log = PartitionLog()
    put(log, None, b"a")
    put(log, "t", b"a")
    log.compact()
    assert seen(log) == [0]
    log.mark("t", committed=True)
    log.compact()
    assert seen(log) == [1]
