"""The page of the library names every tag that there is and none that there isn't; library and packs are sound."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from processors.rules.examples import run_examples
from processors.rules.load import Loaded, read_rules
from processors.rules.tag_reader import CATEGORIES, CLASSES
from processors.rules.tree import RuleSet, Tag
from processors.rules.walk import level_names
from streams.cli.check import engine
from streams.cli.main import app
from streams.rules_dir import read_rules_dir
from tests.unit.docs.doc_blocks import READMES, ROOT, commands, text_of

PAGE = "docs/tags.md"
LIBRARY = ROOT / "rules"
PACKS = sorted((ROOT / "packs").glob("*.yaml"))
STARTER = ROOT / "examples" / "starter"
FOR_EVERYBODY = {"lifecycle_stage", "lifetime_value"}
"""Tags that every customer has from the first event on."""
ATTRIBUTE = re.compile(r"profile\.(\w+)")
NAMED = re.compile(r"`(?P<tag>[a-z][a-z0-9_]*)(?: = (?P<level>[a-z0-9_]+))?`")


def read(files: dict[str, str]) -> Loaded:
    return read_rules(files, time_zone="UTC", default_currency="CNY")


def sound(loaded: Loaded) -> RuleSet:
    assert [str(error) for error in (*loaded.errors, *loaded.warnings)] == []
    assert loaded.rule_set is not None
    return loaded.rule_set


@pytest.fixture(scope="module")
def library() -> RuleSet:
    return sound(read(read_rules_dir(LIBRARY)))


@pytest.fixture(scope="module")
def everything() -> dict[str, Tag]:
    files = read_rules_dir(LIBRARY) | {str(path): path.read_text("utf-8") for path in PACKS}
    return {tag.id: tag for tag in sound(read(files)).tags}


def has_rule(tag: Tag) -> bool:
    """Whether it is more than what people and models set."""
    return tag.when is not None or tag.score is not None or bool(tag.tiers)


def part(heading: str) -> str:
    """The text below a heading of the second level, up to the next one."""
    return text_of(PAGE).split(f"\n## {heading}\n")[1].split("\n## ")[0]


def types() -> list[tuple[str, str]]:
    """(tag type, what stands under Tag) of each row."""
    rows = [line.strip("|").split("|") for line in part("From tag type to rule").splitlines() if line.startswith("| ")]
    return [(row[0].strip(), row[-1].strip()) for row in rows if row[0].strip() != "Tag type"]


def test_the_library_is_as_large_and_wide_as_it_says(library: RuleSet) -> None:
    assert len(library.tags) >= 60
    assert {tag.category for tag in library.tags} == set(CATEGORIES)
    assert {tag.class_ for tag in library.tags} == set(CLASSES)


def test_every_tag_type_leads_to_a_tag() -> None:
    assert len(types()) > 60
    assert [name for name, tags in types() if not NAMED.search(tags)] == []


def test_every_tag_and_level_that_a_tag_type_leads_to_exists(everything: dict[str, Tag]) -> None:
    named = [(found["tag"], found["level"]) for _, tags in types() for found in NAMED.finditer(tags)]
    levels = {tag.id: level_names(tag) for tag in everything.values()}
    assert [
        (tag, level) for tag, level in named if tag not in levels or (level is not None and level not in levels[tag])
    ] == []


def test_every_tag_of_the_library_does_a_tag_type(library: RuleSet) -> None:
    named = {found["tag"] for _, tags in types() for found in NAMED.finditer(tags)}
    assert [tag.id for tag in library.tags if tag.id not in named] == []


@pytest.mark.parametrize(
    "path", [*sorted(LIBRARY.glob("*.yaml")), *PACKS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_each_file_has_a_table_of_its_tags_as_they_are(path: Path, everything: dict[str, Tag]) -> None:
    table = text_of(PAGE).split(f"\n### `{path.relative_to(ROOT)}`\n")[1].split("\n## ")[0].split("\n### ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[3:] if line]
    rows = [row for row in rows if row[0].startswith("`")]
    tags = sorted((tag for tag in everything.values() if tag.file == str(path)), key=lambda tag: tag.line)
    assert [row[0] for row in rows] == [f"`{tag.id}`" for tag in tags]
    assert [row[1:4] for row in rows] == [[tag.name["zh"], tag.name["en"], tag.class_] for tag in tags]
    assert [re.findall(r"`(\w+)`", row[4]) for row in rows] == [list(level_names(tag)) for tag in tags]
    keys = [[f"{tag.for_each.event}.{tag.for_each.field}"] if tag.for_each else [] for tag in tags]
    assert [re.findall(r"`(\w+\.\w+)`", row[4]) for row in rows] == keys


def test_every_tag_has_both_languages_a_colour_and_examples_that_enter_it_and_that_do_not(
    everything: dict[str, Tag],
) -> None:
    for tag in everything.values():
        assert set(tag.name) == set(tag.describe) == {"zh", "en"}, tag.id
        assert tag.colour, tag.id
        assert len(tag.examples) >= 2, tag.id
        assert any(example.then for example in tag.examples) == has_rule(tag), tag.id
        assert tag.id in FOR_EVERYBODY or not all(example.then for example in tag.examples), tag.id


def test_every_attribute_that_is_asked_for_is_in_the_table(everything: dict[str, Tag]) -> None:
    asked = {name for tag in everything.values() for text in tag.source.values() for name in ATTRIBUTE.findall(text)}
    rows = [line.split("|")[1] for line in part("Attributes of the profile").splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == asked


def test_the_starter_is_a_selection_of_the_library(library: RuleSet) -> None:
    tags = {tag.id: tag for tag in library.tags}
    starter = sound(read(read_rules_dir(STARTER)))
    assert run_examples(starter, engine()) == []
    for tag in starter.tags:
        whole = tags[tag.id]
        # It need not have the parents, and has fewer examples.
        assert replace(tag, parent=whole.parent, examples=whole.examples, file=whole.file, line=whole.line) == whole


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.name)
def test_a_pack_needs_no_other_file_and_its_examples_come_out(path: Path) -> None:
    pack = sound(read({str(path): path.read_text("utf-8")}))
    assert [failure.table for failure in run_examples(pack, engine())] == []


def test_the_examples_of_the_library_come_out(library: RuleSet) -> None:
    assert [failure.table for failure in run_examples(library, engine())] == []


@pytest.mark.parametrize("file", READMES)
def test_the_readme_waits_for_as_many_changes_as_its_event_causes(file: str, tmp_path: Path) -> None:
    (send,) = [line for line in commands(file) if "kcat" in line]
    (tail,) = [line for line in commands(file) if line.startswith("tagstream tail")]
    sent = json.loads(re.sub(r"'\$\(date [^)]*\)'", "2025-06-01T12:30:00Z", send.split("'", 1)[1].rsplit("' |", 1)[0]))
    history = tmp_path / "one.jsonl"
    history.write_text(json.dumps({"type": "purchase"} | sent) + "\n", "utf-8")
    result = CliRunner().invoke(app, ["replay", str(history), "--rules", str(ROOT / "rules")])
    assert result.exit_code == 0, result.stderr
    assert f"--max {len(result.stdout.splitlines())}" in tail
