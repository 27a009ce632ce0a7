"""A run is good only if every kind was done, everything was compared, and nothing differs; and who is blamed."""

from __future__ import annotations

import pytest

from tests.chaos.director import Fired
from tests.chaos.faults.kinds import KINDS
from tests.chaos.report import faults_table, good, invariants_table
from tests.chaos.verifier.difference import INVARIANTS, TOLD_MOST, Findings

ONCE = [Fired(kind, 1_000 * (place + 1), 0.5, 2.0) for place, kind in enumerate(KINDS)]


def all_compared() -> Findings:
    findings = Findings()
    for invariant in INVARIANTS:
        findings.compare(invariant, True, "")
    return findings


def test_a_run_with_all_kinds_and_no_difference_is_good() -> None:
    assert good(ONCE, KINDS, all_compared())


def test_a_kind_that_was_not_done_makes_it_bad() -> None:
    assert not good(ONCE[1:], KINDS, all_compared())
    assert good(ONCE[1:], KINDS[1:], all_compared())


def test_one_difference_makes_it_bad() -> None:
    findings = all_compared()
    findings.note("I3", "a value is wrong", 5)
    assert not good(ONCE, KINDS, findings)


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_what_was_not_compared_is_not_good(invariant: str) -> None:
    findings = all_compared()
    del findings.compared[invariant]
    assert not good(ONCE, KINDS, findings)


def test_a_difference_is_told_beside_the_fault_before_it() -> None:
    findings = all_compared()
    findings.note("I2", "before the first fault", 999)
    findings.note("I2", "after the second", 2_500)
    findings.note("I4", "after the second, too", 2_000)
    findings.note("I3", "seen at the end", None)
    lines = faults_table(ONCE, KINDS, [], findings)[1:]
    assert [int(line.split()[-1]) for line in lines] == [0, 2] + [0] * (len(KINDS) - 2)
    assert lines[1].startswith(KINDS[1].name)


def test_recovery_is_told_by_median_and_most_and_a_kind_left_out_is_said_to_be() -> None:
    more = [Fired(KINDS[0], 90_000, 0.1, 7.0), Fired(KINDS[0], 95_000, 0.1, None), Fired(KINDS[0], 99_000, 0.1, 3.0)]
    lines = faults_table(ONCE + more, KINDS, [KINDS[2]], all_compared())
    assert lines[1].split()[-5:] == ["4", "3.0", "7.0", "30", "0"]
    assert lines[3].endswith("SKIPPED")


def test_many_differences_are_counted_and_the_first_ones_told() -> None:
    findings = all_compared()
    for number in range(TOLD_MOST + 5):
        findings.note("I1", f"difference {number}", None)
    text = "\n".join(invariants_table(findings))
    assert f"difference {TOLD_MOST - 1}" in text and f"difference {TOLD_MOST}" not in text
    assert str(TOLD_MOST + 5) in text
