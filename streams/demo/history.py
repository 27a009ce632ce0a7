"""The past of the demo's customers: the CDNOW purchases, moved in time so that they end now."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from schemas.codec import event_from_json
from schemas.errors import ConfigError, KafkaError

CDNOW: Final = Path(__file__).parents[2] / "examples" / "cdnow.jsonl.gz"

DAY_MS: Final = 86_400_000
STRIDE_MS: Final = 53_395_871
"""Purchase n is moved to n times this, modulo a day: the golden section of a day, so neighbours come to lie far apart
and no hour is left out. The data have no time of day, and 200 purchases in one instant are not plausible."""
DELIVERED_WITHIN_S: Final = 60.0
"""All of it takes two seconds on one local broker."""
REPORT_EVERY: Final = 1_000
"""Events between two reports of progress; also how often the producer's callbacks are served."""


@dataclass(frozen=True, slots=True)
class Past:
    """A history, ready to be loaded."""

    purchases: Sequence[dict[str, Any]]
    """As JSON events, by event_time."""
    customers: Sequence[str]
    """Every customer_id, those with the most purchases first."""


def read_past(now_ms: int, path: Path = CDNOW) -> Past:
    """The purchases, all of them before `now_ms` and the last within the day before it.

    Raises ConfigError TS-C302 if the file is not there, as in an installation without the examples.
    """
    if not path.is_file():
        raise ConfigError("TS-C302", f"There is no file {path}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        purchases = list(move(map(json.loads, lines), now_ms))
    counts: dict[str, int] = {}
    for purchase in purchases:
        counts[purchase["customer_id"]] = counts.get(purchase["customer_id"], 0) + 1
    customers = sorted(counts, key=lambda customer: (-counts[customer], customer))
    return Past(sorted(purchases, key=lambda purchase: int(purchase["event_time"])), customers)


def move(purchases: Iterator[dict[str, Any]], now_ms: int) -> Iterator[dict[str, Any]]:
    """The purchases of whole days, in order of time, spread over their days; the last day ends at `now_ms`."""
    given = list(purchases)
    if not given:
        return
    shift_ms = now_ms - (given[-1]["event_time"] + DAY_MS)
    for number, purchase in enumerate(given):
        time_of_day_ms = number * STRIDE_MS % DAY_MS
        yield purchase | {"event_time": purchase["event_time"] + shift_ms + time_of_day_ms}


def load(producer: Producer, topic: str, past: Past, on_progress: Callable[[int], None]) -> None:
    """Writes all purchases as Avro, each with its event_time as the record's time, and waits until they are there.

    The topic has to take the time from the producer (CreateTime). `on_progress` gets the number of events written so
    far. Raises KafkaError TS-K101 if not all of them are acknowledged in time.
    """
    refused: list[str] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            refused.append(str(error))

    for number, purchase in enumerate(past.purchases, start=1):
        producer.produce(
            topic,
            event_from_json("purchase", purchase),
            purchase["customer_id"],
            timestamp=purchase["event_time"],
            on_delivery=delivered,
        )
        if number % REPORT_EVERY == 0:
            producer.poll(0)
            on_progress(number)
    waiting = producer.flush(DELIVERED_WITHIN_S)
    if waiting or refused:
        why = refused[0] if refused else f"no answer within {DELIVERED_WITHIN_S:.0f} s"
        raise KafkaError("TS-K101", f"{waiting + len(refused)} purchases of the history were not written: {why}")
    on_progress(len(past.purchases))
