"""Everything that a campaign must have met: what is done to the taggers, and where that has led them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Kind"]


class Kind(StrEnum):
    """Each is counted whenever it happens; a campaign in which one of them never did has proved nothing about it."""

    # at a point of a request
    CRASH = "crash"
    NO_ANSWER = "no answer"
    UNANSWERED = "no answer for a minute"
    MUST_ABORT = "transaction aborted by the broker"
    INTERLEAVED = "others had their turn in the middle of a request"
    SLOW = "time passed in the middle of a request"
    STOPPED = "stopped for less than its session"
    ZOMBIE = "stopped for longer than its session"
    ZOMBIE_IN_TRANSACTION = "the same with a transaction open"
    TWIN = "its successor was started while it was still there"
    # of the log
    LATE_MARKER = "late marker"
    SMALL_FETCH = "fetch that brought less, or in another order"
    # of the group
    STARTED = "process started"
    RESTARTED = "process restarted in peace"
    LEFT = "process left the group"
    TIME_JUMP = "jump of time"
    CLOCK_SET_BACK = "the broker's clock was set back"
    # of what is stored
    DAMAGED_CHUNK = "damaged chunk"
    LOST_CHUNKS = "tags.snapshots lost"
    COMPACTED = "tags.current compacted"
    STRAY_STEP = "step of an older epoch behind a claim"
    STRAY_MANIFEST = "manifest of an older epoch behind a claim"
    # of the rules
    OTHER_RULES = "other rules in force"
    CRASH_IN_BACKFILL = "crash in a backfill"
    CRASH_IN_SNAPSHOT = "crash in a snapshot"
    # of what is sent
    EVENT = "event"
    COMMAND = "command"
    ERASURE = "customer to be erased"
    TOMBSTONE = "tombstone"
    GARBAGE = "garbage"
    WRONG_TOPIC = "event in another type's topic"
    WRONG_PARTITION = "event in a wrong partition"
    SENT_TWICE = "doubled by a producer without idempotence"
    # where it has led
    DUPLICATE = "outcome: duplicate"
    LATE = "outcome: late"
    ERASED = "outcome: erased"
    BEHIND_CLOCK = "record behind the clock"
    HELD_BACK = "topic not fetched for a while"
    TIMERS_PUT_OFF = "step cut short by its timers"
    FENCED = "process ended by TS-K105"
    SNAPSHOT_WRITTEN = "snapshot written"
    SNAPSHOT_NOT_WRITTEN = "snapshot given up"
    RESTORED = "state taken from a snapshot"
    PASSED_OVER_DAMAGED = "damaged snapshot passed over"
    PASSED_OVER_OTHER_RULES = "snapshot of other rules passed over"
    JOURNAL_CUT = "journal cut"
    REBUILT = "state made of the events"
    KEPT = "kept state taken up"
    NOT_KEPT = "kept state dropped"
    STRAY_IGNORED = "records of older epochs ignored"
    BACKFILLED = "change by a backfill"
    UNTOUCHED = "change of a tag that stays while rules change"
    BACKFILL_DONE = "backfill done"
    CHANGEOVER = "rules changed while a partition runs"
