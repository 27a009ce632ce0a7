"""The catalogue of rule errors and the code that raises them name the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

from processors.rules import parse
from schemas.catalogue.rules import ENTRIES
from schemas.errors import RuleError

ROOT = Path(parse.__file__).parents[2]
RAISERS = [
    *(ROOT / "processors/rules").glob("*.py"),
    *(ROOT / "streams" / name for name in ("rules_dir.py", "definitions.py", "cli/check.py")),
]


def test_every_number_that_is_raised_is_in_the_catalogue_and_the_other_way_round() -> None:
    raised = {code for path in RAISERS for code in re.findall(r'"(TS-R\d{3})"', path.read_text(encoding="utf-8"))}
    assert raised == ENTRIES.keys()


def test_every_entry_says_why_cures_and_shows_an_example() -> None:
    for code, entry in ENTRIES.items():
        assert all((entry.title, entry.why, entry.cure, entry.example)), code
        assert not entry.title.endswith("."), code
        assert RuleError(code).message == entry.title
