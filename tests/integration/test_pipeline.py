"""The whole way, by real processes on a real broker and a real Redis: events in, tags out, judged by the oracle."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import redis

from processors.oracle import judge as oracle
from processors.oracle.judge import Event
from processors.rules.tree import RuleSet
from schemas.events import EVENT_TYPES
from schemas.outcomes import Outcome
from schemas.registry import SCHEMAS
from tests.integration.pipeline import (
    ROOT,
    SOURCES,
    Pipeline,
    as_avro,
    as_confluent,
    as_json,
    texts,
)
from tests.integration.registry_server import serve
from tests.integration.story import story
from tests.oracle import generate
from tests.oracle.generate import Knobs, SeededChoices
from tests.oracle.text import to_yaml

STARTER_RULES = sorted((ROOT / "examples/starter").glob("*.yaml"))
EVENTS = 900
CUSTOMERS = 30


def random_rules(seed: int, prefix: str) -> str:
    """Some tags that nobody would write, with ids that meet no other's."""
    found = generate.rule_set(SeededChoices(random.Random(seed)), Knobs(max_tags=4))
    return to_yaml(replace(found, tags=tuple(replace(tag, id=f"{prefix}{tag.id}") for tag in found.tags)))


def test_what_three_producers_send_becomes_the_tags_that_the_oracle_says(
    pipeline: Pipeline, redis_client: redis.Redis
) -> None:
    pipeline.write_rules(*STARTER_RULES, random_rules(5, "a_"), random_rules(9, "b_"))
    rules = pipeline.rules()
    events = story(rules, 3, EVENTS, CUSTOMERS)
    ids = {event_type: 40 + place for place, event_type in enumerate(EVENT_TYPES)}
    producers: list[Callable[[Event], bytes]] = [as_avro, as_confluent(ids), as_json]
    # each customer's events come through all three, whose streams are joined by their topics alone
    for number, encode in enumerate(producers):
        pipeline.send([e for place, e in enumerate(events) if place % 3 == number], encode)
    with serve({ids[t]: SCHEMAS[t].raw for t in EVENT_TYPES}) as registry:
        pipeline.settings["SCHEMA_REGISTRY__URL"] = registry.url
        tagger, projector = pipeline.start("tagger"), pipeline.start("projector")
        pipeline.wait_until_caught_up()
        wanted = naive_tags(pipeline, rules)
        pipeline.wait_for_redis(redis_client, texts(wanted))
        assert tagger.stop(10) == 0
        assert projector.stop(10) == 0
    assert len(registry.asked) == len(EVENT_TYPES)
    assert pipeline.differences(rules) == []
    pipeline.assert_numbered()
    pipeline.assert_nothing_is_lost()


def naive_tags(pipeline: Pipeline, rules: RuleSet) -> dict[str, dict[str, oracle.TagValue]]:
    """The tags by the order as the design has it, not as the journal says: history is merged by time, whole."""
    tags: dict[str, dict[str, oracle.TagValue]] = {}
    for partition in range(pipeline.kafka.partitions):
        merged = []
        for place, topic in enumerate(SOURCES):
            arrival = 0
            for message in pipeline.read(topic):
                if message.partition() == partition:
                    arrival = max(arrival, message.timestamp()[1])
                    offset = message.offset() or 0
                    event = pipeline.sent[topic.name, partition, offset]
                    merged.append((arrival, place, offset, replace(event, arrival_ms=arrival)))
        result = oracle.run(rules, [event for *_, event in sorted(merged, key=lambda m: m[:3])], None)
        assert result.outcomes[Outcome.APPLIED] > len(merged) / 2
        tags |= result.tags
    assert len(tags) > CUSTOMERS / 2, "most customers should have a tag at the end"
    return tags
