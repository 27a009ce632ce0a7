"""The two tables at the end: a line for each kind of fault, and a line for each invariant."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from statistics import median

from tests.chaos.director import Fired
from tests.chaos.faults.kinds import KINDS, Kind
from tests.chaos.verifier.difference import INVARIANTS, Findings

__all__ = ["faults_table", "good", "invariants_table"]


def blamed(fired: Sequence[Fired], findings: Findings) -> Counter[str]:
    """By kind how many differences came about after it and before the next fault. Those that show at the end only, and
    those before the first fault, are nobody's."""
    began = [each.began_ms for each in fired]
    places = [bisect_right(began, each.at_ms) for each in findings.differences if each.at_ms is not None]
    return Counter(fired[place - 1].kind.name for place in places if place)


def faults_table(
    fired: Sequence[Fired], wanted: Sequence[Kind], skipped: Sequence[Kind], findings: Findings
) -> list[str]:
    """Times fired, recovery, differences, of the kinds that were wanted and of those that could not be done."""
    differences = blamed(fired, findings)
    lines = [f"{'fault':40}{'times':>6}{'median s':>10}{'max s':>8}{'bound s':>9}{'differences':>13}"]
    for kind in (each for each in KINDS if each in wanted or each in skipped):
        mine = [each for each in fired if each.kind == kind]
        took = [each.mended_s for each in mine if each.mended_s is not None]
        if kind in skipped:
            lines.append(f"{kind.name:40}SKIPPED")
            continue
        told = f"{median(took):10.1f}{max(took):8.1f}" if took else f"{'-':>10}{'-':>8}"
        lines.append(f"{kind.name:40}{len(mine):6}{told}{kind.mended_within_s:9.0f}{differences[kind.name]:13}")
    return lines


def invariants_table(findings: Findings) -> list[str]:
    """How much was compared, and what differs, with the first differences."""
    lines = [f"{'':76}{'compared':>12}{'differences':>13}"]
    for invariant, meaning in INVARIANTS.items():
        compared, differences = findings.compared[invariant], findings.counts[invariant]
        lines.append(f"{invariant}  {meaning:72}{compared:12,}{differences:13,}")
    lines += [f"{each.invariant}: {each.text}" for each in findings.differences]
    return lines


def good(fired: Sequence[Fired], wanted: Sequence[Kind], findings: Findings) -> bool:
    """Whether each kind was done, all was compared, and nothing differs."""
    done = {each.kind.name for each in fired}
    return (
        all(kind.name in done for kind in wanted)
        and all(findings.compared[invariant] for invariant in INVARIANTS)
        and not findings.counts
    )
