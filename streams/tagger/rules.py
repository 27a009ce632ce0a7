"""Which rules are in force, which were, and both of them compiled."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from processors.rules.compile import compile_rules
from processors.rules.program import Program
from processors.rules.tree import RuleSet

__all__ = ["Compiled", "RuleShelf", "RuleSource"]


class Compiled(NamedTuple):
    """A rule set, and what the engine runs of it."""

    rule_set: RuleSet
    program: Program


class RuleSource(Protocol):
    """Where rule sets come from. Asked at every turn, so it answers at once."""

    def in_force(self) -> RuleSet:
        """Those that every partition is to work with."""
        ...

    def of(self, version: str) -> RuleSet | None:
        """Those that were in force some time; None if nobody knows them any more."""
        ...


class RuleShelf:
    """The rule sets that a process works with, each compiled once."""

    def __init__(self, source: RuleSource) -> None:
        self._source = source
        self._compiled: dict[str, Compiled] = {}

    def version(self) -> str:
        """Of those in force."""
        return self._source.in_force().version

    def in_force(self) -> Compiled:
        return self._have(self._source.in_force())

    def of(self, version: str) -> Compiled | None:
        known = self._compiled.get(version)
        if known is not None:
            return known
        rule_set = self._source.of(version)
        return None if rule_set is None else self._have(rule_set)

    def keep(self, versions: set[str]) -> None:
        """Let go of all but these and the one in force."""
        versions = versions | {self._source.in_force().version}
        self._compiled = {v: compiled for v, compiled in self._compiled.items() if v in versions}

    def _have(self, rule_set: RuleSet) -> Compiled:
        if rule_set.version not in self._compiled:
            self._compiled[rule_set.version] = Compiled(rule_set, compile_rules(rule_set))
        return self._compiled[rule_set.version]
