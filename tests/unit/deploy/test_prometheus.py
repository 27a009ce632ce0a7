"""Prometheus' configuration and alert rules: valid, tested, about metrics that exist, and each in the runbook."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from schemas.errors import CATALOGUE
from streams.settings import Loaded, Settings
from tests.unit.deploy.deploy_files import (
    DASHBOARD,
    PROMETHEUS,
    RULES,
    RULES_TEST,
    RUNBOOK,
    check_names,
    load_yaml,
    promtool,
    selectors,
)

ALERTS: dict[str, Any] = {rule["alert"]: rule for group in load_yaml(RULES)["groups"] for rule in group["rules"]}


def test_promtool_accepts_the_configuration() -> None:
    result = promtool("check", "config", PROMETHEUS)
    assert result.returncode == 0, result.stdout + result.stderr


def test_promtool_accepts_the_rules() -> None:
    result = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_rules_pass_their_own_tests() -> None:
    result = promtool("test", "rules", RULES_TEST)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_is_shown_once_firing_and_once_silent() -> None:
    cases = [case for test in load_yaml(RULES_TEST)["tests"] for case in test["alert_rule_test"]]
    firing = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert firing == set(ALERTS)
    # That a refused output is silent on other dead letters, and so on: the other side of each alert.
    assert silent == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_about_metrics_that_exist(alert: str) -> None:
    check_names(ALERTS[alert]["expr"])


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_what_its_reader_needs(alert: str) -> None:
    rule = ALERTS[alert]
    assert alert.startswith("Tagstream")
    assert rule["labels"]["severity"] in ("page", "warning")
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{alert.lower()}"


def test_the_runbook_has_an_entry_for_each_alert_and_no_other() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    entries = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))
    assert set(entries) == set(ALERTS)
    for alert, entry in entries.items():
        for part in ("**Means.**", "**Look at**", "**Do**"):
            assert part in entry or "**Look at** and **do**" in entry, f"{alert} lacks {part}"


def test_the_runbook_names_settings_and_error_codes_that_exist() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    sections = "|".join(Settings.model_fields)
    named = set(re.findall(rf"`((?:{sections})\.\w+)`", text))
    known = {row.path for row in Loaded(Settings(), {}).rows()}
    assert len(named) >= 6
    assert named <= known, f"no such setting: {sorted(named - known)}"
    codes = set(re.findall(r"TS-[A-Z]\d+", text))
    assert codes <= set(CATALOGUE), f"no such code: {sorted(codes - set(CATALOGUE))}"


def test_the_runbook_names_panels_that_the_dashboard_has() -> None:
    titles = {panel["title"] for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]}
    named = set(re.findall(r"(?<!\*)\*(\w[^*]*)\*(?!\*)", RUNBOOK.read_text(encoding="utf-8")))
    assert len(named) >= 8
    assert named <= titles, f"no such panel: {sorted(named - titles)}"


def test_the_runbook_s_table_tells_the_severities() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(#(\w+)\) \| (\w+) \|", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {alert: severity for alert, _, severity in rows} == {
        alert: rule["labels"]["severity"] for alert, rule in ALERTS.items()
    }
    assert all(anchor == alert.lower() for alert, anchor, _ in rows)


def test_the_reader_of_promql_finds_names_and_labels() -> None:
    expression = (
        'sum by (le, job) (rate(a_bucket{x="b(c)", y!~"d"}[5m])) / on (job) b_total > 0.5 and c{z="1"} unless absent(d)'
    )
    assert list(selectors(expression)) == [("a_bucket", {"x", "y"}), ("b_total", set()), ("c", {"z"}), ("d", set())]


@pytest.mark.parametrize(
    "expression",
    [
        "rate(tagstream_record_total[5m])",
        'tagstream_records_total{customer="1"}',
        "sum by (tag) (tagstream_records_total)",
        "tagstream_arrival_to_redis_seconds",
    ],
)
def test_a_name_that_does_not_exist_is_found(expression: str) -> None:
    with pytest.raises(AssertionError):
        check_names(expression)
