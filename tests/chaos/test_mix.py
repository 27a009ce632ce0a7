"""The load is what it says: each record's header tells what the engine makes of it."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from processors.decoder import Decoder
from processors.oracle.place import partition_of
from processors.partition import UNLIMITED, Partition
from schemas.outcomes import Outcome
from schemas.registry import OWN_WRITERS
from streams.topics import COMMANDS, EVENTS
from tests.chaos.mix import SHARES, Mix, Sent
from tests.chaos.small_run import rules

NOW_MS = 1_790_000_000_000
PARTITIONS = 4
SLICE = 500
SLICES = 8
TYPES = [*EVENTS, "command"]


def drawn(seed: int = 3) -> list[tuple[int, Sent]]:
    """With the time of sending."""
    mix = Mix(200, PARTITIONS, seed)
    return [(NOW_MS + 100 * n, sent) for n in range(SLICES) for sent in mix.at(NOW_MS + 100 * n, SLICE)]


def test_the_same_seed_sends_the_same() -> None:
    assert drawn() == drawn()
    assert drawn(1) != drawn(2)


def test_all_that_goes_wrong_is_there_about_as_often_as_it_should_be() -> None:
    counts = Counter(sent.expected for _, sent in drawn())
    for outcome, share in {
        Outcome.SKIPPED: SHARES["empty"],
        Outcome.DEAD: SHARES["dead"],
        Outcome.REKEYED: SHARES["astray"],
        Outcome.DUPLICATE: SHARES["twice"],
        Outcome.LATE: SHARES["late"],
    }.items():
        assert share / 3 < counts[outcome] / (SLICE * SLICES) < 3 * share, (outcome, counts)


@pytest.mark.parametrize("partition", range(PARTITIONS))
def test_what_a_header_says_is_what_the_engine_makes_of_it(partition: int) -> None:
    """Those of one partition, in the order of sending; what is sent astray is left out, for the tagger moves it."""
    rule_set = rules()
    decoder, engine = Decoder(TYPES, OWN_WRITERS, rule_set), Partition(rule_set)
    wanted: dict[Outcome, int] = defaultdict(int)
    rows: list[tuple[int, int, bytes]] = []
    for now_ms, sent in drawn():
        if sent.partition >= 0:
            assert sent.partition != partition_of(sent.key.decode(), PARTITIONS)
        elif partition_of(sent.key.decode(), PARTITIONS) == partition and sent.value is not None:
            source = [*EVENTS.values(), COMMANDS].index(sent.topic)
            rows.append((now_ms, source, sent.value))
            wanted[sent.expected] += 1
    arrivals, sources = (np.array([row[at] for row in rows], np.int64) for at in (0, 1))
    decoded = decoder.decode([value for _, _, value in rows], arrivals, np.zeros(len(rows), np.int64), sources)
    output = engine.step(decoded, np.arange(len(rows), dtype=np.int64), 0, UNLIMITED)
    assert {outcome: count for outcome, count in zip(Outcome, output.outcomes, strict=False) if count} == wanted
    assert wanted[Outcome.APPLIED] > 500 and len(wanted) == 4
