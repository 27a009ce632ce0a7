"""What happens to stored records behind the taggers' backs: damage, loss, compaction, and records of zombies."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from schemas.records import CLAIM_EPOCH, JournalRecord, Manifest
from streams.log import Outgoing, TopicPartition
from streams.tagger.topics import Topics
from tests.simulation.broker import MemoryBroker
from tests.simulation.chronicle import Chronicle
from tests.simulation.kinds import Kind
from tests.simulation.plan import Plan
from tests.simulation.trace import Trace

__all__ = ["Meddler"]

WHO: Final = "meddler"


class Meddler:
    """Each act is done if it can be, and if the plan's judge can bear it."""

    def __init__(self, plan: Plan, broker: MemoryBroker, topics: Topics, chronicle: Chronicle, trace: Trace) -> None:
        self.strays = 0
        """Records of older epochs that were put into journals."""
        self._plan = plan
        self._broker = broker
        self._topics = topics
        self._chronicle = chronicle
        self._trace = trace
        self._rng = random.Random(f"meddler {plan.seed}")
        self._damaged: set[tuple[int, int]] = set()
        """Partitions and offsets of snapshots' first chunks."""
        self._acts: dict[Kind, Callable[[int], bool]] = {
            Kind.DAMAGED_CHUNK: self._damage,
            Kind.LOST_CHUNKS: self._lose_chunks,
            Kind.COMPACTED: self._compact,
            Kind.STRAY_STEP: lambda p: self._stray(p, "step"),
            Kind.STRAY_MANIFEST: lambda p: self._stray(p, "snapshot"),
        }

    def turn(self) -> None:
        for kind, act in self._acts.items():
            if self._rng.random() < self._plan.rates.get(kind, 0):
                partition = self._rng.randrange(self._plan.partitions)
                if act(partition):
                    self._trace.met(kind, WHO, f"partition {partition}")

    def _journal(self, partition: int) -> list[tuple[int, JournalRecord]]:
        records = self._broker.partition(TopicPartition(self._topics.journal, partition)).records
        return self._chronicle.journal(partition, records)

    def _damage(self, partition: int) -> bool:
        """A byte of a chunk of the newest snapshot; where no other way is left, not of two in a row."""
        manifests = [r.manifest for _, r in self._journal(partition) if r.manifest is not None]
        if not manifests or not (self._plan.may_rebuild or self._has_another(partition, manifests)):
            return False
        newest = manifests[-1]
        place = TopicPartition(self._topics.snapshots, partition)
        log = self._broker.partition(place)
        victims = [r for r in log.records if newest.first <= r.at_offset < newest.next]
        if not victims:
            return False
        victim = self._rng.choice(victims)
        value = bytearray(victim.given_value or b"")
        value[self._rng.randrange(len(value))] ^= 1 << self._rng.randrange(8)
        damaged = replace(victim, given_value=bytes(value))
        log.keep([damaged if r is victim else r for r in log.records])
        self._damaged.add((partition, newest.first))
        return True

    def _has_another(self, partition: int, manifests: list[Manifest]) -> bool:
        """Whether the one before the newest is whole, and stays until another one is there."""
        kept = self._plan.snapshots_kept > 1 and len(manifests) > 1
        return kept and (partition, manifests[-2].first) not in self._damaged

    def _lose_chunks(self, partition: int) -> bool:
        log = self._broker.partition(TopicPartition(self._topics.snapshots, partition))
        if not self._plan.may_rebuild or not log.records:
            return False
        left = self._rng.choice((0, 1, len(log.records) - 1))
        log.keep(log.records[len(log.records) - left :])
        return True

    def _compact(self, partition: int) -> bool:
        self._broker.compact(self._topics.current)
        return True

    def _stray(self, partition: int, kind: str) -> bool:
        """A record as a former owner would have written it, had it not been fenced."""
        journal = self._journal(partition)
        claims = [offset for offset, record in journal if record.kind == "claim"]
        mine = [record for _, record in journal if record.kind == kind and record.epoch != CLAIM_EPOCH]
        if len(claims) < 2 or not mine:
            return False
        last = max((r.step for _, r in journal), default=0)
        # what it says would fit, if it were believed
        stray = replace(mine[-1], epoch=claims[-2], step=last + 1 if kind == "step" else mine[-1].step)
        key = str(partition).encode()
        self._broker.put(Outgoing(self._topics.journal, partition, key, stray.to_avro()))
        self.strays += 1
        return True
