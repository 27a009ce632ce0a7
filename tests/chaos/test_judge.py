"""The judge of a run finds what is wrong: each test plants one fault in a run that was right."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from schemas.outcomes import Outcome
from schemas.records import Change, JournalRecord
from tests.chaos.small_run import rules, small_run
from tests.chaos.verifier.difference import Findings, Invariant
from tests.chaos.verifier.journal import Entry, Steps
from tests.chaos.verifier.judge import Left, Stamped, judge


@cache
def right() -> Left:
    return small_run()


def found(left: Left) -> Findings:
    findings = Findings()
    judge(left, [rules()], 10, random.Random(1), findings)
    return findings


def test_a_run_that_is_right_has_no_differences() -> None:
    findings = found(right())
    assert findings.differences == []
    assert all(findings.compared[each] for each in ("I1", "I2", "I3", "I4", "I5")), findings.compared
    assert findings.compared["I4"] >= findings.compared["I2"] > len(list(right().changes)) > 30


def changed(at: int, change: Callable[[Change], Change]) -> Left:
    stamped = list(right().changes)
    stamped[at] = stamped[at]._replace(change=change(stamped[at].change))
    return replace(right(), changes=stamped)


def without(*places: int) -> Left:
    return replace(right(), changes=[each for place, each in enumerate(right().changes) if place not in places])


def twice(at: int) -> Left:
    stamped = list(right().changes)
    return replace(right(), changes=[*stamped[: at + 1], stamped[at], *stamped[at + 1 :]])


def renumbered(at: int) -> Left:
    """A change is missing, and nobody can see it by the numbers of its partition."""
    stamped = list(right().changes)
    rest = [
        Stamped(0, at_ms, replace(change, seq=change.seq - 1, id=f"0-{change.seq - 1}"))
        for _, at_ms, change in stamped[at + 1 :]
    ]
    return replace(right(), changes=[*stamped[:at], *rest])


def in_redis(customer: str, **fields: str) -> Left:
    return replace(right(), hashes={**right().hashes, customer: {**right().hashes.get(customer, {}), **fields}})


def in_step(at: int, change: Callable[[JournalRecord], JournalRecord]) -> Left:
    entries = list(right().steps[0].entries)
    entries[at] = replace(entries[at], record=change(entries[at].record))
    claim = Entry(0, 0, replace(entries[0].record, kind="claim", epoch=-1))
    return replace(right(), steps={0: Steps.of(0, [claim, *entries])})


def outcomes(**more: int) -> Callable[[JournalRecord], JournalRecord]:
    return lambda record: replace(
        record, outcomes=tuple(count + more.get(o.name, 0) for o, count in zip(Outcome, record.outcomes, strict=True))
    )


def read_again(record: JournalRecord) -> JournalRecord:
    return replace(record, sources=tuple(replace(s, first=max(0, s.first - 1)) for s in record.sources))


def passed_over(record: JournalRecord) -> JournalRecord:
    return replace(record, sources=tuple(replace(s, first=s.next) for s in record.sources))


def current_without_its_last_tag() -> Left:
    first, *rest = right().current
    return replace(right(), current=[replace(first, tags=first.tags[:-1]), *rest])


LAST = len(list(small_run().changes)) - 1
PLANTED: dict[str, tuple[Callable[[], Left], set[Invariant]]] = {
    "a change is removed": (lambda: without(10), {"I1", "I2", "I4"}),
    "the last change is removed": (lambda: without(LAST), {"I1", "I2", "I3"}),
    "a change is removed and the rest numbered anew": (lambda: renumbered(10), {"I1", "I2", "I3", "I4"}),
    "a change stands there twice": (lambda: twice(10), {"I1", "I2"}),
    "a change has another value": (lambda: changed(5, lambda c: replace(c, tag="other")), {"I1", "I3", "I4"}),
    "a change became true at another time": (
        lambda: changed(5, lambda c: replace(c, effective_at=c.effective_at + 1)),
        {"I1"},
    ),
    "a change has another cause": (lambda: changed(5, lambda c: replace(c, cause="somebody")), {"I1"}),
    "a change has no reasons": (lambda: changed(5, lambda c: replace(c, evidence=())), {"I1"}),
    "prev_seq names another change": (lambda: changed(LAST, lambda c: replace(c, prev_seq=c.prev_seq - 1)), {"I4"}),
    "a change has the number of another partition": (lambda: changed(5, lambda c: replace(c, id="1-6")), {"I4"}),
    "a value in Redis is wrong": (lambda: in_redis("ann", orders="99.0"), {"I3"}),
    "Redis has a tag too many": (lambda: in_redis("bob", nobody_gave_it="1"), {"I3"}),
    "Redis is behind by a change": (lambda: in_redis("bob", _seq="1"), {"I3"}),
    "Redis has a customer whom nobody knows": (lambda: in_redis("zoe", active="1"), {"I3"}),
    "Redis lacks a customer": (lambda: replace(right(), hashes={}), {"I3"}),
    "tags.current lacks a tag": (current_without_its_last_tag, {"I3"}),
    "tags.current lacks a customer": (lambda: replace(right(), current=[]), {"I3"}),
    "an outcome is counted too often": (lambda: in_step(0, outcomes(APPLIED=1)), {"I5"}),
    "an outcome is taken for another": (lambda: in_step(1, outcomes(LATE=-1, APPLIED=1)), {"I5"}),
    "a step is missing": (lambda: in_step(1, lambda record: replace(record, step=3)), {"I5"}),
    "records are read twice": (lambda: in_step(1, read_again), {"I5"}),
    "records are passed over": (lambda: in_step(1, passed_over), {"I5"}),
    "the end was not read": (lambda: in_step(1, lambda r: replace(r, epoch=7)), {"I1", "I2", "I5"}),
    "the clock goes back": (lambda: in_step(1, lambda r: replace(r, clock_before=5)), {"I5"}),
    "a dead letter is missing": (lambda: replace(right(), dead={}), {"I5"}),
    "a dead letter is of a sound record": (
        lambda: replace(right(), dead={**right().dead, ("events.browse", 0, 0): "TS-D118"}),
        {"I5"},
    ),
    "a dead letter has another reason": (
        lambda: replace(right(), dead=dict.fromkeys(right().dead, "TS-D101")),
        {"I5"},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str) -> None:
    plant, invariants = PLANTED[name]
    assert set(found(plant()).counts) == invariants


def test_what_a_former_owner_wrote_behind_a_claim_is_ignored_and_counted() -> None:
    entries = right().steps[0].entries
    claim = Entry(0, 0, replace(entries[0].record, kind="claim", epoch=-1))
    newer = Entry(2, 0, replace(entries[0].record, kind="claim", epoch=-1))
    zombie = Entry(3, 0, replace(entries[1].record))
    second = Entry(4, 0, replace(entries[1].record, epoch=2))
    steps = Steps.of(0, [claim, entries[0], newer, zombie, second])
    assert [entry.offset for entry in steps.entries] == [entries[0].offset, 4]
    assert (steps.claims, steps.zombies) == (2, 1)


def test_a_counter_that_is_off_by_one_shows_in_the_recompute() -> None:
    """A record that the engine has counted stands in no log: everything else still fits."""
    left = right()
    first, *others = left.kept["ann"]
    assert first.expected is Outcome.APPLIED
    assert set(found(replace(left, kept={**left.kept, "ann": others})).counts) == {"I1"}
