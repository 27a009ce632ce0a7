"""The metrics' names, labels and helpers."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from schemas.outcomes import Dead, Outcome
from streams import metrics
from streams.batch_histogram import BatchHistogram


def families(registry: CollectorRegistry = metrics.REGISTRY) -> Iterator[Metric]:
    return (family for family in registry.collect() if family.name.startswith("tagstream_"))


def value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


def test_every_metric_is_documented_in_a_sentence() -> None:
    documented = [family.documentation for family in families()]
    assert len(documented) >= 25
    for text in documented:
        assert len(text) > 20 and text.endswith("."), text


def test_no_metric_has_a_label_without_bound() -> None:
    allowed = {
        "type", "outcome", "code", "reason", "topic", "partition", "stage", "result", "tag", "op", "state", "event",
        "engine", "fault", "kind", "le",
    }  # fmt: skip
    metrics.count_changes("a_tag", "entered")
    metrics.CONSUMER_LAG.labels("tags.current", "0").set(1)
    used = {label for family in families() for sample in family.samples for label in sample.labels}
    assert used <= allowed
    assert not {label for label in used if "customer" in label}


def test_every_name_ends_in_its_unit() -> None:
    units = re.compile(r"_(seconds|bytes|records|rows|panes|offset)$")
    for family in families():
        if family.type in ("gauge", "histogram") and family.name != "tagstream_partitions":
            assert units.search(family.name), family.name


def test_promtool_accepts_the_names_and_the_format() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing. Cure: apt-get install prometheus")
    exposition = generate_latest(metrics.REGISTRY)
    result = subprocess.run(
        [promtool, "check", "metrics"], input=exposition, capture_output=True, timeout=30, check=False
    )
    assert result.returncode == 0, result.stderr.decode()


def test_series_whose_labels_are_known_start_at_zero() -> None:
    assert value("tagstream_dead_letters_total", code="TS-D106", reason="bad_varint") == 0
    assert value("tagstream_records_total", type="command", outcome="rekeyed") == 0
    assert value("tagstream_transactions_total", result="aborted") == 0
    assert value("tagstream_partitions", state="stopped") == 0


def test_outcomes_of_a_step_are_added_by_their_place() -> None:
    before = value("tagstream_records_total", type="profile", outcome="applied") or 0.0
    counts = [0] * len(Outcome)
    counts[Outcome.APPLIED] = 7
    counts[Outcome.LATE] = 2
    metrics.count_outcomes("profile", counts)
    assert value("tagstream_records_total", type="profile", outcome="applied") == before + 7
    assert value("tagstream_records_total", type="profile", outcome="late") == 2


def test_a_dead_letter_is_counted_under_its_code() -> None:
    metrics.count_dead(Dead.LONG_ID, 3)
    assert value("tagstream_dead_letters_total", code="TS-D113", reason="long_id") == 3


def test_tags_beyond_the_bound_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_TAG_LABELS", 2)
    monkeypatch.setattr(metrics, "_tags_seen", set())
    for tag in ("bound_a", "bound_b", "bound_c", "bound_d", "bound_a"):
        metrics.count_changes(tag, "left")
    assert value("tagstream_changes_total", tag="bound_a", op="left") == 2
    assert value("tagstream_changes_total", tag="bound_c", op="left") is None
    assert value("tagstream_changes_total", tag=metrics.OTHER_TAGS, op="left") == 2


def test_the_clock_lag_is_asked_for_at_each_scrape() -> None:
    lag_s = [0.25]
    metrics.watch_clock_lag(91, lambda: lag_s[0])
    assert value("tagstream_clock_lag_seconds", partition="91") == 0.25
    lag_s[0] = 40.0
    assert value("tagstream_clock_lag_seconds", partition="91") == 40.0
    metrics.forget_partition(91)


def test_a_partition_given_up_leaves_no_gauge_behind() -> None:
    for partition in ("92", "93"):
        metrics.STATE_ROWS.labels(partition).set(5)
        metrics.CONSUMER_LAG.labels("events.browse", partition).set(5)
        metrics.CONSUMER_LAG.labels("events.purchase", partition).set(5)
    metrics.forget_partition(92)
    metrics.forget_partition(92)
    left = {
        sample.labels["partition"] for family in families() for sample in family.samples if "partition" in sample.labels
    }
    assert "92" not in left and "93" in left
    metrics.forget_partition(93)


class TestBatchHistogram:
    @pytest.fixture
    def registry(self) -> CollectorRegistry:
        return CollectorRegistry(auto_describe=True)

    def test_it_counts_as_the_client_s_own_histogram_does(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Histogram

        bounds = (0.01, 0.1, 1.0)
        ours = BatchHistogram("ours_seconds", "Ours.", bounds, registry)
        theirs = Histogram("theirs_seconds", "Theirs.", buckets=bounds, registry=registry)
        values = np.array([0.0, 0.01, 0.0100001, 0.5, 1.0, 1.5, 99.0])
        ours.observe_many(values[:3])
        ours.observe_many(values[3:])
        ours.observe_many(np.empty(0))
        for observed in values:
            theirs.observe(float(observed))
        for suffix in ("bucket", "count", "sum"):
            for bound in ("0.01", "0.1", "1.0", "+Inf") if suffix == "bucket" else (None,):
                labels: dict[str, str] = {} if bound is None else {"le": bound}
                mine = registry.get_sample_value(f"ours_seconds_{suffix}", labels)
                assert mine is not None
                assert mine == pytest.approx(registry.get_sample_value(f"theirs_seconds_{suffix}", labels))

    def test_a_negative_delay_counts_as_none(self, registry: CollectorRegistry) -> None:
        histogram = BatchHistogram("delay_seconds", "Delay.", (1.0,), registry)
        histogram.observe(-5.0)
        assert registry.get_sample_value("delay_seconds_sum") == 0
        assert registry.get_sample_value("delay_seconds_bucket", {"le": "1.0"}) == 1

    def test_nan_is_refused_and_nothing_is_counted(self, registry: CollectorRegistry) -> None:
        histogram = BatchHistogram("delay_seconds", "Delay.", (1.0,), registry)
        with pytest.raises(ValueError, match="NaN"):
            histogram.observe_many(np.array([1.0, np.nan]))
        assert registry.get_sample_value("delay_seconds_count") == 0

    @pytest.mark.parametrize("bounds", [(), (1.0, 1.0), (2.0, 1.0), (1.0, float("inf"))])
    def test_nonsense_bounds_are_refused(self, registry: CollectorRegistry, bounds: tuple[float, ...]) -> None:
        with pytest.raises(ValueError, match="rising"):
            BatchHistogram("delay_seconds", "Delay.", bounds, registry)

    def test_a_name_is_taken_only_once(self, registry: CollectorRegistry) -> None:
        BatchHistogram("delay_seconds", "Delay.", (1.0,), registry)
        with pytest.raises(ValueError, match="Duplicated"):
            BatchHistogram("delay_seconds", "Delay.", (1.0,), registry)
