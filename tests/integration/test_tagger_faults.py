"""What is done to the pipeline while it works leaves no trace in what it says: each test is judged by the oracle."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import redis

from tests.integration.pipeline import ROOT, Pipeline, kill, tags_after, texts, until
from tests.integration.story import story
from tests.oracle.oracle import Event

STARTER_RULES = sorted((ROOT / "rules").glob("*.yaml"))

SMALL_STEPS = {
    # Many transactions, so that a kill meets one, and timers that are left over from step to step.
    "TAGGER__MAX_STEP_EVENTS": "15",
    "TAGGER__MAX_STEP_TIMERS": "3",
    "TAGGER__COMMIT_INTERVAL_MS": "1",
}


def send_while_killing(
    pipeline: Pipeline, events: Sequence[Event], over_s: float, restart: dict[float, object]
) -> None:
    """Send all events, evenly over some seconds; `restart`: at which second to do what."""
    began, sent = time.monotonic(), 0
    todo = sorted(restart.items())
    while sent < len(events) or todo:
        passed_s = time.monotonic() - began
        due = min(len(events), int(len(events) * passed_s / over_s) + 1)
        if due > sent:
            pipeline.send(events[sent:due])
            sent = due
        if todo and passed_s >= todo[0][0]:
            do = todo.pop(0)[1]
            assert callable(do)
            do()
        time.sleep(0.02)


class Restarted:
    """A role that is killed and started again under the same name."""

    def __init__(self, pipeline: Pipeline, role: str, name: str) -> None:
        self._start = lambda: pipeline.start(role, name, **SMALL_STEPS)
        self.child = self._start()

    def kill(self) -> None:
        assert self.child.exit_code() is None, self.child.tail()
        kill(self.child)
        self.child = self._start()


def test_killed_taggers_and_projectors_lose_nothing_and_double_nothing(
    pipeline: Pipeline, redis_client: redis.Redis
) -> None:
    pipeline.write_rules(*STARTER_RULES)
    rules = pipeline.rules()
    events = story(rules, 4, 1_200, 30)
    pipeline.send(events[:300])
    chance = random.Random(4)
    tagger, projector = Restarted(pipeline, "tagger", "t"), Restarted(pipeline, "projector", "p")
    until(lambda: any(pipeline.journal().values()))
    # each has some seconds between to take its partitions and to write
    plan: dict[float, object] = {3.5 * n + chance.random() * 2: tagger.kill for n in range(4)}
    plan |= {4.5 * n + 1 + chance.random() * 2: projector.kill for n in range(3)}
    send_while_killing(pipeline, events[300:], 14, plan)
    pipeline.wait_until_caught_up()
    until(lambda: pipeline.published() == texts(tags_after(pipeline.changes())), 20)
    pipeline.wait_for_redis(redis_client, pipeline.published())
    assert pipeline.differences(rules) == []
    pipeline.assert_numbered()
    pipeline.assert_nothing_is_lost()
    owners = {(r.partition, r.epoch) for records in pipeline.journal().values() for r in records}
    assert len(owners) > 2 * pipeline.kafka.partitions, "the kills came before anything was written"
    assert tagger.child.stop(10) == 0
    assert projector.child.stop(10) == 0
