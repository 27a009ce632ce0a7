"""The error catalogue as a page for people: `python -m schemas.catalogue.page > docs/errors.md`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.catalogue import CATALOGUE, Entry

__all__ = ["page"]

FAMILIES: Final = {
    "TS-C": "Settings, files that they name, and the demo",
    "TS-D": "Events that cannot be used",
    "TS-K": "Kafka",
    "TS-P": "Redis and the projection into it",
    "TS-Q": "Requests to set or remove a tag by hand",
    "TS-R": "Rules",
    "TS-S": "Journal, state and recovery",
}
"""In the order of the codes."""

HEAD: Final = """\
# Errors

Every error that you can meet has a number, which keeps its meaning for ever, and names its cure. A command that ends
with one prints it to standard error and exits with 2 (with 75 after TS-K104 and TS-K105, where it need only be started
again); `tagstream check` and `tagstream replay` exit with 1 if the rules
have errors or an example fails, and warnings (TS-R9…) change no exit code. Events that cannot be used (TS-D…) end no
command: each goes to `events.dlq` with its number in the header `code`, and the flow goes on. A request that is refused
(TS-Q…, and TS-D… if a field of it cannot be read) has the number in its answer. Errors in rules show file, line, column
and a caret.

This page is made from the catalogue in `schemas/catalogue/`:  `python -m schemas.catalogue.page > docs/errors.md`
"""


def page() -> str:
    """The whole page, Markdown, ending in a line break."""
    return "\n".join([HEAD, *_families()]).rstrip("\n") + "\n"


def _families() -> Iterator[str]:
    for family, title in FAMILIES.items():
        yield f"## {family}: {title}\n"
        for code, entry in CATALOGUE.items():
            if code.startswith(family):
                yield from _entry(code, entry)


def _entry(code: str, entry: Entry) -> Iterator[str]:
    yield f"### {code}: {entry.title}\n"
    yield f"{_sentence(entry.why)}\n"
    yield f"**Cure.** {_sentence(entry.cure)}\n"
    yield "**Example.**\n"
    yield from (f"    {line}" for line in entry.example.splitlines())
    yield ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


if __name__ == "__main__":
    print(page(), end="")
