"""Where in an expression's text the words stand that the tree does not keep: events, fields, windows."""

from __future__ import annotations

import re
from typing import Final, Literal

from processors.rules import tree as T

Word = Literal["event", "field", "measure", "window", "within"]

_SOURCE: Final = r"\w+\s*\(\s*(?P<event>\w+)(?:\s*\.\s*(?P<field>\w+))?"
_PATTERNS: Final[dict[Word, re.Pattern[str]]] = {
    "event": re.compile(_SOURCE),
    "field": re.compile(_SOURCE),
    "measure": re.compile(rf"{_SOURCE}\s*by\s+sum\s*\(\s*\w+\s*\.\s*(?P<measure>\w+)"),
    "window": re.compile(r"(?P<window>\w+)\s*\)\Z"),
    "within": re.compile(r"(?P<within>\w+)\Z"),
}
_WORD: Final = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\w+""")


def narrowed(text: str, span: T.Span, word: Word) -> T.Span:
    """The span of one word of the function call, or for `within` of the sequence, that stands at `span` of `text`."""
    match = _PATTERNS[word].search(text[: span.end], span.start)
    return T.Span(*match.span(word)) if match else span


def events_of(text: str, span: T.Span) -> tuple[T.Span, T.Span]:
    """The spans of the two events of the sequence that stands at `span` of `text`."""
    words = list(_WORD.finditer(text, span.start, span.end))
    then = next((i for i, word in enumerate(words) if word[0] == "then"), 0)
    second = then + 2 if words[then + 1][0] == "no" else then + 1
    return T.Span(*words[0].span()), T.Span(*words[second].span())
