"""What can be wrong with the demo itself."""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry

ENTRIES: Final[dict[str, Entry]] = {
    "TS-C301": Entry(
        title="The demo would write to a Kafka that is not on this machine",
        why="It makes topics of its own (their names begin with demo.), loads 70,000 events and goes on writing: on a "
        "shared cluster that is for somebody to decide.",
        cure="Add --yes if that is what you want, or leave --kafka out: the demo then starts a broker of its own",
        example="tagstream demo --kafka broker.example.com:9092",
    ),
    "TS-C302": Entry(
        title="The demo's history is not there",
        why="It is the file examples/cdnow.jsonl.gz, which only a checkout of the project has.",
        cure="Run the demo from a checkout",
        example="tagstream demo   (of an installed wheel)",
    ),
    "TS-C303": Entry(
        title="The pipeline that the demo started has ended",
        why="`tagstream run` ended by itself, or read nothing in time.",
        cure="The log that the message names says why",
        example="kill of the process `tagstream run` while the demo runs",
    ),
}
