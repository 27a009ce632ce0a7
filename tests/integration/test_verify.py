"""`tagstream verify` finds nothing in a pipeline that is right, and what was planted in one that is not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import redis
from typer.testing import CliRunner, Result

from schemas.records import Current, TagValue
from streams import topics
from streams.cli.main import app
from streams.redis_layout import Layout
from tests.integration.pipeline import ROOT, Pipeline, kill, tags_after, texts
from tests.integration.story import story

STARTER_RULES = sorted((ROOT / "examples/starter").glob("*.yaml"))
CUT_JOURNAL = {"TAGGER__SNAPSHOT_INTERVAL_S": "1", "TAGGER__SNAPSHOTS_KEPT": "2"}


def verify(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    for name, value in pipeline.environment().items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(app, ["verify", "--json", *arguments])


@pytest.mark.parametrize("settings", [{}, CUT_JOURNAL], ids=["whole journal", "cut journal"])
def test_a_running_pipeline_that_was_killed_is_right_and_what_is_planted_is_found(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, redis_client: redis.Redis, settings: dict[str, str]
) -> None:
    pipeline.write_rules(*STARTER_RULES)
    rules = pipeline.rules()
    events = story(rules, 3, 600, 20)
    pipeline.send(events[:400])
    tagger = pipeline.start("tagger", "t", **settings)
    pipeline.start("projector")
    pipeline.wait_until_caught_up()
    kill(tagger)
    pipeline.start("tagger", "t", **settings)
    pipeline.send(events[400:])
    result = verify(pipeline, monkeypatch)
    assert result.exit_code == 0, result.output
    pipeline.wait_until_caught_up()
    tags = tags_after(pipeline.changes())
    pipeline.wait_for_redis(redis_client, texts(tags))
    result = verify(pipeline, monkeypatch)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["differences"], report["moved_on"], report["redis_behind"]) == (0, 0, 0)
    assert report["customers"] >= len(tags)
    sampled = json.loads(verify(pipeline, monkeypatch, "--sample", "3").stdout)
    assert sampled["customers"] <= 3 and sampled["differences"] == 0

    first, second, third = sorted(tags)[:3]
    redis_client.hset(Layout(pipeline.redis.key_prefix).tags(first), "planted", "1")
    messages = pipeline.read(topics.CURRENT)
    current = [Current.from_value(m.value() or b"") for m in messages if (m.key() or b"").decode() == second][-1]
    wrong = replace(current, tags=(*current.tags, TagValue("planted", True)))
    change = next(c for c in reversed(pipeline.changes()) if c.customer_id == third)
    false = replace(change, tag="planted", before=None, after=True, op="entered")
    for topic, customer, value in ((topics.CURRENT, second, wrong), (topics.CHANGES, third, false)):
        pipeline.producer.produce(topic.named(pipeline.kafka), value.to_avro(), customer)
    pipeline.flush()
    result = verify(pipeline, monkeypatch)
    assert result.exit_code == 1, result.output
    listed = {d["customer_id"]: d for d in json.loads(result.stdout)["listed"]}
    assert set(listed) == {first, second, third}
    assert (listed[first]["redis"], listed[first]["current"], listed[first]["oracle"]) == ("1", None, None)
    assert listed[second]["current"] == "1"
    assert (listed[third]["changes"], listed[third]["current"]) == ("1", None)
    assert verify(pipeline, monkeypatch, "--customer", first).exit_code == 1
