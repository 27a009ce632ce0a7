"""`tagstream explain` says of each customer what is published of them, and why, from the topics alone."""

from __future__ import annotations

import json
import re

import redis

from processors.explain import Explainer
from processors.layout import DAY_MS
from schemas.errors import RequestError
from schemas.registry import OWN_WRITERS
from streams.explain.fold import fold
from streams.explain.part import read_part
from streams.tagger.topics import Topics
from tests.integration.pipeline import ROOT, Pipeline, kill, tags_after, texts
from tests.integration.story import story
from tests.oracle.by_hand import command, event

STARTER_RULES = sorted((ROOT / "examples/starter").glob("*.yaml"))
EVENTS = 900
CUSTOMERS = 30
ASKED = 5

RULES = """
- {tag: vip, name: {en: VIP}, class: business, category: value, when: "count(purchase, 30d) >= 3"}
- tag: tier
  name: {en: Tier}
  class: dynamic
  category: value
  tier:
    - {level: gold, when: "sum(purchase.amount, 90d) >= 100"}
    - {level: silver, when: "sum(purchase.amount, 90d) >= 10"}
"""


def test_it_finds_for_each_customer_what_was_published_from_the_topics_alone(
    pipeline: Pipeline, redis_client: redis.Redis
) -> None:
    pipeline.write_rules(*STARTER_RULES)
    rules = pipeline.rules()
    pipeline.send(story(rules, 3, EVENTS, CUSTOMERS))
    tagger = pipeline.start("tagger")
    pipeline.wait_until_caught_up()
    # killed and taken over: the journal has several epochs
    kill(tagger)
    pipeline.send(story(rules, 4, EVENTS, CUSTOMERS))
    pipeline.start("tagger")
    pipeline.start("projector")
    pipeline.wait_until_caught_up()
    changes = pipeline.changes()
    published = tags_after(changes)
    topics = Topics.of(pipeline.kafka, pipeline.kafka.partitions)
    for customer in sorted(published)[:ASKED]:
        part = read_part(pipeline.kafka, topics, customer, lambda records: None)
        explainer = Explainer(fold(part, rules, topics, OWN_WRITERS, 90 * DAY_MS))
        standings = [explainer.standing(customer, number) for number in range(len(rules.tags))]
        assert {each.tag.id: each.value for each in standings if each.value is not None} == published[customer]
        assert [change.id for change in part.changes] == [c.id for c in changes if c.customer_id == customer]
    customer = sorted(published)[0]
    pipeline.wait_for_redis(redis_client, texts(published), 30)
    result = pipeline.tagstream("explain", customer, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert {each["tag"]: each["value"] for each in answer["tags"]} == json.loads(json.dumps(published[customer]))
    assert answer["notes"] == []


def test_a_tag_is_explained_with_its_conditions_its_next_flip_and_its_changes(
    pipeline: Pipeline, redis_client: redis.Redis
) -> None:
    pipeline.write_rules(RULES)
    bought = event(60_000, id="p-1", customer="anna", amount_cents=4_000)
    pipeline.send(
        [
            bought,
            event(0, "browse", id="b-1", customer="anna"),
            command(70_000, "assign", True, tag="vip", customer="anna"),
        ]
    )
    pipeline.start("tagger")
    pipeline.start("projector")
    pipeline.wait_until_caught_up()
    pipeline.wait_for_redis(redis_client, {"anna": {"tier": "silver", "vip": "1"}}, 30)
    told = pipeline.tagstream("explain", "anna", "tier").output
    assert "silver, by its rule" in told
    assert re.search(r"gold +✗ +sum\(purchase.amount, 90d\) >= 100 +is 40, off by 60", told), told
    assert re.search(r"silver +✓ +sum\(purchase.amount, 90d\) >= 10 +is 40, by 30", told), told
    assert re.search(r"next flip +2024-03-31 01:00:00.000, in 90.0 d", told), told
    assert re.search(r"entered +tier +– → silver +by p-1", told), told
    assert "was 40" in told
    told = pipeline.tagstream("explain", "anna", "vip").output
    assert "yes, by hand" in told and re.search(r"beneath +absent, by its rule", told), told
    assert re.search(r"when +✗ +count\(purchase, 30d\) >= 3 +is 1, off by 2", told), told
    told = pipeline.tagstream("explain", "anna").output
    assert re.search(r"tier +silver +by its rule +2024-03-31", told), told
    assert "no event" not in told and "note:" not in told, told


def test_who_asks_for_a_tag_that_is_not_there_is_told_which_may_be_meant(pipeline: Pipeline) -> None:
    pipeline.write_rules(RULES)
    pipeline.create_topics()
    result = pipeline.tagstream("explain", "anna", "teir")
    assert isinstance(result.exception, RequestError)
    assert "did you mean tier?" in str(result.exception)
    told = pipeline.tagstream("explain", "nobody", "tier").output
    assert "absent, by its rule" in told and "no tagger has applied anything" in told
    assert re.search(r"is 0, off by 100", told), told
