"""Values of a map's keys in a rule file: texts, lengths, numbers, dates. What is wrong is reported at its place."""

from __future__ import annotations

import datetime
import re
from fractions import Fraction
from typing import Final

from processors.rules import limits
from processors.rules.durations import read_length
from processors.rules.notes import Notes, Place
from processors.rules.suggest import did_you_mean
from processors.rules.yaml_nodes import Mapping, Node, Scalar, Sequence, Source, text_position
from schemas.errors import RuleError

LANGUAGES: Final = ("zh", "en")
ID: Final = "[a-z][a-z0-9_]{0,63}"
"""Pattern of the ids of tags, levels and groups."""
DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

_NUMBER: Final = re.compile(rf"-?[0-9]{{1,15}}(\.[0-9]{{1,{limits.MAX_DECIMALS}}})?")
_LONGEST_QUOTE: Final = 40
"""Characters of a wrong value that a message repeats."""


def quoted(value: str) -> str:
    """A wrong value as messages show it."""
    return f"`{value[:_LONGEST_QUOTE]}`"


class KeyReader:
    """Reads values of the keys of one tag. `problems` grows by what is wrong, `notes` by where ids and dates stand."""

    def __init__(self, source: Source, node: Mapping, problems: list[RuleError], notes: Notes) -> None:
        self._source = source
        self._node = node
        self._problems = problems
        self._notes = notes
        self._tag_id = ""

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
            self._report("TS-R308", f"{quoted(node.value)} cannot be an id", node)
        return node.value

    def _one_of(self, key: str, known: tuple[str, ...]) -> str:
        node = self._scalar(self._get(key), f"`{key}`")
        if node is None:
            return ""
        if node.value not in known:
            self._report("TS-R310", f"{quoted(node.value)} is no {key}", node, did_you_mean(node.value, known))
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

    # --- lengths, numbers, dates ----------------------------------------------------------------------------------

    def _length(self, key: str, units: tuple[str, ...]) -> int | None:
        """Milliseconds of a timing, at least one of its smallest unit."""
        node = self._scalar(self._get(key), f"`{key}`")
        if node is None:
            return None
        length_ms = read_length(node.value, units)
        if length_ms is None or not 0 < length_ms <= limits.MAX_WINDOW_MS:
            message = f"{quoted(node.value)} is no length for `{key}`"
            cure = f"Write a whole number and one of {', '.join(units)}, such as 30{units[1]}; 400d is the most"
            self._report("TS-R312", message, node, cure)
        return length_ms

    def _number(
        self, key: str, low: Fraction, high: Fraction, cure: str, *, whole: bool = False, percent: bool = False
    ) -> Fraction | None:
        """A number from `low` to `high`, exact; `percent`: also as hundredths with %. None if missing or wrong."""
        node = self._scalar(self._get(key), f"`{key}`")
        if node is None:
            return None
        digits = node.value.removesuffix("%") if percent else node.value
        value = Fraction(digits) if _NUMBER.fullmatch(digits) else None
        if value is not None and digits != node.value:
            value /= 100
        if value is None or not low <= value <= high or (whole and value.denominator != 1):
            self._report("TS-R321", f"`{key}` cannot be {quoted(node.value)}", node, cure)
            return None
        return value

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
        self._report("TS-R319", f"{quoted(node.value)} is no date", node)
        return None

    def _flag(self, key: str, *, default: bool = False) -> bool:
        node = self._scalar(self._get(key), f"`{key}`")
        if node is None:
            return default
        if node.value not in ("true", "false"):
            self._report("TS-R310", f"{quoted(node.value)} is neither true nor false", node, "Write true or false")
        return node.value == "true"
