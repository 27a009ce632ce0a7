"""Every metric of tagstream, each declared once.

They live on a registry of their own, `REGISTRY`, which `streams.health` serves on the process' one port. All roles
share this module: in each process the others' counters stay at 0, and their gauges by partition are absent.

Rules that hold for all of them, and that tests assert:
- the name starts with `tagstream_` and ends in its unit (`_seconds`, `_bytes`, `_records`), a counter in `_total`;
- no label by customer, event or offset, whose number has no bound; the number of tags has one, `MAX_TAG_LABELS`;
- a label whose values are known beforehand starts at 0 for each of them, for `increase()` does not see the first
  event of a series that appears with it;
- what is told per partition ends with the partition: `forget_partition` when it is revoked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from schemas.events import EVENT_TYPES
from schemas.outcomes import Dead, Outcome
from streams.batch_histogram import BatchHistogram

Stage = Literal["fetch", "decode", "engine", "encode", "produce", "commit"]
"""The stages of a step, in their order."""
Op = Literal["entered", "changed", "left"]
Engine = Literal["same", "other"]
"""Which engine version wrote a journal record: ours or another."""
PartitionState = Literal["recovering", "running", "stopped"]
"""`stopped`: taken off its flow by an error that must not be passed over, such as a differing digest."""
RebalanceEvent = Literal["assigned", "revoked", "lost"]
RebuildReason = Literal["first", "emptied", "position", "asked", "differences"]
"""Why Redis is filled again: never filled before, emptied, its position is not the one that was last written, somebody
asked for it, or it differed from the log in too much to be repaired one by one."""
RedisFault = Literal["away", "loading", "full", "read_only", "refused"]
"""Why a call to Redis failed; `refused` is every other answer than those before it."""
Difference = Literal["missing", "extra", "different"]
"""How Redis differs from the log in a customer: their hash is missing, should not be there, or holds something else."""

REBUILD_REASONS: Final[tuple[RebuildReason, ...]] = ("first", "emptied", "position", "asked", "differences")
REDIS_FAULTS: Final[tuple[RedisFault, ...]] = ("away", "loading", "full", "read_only", "refused")
DIFFERENCES: Final[tuple[Difference, ...]] = ("missing", "extra", "different")
STAGES: Final[tuple[Stage, ...]] = ("fetch", "decode", "engine", "encode", "produce", "commit")
OPS: Final[tuple[Op, ...]] = ("entered", "changed", "left")
COMMAND_TYPE: Final = "command"
"""The value of the label `type` for the records of `tags.commands`, beside the four event types."""
RECORD_TYPES: Final = (*EVENT_TYPES, COMMAND_TYPE)

MAX_TAG_LABELS: Final = 1_000
"""A rule set may have 10,000 tags; with three ops that were 30,000 series a process, more than a scrape should carry.
Tags met after the first thousand are counted together as `OTHER_TAGS`."""
OTHER_TAGS: Final = "@other"
"""Not the name of any tag: names starting with @ are reserved."""

DELAY_BOUNDS_S: Final = (
    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0,
    3600.0,
)  # fmt: skip
"""Close together around the aim of 200 ms, so that a quantile read from the buckets is off by a third at most; the
long end tells a flow that is behind by seconds from one that is behind by an hour."""
STAGE_BOUNDS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""From an idle tick to the transaction timeout (10 s), beyond which a step can't be committed any more."""
RECOVERY_BOUNDS_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

# A `_created` series beside each counter would double their number, and nothing here reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry(auto_describe=True)
"""Holds our metrics, and those of the process (memory, CPU, open files) and the platform (Python's version)."""
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

# ---------------------------------------------------------------------------------------------- what was read

RECORDS: Final = Counter(
    "tagstream_records_total",
    "Records read from the sources and applied to a committed step, by type and by what became of them. "
    "The sum over the outcomes is all that was read.",
    ["type", "outcome"],
    registry=REGISTRY,
)
DEAD_LETTERS: Final = Counter(
    "tagstream_dead_letters_total",
    "Records sent to events.dlq, by error code (TS-D101) and its name (unknown_schema).",
    ["code", "reason"],
    registry=REGISTRY,
)
CONSUMER_LAG: Final = Gauge(
    "tagstream_consumer_lag_records",
    "Records of a topic's partition that lie between this process' position and the topic's committed end.",
    ["topic", "partition"],
    registry=REGISTRY,
)

# --------------------------------------------------------------------------------------------------- time

ARRIVAL_TO_COMMIT: Final = BatchHistogram(
    "tagstream_arrival_to_commit_seconds",
    "Seconds from an event's arrival in Kafka to the commit of the transaction that carries its changes.",
    DELAY_BOUNDS_S,
    REGISTRY,
)
ARRIVAL_TO_REDIS: Final = BatchHistogram(
    "tagstream_arrival_to_redis_seconds",
    "Seconds from the clock of a customer's tags (the arrival of the event that changed them) to Redis' answer.",
    DELAY_BOUNDS_S,
    REGISTRY,
)
CLOCK_LAG: Final = Gauge(
    "tagstream_clock_lag_seconds",
    "Seconds by which the partition's clock is behind wall time, so how stale its tags are, as of the scrape.",
    ["partition"],
    registry=REGISTRY,
)
TIMERS_FIRED: Final = Counter(
    "tagstream_timers_fired_total",
    "Timers that fired: a pane left its window, a dwell, cooldown or term ended.",
    registry=REGISTRY,
)
TIMERS_LATE: Final = Counter(
    "tagstream_timers_late_total",
    "Timers that fired in a later step than the first one whose clock had passed them, because timer work per step is "
    "bounded. Their changes still carry the exact effective_at.",
    registry=REGISTRY,
)

# -------------------------------------------------------------------------------------------- steps, transactions

STEP_STAGE_SECONDS: Final = Histogram(
    "tagstream_step_stage_seconds",
    "Seconds that a step spent in each stage.",
    ["stage"],
    buckets=STAGE_BOUNDS_S,
    registry=REGISTRY,
)
JOURNAL_STEPS: Final = Counter(
    "tagstream_journal_steps_total",
    "Step records committed to tags.journal. An idle partition ticks about once a second, so this never rests.",
    registry=REGISTRY,
)
TRANSACTIONS: Final = Counter(
    "tagstream_transactions_total",
    "Kafka transactions by how they ended: committed, or aborted and delivered again.",
    ["result"],
    registry=REGISTRY,
)
CHANGES: Final = Counter(
    "tagstream_changes_total",
    "Changes of tags in committed steps, by tag and op (entered, changed, left). "
    f"Tags beyond the first {MAX_TAG_LABELS} are counted as {OTHER_TAGS}.",
    ["tag", "op"],
    registry=REGISTRY,
)

# ------------------------------------------------------------------------------------------------- state, recovery

PARTITIONS: Final = Gauge(
    "tagstream_partitions",
    "Partitions that this tagger holds, by state: recovering (folding the journal), running, or stopped by an error.",
    ["state"],
    registry=REGISTRY,
)
STATE_ROWS: Final = Gauge(
    "tagstream_state_rows", "Customers held in the partition's state.", ["partition"], registry=REGISTRY
)
STATE_PANES: Final = Gauge(
    "tagstream_state_panes", "Panes of all series held in the partition's state.", ["partition"], registry=REGISTRY
)
STATE_BYTES: Final = Gauge(
    "tagstream_state_bytes",
    "Bytes of memory that the partition's state has allocated, free room in its tables included.",
    ["partition"],
    registry=REGISTRY,
)
DEDUPE_HORIZON: Final = Gauge(
    "tagstream_dedupe_horizon_seconds",
    "Seconds back from the partition's clock within which a repeated event_id is surely recognised. Shrinks below a "
    "day when the bound on the number of remembered ids ends a generation early.",
    ["partition"],
    registry=REGISTRY,
)
RECOVERY_SECONDS: Final = Histogram(
    "tagstream_recovery_seconds",
    "Seconds from the claim of a partition to its first step: reading the journal and folding it over the sources.",
    buckets=RECOVERY_BOUNDS_S,
    registry=REGISTRY,
)
SNAPSHOTS: Final = Counter(
    "tagstream_snapshots_total",
    "Snapshots of a partition's state, by what became of them: written, failed; restored, or passed over at a recovery "
    "because they were damaged, of another format or of other rules.",
    ["result"],
    registry=REGISTRY,
)
SNAPSHOT_AGE: Final = Gauge(
    "tagstream_snapshot_age_seconds",
    "Seconds since the newest snapshot of a partition was whole, or since the partition was taken if there is none: a "
    "recovery applies again what came since.",
    ["partition"],
    registry=REGISTRY,
)
SNAPSHOT_BYTES: Final = Gauge(
    "tagstream_snapshot_bytes",
    "Bytes of the newest snapshot of a partition, before compression.",
    ["partition"],
    registry=REGISTRY,
)
SNAPSHOT_PAUSE_SECONDS: Final = Histogram(
    "tagstream_snapshot_pause_seconds",
    "Seconds for which the flow stood still while a partition's state was copied.",
    buckets=STAGE_BOUNDS_S,
    registry=REGISTRY,
)
REBALANCES: Final = Counter(
    "tagstream_rebalances_total",
    "Calls of the consumer group's callbacks: partitions assigned, revoked in order, or lost to another member.",
    ["event"],
    registry=REGISTRY,
)
DEFINITIONS_UNUSABLE: Final = Counter(
    "tagstream_definitions_unusable_total",
    "Records of tags.definitions that could not be used: the rules of before stay in force.",
    registry=REGISTRY,
)
CHANGEOVERS: Final = Counter(
    "tagstream_changeovers_total",
    "Changes of the rules of a running partition, by result: done, or failed (the partition keeps its rules).",
    ["result"],
    registry=REGISTRY,
)
DIGEST_MISMATCHES: Final = Counter(
    "tagstream_digest_mismatches_total",
    "Journal steps whose digest differed when they were computed again, by whether this engine version (same; the "
    "partition is stopped) or another one (other; it goes on) had written them.",
    ["engine"],
    registry=REGISTRY,
)

# --------------------------------------------------------------------------------------------------- the projector

PROJECTOR_RECORDS: Final = Counter(
    "tagstream_projector_records_total", "Records of tags.current read by the projector.", registry=REGISTRY
)
PROJECTOR_CUSTOMERS: Final = Counter(
    "tagstream_projector_customers_total",
    "Customers' tags offered to Redis, by result: written, or older than what Redis already had.",
    ["result"],
    registry=REGISTRY,
)
PROJECTOR_POSITION: Final = Gauge(
    "tagstream_projector_position_offset",
    "The next offset of tags.current to be written to Redis, by partition, as Redis itself holds it.",
    ["partition"],
    registry=REGISTRY,
)
PROJECTOR_REBUILDS: Final = Counter(
    "tagstream_projector_rebuilds_total",
    "Times that the projector filled a partition of Redis anew, by reason: first (never filled), emptied, position "
    "(Redis was put back to an older state, or something else wrote), asked (tagstream rebuild-redis), or differences "
    "(too many were found).",
    ["reason"],
    registry=REGISTRY,
)
PROJECTOR_REDIS_ERRORS: Final = Counter(
    "tagstream_projector_redis_errors_total",
    "Calls to Redis that failed and were tried again, by what is wrong with Redis: away (no answer), loading, full "
    "(out of memory), read_only (a replica), or refused (any other answer).",
    ["fault"],
    registry=REGISTRY,
)
PROJECTOR_COMPARED: Final = Counter(
    "tagstream_projector_compared_total",
    "Customers of tags.current, and hashes in Redis, that the projector has compared with one another.",
    registry=REGISTRY,
)
PROJECTOR_DIFFERENCES: Final = Counter(
    "tagstream_projector_differences_total",
    "Customers in whom Redis differed from tags.current though it should not have, found by comparing and repaired, by "
    "kind: missing (no hash), extra (a hash of nobody), or different.",
    ["kind"],
    registry=REGISTRY,
)


# ------------------------------------------------------------------------------------------------ the control role

REQUESTS: Final = Counter(
    "tagstream_requests_total",
    "Requests to set or remove a tag by hand, by result: accepted, refused, repeated (an answer once more, and no "
    "command), or unreadable.",
    ["result"],
    registry=REGISTRY,
)
REQUEST_SECONDS: Final = Histogram(
    "tagstream_request_seconds",
    "Seconds from a request's arrival in Kafka until its answer, and its command if there is one, are in Kafka.",
    buckets=DELAY_BOUNDS_S,
    registry=REGISTRY,
)
REQUESTS_REMEMBERED: Final = Gauge(
    "tagstream_requests_remembered_rows",
    "Requests whose ids and answers this process remembers, so that none is obeyed twice.",
    registry=REGISTRY,
)


def count_outcomes(record_type: str, counts: Sequence[int]) -> None:
    """Adds one committed step's outcome counts, indexed by `Outcome`, for one of `RECORD_TYPES`."""
    for outcome in Outcome:
        if counts[outcome]:
            RECORDS.labels(record_type, outcome.name.lower()).inc(counts[outcome])


def count_dead(dead: Dead, count: int = 1) -> None:
    """Adds dead letters of one reason."""
    DEAD_LETTERS.labels(f"TS-D{dead.value}", dead.name.lower()).inc(count)


def count_changes(tag: str, op: Op, count: int = 1) -> None:
    """Adds changes of one tag; beyond `MAX_TAG_LABELS` tags, under `OTHER_TAGS`."""
    if tag not in _tags_seen:
        if len(_tags_seen) >= MAX_TAG_LABELS:
            tag = OTHER_TAGS
        else:
            _tags_seen.add(tag)
    CHANGES.labels(tag, op).inc(count)


def watch_clock_lag(partition: int, read_lag_s: Callable[[], float]) -> None:
    """From now on each scrape asks `read_lag_s` for the partition's lag in seconds.

    A value that the tagger set itself would stand still, and look well, when the tagger does. The callable is called
    on the server's thread and must neither block nor raise; read whole numbers, take no locks.
    """
    CLOCK_LAG.labels(str(partition)).set_function(read_lag_s)


def forget_partition(partition: int) -> None:
    """Removes what is told of a partition that this process has given up, or it would stay at its last value and
    count twice beside its new owner's. Counters stay: they only ever add up."""
    of_partition = str(partition)
    for gauge in (CLOCK_LAG, STATE_ROWS, STATE_PANES, STATE_BYTES, DEDUPE_HORIZON, SNAPSHOT_AGE, SNAPSHOT_BYTES,
                  PROJECTOR_POSITION):  # fmt: skip
        gauge.remove_by_labels({"partition": of_partition})
    CONSUMER_LAG.remove_by_labels({"partition": of_partition})


_tags_seen: set[str] = set()
"""Tags that have a series of their own. Only the tagger's thread adds."""


def _start_at_zero() -> None:
    """Creates the series of every label value that is known beforehand."""
    for record_type in RECORD_TYPES:
        for outcome in Outcome:
            RECORDS.labels(record_type, outcome.name.lower())
    for dead in Dead:
        count_dead(dead, 0)
    for stage in STAGES:
        STEP_STAGE_SECONDS.labels(stage)
    for result in ("committed", "aborted"):
        TRANSACTIONS.labels(result)
    for state in ("recovering", "running", "stopped"):
        PARTITIONS.labels(state)
    for event in ("assigned", "revoked", "lost"):
        REBALANCES.labels(event)
    for changeover in ("done", "failed"):
        CHANGEOVERS.labels(changeover)
    for engine in ("same", "other"):
        DIGEST_MISMATCHES.labels(engine)
    for result in ("written", "failed", "restored", "damaged", "other_format", "other_rules", "journal_cut"):
        SNAPSHOTS.labels(result)
    for request in ("accepted", "refused", "repeated", "unreadable"):
        REQUESTS.labels(request)
    for customers in ("written", "older"):
        PROJECTOR_CUSTOMERS.labels(customers)
    for reason in REBUILD_REASONS:
        PROJECTOR_REBUILDS.labels(reason)
    for fault in REDIS_FAULTS:
        PROJECTOR_REDIS_ERRORS.labels(fault)
    for kind in DIFFERENCES:
        PROJECTOR_DIFFERENCES.labels(kind)


_start_at_zero()
