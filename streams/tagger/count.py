"""What a committed step adds to the metrics."""

from __future__ import annotations

import numpy as np

from processors import layout as L
from processors.changes import op_of
from processors.rules.program import I64
from schemas.outcomes import Dead, Outcome
from streams import metrics
from streams.tagger.work import Step, Work

__all__ = ["count_step"]


def count_step(work: Work, step: Step, committed_ms: int) -> None:
    """Add one committed step. `committed_ms`: the broker's stamp on its journal record."""
    output, events = step.output, step.decoded.events
    metrics.JOURNAL_STEPS.inc()
    metrics.TIMERS_FIRED.inc(output.timers_fired + output.late_timers)
    metrics.TIMERS_LATE.inc(output.late_timers)
    for dead in step.journal.dead:
        metrics.count_dead(Dead(dead.code), dead.count)
    if events.shape[0]:
        _count_outcomes(work, events)
        applied = events[:, L.EV_OUTCOME] == Outcome.APPLIED
        metrics.ARRIVAL_TO_COMMIT.observe_many((committed_ms - events[applied, L.EV_ARRIVAL]) / 1000)
    if output.changes.shape[0]:
        _count_changes(work, output.changes)
    partition = str(work.partition)
    sizes = work.engine.sizes()
    metrics.STATE_ROWS.labels(partition).set(sizes["rows"])
    metrics.STATE_PANES.labels(partition).set(sizes["panes"])
    metrics.STATE_BYTES.labels(partition).set(sizes["bytes"])
    metrics.DEDUPE_HORIZON.labels(partition).set(work.engine.dedupe_horizon_ms() / 1000)


def _count_outcomes(work: Work, events: I64) -> None:
    """Outcomes by the type of the record; a record that says none counts as its topic's."""
    types = events[:, L.EV_TYPE]
    of_source = np.array([metrics.RECORD_TYPES.index(t) if t else 0 for t in work.source_types], np.int64)
    types = np.where(types >= 0, types, of_source[events[:, L.EV_SOURCE]])
    pairs = types * len(Outcome) + events[:, L.EV_OUTCOME]
    shape = len(metrics.RECORD_TYPES), len(Outcome)
    table = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    for record_type, counts in zip(metrics.RECORD_TYPES, table.tolist(), strict=True):
        metrics.count_outcomes(record_type, counts)


def _count_changes(work: Work, changes: I64) -> None:
    """Changes by tag and op."""
    there_before, there_after = changes[:, L.CH_BEFORE] != 0, changes[:, L.CH_AFTER] != 0
    kinds, counts = np.unique(changes[:, L.CH_TAG] * 4 + there_before * 2 + there_after, return_counts=True)
    for kind, n in zip(kinds.tolist(), counts.tolist(), strict=True):
        metrics.count_changes(work.rule_set.tags[kind >> 2].id, op_of(kind & 2, kind & 1), n)
