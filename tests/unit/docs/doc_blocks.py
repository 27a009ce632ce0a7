"""The fenced blocks of a Markdown file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
READMES = ("README.md", "README.zh-CN.md")

_FENCED = re.compile(r"^```(?P<language>[\w-]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `line` is where its text begins, from 1."""

    file: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def text_of(file: str) -> str:
    """A file's text, by its path from the root."""
    return (ROOT / file).read_text("utf-8")


def blocks(file: str, language: str) -> list[Block]:
    """The blocks of one language, in their order."""
    text = text_of(file)
    return [
        Block(file, text.count("\n", 0, found.start("text")) + 1, language, found["text"])
        for found in _FENCED.finditer(text)
        if found["language"] == language
    ]


def commands(file: str) -> list[str]:
    """The commands of the `sh` blocks, one a line, in their order; comments and empty lines left out."""
    lines = [line.strip() for block in blocks(file, "sh") for line in block.text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def commands_under(file: str, heading: str) -> list[str]:
    """The commands below a heading of the second level, up to the next one."""
    text = text_of(file)
    starts = [found.start() for found in _HEADING.finditer(text)] + [len(text)]
    begin = text.index(f"## {heading}\n")
    end = min(start for start in starts if start > begin)
    within = range(text.count("\n", 0, begin) + 1, text.count("\n", 0, end) + 2)
    chosen = [block for block in blocks(file, "sh") if block.line in within]
    lines = [line.strip() for block in chosen for line in block.text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
