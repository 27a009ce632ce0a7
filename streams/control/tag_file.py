"""A CSV file of tags to be set by hand: its lines as requests, and which of them are none.

The first line names the columns. A request's id is made of the digest of the whole file and the number of its line, so
that the same file may be imported again after an interruption: what was done is not done a second time.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO, cast

from schemas.errors import RequestError
from schemas.records import Request, RequestKind
from streams.control.ask import read_term, value_of
from streams.control.check import check_form

__all__ = ["Line", "TagFile"]

NEEDED: Final = ("customer_id", "tag")
OPTIONAL: Final = ("kind", "value", "reason", "term")
KINDS: Final = ("assign", "absent", "remove")
DIGEST_CHARS: Final = 32
"""Of SHA-256 in hexadecimal digits: 128 bits."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not empty."""

    number: int
    """Counted from 1, the line of the columns' names; of a record that goes over several lines the first."""
    asked: Request | RequestError
    """The error, if the line is no request."""


class TagFile:
    """Raises RequestError: TS-Q202 if it cannot be read, TS-Q203 if its first line does not name the columns."""

    def __init__(self, path: Path, actor: str) -> None:
        self._path = path
        self._actor = actor
        try:
            with path.open("rb") as file:
                self._digest = hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST_CHARS]
            self.size_bytes = path.stat().st_size
        except OSError as error:
            raise RequestError("TS-Q202", f"{path} cannot be read: {error.strerror}") from None

    def lines(self) -> Iterator[Line]:
        """All lines that are not empty, in order."""
        try:
            # A byte order mark, which spreadsheets write, is no part of the first column's name.
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                yield from self._lines(file)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise RequestError("TS-Q202", f"{self._path} cannot be read: {error}") from None

    def _lines(self, file: TextIO) -> Iterator[Line]:
        reader = csv.reader(file, strict=True)
        columns = _columns(next(reader, []))
        number = reader.line_num + 1
        for cells in reader:
            if cells:
                try:
                    yield Line(number, self._request(number, columns, cells))
                except RequestError as error:
                    yield Line(number, error)
            number = reader.line_num + 1

    def _request(self, number: int, columns: tuple[str, ...], cells: list[str]) -> Request:
        """Raises RequestError."""
        if len(cells) != len(columns):
            raise RequestError("TS-Q204", f"{len(cells)} cells where there are {len(columns)} columns")
        given: Mapping[str, str] = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
        kind: Any = given.get("kind") or KINDS[0]
        if kind not in KINDS:
            raise RequestError("TS-Q204", f"The kind {kind!r} is none of {', '.join(KINDS)}")
        request = Request(
            request_id=f"{self._digest}-{number}",
            customer_id=given["customer_id"],
            kind=cast(RequestKind, kind),
            tag=given["tag"],
            value=value_of(given.get("value")),
            actor=self._actor,
            reason=given.get("reason") or None,
            term_ms=read_term(given.get("term")),
        )
        check_form(request)
        return request


def _columns(names: list[str]) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in names)
    if any(name not in columns for name in NEEDED):
        raise RequestError("TS-Q203", f"The first line is {','.join(names)[:100]!r}, without customer_id or tag")
    wrong = [name for name in columns if name not in (*NEEDED, *OPTIONAL) or columns.count(name) > 1]
    if wrong:
        raise RequestError("TS-Q203", f"The first line names {wrong[0]!r}, which is no column, or is there twice")
    return columns
