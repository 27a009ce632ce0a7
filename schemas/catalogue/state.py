"""TS-S: what can be wrong with the journal, the state and recovery."""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry

ENTRIES: Final[dict[str, Entry]] = {
    "TS-S101": Entry(
        title="The journal is empty but tags are published",
        why="`tags.current` holds tags of this partition while `tags.journal` holds no record of how they came about: "
        "the journal was deleted, or this is another cluster's copy. Going on would number changes from the start.",
        cure="Restore `tags.journal`, or delete `tags.current` and `tags.changes` too and start from nothing.",
        example="kafka-topics.sh --delete --topic tags.journal",
    ),
    "TS-S102": Entry(
        title="The digest of a step differs from the journal's",
        why="Folding the same events again by the same engine gave other changes than were published. The sources were "
        "changed or cut, or there is a defect in the engine.",
        cure="Leave this partition stopped and its topics as they are; the runbook tells what to look at "
        "(TagstreamPartitionStopped).",
        example="an events topic that was deleted and filled again",
    ),
    "TS-S103": Entry(
        title="A journal record cannot be read",
        why="It was written by a later version of tagstream, or its bytes are damaged.",
        cure="Run the version that wrote it; if it is the same, look at the broker's disks.",
        example="starting an older version after an upgrade",
    ),
    "TS-S104": Entry(
        title="Events that must be applied again are gone from their topic",
        why="The state is the newest snapshot and what came since, or all events if no snapshot can be used. The "
        "topic's retention has deleted some of these events, so tags would come out wrong without a sign of it.",
        cure="Restore the topic. If the events are gone for good, start once with "
        "TAGSTREAM_TAGGER__ACCEPT_LOST_EVENTS=true: tags are then computed from what is left, and the difference to "
        "what was published goes out with origin `backfill`. Set the retention of the events topics to at least the "
        "longest window.",
        example="retention.ms=3600000 on events.purchase and no tagger for two hours",
    ),
    "TS-S105": Entry(
        title="A step is missing in the journal",
        why="The journal's records are numbered without a gap, and here is one: the journal was cut by somebody else, "
        "or copied in part.",
        cure="Restore `tags.journal` of this partition whole, and set no retention on it.",
        example="kafka-delete-records.sh on tags.journal",
    ),
    "TS-S106": Entry(
        title="The partition does not work by the rules in force yet",
        why="Tags computed by other rules than those by which they were published differ by nature, and would say "
        "nothing of the pipeline. `tags.changes`, `tags.current` and Redis were only compared with each other.",
        cure="Wait until the tagger has taken up the rules in force, or start it if it does not run; verify again.",
        example="tagstream verify right after tagstream apply",
    ),
    "TS-S107": Entry(
        title="Events that were applied are gone, so tags cannot be computed from the beginning",
        why="Verifying begins at the first event that the tagger ever applied. The topic's retention has deleted some, "
        "and nobody can tell which customers they were of, so that of no customer it is known that all are there. "
        "`tags.changes`, `tags.current` and Redis were only compared with each other.",
        cure="Restore the topic. If the events are gone for good, what is published can only be compared with itself, "
        "which was done. Keep events for ever, or as long as tags are to be verified.",
        example="retention.ms=7776000000 on events.browse, and a tagger that has run for a year",
    ),
    "TS-S108": Entry(
        title="The partition has no step that is done with",
        why="What is compared must stand still in the journal: the newest step whose `@clock` stands in "
        "`tags.current`, that has left no timer over, and that is not within a changeover to other rules. None was "
        "met within 15 s: the tagger is busy with a changeover or with timers, or it was stopped in the midst of them.",
        cure="Start the tagger, wait until `tagstream_clock_lag_seconds` is small, and try again.",
        example="tagstream verify while a million windows end at midnight",
    ),
    "TS-S109": Entry(
        title="The state knows erased customers by another key",
        why="The ids of erased customers are kept as hashes under `tagger.erasure_key`. With another key they cannot "
        "be told, so late events of theirs would make them known again.",
        cure="Put the key back with which the partition has worked. A new one can be taken when no erasure is "
        "remembered any more, `tagger.erasure_term_days` after the last.",
        example="a new file of secrets on one of the machines",
    ),
    "TS-S110": Entry(
        title="A snapshot is encrypted under a key that this process does not have",
        why="Without the key the snapshot cannot be read, and to make the state of the events instead, or to take an "
        "older one, would hide that a key is missing on this machine. Other partitions go on.",
        cure="Add the key with the id that the message names to `encryption.keys`, behind the first line, and start "
        "the process again. If the key is gone for good, delete the records of this partition of `tags.snapshots`: the "
        "state is then made of the events.",
        example="a key removed from the secrets before the snapshots written with it have aged out",
    ),
}
