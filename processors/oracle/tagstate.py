"""One tag of one customer: what its rule makes of the instants at which it is looked at, and what is assigned to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from processors.oracle.event import Command, TagValue
from processors.oracle.expression import Scope, as_number, is_true, value_of
from processors.rules.tree import Tag

ROUNDING: Final = 2.0**-50
"""A score is not held back by a rounding error of its two doubles, which is at most so much of the greater."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What somebody said that a tag is, whatever its rule says."""

    value: TagValue
    until_ms: int | None
    """When it ends; None: never."""


@dataclass(slots=True)
class TagState:
    """Where one tag of one customer stands. All but what is assigned and shown is the rule's, and goes on beneath."""

    value: TagValue = None
    value_since_ms: int = 0
    left_at_ms: int | None = None
    """When the tag last stopped having a value (a tier: also when it went from one level to another)."""
    candidate: TagValue = None
    """The value that the conditions ask for, as of the last evaluation. Plain tags keep one only while out."""
    candidate_since_ms: int = 0
    """The first of the evaluations without a gap at which it was this candidate."""
    spent: bool = False
    """Its term ended while the condition was true: out until the condition has been false once."""
    manual: Assignment | None = None
    model: Assignment | None = None
    shown: TagValue = None
    """What is published: the value unless something is assigned."""

    def is_masked(self) -> bool:
        """Whether somebody else than the rule decides."""
        return self.manual is not None or self.model is not None

    def effective(self) -> TagValue:
        """What is to be published."""
        masks = [mask for mask in (self.manual, self.model) if mask is not None]
        return masks[0].value if masks else self.value


def expires_at_ms(tag: Tag, state: TagState) -> int | None:
    if state.value is None or tag.expires_ms is None:
        return None
    return state.value_since_ms + tag.expires_ms


def moves_at_ms(tag: Tag, state: TagState) -> int | None:
    """When the tag takes its candidate's value if nothing else happens; None if nothing is pending."""
    if state.candidate is None or state.candidate == state.value or state.spent:
        return None
    dwelt_ms = state.candidate_since_ms + tag.dwell_ms
    return dwelt_ms if state.left_at_ms is None else max(dwelt_ms, state.left_at_ms + tag.cooldown_ms)


def is_due(due_ms: int | None, now_ms: int) -> bool:
    return due_ms is not None and due_ms <= now_ms


def new_plain_value(tag: Tag, state: TagState, scope: Scope, now_ms: int) -> TagValue:
    """One evaluation of a tag with `when`; notes candidate and term in the state, leaves the value to the caller."""
    assert tag.when is not None
    when = is_true(tag.when, scope)
    if state.value is not None:
        leave = not when if tag.leave is None else is_true(tag.leave, scope)
        expired = is_due(expires_at_ms(tag, state), now_ms)
        if leave or expired:
            state.spent = expired and when
            state.candidate = None
            return None
        return state.value
    if not when:
        state.spent = False
        state.candidate = None
        return None
    if state.candidate is None and not state.spent:
        state.candidate = True
        state.candidate_since_ms = now_ms
    return True if is_due(moves_at_ms(tag, state), now_ms) else None


def new_tier_value(tag: Tag, state: TagState, scope: Scope, now_ms: int) -> TagValue:
    """One evaluation of a tag with levels; notes candidate and term in the state, leaves the value to the caller."""
    assert tag.leave is None, "a tier leaves when no level is true"
    candidate = next((level.name for level in tag.tiers if is_true(level.when, scope)), None)
    if candidate != state.candidate:
        state.candidate = candidate
        state.candidate_since_ms = now_ms
    if candidate is None:
        state.spent = False
        return None
    if is_due(expires_at_ms(tag, state), now_ms):
        state.spent = True
        return None
    return candidate if is_due(moves_at_ms(tag, state), now_ms) else state.value


def new_keys(tag: Tag, state: TagState, known: set[str], scope_of: Callable[[str], Scope]) -> TagValue:
    """One evaluation of a tag that has keys. Those that are in stay first; others find room in order of their texts."""
    assert tag.when is not None and tag.for_each is not None

    def leaves(key: str) -> bool:
        assert tag.when is not None
        return not is_true(tag.when, scope_of(key)) if tag.leave is None else is_true(tag.leave, scope_of(key))

    before = state.value if isinstance(state.value, tuple) else ()
    keys = [key for key in before if key in known and not leaves(key)]
    for key in sorted(known - set(before), key=str.encode):
        if len(keys) < tag.for_each.limit and is_true(tag.when, scope_of(key)) and not leaves(key):
            keys.append(key)
    return tuple(sorted(keys, key=str.encode)) or None


def new_score(tag: Tag, state: TagState, scope: Scope) -> TagValue:
    """One evaluation of a score: the number that is published stays until the value has moved by a step."""
    assert tag.score is not None
    exact = as_number(tag.score, value_of(tag.score, scope))
    if exact is None:
        return None
    value = float(exact)
    if isinstance(state.value, float):
        rounding = ROUNDING * max(abs(value), abs(state.value))
        moved = value != state.value and abs(value - state.value) >= float(tag.step) - rounding
        return value if moved else state.value
    return value


# ------------------------------------------------------------------------------------------------ assignments


def assign(state: TagState, command: Command, now_ms: int) -> None:
    """Does what a command says. One that is over at once takes the place of the earlier one all the same."""
    is_over = command.kind == "remove" or (command.until_ms is not None and command.until_ms <= now_ms)
    assert command.value is not False, "no tag takes it"
    made = None if is_over else Assignment(command.value, command.until_ms)
    if command.kind == "score":
        state.model = made
    else:
        state.manual = made


def end_terms(state: TagState, now_ms: int) -> None:
    """Takes back what is assigned until now."""
    if state.manual is not None and is_due(state.manual.until_ms, now_ms):
        state.manual = None
    if state.model is not None and is_due(state.model.until_ms, now_ms):
        state.model = None


def ends_at_ms(state: TagState) -> list[int]:
    """When the assignments end that do."""
    masks = [mask for mask in (state.manual, state.model) if mask is not None]
    return [mask.until_ms for mask in masks if mask.until_ms is not None]


def fits(tag: Tag, value: object) -> bool:
    """Whether a tag can be assigned a value; absent (None) it can always be."""
    if value is None:
        return True
    if tag.for_each is not None:
        return False
    levels = tag.levels or tuple(level.name for level in tag.tiers)
    if levels:
        return value in levels
    if is_number(tag):
        return isinstance(value, float)
    return value is True


def is_number(tag: Tag) -> bool:
    """Whether a tag's values are numbers: scores, and what a model says where there is neither rule nor level."""
    has_rule = tag.when is not None or bool(tag.tiers)
    return tag.score is not None or (tag.model and not has_rule and not tag.levels)
