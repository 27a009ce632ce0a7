"""The Kafka and Redis that we start ourselves: they answer, and come back with their data."""

from __future__ import annotations

import pytest
import redis
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.local.docker import DockerKafka, DockerRedis
from streams.local.kafka import LocalKafka
from streams.local.redis import LocalRedis
from streams.settings import KafkaSettings


def test_a_committed_transaction_survives_the_death_of_the_broker(
    kafka: LocalKafka | DockerKafka, kafka_settings: KafkaSettings, prefix: str
) -> None:
    config, topic = kafka_settings.client_config(), f"{prefix}t"
    admin = AdminClient({**config})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    producer = Producer({**config, "transactional.id": prefix})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"value")
    producer.commit_transaction(30)

    address = kafka.bootstrap
    kafka.kill()
    kafka.restart()

    assert kafka.bootstrap == address
    reading = {"group.id": prefix, "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    consumer = Consumer({**config, **reading})
    consumer.subscribe([topic])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.value() == b"value"


def test_a_topic_is_not_made_by_a_mistyped_name(kafka: LocalKafka | DockerKafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.list_topics("no-such-topic", timeout=10)
    assert "no-such-topic" not in admin.list_topics(timeout=10).topics


def test_redis_comes_back_with_all_that_it_had_acknowledged(
    redis_server: LocalRedis | DockerRedis, redis_client: redis.Redis
) -> None:
    for n in range(1_000):
        redis_client.set(f"k{n}", n)
    redis_server.kill()
    with pytest.raises(redis.ConnectionError):
        redis_client.ping()
    redis_server.restart()
    assert redis_client.dbsize() == 1_000
