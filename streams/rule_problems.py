"""Errors and warnings of rules as people see them, in whichever command they come up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from schemas.errors import RuleError

__all__ = ["show_problems"]


def show_problems(console: Console, found: Sequence[RuleError], colour: str) -> None:
    """Each with its place, the source with a caret under the fault, and the cure; then an empty line."""
    for error in found:
        head, *rest = error.render().split("\n")
        console.print(Text(head, style=f"bold {colour}"))
        for line in rest:
            console.print(Text(line, style=colour if set(line.strip()) == {"^"} else ""))
        console.print()
