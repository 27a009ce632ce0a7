"""streams.topics, without a broker"""

from __future__ import annotations

import dataclasses

import pytest

from schemas.errors import KafkaError
from schemas.events import EVENT_TYPES
from streams import topics
from streams.settings import KafkaSettings
from streams.topics import State, Topic


def state(topic: Topic, config: dict[str, str] | None = None) -> State:
    return State(topic, f"p.{topic.name}", 6, 1, {**topic.config(1), **(config or {})})


def all_states() -> list[State]:
    return [state(topic) for topic in topics.TOPICS]


def test_each_event_type_has_its_topic() -> None:
    assert [topic.name for topic in topics.EVENTS.values()] == [f"events.{name}" for name in EVENT_TYPES]


def test_topics_carry_the_prefix() -> None:
    assert topics.CURRENT.named(KafkaSettings(topic_prefix="try1.")) == "try1.tags.current"


def test_only_whole_values_by_key_are_compacted() -> None:
    assert [topic for topic in topics.TOPICS if topic.cleanup == "compact"] == [
        topics.DECIDED,
        topics.CURRENT,
        topics.DEFINITIONS,
    ]


def test_what_recovery_reads_is_kept_for_ever() -> None:
    for topic in (*topics.EVENTS.values(), topics.MOVED, topics.COMMANDS, topics.JOURNAL):
        assert topic.config(1)["retention.ms"] == "-1"


def test_three_replicas_demand_that_two_have_a_record() -> None:
    assert topics.CHANGES.config(3)["min.insync.replicas"] == "2"
    assert topics.CHANGES.config(1)["min.insync.replicas"] == "1"


def test_the_common_number_of_partitions_is_told() -> None:
    assert topics.check(all_states()) == 6


def test_dead_letters_may_have_another_number_of_partitions() -> None:
    states = [dataclasses.replace(s, partitions=1) if s.topic is topics.DEAD_LETTERS else s for s in all_states()]
    assert topics.check(states) == 6


def test_a_missing_topic_is_named_with_its_cure() -> None:
    states = [dataclasses.replace(s, partitions=None) if s.topic is topics.JOURNAL else s for s in all_states()]
    with pytest.raises(KafkaError) as caught:
        topics.check(states)
    assert caught.value.code == "TS-K102"
    assert "p.tags.journal" in caught.value.message
    assert "tagstream topics --create" in caught.value.cure


def test_different_numbers_of_partitions_are_an_error() -> None:
    states = [dataclasses.replace(s, partitions=12) if s.topic is topics.CHANGES else s for s in all_states()]
    with pytest.raises(KafkaError) as caught:
        topics.check(states)
    assert caught.value.code == "TS-K103"
    assert "p.tags.changes has 12" in caught.value.message
    assert "p.events.browse has 6" in caught.value.message


def test_a_setting_that_differs_on_the_broker_is_told() -> None:
    other = state(topics.CURRENT, {"cleanup.policy": "delete"})
    assert other.differences() == ["cleanup.policy is delete, not compact"]
    assert state(topics.CURRENT).differences() == []
