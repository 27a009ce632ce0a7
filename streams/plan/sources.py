"""How far the sources reach."""

from __future__ import annotations

from collections.abc import Iterable

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.errors import KafkaError
from streams.log import TopicPartition
from streams.plan.compare import Ends
from streams.settings import KafkaSettings
from streams.tagger.topics import Topics

__all__ = ["ends_of"]

ASK_WITHIN_S = 10.0


def ends_of(admin: AdminClient, kafka: KafkaSettings, topics: Topics, partitions: Iterable[int]) -> Ends:
    """First offset and end of every source of these partitions. Raises KafkaError TS-K101."""
    places = [place for partition in partitions for place in topics.sources_of(partition)]
    found: list[list[int]] = []
    for spec in (OffsetSpec.earliest(), OffsetSpec.latest()):  # type: ignore[no-untyped-call]
        asked = {ck.TopicPartition(p.topic, p.partition): spec for p in places}
        try:
            answers = admin.list_offsets(asked, request_timeout=ASK_WITHIN_S)
            by_place = {TopicPartition(p.topic, p.partition): f.result().offset for p, f in answers.items()}
        except ck.KafkaException as error:
            raise KafkaError("TS-K101", f"Kafka at {kafka.bootstrap} cannot be used: {error.args[0].str()}") from None
        found.append([by_place[place] for place in places])
    return dict(zip(places, zip(*found, strict=True), strict=True))
