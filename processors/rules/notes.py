"""What the reading of one tag leaves to be checked once all tags are known, each with its place in the files."""

from __future__ import annotations

from dataclasses import dataclass, field

from processors.rules.yaml_nodes import Source
from schemas.errors import RuleError


@dataclass(frozen=True, slots=True)
class Place:
    """Characters [start, end) of a file."""

    source: Source
    start: int
    end: int

    def problem(self, code: str, message: str, cure: str | None = None) -> RuleError:
        return self.source.problem(code, message, self.start, self.end, cure)

    def __str__(self) -> str:
        return f"{self.source.file}:{self.source.line_of(self.start)}"


@dataclass(frozen=True, slots=True)
class Mention:
    """A tag named by another one, in `tag("…")` or as `parent`."""

    by: str
    """Id of the tag that names it."""
    tag: str
    place: Place


@dataclass(frozen=True, slots=True)
class LevelMention:
    """A level that `tag("…")` is compared with."""

    tag: str
    level: str
    place: Place


@dataclass(frozen=True, slots=True)
class NumberMention:
    """A tag whose `tag("…")` is compared with a number."""

    tag: str
    place: Place


@dataclass(slots=True)
class Notes:
    """Of all tags read so far."""

    references: list[Mention] = field(default_factory=list)
    """By `tag("…")`."""
    levels: list[LevelMention] = field(default_factory=list)
    numbers: list[NumberMention] = field(default_factory=list)
    parents: list[Mention] = field(default_factory=list)
    keys: dict[tuple[str, str], Place] = field(default_factory=dict)
    """By tag id and key (`tag`, `exclusive`, `review_by`) where its value stands."""
    ranked: set[str] = field(default_factory=set)
    """Ids of the tags that give a `rank`."""
