"""What is sent of those who ask to be forgotten is what the engine makes of it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from processors.decoder import Decoder
from processors.partition import UNLIMITED, Partition
from schemas.outcomes import Outcome
from schemas.registry import OWN_WRITERS
from streams.topics import COMMANDS, EVENTS
from tests.chaos.goners import GONE, Goners
from tests.chaos.small_run import rules

NOW_MS = 1_790_000_000_000
DELAY_MS = 300
"""Until the broker acknowledges."""


def test_each_record_is_what_it_says() -> None:
    goners = Goners(7)
    rows, waiting = [], []
    wanted: Counter[Outcome] = Counter()
    for now_ms in range(NOW_MS, NOW_MS + 40_000, 100):
        while waiting and waiting[0][0] <= now_ms:
            goners.acknowledged(waiting.pop(0)[1], now_ms)
        for sent in goners.at(now_ms):
            assert sent.value is not None and sent.key.decode().startswith(GONE)
            waiting.append((now_ms + DELAY_MS, sent.key.decode()))
            rows.append((now_ms, [*EVENTS.values(), COMMANDS].index(sent.topic), sent.value))
            wanted[sent.expected] += 1
    rule_set = rules()
    arrivals, sources = (np.array([row[at] for row in rows], np.int64) for at in (0, 1))
    decoder = Decoder([*EVENTS, "command"], OWN_WRITERS, rule_set)
    decoded = decoder.decode([value for *_, value in rows], arrivals, np.zeros(len(rows), np.int64), sources)
    output = Partition(rule_set).step(decoded, np.arange(len(rows), dtype=np.int64), 0, UNLIMITED)
    assert {outcome: count for outcome, count in zip(Outcome, output.outcomes, strict=False) if count} == wanted
    assert wanted[Outcome.ERASED] > 50 and wanted[Outcome.APPLIED] > 5 * wanted[Outcome.ERASED] / 2
