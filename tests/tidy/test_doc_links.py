"""Links between documents lead somewhere, and files that a document names exist."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tests.tidy.files import ROOT, text_of, tracked

OTHERS_TEXTS = "tests/unit/deploy/vendor/"
"""Kept as their authors wrote them."""

_LINK = re.compile(r"\]\((?P<path>[^)\s#]*)(?:#(?P<anchor>[^)\s]*))?\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (?P<title>.+)$", re.MULTILINE)
_FILE = re.compile(r"`((?:[\w.-]+/)*[\w.-]+(?:/|\.(?:py|md|yaml|yml|avsc|lark|json|jsonl|gz|toml|xml)))`")
_MADE_ELSEWHERE = ("tagstream.toml", "tagstream.yaml")


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md" and not str(path).startswith(OTHERS_TEXTS)]


@cache
def prose(path: Path) -> str:
    """A document's text without its code blocks."""
    return _FENCED.sub("", text_of(path) or "")


@cache
def anchors(path: Path) -> set[str]:
    """What the headings of a document are called in links to them."""
    titles = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", found["title"]) for found in _HEADING.finditer(prose(path)))
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def broken_links(path: Path) -> list[str]:
    broken = []
    for found in _LINK.finditer(prose(path)):
        if "://" in found["path"]:
            continue
        target = (path.parent / found["path"]) if found["path"] else path
        file = Path(*_resolved(target))
        if not (ROOT / file).exists() or (found["anchor"] and found["anchor"] not in anchors(file)):
            broken.append(f"{path}: {found[0]}")
    return broken


def _resolved(path: Path) -> list[str]:
    """The parts of a path with its `..` taken away."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return parts


def test_every_link_between_documents_leads_to_a_file_and_a_heading() -> None:
    assert [link for path in documents() for link in broken_links(path)] == []


def test_headings_are_known_by_their_anchors() -> None:
    assert "the-engine" in anchors(Path("docs/ARCHITECTURE.md"))
    assert "no-such-heading" not in anchors(Path("docs/ARCHITECTURE.md"))
    assert anchors(Path("docs/topics.md")) >= {"eventsdlq", "tagschanges"}


def test_every_file_that_the_architecture_names_exists() -> None:
    """A name without its folder stands for a file somewhere below the packages."""
    names = {path.name for path in tracked()}
    missing = []
    for document in ("docs/ARCHITECTURE.md", "CONTRIBUTING.md", "docs/rules.md", "docs/topics.md"):
        for named in _FILE.findall(prose(Path(document))):
            known = (ROOT / named).exists() or (ROOT / "docs" / named).exists()
            known = known or ("/" not in named and named in names) or (ROOT / "processors" / named).exists()
            if not known and named not in _MADE_ELSEWHERE:
                missing.append(f"{document}: {named}")
    assert missing == []
