"""Reads the deployment's files for the tests beside it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from streams import metrics
from streams.batch_histogram import BatchHistogram

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
PROMETHEUS = ROOT / "deploy" / "prometheus" / "prometheus.yml"
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
RULES_TEST = ROOT / "deploy" / "prometheus" / "rules_test.yml"
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARD = GRAFANA / "tagstream.json"
RUNBOOK = ROOT / "docs" / "runbook.md"


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a later key silently replace an earlier one; here that is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{node.start_mark}: given twice: {sorted(twice)}"
        return super().construct_mapping(node, deep)


def load_yaml(path: Path) -> Any:
    """The file as Docker, Prometheus or Grafana see it, anchors and merges resolved."""
    return yaml.load(path.read_text(encoding="utf-8"), UniqueKeyLoader)


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, rest of the line) in order, continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    split = (line.split(None, 1) for line in lines if line.strip())
    return [(instruction.upper(), rest) for instruction, rest in split]


def image_environment() -> dict[str, str]:
    """The variables set by ENV in the Dockerfile's last stage."""
    instructions = dockerfile()
    last = max(place for place, (instruction, _) in enumerate(instructions) if instruction == "FROM")
    pairs = (pair for instruction, rest in instructions[last:] if instruction == "ENV" for pair in rest.split())
    return dict(pair.split("=", 1) for pair in pairs)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs promtool; skips the test where there is none."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is missing. Cure: apt-get install prometheus")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def sample_labels() -> dict[str, set[str]]:
    """Each sample name that our processes can show (`…_bucket` and all), with the labels it can have."""
    found: dict[str, set[str]] = {}
    for member in vars(metrics).values():
        if isinstance(member, BatchHistogram):
            name, labels, kind = member.name, set[str](), "histogram"
        elif isinstance(member, MetricWrapperBase):
            name, labels, kind = member._name, set(member._labelnames), str(member._type)
        else:
            continue
        if kind == "histogram":
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[f"{name}_total" if kind == "counter" else name] = labels
    for family in metrics.REGISTRY.collect():  # those of the process and of the platform
        for sample in family.samples:
            if not sample.name.startswith("tagstream_"):
                found[sample.name] = set(sample.labels)
    return found


PROMQL_WORDS = frozenset({"and", "or", "unless", "bool", "offset"})


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """(metric, labels selected by) of each vector selector in a PromQL expression."""
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", expression)
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    token = re.compile(r"""(?<![\w."$])([a-zA-Z_:][\w:]*)\s*(\{(?:[^}"]|"(?:\\.|[^"\\])*")*\}|\()?""")
    for match in token.finditer(bare):
        name, after = match.group(1), match.group(2) or ""
        if name in PROMQL_WORDS or after == "(":
            continue
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", after))


def grouped_by(expression: str) -> set[str]:
    """The labels in all `by (…)` and `on (…)` of an expression."""
    lists = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",")}


def check_names(expression: str) -> None:
    """Asserts that every metric and label of a PromQL expression can come from our processes or their scrape."""
    known = sample_labels() | {"up": set[str](), "ALERTS": {"alertname", "alertstate"}}
    of_scrape = {"job", "instance"}
    available: set[str] = set(of_scrape)
    found = list(selectors(expression))
    assert found, f"no metric found in: {expression}"
    for metric, labels in found:
        assert metric in known, f"{metric} is not in streams/metrics.py: {expression}"
        assert labels <= known[metric] | of_scrape, f"{metric} has no label {labels - known[metric]}: {expression}"
        available |= known[metric]
    assert grouped_by(expression) <= available, f"grouped by a label that is not there: {expression}"
