"""Problems of rules, collected before any is raised: whoever writes rules sees all of them at once.

A problem is a `RuleError`, raised or not. Codes from TS-R901 on are warnings, which are shown and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from processors.rules.tree import Span
from schemas.errors import RuleError

_WARNING_PREFIX: Final = "TS-R9"


class RuleErrors(Exception):
    """A rule set that cannot be used. `errors` is every error found, in order of file and line; never empty."""

    def __init__(self, errors: Sequence[RuleError]) -> None:
        assert errors, "a rule set without errors is no error"
        super().__init__("\n".join(error.render() for error in errors))
        self.errors = tuple(errors)


def problem(code: str, message: str, span: Span, cure: str | None = None) -> RuleError:
    """A problem within an expression's text; its place in a file is added by whoever knows it."""
    return RuleError(code, message, cure=cure, span=(span.start, span.end))


def is_warning(found: RuleError) -> bool:
    return found.code.startswith(_WARNING_PREFIX)
