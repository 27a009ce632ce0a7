"""The JSON Schema of rule files: it is as the code is, takes what the loader takes, and refuses what is wrong."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from processors.rules import json_schema
from processors.rules.load import read_rules
from processors.rules.tag_reader import KEYS
from tests.unit.docs.doc_blocks import READMES, ROOT, blocks

FILE = ROOT / "docs/rules.schema.json"
VALIDATOR = jsonschema.Draft7Validator(json_schema.schema())
HEAD = "- tag: a\n  name: A\n  class: dynamic\n  category: base\n"
WHEN = "  when: count(browse, 1d) > 0\n"


class EditorsLoader(yaml.SafeLoader):
    """YAML as editors read it: a date is a text."""


EditorsLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def faults(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.load(text, EditorsLoader))]


def texts() -> list[Any]:
    files = [pytest.param(p.read_text("utf-8"), id=p.name) for p in sorted((ROOT / "rules").glob("**/*.yaml"))]
    shown = [block for file in ("docs/rules.md", *READMES) for block in blocks(file, "yaml")]
    return files + [pytest.param(block.text, id=str(block)) for block in shown]


def test_the_file_is_up_to_date() -> None:
    command = "python -m processors.rules.json_schema > docs/rules.schema.json"
    assert FILE.read_text("utf-8") == json_schema.page(), f"make it anew: {command}"


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(json_schema.schema())


def test_it_has_every_key_and_no_other() -> None:
    assert json_schema.schema()["definitions"]["tag"]["properties"].keys() == set(KEYS)


@pytest.mark.parametrize("text", texts())
def test_all_rules_of_ours_are_valid(text: str) -> None:
    assert faults(text) == []


FULL = """\
- tag: full
  name: {zh: 全, en: Full}
  describe: 2024
  class: business
  category: special
  colour: "#A0b1c2"
  when: count(browse, 1d) > 0
  leave: count(browse, 2d) == 0
  dwell: 30s
  cooldown: 010m
  expires: 400d
  parent: a
  exclusive: offer
  rank: -3
  owner: Ann
  review_by: 2030-01-31
  sensitive: true
  examples:
    - given: [browse at 0d, 'browse category="a b" at 1d2h', purchase 5 at 1d]
      then: [entered at 30s, left at 3d]
"""
TIER = (
    HEAD
    + "  tier: [{level: x, when: 'count(browse, 1d) > 0'}]\n"
    + "  examples: [{given: [], then: [changed x at 1d]}]\n"
)


KEYED = (
    HEAD
    + WHEN
    + "  for_each: browse.category\n  limit: 5\n  exclusive: g\n  holdout: 10%\n  forecast: true\n"
    + "  examples:\n  - given: ['profile a=\"x\", b=null at 0d']\n    then: ['entered [a, \"b c\"] at 1d']\n"
)
SCORE = (
    HEAD
    + "  score: days_since(browse)\n  step: 0.5\n  model: true\n  manual: false\n  holdout: 0.25\n"
    + "  examples: [{given: [], then: [entered 0.5 at 1d]}]\n"
)
BY_HAND = HEAD + "  manual: true\n  levels: [a, b]\n"
BY_MODEL = HEAD + "  model: true\n  manual: false\n"


@pytest.mark.parametrize(
    "text",
    [FULL, TIER, KEYED, SCORE, BY_HAND, BY_MODEL, "# nothing yet\n", "[]\n"],
    ids=["full", "tier", "keys", "score", "by hand", "by model", "empty", "none"],
)
def test_what_the_schema_takes_the_loader_takes(text: str) -> None:
    assert faults(text) == []
    loaded = read_rules({"r.yaml": text, "s.yaml": HEAD + WHEN}, time_zone="UTC", default_currency="CNY")
    assert [e for e in loaded.errors if e.code != "TS-R309"] == []


@pytest.mark.parametrize(
    "text",
    [
        "tag: a\n",
        "- a\n",
        HEAD,
        HEAD.replace("  name: A\n", "") + WHEN,
        HEAD.replace("tag: a", "tag: A") + WHEN,
        HEAD.replace("dynamic", "dynamc") + WHEN,
        HEAD.replace("base", "basic") + WHEN,
        HEAD.replace("name: A", "name: {fr: A}") + WHEN,
        HEAD.replace("name: A", "name: {}") + WHEN,
        HEAD + WHEN + "  tier: [{level: x, when: 'count(browse, 1d) > 0'}]\n",
        HEAD + "  tier: [{level: x, when: 'count(browse, 1d) > 0'}]\n  leave: count(browse, 1d) > 0\n",
        HEAD + "  tier: []\n",
        HEAD + "  tier: [{level: x}]\n",
        HEAD + "  when: [x]\n",
        HEAD + WHEN + "  wen: x\n",
        HEAD + WHEN + "  colour: red\n",
        HEAD + WHEN + "  dwell: 600\n",
        HEAD + WHEN + "  dwell: 0s\n",
        HEAD + WHEN + "  expires: 30s\n",
        HEAD + WHEN + "  rank: 1\n",
        HEAD + WHEN + "  exclusive: g\n  rank: 1.5\n",
        HEAD + WHEN + "  exclusive: G\n",
        HEAD + WHEN + "  sensitive: maybe\n",
        HEAD + WHEN + "  review_by: 31.1.2030\n",
        HEAD + WHEN + "  for_each: category\n",
        HEAD + WHEN + "  for_each: browse.dwell_ms\n",
        HEAD + WHEN + "  for_each: browse.category\n  limit: 1001\n",
        HEAD + WHEN + "  for_each: browse.category\n  dwell: 5m\n",
        HEAD + WHEN + "  limit: 5\n",
        HEAD + WHEN + "  score: count(browse, 1d)\n",
        HEAD + WHEN + "  step: 1\n",
        HEAD + WHEN + "  levels: [a]\n",
        HEAD + WHEN + "  holdout: 1.5\n",
        HEAD + WHEN + "  holdout: ten\n",
        HEAD + WHEN + "  model: maybe\n",
        HEAD + WHEN + "  review: required\n",
        HEAD + "  score: count(browse, 1d)\n  step: -1\n",
        HEAD + "  score: count(browse, 1d)\n  leave: count(browse, 1d) > 0\n",
        HEAD + "  score: count(browse, 1d)\n  for_each: browse.category\n",
        HEAD + "  tier: [{level: x, when: 'count(browse, 1d) > 0'}]\n  for_each: browse.category\n",
        HEAD + "  manual: false\n",
        HEAD + "  model: false\n",
        HEAD + "  manual: true\n  leave: count(browse, 1d) > 0\n",
        HEAD + "  manual: true\n  levels: [a, a]\n",
        HEAD + "  manual: true\n  levels: []\n",
        HEAD + WHEN + "  examples: [{given: [browse at 0d]}]\n",
        HEAD + WHEN + "  examples: [{given: [brows at 0d], then: []}]\n",
        HEAD + WHEN + "  examples: [{given: [browse], then: []}]\n",
        HEAD + WHEN + "  examples: [{given: [], then: [gone at 1d]}]\n",
    ],
)
def test_what_is_wrong_is_refused_by_both(text: str) -> None:
    assert faults(text) != []
    assert read_rules({"r.yaml": text}, time_zone="UTC", default_currency="CNY").errors != ()
