"""`tagstream plan` says beforehand what `apply` then does."""

from __future__ import annotations

import json
from pathlib import Path

from processors.rules.load import load_rules
from streams.rules_dir import read_rules_dir
from tests.integration.pipeline import ROOT, Pipeline
from tests.integration.story import story

STARTER_RULES = sorted((ROOT / "examples/starter").glob("*.yaml"))

NEW_TAG = """
- tag: often_here
  name: {zh: 常来, en: Often here}
  class: dynamic
  category: behaviour
  when: count(browse, 30d) >= 3
"""


def test_what_is_planned_is_what_is_published(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.write_rules(*STARTER_RULES)
    old = pipeline.rules()
    pipeline.send(story(old, 16, 400, 25))
    pipeline.start("tagger", "t")
    pipeline.wait_until_caught_up()
    before = pipeline.published()

    (tmp_path / "new.yaml").write_text(NEW_TAG)
    for number, file in enumerate(STARTER_RULES[1:]):
        (tmp_path / f"{number}.yaml").write_text(file.read_text("utf-8"))
    new = load_rules(read_rules_dir(tmp_path), time_zone="UTC", default_currency="CNY")
    told = pipeline.tagstream("plan", "--rules", str(tmp_path), "--json")
    assert told.exit_code == 0, told.output
    plan = json.loads(told.stdout)
    assert (plan["rules_before"], plan["rules_after"]) == (old.version, new.version)
    assert pipeline.published() == before, "a plan writes nothing"
    table = pipeline.tagstream("plan", "--rules", str(tmp_path)).output
    assert "often_here (new)" in table and "(removed)" in table

    applied = pipeline.tagstream("apply", "--rules", str(tmp_path), "--yes")
    assert applied.exit_code == 0, applied.output
    after = pipeline.published()
    for tag, counts in plan["tags"].items():
        had = {c for c, tags in before.items() if tag in tags}
        has = {c for c, tags in after.items() if tag in tags}
        changed = {c for c in had & has if before[c][tag] != after[c][tag]}
        expected = (len(had), len(has), len(has - had), len(had - has), len(changed))
        assert tuple(counts[k] for k in ("before", "after", "entered", "left", "changed")) == expected, tag
        assert set(counts["customers"]) <= (had ^ has) | changed
    assert plan["tags"]["often_here"]["after"] > 0


def test_a_plan_of_unusable_rules_says_what_is_wrong(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.write_rules(*STARTER_RULES)
    (tmp_path / "bad.yaml").write_text("- tag: x\n  name: X\n  class: dynamic\n  category: base\n  when: nothing(\n")
    for command in (("plan",), ("apply", "--yes")):
        told = pipeline.tagstream(*command, "--rules", str(tmp_path))
        assert told.exit_code != 0 and "TS-R" in str(told.exception)
