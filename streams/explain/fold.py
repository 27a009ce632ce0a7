"""The customer's state from their part of the topics: the tagger's own engine, over their own records alone."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from processors.decoder import Decoder
from processors.partition import Partition
from processors.rules.tree import RuleSet
from schemas.registry import WriterSchemas
from streams.explain.part import Kept, Part
from streams.tagger.step_schemas import StepSchemas
from streams.tagger.topics import Topics

__all__ = ["fold"]


def fold(part: Part, rule_set: RuleSet, topics: Topics, schemas: WriterSchemas, erasure_term_ms: int) -> Partition:
    """The partition as it is after the journal's last step, with nobody in it but this customer.

    Steps in which they have no record are passed over: what time does meanwhile comes out the same afterwards.
    """
    partition = Partition(
        rule_set,
        number=part.partition,
        partitions=topics.partitions,
        moved_source=topics.moved_source,
        erasure_term_ms=erasure_term_ms,
    )
    step_schemas = StepSchemas(schemas)
    decoder = Decoder(topics.source_types, step_schemas, rule_set)
    offsets = [[kept.offset for kept in records] for records in part.records]

    def step(taken: list[tuple[int, Kept]], clock: int) -> None:
        arrivals = np.array([kept.arrival_ms for _, kept in taken], np.int64)
        places = np.array([kept.offset for _, kept in taken], np.int64)
        sources = np.array([source for source, _ in taken], np.int64)
        decoded = decoder.decode([kept.payload for _, kept in taken], arrivals, places, sources)
        partition.step(decoded, np.argsort(arrivals, kind="stable"), clock)

    if part.cut and part.steps:
        begin = {applied.topic: applied.first for applied in part.steps[0].sources}
        taken = [
            (source, kept)
            for source, topic in enumerate(topics.sources)
            for kept in part.records[source][: bisect_left(offsets[source], begin.get(topic, 0))]
        ]
        step_schemas.begin(None)
        step(taken, part.steps[0].clock_before)
    for record in part.steps:
        taken = []
        for source, topic in enumerate(topics.sources):
            for applied in record.sources:
                if applied.topic == topic:
                    first, end = (bisect_left(offsets[source], at) for at in (applied.first, applied.next))
                    taken += [(source, kept) for kept in part.records[source][first:end]]
        if taken:
            step_schemas.begin(record.found_schemas)
            step([], record.clock_before)
            step(taken, record.clock_after)
    if part.steps:
        step_schemas.begin(())
        step([], part.steps[-1].clock_after)
    return partition
