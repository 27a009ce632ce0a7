"""A YAML file as plain nodes that know where they stand.

Built from the parser's events rather than from its composed nodes: so anchors, aliases and types are refused as they
come (an alias bomb is never unfolded), depth is bounded without recursion, and a key given twice is seen. Scalars stay
text: `no`, `1e3` and `2024-01-01` mean what the reader of each key makes of them.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from processors.rules import limits
from schemas.errors import RuleError

# libyaml is some twenty times faster; wheels have it, and where it is missing the pure loader reads the same
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class Source:
    """The text of one file, to turn positions (characters from its start) into lines and columns."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def line_of(self, index: int) -> int:
        """The line, from 1, of a position."""
        return bisect.bisect_right(self._starts, index)

    def problem(
        self, code: str, message: str, start: int, end: int | None = None, cure: str | None = None
    ) -> RuleError:
        """A problem at [start, end) of the file; without `end` the caret is one character wide."""
        line = self.line_of(start)
        first = self._starts[line - 1]
        end_of_line = self._starts[line] - 1 if line < len(self._starts) else len(self.text)
        source = _printable(self.text[first:end_of_line])
        width = 1 if end is None else max(1, end - start)
        found = RuleError(code, _printable(message), cure=cure, span=(0, width))
        return found.at(file=self.file, line=line, column=start - first + 1, source=source)


def _printable(text: str) -> str:
    """The text with each control character replaced, so that a file can do nothing to the terminal that shows it."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "�", text)


@dataclass(slots=True)
class Scalar:
    """A text. `start` and `end` bound it in the file, quotes included."""

    value: str
    start: int
    end: int
    plain: bool
    """Without quotes."""

    @property
    def is_null(self) -> bool:
        return self.plain and self.value in _NULLS


@dataclass(slots=True)
class Sequence:
    start: int
    end: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    start: int
    end: int
    items: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    """By key: where the key stands, and its value."""


Node = Scalar | Sequence | Mapping


class _Builder:
    """Nodes from events. Problems are collected; those after which nothing can be read end it."""

    def __init__(self, source: Source, problems: list[RuleError]) -> None:
        self._source = source
        self._problems = problems
        self._open: list[Sequence | Mapping] = []
        self._keys: list[Scalar | None] = []
        self.root: Node | None = None

    def event(self, event: Any) -> bool:
        """Take one event. Returns whether to go on."""
        start, end = event.start_mark.index, event.end_mark.index
        match event:
            case yaml.DocumentStartEvent() if self.root is not None:
                return self._refuse("several documents in one file", start)
            case yaml.AliasEvent():
                return self._refuse("an alias", start)
            case yaml.NodeEvent() if event.anchor is not None:
                return self._refuse("an anchor", start)
            case yaml.ScalarEvent() | yaml.CollectionStartEvent() if event.tag not in (None, "!"):
                return self._refuse("a type", start)
            case yaml.ScalarEvent():
                self._add(Scalar(event.value, start, end, bool(event.implicit[0])))
            case yaml.CollectionStartEvent():
                if len(self._open) == limits.MAX_YAML_DEPTH:
                    message = f"Lists and maps are nested deeper than {limits.MAX_YAML_DEPTH}"
                    self._problems.append(self._source.problem("TS-R509", message, start))
                    return False
                node = Sequence(start, end) if isinstance(event, yaml.SequenceStartEvent) else Mapping(start, end)
                self._add(node)
                self._open.append(node)
                self._keys.append(None)
            case yaml.CollectionEndEvent():
                self._keys.pop()
                # a block ends where the next thing begins, so only a bracket's end says something
                self._open.pop().end = end
        return True

    def _refuse(self, what: str, start: int) -> bool:
        self._problems.append(self._source.problem("TS-R302", f"Rules do not use {what} of YAML", start))
        return False

    def _add(self, node: Node) -> None:
        """Put a node into what is open; in a map, keys and values come in turn."""
        if not self._open:
            self.root = node
            return
        parent, key = self._open[-1], self._keys[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif key is None:
            self._keys[-1] = self._key(parent, node)
        else:
            parent.items.setdefault(key.value, (key, node))
            self._keys[-1] = None

    def _key(self, parent: Mapping, node: Node) -> Scalar:
        """Check a key; one that cannot be used is reported and its value is read past."""
        if not isinstance(node, Scalar):
            self._problems.append(self._source.problem("TS-R304", "A key must be a word", node.start))
            return Scalar("", node.start, node.end, plain=True)
        if node.value in parent.items:
            first = self._source.line_of(parent.items[node.value][0].start)
            message = f"The key {node.value} is given twice, first on line {first}"
            self._problems.append(self._source.problem("TS-R303", message, node.start, node.end))
        return node


def read_yaml(source: Source, problems: list[RuleError]) -> Node | None:
    """The root node of a file, None if it is empty or cannot be read; then `problems` has grown by the reason."""
    unreadable = yaml.reader.Reader.NON_PRINTABLE.search(source.text)
    if unreadable is not None:
        message = f"The character U+{ord(unreadable[0]):04X} may not stand in YAML"
        problems.append(source.problem("TS-R301", message, unreadable.start(), cure="Take the character out"))
        return None
    builder = _Builder(source, problems)
    try:
        for event in yaml.parse(source.text, Loader=_LOADER):
            if not builder.event(event):
                return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = 0 if mark is None else min(mark.index, len(source.text))
        problems.append(source.problem("TS-R301", f"The file is not YAML: {error.problem or error.context}", at))
        return None
    return builder.root


def text_position(source: Source, node: Scalar, offset: int) -> int:
    """Where in the file the character `offset` of a scalar's value stands.

    A value on one line without escapes stands in the file as it is. Of a folded or escaped one, the characters other
    than spaces stand there in the same order, so they are followed one by one.
    """
    raw = source.text[node.start : node.end]
    quoted = not node.plain and raw[:1] in ("'", '"')
    body = 1 if quoted else 0
    if raw[body : body + len(node.value)] == node.value:
        return node.start + body + offset
    if raw[:1] in ("|", ">") and not node.plain:
        body = raw.find("\n") + 1
    at = body
    last = body
    for i, char in enumerate(node.value[: offset + 1]):
        if char.isspace():
            last = at
            continue
        found = raw.find(char, at)
        if found < 0:
            break
        last, at = found, found + 1
        if i == offset:
            return node.start + found
    return node.start + (last if offset < len(node.value) else at)
