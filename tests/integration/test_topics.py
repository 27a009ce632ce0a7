"""streams.topics and the commands `topics` and `doctor` on a real broker"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import NewTopic
from typer.testing import CliRunner, Result

from schemas.errors import KafkaError
from streams import topics
from streams.cli.main import app
from streams.clock import SystemClock
from streams.local.ports import free_ports
from streams.settings import KafkaSettings, RedisSettings


def partitions_of(kafka: KafkaSettings) -> dict[topics.Topic, int | None]:
    return {state.topic: state.partitions for state in topics.inspect(topics.admin_client(kafka), kafka)}


def until(true: Callable[[], bool]) -> None:
    """The broker tells of what was created or deleted a moment later."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def tagstream(
    kafka: KafkaSettings, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, redis_url: str = ""
) -> Result:
    monkeypatch.setenv("TAGSTREAM_KAFKA__BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("TAGSTREAM_KAFKA__TOPIC_PREFIX", kafka.topic_prefix)
    monkeypatch.setenv("TAGSTREAM_KAFKA__PARTITIONS", str(kafka.partitions))
    if redis_url:
        monkeypatch.setenv("TAGSTREAM_REDIS__URL", redis_url)
    return CliRunner().invoke(app, list(arguments))


def test_missing_topics_are_created_as_the_catalogue_says(kafka_settings: KafkaSettings) -> None:
    admin = topics.admin_client(kafka_settings)
    created = topics.create_missing(admin, kafka_settings, SystemClock())
    assert created == [topic.named(kafka_settings) for topic in topics.TOPICS]
    states = topics.inspect(admin, kafka_settings)
    assert topics.check(states) == kafka_settings.partitions
    for state in states:
        assert state.config == state.topic.config(1)
    assert topics.create_missing(admin, kafka_settings, SystemClock()) == []


def test_a_topic_that_is_missing_gets_as_many_partitions_as_the_others_have(kafka_settings: KafkaSettings) -> None:
    admin = topics.admin_client(kafka_settings)
    topics.create_missing(admin, kafka_settings, SystemClock())
    admin.delete_topics([topics.MOVED.named(kafka_settings)])[topics.MOVED.named(kafka_settings)].result(30)
    until(lambda: partitions_of(kafka_settings)[topics.MOVED] is None)
    other = kafka_settings.model_copy(update={"partitions": 5})
    assert topics.create_missing(admin, other, SystemClock()) == [topics.MOVED.named(kafka_settings)]
    assert topics.check(topics.inspect(admin, kafka_settings)) == kafka_settings.partitions


def test_topics_of_different_size_are_refused_before_more_are_made(kafka_settings: KafkaSettings) -> None:
    admin = topics.admin_client(kafka_settings)
    sizes = {topics.CURRENT: 2, topics.CHANGES: 4}
    for future in admin.create_topics([NewTopic(t.named(kafka_settings), n, 1) for t, n in sizes.items()]).values():
        future.result(30)
    until(lambda: all(partitions_of(kafka_settings)[topic] == size for topic, size in sizes.items()))
    with pytest.raises(KafkaError, match="TS-K103"):
        topics.create_missing(admin, kafka_settings, SystemClock())


def test_history_keeps_its_times_and_live_events_are_stamped_by_the_broker(kafka_settings: KafkaSettings) -> None:
    admin = topics.admin_client(kafka_settings)
    topics.create_missing(admin, kafka_settings, SystemClock(), event_timestamps="CreateTime")
    topic = topics.EVENTS["purchase"].named(kafka_settings)
    producer = Producer(kafka_settings.client_config())
    long_ago_ms = 852_076_800_000
    producer.produce(topic, b"old", partition=0, timestamp=long_ago_ms)
    producer.flush(30)
    topics.set_event_timestamps(admin, kafka_settings, "LogAppendTime", SystemClock())
    producer.produce(topic, b"new", partition=0, timestamp=long_ago_ms)
    producer.flush(30)
    consumer = Consumer(
        {**kafka_settings.client_config(), "group.id": kafka_settings.group_id, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    old, new = consumer.poll(30), consumer.poll(30)
    consumer.close()
    assert old is not None
    assert new is not None
    assert old.timestamp()[1] == long_ago_ms
    assert new.timestamp()[1] > 1_700_000_000_000


def test_no_broker_is_an_error_that_names_the_address() -> None:
    (port,) = free_ports(1)
    settings = KafkaSettings(bootstrap=f"127.0.0.1:{port}")
    with pytest.raises(KafkaError, match=f"TS-K101: Kafka at 127.0.0.1:{port}"):
        topics.inspect(topics.admin_client(settings), settings)


def test_the_command_creates_checks_and_describes(
    kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tagstream(kafka_settings, ["topics"], monkeypatch)
    assert isinstance(missing.exception, KafkaError)
    assert missing.exception.code == "TS-K102"
    created = tagstream(kafka_settings, ["topics", "--create"], monkeypatch)
    assert created.exit_code == 0, created.output
    assert created.stdout.count("created") == len(topics.TOPICS)
    described = tagstream(kafka_settings, ["topics", "--describe"], monkeypatch)
    for topic in topics.TOPICS:
        size = topic.partitions or kafka_settings.partitions
        assert f"{topic.named(kafka_settings)}   {size} partitions" in described.stdout


def test_doctor_is_content_when_broker_topics_and_redis_are_there(
    kafka_settings: KafkaSettings, redis_settings: RedisSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tagstream(kafka_settings, ["doctor"], monkeypatch, redis_settings.url)
    assert before.exit_code == 1
    assert "tagstream topics --create" in before.stdout
    topics.create_missing(topics.admin_client(kafka_settings), kafka_settings, SystemClock())
    after = tagstream(kafka_settings, ["doctor"], monkeypatch, redis_settings.url)
    assert after.exit_code == 0, after.stdout
    assert "missing" not in after.stdout
