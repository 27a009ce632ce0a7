"""One map of a rule file to a tag. Everything wrong in it is reported; a tag with errors is None."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from typing import Final, Literal, TypeVar, cast

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.check import check
from processors.rules.durations import TIMING_UNITS, WINDOW_UNITS, read_length
from processors.rules.example_text import read_given, read_then
from processors.rules.impossible import impossible, overlap, unreachable_levels
from processors.rules.notes import LevelMention, Mention, Notes, Place
from processors.rules.parse import parse
from processors.rules.parts import nodes_of
from processors.rules.problems import is_warning
from processors.rules.suggest import did_you_mean
from processors.rules.yaml_nodes import Mapping, Node, Scalar, Sequence, Source, text_position
from schemas.errors import RuleError

KEYS: Final = (
    "tag", "name", "describe", "class", "category", "colour",
    "when", "leave", "tier", "dwell", "cooldown", "expires", "examples",
    "parent", "exclusive", "rank", "owner", "review_by", "sensitive",
)  # fmt: skip
LATER_KEYS: Final = frozenset({
    "score", "step", "manual", "model", "for_each", "limit", "review", "forecast", "holdout",
})  # fmt: skip
CLASSES: Final = ("static", "dynamic", "business")
CATEGORIES: Final = ("base", "behaviour", "attribute", "status", "marketing", "special", "value")
LANGUAGES: Final = ("zh", "en")
ID: Final = "[a-z][a-z0-9_]{0,63}"
"""Pattern of the ids of tags, levels and groups."""
COLOUR: Final = "#[0-9a-fA-F]{6}"
DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

_Line = TypeVar("_Line")

_RANK: Final = re.compile(rf"-?[0-9]{{1,{limits.MAX_RANK_DIGITS}}}")
_LONGEST_QUOTE: Final = 40
"""Characters of a wrong value that a message repeats."""


def read_tag(source: Source, node: Node, problems: list[RuleError], notes: Notes) -> T.Tag | None:
    """The tag defined by `node`; None if it has errors. `problems` grows by its errors and warnings, `notes` by what
    cannot be checked before all tags are known. The rank of a tag that gives none is 0.
    """
    if not isinstance(node, Mapping):
        message = "A tag is a map of keys, beginning with `- tag: …`"
        problems.append(source.problem("TS-R304", message, node.start))
        return None
    return _TagReader(source, node, problems, notes).read()


class _TagReader:
    """Reads the keys of one tag."""

    def __init__(self, source: Source, node: Mapping, problems: list[RuleError], notes: Notes) -> None:
        self._source = source
        self._node = node
        self._problems = problems
        self._notes = notes
        self._tag_id = ""
        self._texts: dict[str, str] = {}

    def read(self) -> T.Tag | None:
        before = len(self._problems)
        self._check_keys()
        self._tag_id = self._id("tag") or ""
        when, leave, levels = self._expression("when"), self._expression("leave"), self._tier()
        self._check_conditions(when, leave)
        tag = T.Tag(
            id=self._tag_id,
            name=self._language_texts("name", limits.MAX_NAME_CHARS),
            describe=self._language_texts("describe", limits.MAX_DESCRIBE_CHARS),
            class_=cast(Literal["static", "dynamic", "business"], self._one_of("class", CLASSES)),
            category=self._one_of("category", CATEGORIES),
            colour=self._colour(),
            when=when,
            leave=leave,
            tiers=tuple(T.Level(name, condition) for name, condition in levels if condition is not None),
            dwell_ms=self._length("dwell", TIMING_UNITS) or 0,
            cooldown_ms=self._length("cooldown", TIMING_UNITS) or 0,
            expires_ms=self._length("expires", WINDOW_UNITS),
            examples=tuple(self._examples(tuple(name for name, _ in levels))),
            source=self._texts,
            file=self._source.file,
            line=self._source.line_of(self._node.start),
            parent=self._parent(),
            exclusive=self._id("exclusive"),
            rank=self._rank(),
            owner=self._owner(),
            review_by=self._date("review_by"),
            sensitive=self._flag("sensitive"),
        )
        return tag if all(map(is_warning, self._problems[before:])) else None

    # --- finding and reporting ------------------------------------------------------------------------------------

    def _report(self, code: str, message: str, node: Node, cure: str | None = None) -> None:
        end = node.end if isinstance(node, Scalar) else None
        self._problems.append(self._source.problem(code, message, node.start, end, cure))

    def _place(self, found: RuleError, node: Scalar) -> None:
        """Report a problem whose span is in the value of `node`."""
        start, end = found.span or (0, 1)
        self._problems.append(self._within(node, start, end).problem(found.code, found.message, found.cure))

    def _within(self, node: Scalar, start: int, end: int) -> Place:
        """Where the characters [start, end) of the value of `node` stand; one character at least."""
        first = text_position(self._source, node, start)
        last = text_position(self._source, node, max(start, end - 1))
        return Place(self._source, first, max(first, last) + 1)

    def _note(self, key: str, node: Scalar) -> None:
        self._notes.keys[self._tag_id, key] = Place(self._source, node.start, node.end)

    def _get(self, key: str) -> Node | None:
        item = self._node.items.get(key)
        return None if item is None else item[1]

    def _scalar(self, node: Node | None, what: str) -> Scalar | None:
        """`node` as a text that is not empty; reported otherwise. None, unreported, if there is no node."""
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self._report("TS-R304", f"{what} must be a text", node, "Put it in quotes if it holds : or # or [ or {")
            return None
        if node.is_null or not node.value.strip():
            self._report("TS-R315", f"{what} has no value", node)
            return None
        return node

    def _sequence(self, node: Node | None, what: str) -> list[Node]:
        if node is None:
            return []
        if isinstance(node, Sequence):
            return node.items
        self._report("TS-R304", f"{what} must be a list", node, "Write [ … ], or a line with - for each item")
        return []

    def _check_keys(self) -> None:
        for key, (place, _) in self._node.items.items():
            if key in LATER_KEYS:
                self._report("TS-R306", f"`{key}` is not yet supported in this version", place)
            elif key not in KEYS:
                self._report("TS-R305", f"A tag has no key `{key}`", place, did_you_mean(key, KEYS))
        for key in ("tag", "name", "class", "category"):
            if key not in self._node.items:
                self._report("TS-R307", f"The key `{key}` is missing", self._node)
        if not {"when", "tier", "score", "manual"} & self._node.items.keys():
            self._report("TS-R307", "The key `when` or `tier` is missing", self._node)

    # --- texts ----------------------------------------------------------------------------------------------------

    def _id(self, key: str) -> str | None:
        node = self._scalar(self._get(key), f"`{key}`")
        if node is None:
            return None
        if key == "tag":
            self._tag_id = node.value
        self._note(key, node)
        return self._checked_id(node)

    def _checked_id(self, node: Scalar) -> str:
        if not re.fullmatch(ID, node.value):
            self._report("TS-R308", f"`{node.value[:_LONGEST_QUOTE]}` cannot be an id", node)
        return node.value

    def _one_of(self, key: str, known: tuple[str, ...]) -> str:
        node = self._scalar(self._get(key), f"`{key}`")
        if node is None:
            return ""
        if node.value not in known:
            message = f"`{node.value[:_LONGEST_QUOTE]}` is no {key}"
            self._report("TS-R310", message, node, did_you_mean(node.value, known))
        return node.value

    def _language_texts(self, key: str, max_chars: int) -> dict[str, str]:
        """Texts by language; a plain text is the same in each."""
        node = self._get(key)
        if node is None:
            return {}
        if not isinstance(node, Mapping):
            text = self._short_text(node, f"`{key}`", max_chars)
            return dict.fromkeys(LANGUAGES, text)
        texts = {}
        for language, (place, value) in node.items.items():
            if language not in LANGUAGES:
                message = f"`{language}` is no language of texts"
                self._report("TS-R310", message, place, did_you_mean(language, LANGUAGES))
            texts[language] = self._short_text(value, f"`{key}.{language}`", max_chars)
        if not texts:
            self._report("TS-R315", f"`{key}` has no value", node)
        return texts

    def _short_text(self, node: Node, what: str, max_chars: int) -> str:
        scalar = self._scalar(node, what)
        if scalar is None:
            return ""
        if len(scalar.value) > max_chars:
            self._report("TS-R505", f"{what} has {len(scalar.value)} characters; {max_chars} is the most", scalar)
        return scalar.value.strip()

    def _colour(self) -> str | None:
        node = self._scalar(self._get("colour"), "`colour`")
        if node is not None and not re.fullmatch(COLOUR, node.value):
            self._report("TS-R311", f"`{node.value[:_LONGEST_QUOTE]}` is not a colour", node)
        return None if node is None else node.value.lower()

    def _length(self, key: str, units: tuple[str, ...]) -> int | None:
        """Milliseconds of a timing, at least one of its smallest unit."""
        node = self._scalar(self._get(key), f"`{key}`")
        if node is None:
            return None
        length_ms = read_length(node.value, units)
        if length_ms is None or not 0 < length_ms <= limits.MAX_WINDOW_MS:
            message = f"`{node.value[:_LONGEST_QUOTE]}` is no length for `{key}`"
            cure = f"Write a whole number and one of {', '.join(units)}, such as 30{units[1]}; 400d is the most"
            self._report("TS-R312", message, node, cure)
        return length_ms

    # --- beside other tags, and for people ------------------------------------------------------------------------

    def _parent(self) -> str | None:
        node = self._scalar(self._get("parent"), "`parent`")
        if node is None:
            return None
        place = Place(self._source, node.start, node.end)
        self._notes.parents.append(Mention(self._tag_id, node.value, place))
        return node.value

    def _rank(self) -> int:
        node = self._scalar(self._get("rank"), "`rank`")
        if node is None:
            return 0
        if "exclusive" not in self._node.items:
            cure = "Add exclusive: GROUP, or take the rank out"
            self._report("TS-R307", "`rank` says something only beside `exclusive`", node, cure)
        if not _RANK.fullmatch(node.value):
            cure = f"Write a whole number of {limits.MAX_RANK_DIGITS} digits at most; the least comes first"
            self._report("TS-R310", f"`{node.value[:_LONGEST_QUOTE]}` is no rank", node, cure)
            return 0
        self._notes.ranked.add(self._tag_id)
        return int(node.value)

    def _owner(self) -> str | None:
        node = self._get("owner")
        return None if node is None else self._short_text(node, "`owner`", limits.MAX_OWNER_CHARS)

    def _date(self, key: str) -> str | None:
        node = self._scalar(self._get(key), f"`{key}`")
        if node is None:
            return None
        self._note(key, node)
        try:
            if re.fullmatch(DATE, node.value):
                return datetime.date.fromisoformat(node.value).isoformat()
        except ValueError:  # 2025-02-30
            pass
        self._report("TS-R319", f"`{node.value[:_LONGEST_QUOTE]}` is no date", node)
        return None

    def _flag(self, key: str) -> bool:
        node = self._scalar(self._get(key), f"`{key}`")
        if node is not None and node.value not in ("true", "false"):
            message = f"`{node.value[:_LONGEST_QUOTE]}` is neither true nor false"
            self._report("TS-R310", message, node, "Write true or false")
        return node is not None and node.value == "true"

    # --- conditions -----------------------------------------------------------------------------------------------

    def _expression(self, key: str) -> T.Expr | None:
        return self._condition(self._get(key), key)

    def _condition(self, node: Node | None, name: str) -> T.Expr | None:
        """A checked condition; None if it is missing or has errors. Its text is kept under `name`."""
        scalar = self._scalar(node, f"`{name}`")
        if scalar is None:
            return None
        self._texts[name] = scalar.value.strip()
        try:
            expr = parse(scalar.value)
        except RuleError as error:
            self._place(error, scalar)
            return None
        errors = check(expr, scalar.value)
        for found in errors or impossible(expr):
            self._place(found, scalar)
        self._note_references(expr, scalar)
        return None if errors else expr

    def _note_references(self, expr: T.Expr, scalar: Scalar) -> None:
        for node in nodes_of(expr):
            match node:
                case T.TagRef(tag, span):
                    place = self._within(scalar, span.start, span.end)
                    self._notes.references.append(Mention(self._tag_id, tag, place))
                case T.Compare(_, T.TagRef(tag), T.Text(level, span)):
                    place = self._within(scalar, span.start, span.end)
                    self._notes.levels.append(LevelMention(tag, level, place))

    def _tier(self) -> list[tuple[str, T.Expr | None]]:
        """(name, condition or None if it has errors) of each level."""
        node = self._get("tier")
        items = self._sequence(node, "`tier`")
        if isinstance(node, Sequence) and not 1 <= len(items) <= limits.MAX_LEVELS:
            message = f"`tier` has {len(items)} levels; it may have from 1 to {limits.MAX_LEVELS}"
            self._report("TS-R507", message, node)
            return []
        levels = [self._level(i, item) for i, item in enumerate(items)]
        names = [name for name, _ in levels]
        for i, name in enumerate(names):
            if name and name in names[:i]:
                self._report("TS-R314", f"The level `{name}` is given twice", items[i])
        readable = [T.Level(name, condition) for name, condition in levels if condition is not None]
        if len(readable) == len(items):
            for i, hiding in unreachable_levels(readable):
                message = f"The level `{names[i]}` is never reached: `{hiding}` always takes its place"
                self._report("TS-R904", message, items[i])
        return levels

    def _level(self, position: int, node: Node) -> tuple[str, T.Expr | None]:
        what = f"`tier[{position}]`"
        if not isinstance(node, Mapping):
            self._report("TS-R304", f"{what} must be a map of level and when", node)
            return "", None
        for key, (place, _) in node.items.items():
            if key not in ("level", "when"):
                self._report("TS-R305", f"A level has no key `{key}`", place, did_you_mean(key, ("level", "when")))
        for key in ("level", "when"):
            if key not in node.items:
                self._report("TS-R307", f"The key `{key}` of {what} is missing", node)
        name = self._scalar(node.items["level"][1], "`level`") if "level" in node.items else None
        checked = "" if name is None else self._checked_id(name)
        when = self._condition(node.items["when"][1], f"tier[{position}]") if "when" in node.items else None
        return checked, when

    def _check_conditions(self, when: T.Expr | None, leave: T.Expr | None) -> None:
        """Keys that exclude each other, and conditions that hold together."""
        items = self._node.items
        if "tier" in items:
            for key in ("when", "leave"):
                if key in items:
                    self._report("TS-R313", f"`{key}` cannot stand beside `tier`", items[key][0])
        elif when is not None and leave is not None and overlap(when, leave):
            self._report("TS-R905", "`leave` holds for values for which `when` holds too", items["leave"][1])

    # --- examples -------------------------------------------------------------------------------------------------

    def _examples(self, levels: tuple[str, ...]) -> Iterator[T.Example]:
        node = self._get("examples")
        items = self._sequence(node, "`examples`")
        if node is not None and len(items) > limits.MAX_EXAMPLES:
            self._report("TS-R508", f"The tag has {len(items)} examples; {limits.MAX_EXAMPLES} is the most", node)
            return
        for item in items:
            if not isinstance(item, Mapping):
                self._report("TS-R304", "An example must be a map of given and then", item)
                continue
            for key, (place, _) in item.items.items():
                if key not in ("given", "then"):
                    cure = did_you_mean(key, ("given", "then"))
                    self._report("TS-R305", f"An example has no key `{key}`", place, cure)
            for key in ("given", "then"):
                if key not in item.items:
                    cure = "Write then: [] if no change is expected" if key == "then" else "Add the events"
                    self._report("TS-R307", f"The key `{key}` of the example is missing", item, cure)
            given = self._lines(item, "given", read_given)
            then = self._lines(item, "then", lambda text: read_then(text, levels))
            yield T.Example(tuple(given), tuple(then), self._source.line_of(item.start))

    def _lines(self, example: Mapping, key: str, read: Callable[[str], _Line]) -> list[_Line]:
        """The lines of `given` or `then`, each read by `read`; the faulty ones are reported and left out."""
        node = example.items[key][1] if key in example.items else None
        lines: list[_Line] = []
        items = self._sequence(node, f"`{key}`")
        if node is not None and len(items) > limits.MAX_EXAMPLE_LINES:
            message = f"`{key}` has {len(items)} lines; {limits.MAX_EXAMPLE_LINES} is the most"
            self._report("TS-R508", message, node)
            return lines
        for item in items:
            scalar = self._scalar(item, f"A line of `{key}`")
            if scalar is None:
                continue
            if len(scalar.value) > limits.MAX_EXAMPLE_CHARS:
                self._report("TS-R508", f"A line of `{key}` has {len(scalar.value)} characters", scalar)
                continue
            try:
                lines.append(read(scalar.value))
            except RuleError as error:
                self._place(error, scalar)
        return lines
