"""The rules of a run: two rule sets, most of whose tags are the same, so that one can be changed for the other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from processors.rules.load import load_rules
from processors.rules.tree import RuleSet
from streams.rules_dir import read_rules_dir

__all__ = ["NAMES", "put_into", "rules_of"]

HERE: Final = Path(__file__).with_name("rules")
NAMES: Final = ("first", "second")


def put_into(directory: Path) -> dict[str, Path]:
    """Make a directory of rules for each of them. Returns these by name."""
    made = {name: directory / name for name in NAMES}
    for name, path in made.items():
        shutil.copytree(HERE / name, path)
        shutil.copy(HERE / "common.yaml", path)
    return made


def rules_of(name: str) -> RuleSet:
    """A rule set as every role reads it."""
    files = read_rules_dir(HERE / name) | {"common.yaml": (HERE / "common.yaml").read_text()}
    return load_rules(files, time_zone="UTC", default_currency="CNY")
