"""Rule files to a rule set. All errors of all files are found before any is raised."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.cross import cross_errors, cross_warnings, with_ranks
from processors.rules.hashing import text_hash_of, version_of
from processors.rules.notes import Notes
from processors.rules.problems import RuleErrors, is_warning
from processors.rules.tag_reader import read_tag
from processors.rules.yaml_nodes import Node, Sequence, Source, read_yaml
from schemas.errors import RuleError


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of reading rule files."""

    rule_set: T.RuleSet | None
    """None if there are errors."""
    errors: tuple[RuleError, ...]
    """In order of file and place."""
    warnings: tuple[RuleError, ...]
    """In order of file and place; they change nothing."""


def load_rules(files: Mapping[str, str], *, time_zone: str, default_currency: str) -> T.RuleSet:
    """The rule set that these files (path to text) define together.

    Raises RuleErrors with every error found. No files make an empty rule set.
    """
    loaded = read_rules(files, time_zone=time_zone, default_currency=default_currency)
    if loaded.rule_set is None:
        raise RuleErrors(loaded.errors)
    return loaded.rule_set


def read_rules(
    files: Mapping[str, str], *, time_zone: str, default_currency: str, today: datetime.date | None = None
) -> Loaded:
    """As `load_rules`, but errors and warnings are returned, not raised.

    With `today` there are also warnings of tags whose review is overdue.
    """
    problems: list[RuleError] = []
    tags: dict[str, T.Tag] = {}
    seen: dict[str, str] = {}
    notes = Notes()
    defined = 0
    for file in sorted(files):
        source = Source(file, files[file].replace("\r\n", "\n").replace("\r", "\n"))
        for node in _tag_nodes(source, problems):
            defined += 1
            if defined > limits.MAX_TAGS:
                message = f"There are more than {limits.MAX_TAGS} tags"
                problems.append(source.problem("TS-R506", message, node.start))
                break
            _check_unique(source, node, seen, problems)
            tag = read_tag(source, node, problems, notes)
            if tag is not None:
                tags[tag.id] = tag
        if defined > limits.MAX_TAGS:
            break
    tags = {tag.id: tag for tag in with_ranks(list(tags.values()), notes.ranked)}
    problems += cross_errors(tags, seen.keys(), notes)
    if all(map(is_warning, problems)):
        # of tags that could not be read nothing is known, and a warning may well be wrong
        problems += cross_warnings(tags, notes, today)
    problems.sort(key=lambda e: (e.file or "", e.line or 0, e.column or 0))
    errors = tuple(e for e in problems if not is_warning(e))
    warnings = tuple(e for e in problems if is_warning(e))
    rule_set = None if errors else _rule_set(tags, time_zone, default_currency)
    return Loaded(rule_set, errors, warnings)


def _tag_nodes(source: Source, problems: list[RuleError]) -> list[Node]:
    """The items of a file; none if it is empty or no list."""
    root = read_yaml(source, problems)
    if root is None:
        return []
    if isinstance(root, Sequence):
        return root.items
    problems.append(source.problem("TS-R304", "A rule file is a list of tags", root.start, cure="Begin with - tag: …"))
    return []


def _check_unique(source: Source, node: Node, seen: dict[str, str], problems: list[RuleError]) -> None:
    """Report a tag id that an earlier tag, right or wrong, has already."""
    item = getattr(node, "items", None)
    value = item["tag"][1] if isinstance(item, dict) and "tag" in item else None
    tag_id = getattr(value, "value", None)
    if value is None or not tag_id:
        return
    place = f"{source.file}:{source.line_of(value.start)}"
    first = seen.setdefault(tag_id, place)
    if first is not place:
        message = f"The tag {tag_id} is defined in {first} and again in {place}"
        problems.append(source.problem("TS-R309", message, value.start, value.end))


def _rule_set(tags: dict[str, T.Tag], time_zone: str, default_currency: str) -> T.RuleSet:
    ordered = tuple(tags[tag_id] for tag_id in sorted(tags))
    return T.RuleSet(
        tags=ordered,
        time_zone=time_zone,
        default_currency=default_currency,
        version=version_of(ordered, time_zone, default_currency),
        text_hash=text_hash_of(ordered),
    )
