"""Rules that are added in the benchmark of growth change nothing for those that were there."""

from __future__ import annotations

import pytest

from benchmarks import growth as benchmark
from benchmarks.growth import BASE, KINDS, growth
from processors.rules.load import load_rules


def test_each_rule_set_has_its_figures() -> None:
    found = growth(lambda _: None, events=600, customers=20, sizes=(10, 40))
    assert [(each["kind"], each["rules"]) for each in found] == [("untouched", 10), ("untouched", 40), ("touched", 40)]
    assert found[0]["ratio"] == 1
    assert all(each["events_per_s"] > 0 and each["state_bytes_per_customer"] > 0 for each in found)


@pytest.mark.parametrize("kind", KINDS)
def test_rule_sets_begin_with_the_same_tags(kind: str) -> None:
    rule_set = load_rules({"growth.yaml": benchmark._rules_text(kind, 30)}, time_zone="UTC", default_currency="CNY")
    assert [tag.id for tag in rule_set.tags[: BASE + 1]] == [*(f"t0{i}" for i in range(BASE)), "x00000"]
    assert len(rule_set.tags) == 30


def test_a_base_tag_that_changes_otherwise_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    run = benchmark._run

    def wrong(case: benchmark.Case, events: list[benchmark.Event]) -> benchmark.Run:
        found = run(case, events)
        return found._replace(changes=found.changes + (case.rules > BASE))

    monkeypatch.setattr(benchmark, "_run", wrong)
    with pytest.raises(AssertionError, match="changed others"):
        growth(lambda _: None, events=600, customers=20, sizes=(10, 11))
