"""Compares a customer's published changes, one by one, with those of the oracle; and with each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from processors.oracle.event import TagValue
from processors.oracle.judge import OracleChange
from streams.redis_layout import text_of
from streams.verify.difference import Difference, Kind
from streams.verify.told import Told

__all__ = ["compare_with_oracle", "contradictions"]


def contradictions(told: Sequence[Told], repeated: Sequence[Told], whole: bool) -> Iterator[Difference]:
    """What the published changes of a customer show by themselves: repeats, and gaps in a tag's values.

    `told` are those that count; `whole`: whether they reach back to the first one.
    """
    for each in repeated:
        yield _difference("doubled", each.change, each, judged=False)
    values: dict[str, TagValue] = {}
    for each in told:
        change = each.change
        known = change.tag in values or whole
        if known and _kind_and_text(values.get(change.tag)) != _kind_and_text(change.before):
            yield _difference("lost", change, each, judged=False)
        values[change.tag] = change.after


def compare_with_oracle(
    oracle: Sequence[OracleChange], told: Sequence[Told], comparable_from: tuple[int, int]
) -> Iterator[Difference]:
    """The oracle's changes that are not published, and published ones that it knows nothing of.

    `comparable_from`: number of the published change behind which those stand that are compared, and the clock (ms) at
    that time. Of the oracle's, those that became true later must be among them; of earlier ones only timers may be that
    had been left over.
    """
    from_seq, clock = comparable_from
    theirs = [each for each in told if each.seq > from_seq]
    must = [change.effective_at_ms > clock for change in oracle]
    ours_keys, their_keys = [_key(change) for change in oracle], [_key(each.change) for each in theirs]
    skipped = len(oracle) - len(theirs)
    if skipped >= 0 and ours_keys[skipped:] == their_keys and not any(must[:skipped]):
        return
    matcher = SequenceMatcher(None, ours_keys, their_keys, autojunk=False)
    for what, first, end, their_first, their_end in matcher.get_opcodes():
        if what != "equal":
            for change, is_due in zip(oracle[first:end], must[first:end], strict=True):
                if is_due:
                    yield _difference("lost", change, None)
            for each in theirs[their_first:their_end]:
                yield _difference("extra", each.change, each)


def _difference(kind: Kind, change: OracleChange, told: Told | None, *, judged: bool = True) -> Difference:
    published = None if told is None else f"{_words(change)}, number {told.seq}"
    oracle = _words(change) if told is None else None
    return Difference(change.customer_id, change.tag, kind, {"changes": published}, oracle, judged)


def _words(change: OracleChange) -> str:
    before, after = (text_of(value) if value is not None else "–" for value in (change.before, change.after))
    cause = "time" if change.cause is None else change.cause
    return f"{change.op} {before} → {after} at {change.effective_at_ms} by {cause}"


def _key(change: OracleChange) -> tuple[object, ...]:
    """What two changes must have in common to be the same."""
    return (
        *(change.tag, change.op, _kind_and_text(change.before), _kind_and_text(change.after)),
        *(change.effective_at_ms, change.origin, change.cause, change.cause_time_ms),
    )


def _kind_and_text(value: TagValue) -> tuple[str, str]:
    """To be there is not to be the level `1`."""
    return ("", "") if value is None else (type(value).__name__, text_of(value))
