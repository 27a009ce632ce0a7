"""The error tree: every error that an operator or a writer of rules can meet, each with a number and a cure.

    TagstreamError
    ├── RuleError     TS-R…  a rule file; has a place and shows a caret
    ├── ConfigError   TS-C…  a setting, or a file that a setting names
    ├── KafkaError    TS-K…  broker, topics, transactions
    ├── StateError    TS-S…  journal, recovery, digests
    ├── RedisError    TS-P…  the projection into Redis
    ├── RequestError  TS-Q…  a request to set or remove a tag by hand
    └── EventError    TS-D…  one record that is dead; the flow goes on

The numbers are in `schemas.catalogue`; a code that is not there cannot be raised. Bugs are not in this tree: they are
assertions.
"""

from __future__ import annotations

import unicodedata
from typing import ClassVar

from schemas.catalogue import CATALOGUE
from schemas.outcomes import Dead

__all__ = [
    "CATALOGUE",
    "ConfigError",
    "EventError",
    "KafkaError",
    "RedisError",
    "RequestError",
    "RuleError",
    "StateError",
    "TagstreamError",
]


class TagstreamError(Exception):
    """An error with a number. `str()` is "TS-K101: message. Cure: cure".

    `code` must be in the catalogue and of the class's family. `message` says what is wrong this time (default: the
    catalogue's title), `cure` what to do about it (default: the catalogue's).
    """

    family: ClassVar[str] = "TS-"

    def __init__(self, code: str, message: str | None = None, *, cure: str | None = None) -> None:
        assert code in CATALOGUE, f"{code} is not in the error catalogue"
        assert code.startswith(self.family), f"{code} is not of {type(self).__name__}'s family"
        entry = CATALOGUE[code]
        self.code = code
        self.message = entry.title if message is None else message
        self.cure = entry.cure if cure is None else cure
        super().__init__(code, self.message, self.cure)

    def __str__(self) -> str:
        return f"{self.code}: {_sentence(self.message)} Cure: {_sentence(self.cure)}"


class RuleError(TagstreamError):
    """Something wrong in a rule file.

    `file` is its path as given, `line` and `column` count characters from 1, `source` is the text of that line, `span`
    the half-open range [start, end) of characters in the text that was parsed. What is not known yet is None: the
    parser knows the span, the loader of the file adds the rest by `at`.
    """

    family = "TS-R"

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        cure: str | None = None,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        source: str | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(code, message, cure=cure)
        self.file = file
        self.line = line
        self.column = column
        self.source = source
        self.span = span

    def at(self, *, file: str, line: int, column: int, source: str) -> RuleError:
        """The same error with its place; the span stays, for the caret's width."""
        return RuleError(
            self.code,
            self.message,
            cure=self.cure,
            file=file,
            line=line,
            column=column,
            source=source,
            span=self.span,
        )

    def __str__(self) -> str:
        if self.file is None:
            return super().__str__()
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n is not None)]
        return f"{':'.join(parts)}: {super().__str__()}"

    def render(self) -> str:
        """Lines for a terminal: place and message, the source with a caret under the fault, the cure."""
        parts = [part for part in (self.file, self.line, self.column) if part is not None]
        place = ":".join(str(part) for part in parts)
        said = f"{self.code}: {_sentence(self.message)}"
        lines = [f"{place}: {said}" if place else said]
        if self.source is not None and self.column is not None:
            lines += [f"    {self.source}", f"    {self._caret(self.source, self.column)}"]
        lines.append(f"  Cure: {_sentence(self.cure)}")
        return "\n".join(lines)

    def _caret(self, source: str, column: int) -> str:
        """Carets under the span, at least one, within the line; wide (East Asian) characters move them by two."""
        start, end = self.span or (0, 1)
        width = max(1, min(end - start, len(source) - (column - 1)))
        before, under = source[: column - 1], source[column - 1 : column - 1 + width]
        pad = "".join("\t" if char == "\t" else " " * _columns(char) for char in before)
        return pad + "^" * max(1, sum(map(_columns, under)))


class ConfigError(TagstreamError):
    """A setting, or a file that a setting names, cannot be used. Found at start; the process does not start."""

    family = "TS-C"


class KafkaError(TagstreamError):
    """The broker or its topics are not as they must be."""

    family = "TS-K"


class StateError(TagstreamError):
    """Journal and state do not fit each other. The partition stops; nothing is published from it."""

    family = "TS-S"


class RedisError(TagstreamError):
    """Redis does not do what the projector needs. Tags are not touched by it."""

    family = "TS-P"


class RequestError(TagstreamError):
    """A request to set or remove a tag by hand cannot be obeyed, or nobody answers it. Tags are not touched by it."""

    family = "TS-Q"


class EventError(TagstreamError):
    """One record is dead: it goes to `events.dlq` with this error's code and message, and the flow goes on.

    `dead` is the reason, `detail` what is particular to this record (a field's name and the value cut short); the
    message is the catalogue's title and the detail.
    """

    family = "TS-D"

    def __init__(self, dead: Dead, detail: str = "") -> None:
        code = f"TS-D{dead.value}"
        title = CATALOGUE[code].title
        super().__init__(code, f"{title}: {detail}" if detail else title)
        self.dead = dead
        self.detail = detail


def _sentence(text: str) -> str:
    """The text with a full stop, unless it ends with one of its own."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _columns(char: str) -> int:
    """How many columns of a terminal the character takes."""
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
