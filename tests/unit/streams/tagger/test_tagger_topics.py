"""streams.tagger.topics: the names of the topics and the order of the merged ones"""

from __future__ import annotations

from streams.log import TopicPartition
from streams.settings import KafkaSettings
from streams.tagger.topics import Topics


def test_the_order_of_the_merged_topics_is_that_of_their_names_whatever_the_prefix() -> None:
    for prefix in ("", "zz.", "-"):
        topics = Topics.of(KafkaSettings(topic_prefix=prefix), 3)
        events = ["browse", "moved", "profile", "purchase", "service"]
        names = [*(f"events.{name}" for name in events), "tags.commands"]
        assert topics.sources == tuple(prefix + name for name in names)
        assert topics.source_types == ("browse", None, "profile", "purchase", "service", "command")
        assert topics.sources[topics.moved_source] == topics.moved == f"{prefix}events.moved"


def test_a_partition_has_the_same_number_in_every_merged_topic() -> None:
    topics = Topics.of(KafkaSettings(topic_prefix="p."), 3)
    assert topics.sources_of(2) == [TopicPartition(name, 2) for name in topics.sources]
