"""Kafka is away for a while: everybody waits and says so, and afterwards all is as if it had never been."""

from __future__ import annotations

import json
import time

import redis

from processors.oracle.event import Event
from streams.clock import SystemClock
from streams.local.child import Child
from streams.local.docker import DockerKafka
from streams.local.kafka import LocalKafka
from tests.integration.pipeline import Pipeline, ask, kill, until

RULES = """
- {tag: active, name: {en: A}, class: dynamic, category: behaviour, when: "count(browse, 1d) >= 2"}
- {tag: here, name: {en: H}, class: dynamic, category: behaviour, when: "count(browse, 1m) >= 1", dwell: 3s}
"""
ROLES = ("tagger", "projector", "control")
AWAY_S = 8.0
TOLD_WITHIN_S = 15.0


def visits(first: int) -> list[Event]:
    now_ms = SystemClock().wall_ms()
    return [Event("browse", f"e{n}", f"c{n % 20}", now_ms, now_ms, {}) for n in range(first, first + 60)]


def reasons(child: Child) -> list[str]:
    """Why a role is not ready; one that does not answer is not."""
    try:
        return list(json.loads(ask(child, "/readyz"))["reasons"])
    except OSError:
        return ["it does not answer"]


def test_all_wait_say_so_and_go_on(
    pipeline: Pipeline, redis_client: redis.Redis, kafka: LocalKafka | DockerKafka
) -> None:
    pipeline.write_rules(RULES)
    pipeline.follow_wall, pipeline.event_timestamps = True, "LogAppendTime"
    pipeline.settings["CONTROL__SESSION_TIMEOUT_MS"] = "6000"
    roles = {role: pipeline.start(role, role) for role in ROLES}
    until(lambda: not any(map(reasons, roles.values())), 60, lambda: str({r: reasons(c) for r, c in roles.items()}))
    pipeline.send(visits(0))
    until(lambda: len(pipeline.redis_tags(redis_client)) == 20, 60, lambda: roles["tagger"].tail(20))
    kafka.kill()
    try:
        began_s = time.monotonic()
        silent = {role: child for role, child in roles.items() if child.exit_code() is None}
        until(
            lambda: all(
                child.exit_code() is not None or any("Kafka at" in why for why in reasons(child))
                for child in silent.values()
            ),
            TOLD_WITHIN_S,
            lambda: str({role: reasons(child) for role, child in silent.items()}),
        )
        assert pipeline.redis_tags(redis_client), "apps read on"
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - began_s)))
    finally:
        kafka.restart()

    def tend() -> None:
        """As whatever supervises them does: one whose transaction hangs ends some seconds after Kafka is back."""
        for role, child in roles.items():
            if child.exit_code() is not None:
                kill(child)
                roles[role] = pipeline.start(role, role)

    def caught_up() -> bool:
        tend()
        return pipeline.is_caught_up() and not any(map(reasons, roles.values()))

    pipeline.send(visits(60))
    until(caught_up, 90, lambda: str({role: (reasons(c), c.tail(5)) for role, c in roles.items()}), every_s=0.4)
    pipeline.wait_until_caught_up()
    assert roles["tagger"].stop(20) == 0
    clocks = {p: records[-1].clock_after for p, records in pipeline.journal().items()}
    assert pipeline.differences(pipeline.rules(), clocks.get) == []
    pipeline.assert_numbered()
    pipeline.assert_nothing_is_lost()
    pipeline.wait_for_redis(redis_client, pipeline.published())
