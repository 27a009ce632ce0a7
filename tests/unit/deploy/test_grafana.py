"""The dashboard and Grafana's provisioning: whole, about metrics that exist, and wired to our Prometheus."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from tests.unit.deploy.deploy_files import (
    COMPOSE,
    DASHBOARD,
    GRAFANA,
    check_names,
    grouped_by,
    load_yaml,
    promtool,
    sample_labels,
)

BOARD: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]

DATASOURCES_SCHEMA = {
    "type": "object",
    "required": ["apiVersion", "datasources"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": 1},
        "datasources": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "uid", "type", "access", "url"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "uid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,40}$"},
                    "type": {"const": "prometheus"},
                    "access": {"const": "proxy"},
                    "url": {"type": "string", "pattern": "^https?://"},
                    "isDefault": {"type": "boolean"},
                    "editable": {"type": "boolean"},
                    "jsonData": {"type": "object"},
                },
            },
        },
    },
}
PROVIDERS_SCHEMA = {
    "type": "object",
    "required": ["apiVersion", "providers"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": 1},
        "providers": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "type", "options"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "type": {"const": "file"},
                    "allowUiUpdates": {"type": "boolean"},
                    "disableDeletion": {"type": "boolean"},
                    "updateIntervalSeconds": {"type": "integer", "minimum": 1},
                    "options": {
                        "type": "object",
                        "required": ["path"],
                        "additionalProperties": False,
                        "properties": {"path": {"type": "string", "pattern": "^/"}},
                    },
                },
            },
        },
    },
}
PANEL_SCHEMA = {
    "type": "object",
    "required": ["id", "type", "title", "description", "datasource", "gridPos", "targets", "fieldConfig", "options"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "type": {"enum": ["stat", "timeseries", "heatmap"]},
        "title": {"type": "string", "minLength": 1},
        "description": {"type": "string", "minLength": 10},
        "gridPos": {
            "type": "object",
            "required": ["h", "w", "x", "y"],
            "properties": {"w": {"type": "integer", "minimum": 1, "maximum": 24}},
        },
        "targets": {"type": "array", "minItems": 1, "items": {"required": ["refId", "expr", "legendFormat"]}},
    },
}


def provisioned(kind: str, name: str) -> Any:
    return load_yaml(GRAFANA / "provisioning" / kind / name)


def test_the_provisioning_files_are_valid_and_there_are_no_others() -> None:
    jsonschema.validate(provisioned("datasources", "prometheus.yml"), DATASOURCES_SCHEMA)
    jsonschema.validate(provisioned("dashboards", "tagstream.yml"), PROVIDERS_SCHEMA)
    assert len(list((GRAFANA / "provisioning").rglob("*.y*ml"))) == 2


def test_the_data_source_is_the_compose_file_s_prometheus() -> None:
    [source] = provisioned("datasources", "prometheus.yml")["datasources"]
    services = load_yaml(COMPOSE)["services"]
    host, port = re.fullmatch(r"http://([\w-]+):(\d+)", source["url"]).groups()  # type: ignore[union-attr]
    assert any(published.endswith(f":{port}") for published in services[host]["ports"])
    used = {panel["datasource"]["uid"] for panel in PANELS}
    used |= {target["datasource"]["uid"] for _, target in TARGETS}
    used |= {variable["datasource"]["uid"] for variable in BOARD["templating"]["list"]}
    assert used == {source["uid"]}


def test_the_dashboard_is_mounted_where_the_provider_looks() -> None:
    [provider] = provisioned("dashboards", "tagstream.yml")["providers"]
    grafana = load_yaml(COMPOSE)["services"]["grafana"]
    targets = {volume.split(":")[1] for volume in grafana["volumes"]}
    mounted = str(Path(provider["options"]["path"]) / DASHBOARD.name)
    assert mounted in targets
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == mounted


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_is_whole(panel: dict[str, Any]) -> None:
    jsonschema.validate(panel, PANEL_SCHEMA)


def test_panels_do_not_overlap_and_their_ids_and_titles_are_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    for key in ("id", "title"):
        values = [panel[key] for panel in BOARD["panels"]]
        assert len(set(values)) == len(values)


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_query_is_about_metrics_and_labels_that_exist(title: str, target: dict[str, Any]) -> None:
    expression = target["expr"]
    check_names(expression)
    shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    grouped = grouped_by(expression)
    assert shown <= (grouped or {"job", "instance"}), f"{title}: the legend shows a label that the query drops"


def test_promtool_can_parse_every_query(tmp_path: Path) -> None:
    rules = [
        {
            "record": f"panel:{number}",
            "expr": target["expr"].replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*"),
        }
        for number, (_, target) in enumerate(TARGETS)
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    result = promtool("check", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    text = " ".join(target["expr"] for _, target in TARGETS)
    missing = set()
    for name in sample_labels():
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        if base.startswith("tagstream_") and base not in text:
            missing.add(base)
    assert not missing


def test_no_panel_groups_by_customer() -> None:
    assert "customer_id" not in DASHBOARD.read_text(encoding="utf-8")


def test_the_variables_ask_for_metrics_that_exist() -> None:
    for variable in BOARD["templating"]["list"]:
        selector = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
        assert selector is not None
        check_names(selector.group(1))
        assert selector.group(2) in ("job", "instance")
