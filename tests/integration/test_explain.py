"""`tagstream explain` says of each customer what is published of them, and why, from the topics alone."""

from __future__ import annotations

import json

import pytest
import redis
from typer.testing import CliRunner, Result

from processors.explain import Explainer
from schemas.registry import OWN_WRITERS
from streams.cli.main import app
from streams.explain.fold import fold
from streams.explain.part import read_part
from streams.tagger.topics import Topics
from tests.integration.pipeline import ROOT, Pipeline, tags_after
from tests.integration.story import story

STARTER_RULES = sorted((ROOT / "examples/starter").glob("*.yaml"))
EVENTS = 900
CUSTOMERS = 30
ASKED = 6


def tagstream(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setenv("TAGSTREAM_KAFKA__BOOTSTRAP", pipeline.kafka.bootstrap)
    monkeypatch.setenv("TAGSTREAM_KAFKA__TOPIC_PREFIX", pipeline.kafka.topic_prefix)
    monkeypatch.setenv("TAGSTREAM_REDIS__URL", pipeline.redis.url)
    monkeypatch.setenv("TAGSTREAM_REDIS__KEY_PREFIX", pipeline.redis.key_prefix)
    monkeypatch.setenv("TAGSTREAM_RULES__DIR", str(pipeline.rules_dir))
    return CliRunner().invoke(app, ["explain", *arguments])


def test_it_finds_for_each_customer_what_was_published_and_the_same_next_flip(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, redis_client: redis.Redis
) -> None:
    texts = [path.read_text("utf-8").replace("  class: ", "  forecast: true\n  class: ") for path in STARTER_RULES]
    pipeline.write_rules(*texts)
    rules = pipeline.rules()
    assert all(tag.forecast for tag in rules.tags)
    events = story(rules, 3, EVENTS, CUSTOMERS)
    pipeline.send(events)
    pipeline.start("tagger")
    projector = pipeline.start("projector")
    pipeline.wait_until_caught_up()
    published = tags_after(pipeline.changes())
    told = {(change.customer_id, change.tag): change for change in pipeline.changes()}
    topics = Topics.of(pipeline.kafka, pipeline.kafka.partitions)
    compared = 0
    for customer in sorted(published)[:ASKED]:
        part = read_part(pipeline.kafka, topics, customer, lambda records: None)
        partition = fold(part, rules, topics, OWN_WRITERS)
        explainer = Explainer(partition)
        for number, tag in enumerate(rules.tags):
            standing = explainer.standing(customer, number)
            assert standing.value == published[customer].get(tag.id), (customer, tag.id)
            if (customer, tag.id) in told and isinstance(told[customer, tag.id].next_flip_at, int):
                assert standing.next_flip == "unknown" or standing.at < standing.next_flip  # type: ignore[operator]
                compared += 1
        assert {c.tag for c in part.changes} == {tag for name, tag in told if name == customer}
    assert compared > ASKED
    customer = sorted(published)[0]
    pipeline.wait_for_redis(redis_client, {customer: {}}, 30) if not published else None
    result = tagstream(pipeline, monkeypatch, customer, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert {each["tag"]: each["value"] for each in answer["tags"]} == {
        tag: list(value) if isinstance(value, tuple) else value for tag, value in published[customer].items()
    }
    assert projector.exit_code() is None
