"""What to type next, with the addresses of this run."""

from __future__ import annotations

import shlex
from pathlib import Path

from streams.demo.place import Place
from streams.local.ports import HOST


def where_to_look(place: Place, rules_dir: Path, customer_id: str, metrics_port: int) -> list[str]:
    """Commands to copy, with the addresses of this run."""
    kafka, prefix = place.kafka.bootstrap, place.kafka.topic_prefix
    event = '{"event_id": "me-1", "customer_id": "me", "event_time": "\'$(date -u +%FT%TZ)\'", "amount_cents": 120000}'
    variables = f"TAGSTREAM_KAFKA__BOOTSTRAP={kafka}" + (f" TAGSTREAM_KAFKA__TOPIC_PREFIX={prefix}" if prefix else "")
    tags = f"redis-cli -u {shlex.quote(place.redis.url)} HGETALL {place.redis.key_prefix}tags:"
    redis = f"TAGSTREAM_REDIS__URL={shlex.quote(place.redis.url)}"
    redis += f" TAGSTREAM_REDIS__KEY_PREFIX={place.redis.key_prefix}" if place.redis.key_prefix else ""
    rules = f"TAGSTREAM_RULES__DIR={shlex.quote(str(rules_dir))}"
    return [
        "Where to look next:",
        f"  a customer's tags   {tags}{shlex.quote(customer_id)}",
        f"  the changes         {variables} tagstream tail",
        f"  why those tags      {variables} {redis} {rules} tagstream explain {shlex.quote(customer_id)}",
        f"  the live events     kcat -b {kafka} -C -o end -t {prefix}events.browse",
        f"  an event of yours   echo '{event}' |",
        f"                      kcat -P -b {kafka} -t {prefix}events.purchase -k me"
        " -X topic.partitioner=murmur2_random",
        f"                      {tags}me",
        f"  metrics             http://{HOST}:{metrics_port}/metrics",
        "Stop with Ctrl-C.",
    ]
