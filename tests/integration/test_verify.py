"""`tagstream verify` finds nothing in a pipeline that is right, and what was planted in one that is not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import redis
from confluent_kafka import TopicPartition as KafkaPartition
from typer.testing import Result

from processors.oracle.event import Event
from schemas.records import Change, Current, TagValue
from streams import topics
from streams.clock import SystemClock
from streams.redis_layout import Layout
from tests.integration.pipeline import ROOT, Pipeline, as_avro, kill, tags_after, texts, until
from tests.integration.story import START_MS, story

BOUGHT = """
- tag: bought
  name: {zh: 买过, en: Bought}
  describe: {zh: 买过, en: Bought something}
  class: dynamic
  category: behaviour
  when: count(purchase, 30d) >= 1
"""
STARTER_RULES = sorted((ROOT / "examples/starter").glob("*.yaml"))
SMALL_STEPS = {"TAGGER__MAX_STEP_EVENTS": "15", "TAGGER__COMMIT_INTERVAL_MS": "1"}
CUT_JOURNAL = {"TAGGER__SNAPSHOT_INTERVAL_S": "1", "TAGGER__SNAPSHOTS_KEPT": "2"}


def report_of(result: Result) -> dict[str, Any]:
    """What `--json` says. With it, a difference is listed with customer and tag."""
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def listed(report: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(d["customer_id"], d["tag"], d["kind"]) for d in report["listed"]}


def work_with_kills(pipeline: Pipeline, redis_client: redis.Redis, **settings: str) -> dict[str, dict[str, Any]]:
    """A history goes through taggers that are killed; everything comes to an end. Returns all tags.

    Each part of it is there before the tagger that reads it is: so what is applied comes in the order of arrival.
    """
    pipeline.write_rules(*STARTER_RULES)
    events = story(pipeline.rules(), 3, 900, 20)
    pipeline.start("projector")
    for start in range(0, 900, 300):
        pipeline.send(events[start : start + 300])
        before = steps_of(pipeline)
        tagger = pipeline.start("tagger", "t", **SMALL_STEPS, **settings)
        until(lambda before=before: steps_of(pipeline) > before)  # type: ignore[misc]
        kill(tagger)
    pipeline.start("tagger", "t", **settings)
    pipeline.wait_until_caught_up()
    tags = tags_after(pipeline.changes())
    pipeline.wait_for_redis(redis_client, texts(tags))
    return tags


def steps_of(pipeline: Pipeline) -> int:
    return sum(map(len, pipeline.journal().values()))


def send_what_must_not_come_through(pipeline: Pipeline) -> None:
    """An event in the wrong partition, which is moved, and one that is none."""
    late_ms = max(event.arrival_ms for event in pipeline.sent.values())
    event = Event("purchase", "in the wrong partition", "顾客-1", late_ms, late_ms, {"amount_cents": 100})
    elsewhere = (pipeline.partition_of(event.customer_id) + 1) % pipeline.kafka.partitions
    pipeline.put(event, as_avro(event), partition=elsewhere)
    pipeline.put(event, b"{", partition=elsewhere)
    pipeline.flush()
    pipeline.wait_until_caught_up()


def journals_begin_at(pipeline: Pipeline) -> list[int]:
    """By partition the first step that the journal still has."""
    return [steps[0].step if steps else 0 for steps in pipeline.journal().values()]


@pytest.mark.parametrize("settings", [{}, CUT_JOURNAL], ids=["whole journal", "cut journal"])
def test_a_pipeline_that_was_killed_is_right_and_what_is_planted_is_found(
    pipeline: Pipeline, redis_client: redis.Redis, settings: dict[str, str]
) -> None:
    tags = work_with_kills(pipeline, redis_client, **settings)
    if not settings:
        send_what_must_not_come_through(pipeline)
        tags = tags_after(pipeline.changes())
    else:
        until(lambda: 1 not in journals_begin_at(pipeline), what=lambda: f"{journals_begin_at(pipeline)}")
    result = pipeline.tagstream("verify", "--json")
    assert result.exit_code == 0, result.output
    report = report_of(result)
    assert (report["differences"], report["not_in_full"], report["whole"]) == (0, 0, True)
    assert report["customers"] >= len(tags)
    assert report["events"] >= len(pipeline.sent)
    sampled = report_of(pipeline.tagstream("verify", "--json", "--sample", "3"))
    assert 0 < sampled["customers"] <= 3 and sampled["differences"] == 0

    first, second, third = sorted(tags)[:3]
    redis_client.hset(Layout(pipeline.redis.key_prefix).tags(first), "planted", "1")
    messages = pipeline.read(topics.CURRENT)
    current = [Current.from_value(m.value() or b"") for m in messages if (m.key() or b"").decode() == second][-1]
    wrong = replace(current, tags=(*current.tags, TagValue("planted", True)))
    again = next(c for c in reversed(pipeline.changes()) if c.customer_id == third)
    for topic, customer, value in ((topics.CURRENT, second, wrong), (topics.CHANGES, third, again)):
        pipeline.producer.produce(topic.named(pipeline.kafka), value.to_avro(), customer)
    pipeline.flush()
    result = pipeline.tagstream("verify", "--json")
    assert result.exit_code == 1, result.output
    report = report_of(result)
    # the projector has copied the wrong record
    by_customer = {d["customer_id"]: d for d in report["listed"]}
    assert listed(report) == {
        (first, "planted", "value"),
        (second, "planted", "value"),
        (third, again.tag, "doubled"),
    }
    assert (by_customer[first]["redis"], by_customer[first]["current"], by_customer[first]["oracle"]) == (
        "1",
        None,
        None,
    )
    assert (by_customer[second]["current"], by_customer[second]["changes"]) == ("1", None)
    for customer in (first, second, third):
        one = pipeline.tagstream("verify", "--customer", customer)
        assert one.exit_code == 1 and customer in one.stdout, one.output


@pytest.mark.parametrize(
    ("rule", "exit_code", "uncertain"),
    [(BOUGHT, 0, False), (f"{BOUGHT}  dwell: 1m\n", 2, True)],
    ids=["a change tells the time", "no change tells it"],
)
def test_an_order_that_the_journal_no_longer_tells_makes_no_difference_and_no_silent_pass(
    pipeline: Pipeline,
    redis_client: redis.Redis,
    rule: str,
    exit_code: int,
    uncertain: bool,
) -> None:
    pipeline.write_rules(rule)
    customer = next(f"c{n}" for n in range(100) if pipeline.partition_of(f"c{n}") == 0)
    pipeline.start("projector")

    def tell(event_type: str, number: int, at_ms: int) -> None:
        pipeline.send([Event(event_type, f"e{number}", customer, START_MS, START_MS + at_ms)])
        pipeline.wait_until_caught_up()

    tagger = pipeline.start("tagger", "t")
    tell("browse", 0, 60_000)
    # it comes to its topic's end behind the clock, and so is applied at the clock
    tell("purchase", 1, 30_000)
    tell("purchase", 2, 200_000)
    (entered,) = pipeline.changes()
    assert entered.effective_at == START_MS + (120_000 if "dwell" in rule else 60_000)
    result = pipeline.tagstream("verify")
    assert result.exit_code == 0, result.output
    tagger.stop(10)
    pipeline.start("tagger", "t", **CUT_JOURNAL)
    for number in range(3, 100):
        if journals_begin_at(pipeline)[0] > 3:
            break
        tell("purchase", number, 200_000 + number)
        time.sleep(0.5)
    assert journals_begin_at(pipeline)[0] > 3
    result = pipeline.tagstream("verify", "--json")
    assert result.exit_code == exit_code, result.output
    report = report_of(result)
    assert (report["differences"], report["uncertain"]) == (0, [customer] if uncertain else [])


def write_changes_anew(pipeline: Pipeline, changes: Iterable[Change]) -> None:
    """As if these were all that was ever published."""
    admin = topics.admin_client(pipeline.kafka)
    name = topics.CHANGES.named(pipeline.kafka)
    admin.delete_topics([name])[name].result(30)
    until(lambda: name not in admin.list_topics(timeout=10).topics)
    pipeline.create_topics()
    for change in changes:
        pipeline.producer.produce(name, change.to_avro(), change.customer_id, pipeline.partition_of(change.customer_id))
    pipeline.flush()


def test_a_change_that_is_left_out_is_found_wherever_it_stands(pipeline: Pipeline, redis_client: redis.Redis) -> None:
    work_with_kills(pipeline, redis_client)
    for child in pipeline.children:
        child.stop(10)
    changes = pipeline.changes()
    newest = {(c.customer_id, c.tag): c for c in changes}
    last = next(iter(newest.values()))
    elsewhere = [c for c in changes if pipeline.partition_of(c.customer_id) != pipeline.partition_of(last.customer_id)]
    middle = next(c for c in elsewhere if newest[c.customer_id, c.tag] is not c)
    write_changes_anew(pipeline, [c for c in changes if c not in (last, middle)])
    result = pipeline.tagstream("verify", "--json")
    assert result.exit_code == 1, result.output
    report = report_of(result)
    assert {(c.customer_id, c.tag, "lost") for c in (last, middle)} <= listed(report)
    assert {d["customer_id"] for d in report["listed"]} == {last.customer_id, middle.customer_id}
    lacks = {(p["partition"], line) for p in report["partitions"] for line in p["wrong"]}
    of = {c.customer_id: pipeline.partition_of(c.customer_id) for c in (last, middle)}
    assert lacks == {(of[c.customer_id], f"tags.changes lacks number {c.seq}") for c in (last, middle)}
    write_changes_anew(pipeline, changes)
    assert pipeline.tagstream("verify").exit_code == 0


def test_events_that_are_gone_leave_what_is_published_to_be_compared_with_itself(
    pipeline: Pipeline, redis_client: redis.Redis
) -> None:
    tags = work_with_kills(pipeline, redis_client)
    admin = topics.admin_client(pipeline.kafka)
    for topic in topics.EVENTS.values():
        cut = [KafkaPartition(topic.named(pipeline.kafka), p, 5) for p in range(pipeline.kafka.partitions)]
        for deleted in admin.delete_records(cut).values():
            deleted.result(30)
    result = pipeline.tagstream("verify", "--json")
    assert result.exit_code == 2, result.output
    report = report_of(result)
    assert (report["differences"], report["whole"]) == (0, False)
    assert {p["refused"]["code"] for p in report["partitions"]} == {"TS-S107"}
    customer = min(tags)
    redis_client.hset(Layout(pipeline.redis.key_prefix).tags(customer), "planted", "1")
    result = pipeline.tagstream("verify", "--json")
    assert result.exit_code == 1, result.output
    (difference,) = report_of(result)["listed"]
    assert (difference["customer_id"], difference["tag"], difference["redis"]) == (customer, "planted", "1")
    assert "oracle" not in difference


def test_a_pipeline_at_work_is_right_and_other_rules_say_nothing_of_it(
    pipeline: Pipeline, redis_client: redis.Redis
) -> None:
    pipeline.write_rules(*STARTER_RULES)
    pipeline.follow_wall = True
    start_ms = SystemClock().wall_ms() - 400 * 86_400_000
    events = story(pipeline.rules(), 5, 600, 20, start_ms)
    pipeline.send(events[:300])
    pipeline.start("projector")
    tagger = pipeline.start("tagger", "t")
    until(lambda: len(pipeline.changes()) > 10)
    pipeline.send(events[300:])
    result = pipeline.tagstream("verify")
    assert result.exit_code == 0, result.output
    kill(tagger)
    # a changeover: what was published before it is by other rules
    pipeline.write_rules(*STARTER_RULES[:-1])
    assert pipeline.tagstream("apply", "--yes", "--no-wait").exit_code == 0
    result = pipeline.tagstream("verify", "--json")
    assert result.exit_code == 2, result.output
    assert {p["refused"]["code"] for p in report_of(result)["partitions"]} == {"TS-S106"}
    pipeline.start("tagger", "t")
    until(lambda: any(c.origin == "backfill" for c in pipeline.changes()))
    pipeline.wait_until_caught_up()
    result = pipeline.tagstream("verify")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "arguments",
    [("--sample", "0"), ("--sample", "1", "--customer", "c"), ("--customer", "c", "--partition", "{other}")],
)
def test_what_cannot_be_asked_for_exits_with_2(pipeline: Pipeline, arguments: tuple[str, ...]) -> None:
    pipeline.write_rules(STARTER_RULES[0])
    other = str((pipeline.partition_of("c") + 1) % pipeline.kafka.partitions)
    result = pipeline.tagstream("verify", *(each.format(other=other) for each in arguments))
    assert result.exit_code == 2, result.output
