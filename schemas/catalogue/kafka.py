"""TS-K: what can be wrong with Kafka."""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry

ENTRIES: Final[dict[str, Entry]] = {
    "TS-K101": Entry(
        title="No Kafka broker answers",
        why="The addresses in `kafka.bootstrap` are wrong, the broker is down, or a firewall is between.",
        cure="Start the broker or correct the setting; `tagstream doctor` shows what can be reached.",
        example="TAGSTREAM_KAFKA__BOOTSTRAP=localhost:1",
    ),
    "TS-K102": Entry(
        title="A topic does not exist",
        why="The topics are created on purpose, not by accident of the first message, since their settings matter.",
        cure="Run `tagstream topics --create`.",
        example="tagstream tagger   (on a broker just installed)",
    ),
    "TS-K103": Entry(
        title="Topics differ in their number of partitions",
        why="All topics keyed by customer must have the same number of partitions, or the events of one customer lie "
        "in different partitions and are tagged apart.",
        cure="Create the topics that differ anew with the number of the others, and load their events again, keyed as "
        "before.",
        example="kafka-topics.sh --alter --topic events.browse --partitions 12",
    ),
    "TS-K104": Entry(
        title="A transaction ended in an error that cannot be repaired here",
        why="The broker said that this producer may not go on, or whether a commit took place is unknown.",
        cure="Nothing to do at once: the process ends, is started again and recovers from its journal. "
        "If it comes back, look at the broker's log.",
        example="kill -STOP of a tagger for longer than its transaction may last",
    ),
    "TS-K105": Entry(
        title="Another process has taken over",
        why="The group gave this process' partitions to another one, because it was silent for too long or because a "
        "second process runs under the same `kafka.instance_id`. Nothing was written twice.",
        cure="Nothing to do if it is started again by itself; two processes must not have the same instance_id.",
        example="kill -STOP of a tagger for longer than tagger.session_timeout_ms, then kill -CONT",
    ),
}
