"""What can be wrong with a history that `tagstream replay` is to read. Its single lines have the numbers of events."""

from __future__ import annotations

from typing import Final

from schemas.catalogue.entry import Entry

ENTRIES: Final[dict[str, Entry]] = {
    "TS-C401": Entry(
        title="The history cannot be read",
        why="It is not there, is a directory, may not be read, or the disk failed.",
        cure="Correct the path; - reads standard input.",
        example="tagstream replay evnets.jsonl",
    ),
    "TS-C402": Entry(
        title="The history holds no line",
        why="Nothing at all, or empty lines alone, is more often a wrong file than a history without events.",
        cure="Give a file with one event a line, such as examples/shop.jsonl.",
        example="tagstream replay /dev/null",
    ),
    "TS-C403": Entry(
        title="The history is not text",
        why="A history is lines of JSON in UTF-8, as they are or compressed with gzip; this one begins with bytes that "
        "no such file has.",
        cure="Write it as lines of JSON in UTF-8. Unpack other compressions first: zstdcat FILE | tagstream replay -",
        example="tagstream replay events.parquet",
    ),
    "TS-C404": Entry(
        title="The compressed history is damaged",
        why="It begins as a gzip file, but ends too early or has a wrong checksum.",
        cure="Copy it again; gzip -t tells whether it is whole.",
        example="the first half of a download",
    ),
    "TS-C405": Entry(
        title="This is not a time to replay until",
        why="A time is whole milliseconds since 1970-01-01 UTC, or ISO-8601; without a zone it is UTC. It lies in the "
        "years 1990 to 9999.",
        cure="Write it as one of the two.",
        example="tagstream replay events.jsonl --until tomorrow",
    ),
}
