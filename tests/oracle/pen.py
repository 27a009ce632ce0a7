"""What conditions are drawn with."""

from __future__ import annotations

from dataclasses import dataclass

from processors.rules.tree import And, Expr, Not, Or, Tag
from tests.oracle.choices import Choices, Knobs


@dataclass(frozen=True, slots=True)
class Pen:
    """Choices, how far they may go, and what is there already."""

    choose: Choices
    knobs: Knobs
    rich: bool = False
    """Whether there may be more than counts, sums and plain filters."""
    known: tuple[Tag, ...] = ()
    """Tags that may be asked for."""

    def may(self, feature: str) -> bool:
        """Whether something of choices.FEATURES may be used."""
        return self.rich and feature in self.knobs.features


def nested(choose: Choices, items: list[Expr]) -> Expr:
    """One condition of several."""
    shape = choose.pick(("and", "or", "not", "and not"))
    if shape == "not":
        return Not(items[0])
    if shape == "and not":
        return And((*items[:-1], Not(items[-1])))
    return And(tuple(items)) if shape == "and" else Or(tuple(items))
