"""Every rule that a document shows can be read, and does what the document says."""

from __future__ import annotations

import re

import pytest

from processors.rules import limits
from processors.rules.check import check
from processors.rules.examples import run_examples
from processors.rules.load import Loaded, read_rules
from processors.rules.parse import parse
from processors.rules.tag_reader import CATEGORIES, CLASSES, KEYS, LATER_KEYS
from streams.cli.check import engine
from tests.unit.docs.doc_blocks import READMES, Block, blocks, text_of

RULES_DOC = "docs/rules.md"
RULES = [block for file in (RULES_DOC, *READMES) for block in blocks(file, "yaml")]
CONDITIONS = [
    (f"{block.file}:{block.line + number}", line)
    for block in blocks(RULES_DOC, "tagstream")
    for number, line in enumerate(block.text.splitlines())
]


def read(block: Block) -> Loaded:
    return read_rules({str(block): block.text}, time_zone="UTC", default_currency="CNY")


def test_each_document_shows_rules() -> None:
    assert {block.file for block in RULES} == {RULES_DOC, *READMES}
    assert len(CONDITIONS) > 10


@pytest.mark.parametrize("block", RULES, ids=str)
def test_a_rule_that_is_shown_has_no_error_no_warning_and_examples_that_come_out(block: Block) -> None:
    loaded = read(block)
    assert [str(error) for error in (*loaded.errors, *loaded.warnings)] == []
    assert loaded.rule_set is not None
    assert all(tag.examples for tag in loaded.rule_set.tags)
    assert [failure.table for failure in run_examples(loaded.rule_set, engine())] == []


def test_an_example_that_does_not_come_out_would_be_found() -> None:
    block = RULES[0]
    wrong = Block(block.file, block.line, block.language, block.text.replace("left at 90d1h", "left at 90d"))
    loaded = read(wrong)
    assert loaded.rule_set is not None
    assert len(run_examples(loaded.rule_set, engine())) == 1


@pytest.mark.parametrize(("place", "text"), CONDITIONS)
def test_a_condition_that_is_shown_is_right(place: str, text: str) -> None:
    assert [str(error) for error in check(parse(text), text)] == [], place


def test_the_document_names_every_key_class_and_category() -> None:
    text = text_of(RULES_DOC)
    assert [word for word in (*KEYS, *CLASSES, *CATEGORIES) if f"`{word}`" not in text] == []
    later = re.search(r"The key `([a-z_]+)` belongs to the language and is refused", text)
    assert later is not None
    assert {later[1]} == LATER_KEYS


def test_the_limits_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", text_of(RULES_DOC).split("## Limits")[1], re.MULTILINE))
    assert rows["tags in a rule set"] == f"{limits.MAX_TAGS:,}"
    assert rows["levels of a tier"] == f"{limits.MAX_LEVELS}"
    assert rows["keys of a `for_each`"] == f"{limits.MAX_KEYS:,}, and {limits.DEFAULT_KEYS} without a `limit`"
    assert rows["characters of a condition"] == f"{limits.MAX_EXPRESSION_CHARS:,}"
    assert rows["nesting of a condition"] == f"{limits.MAX_EXPRESSION_DEPTH}"
    assert rows["aggregates in a condition"] == f"{limits.MAX_AGGREGATES}"
    assert rows["values in `in [...]`"] == f"{limits.MAX_LIST_VALUES}, each of {limits.MAX_TEXT_CHARS} characters"
    assert rows["decimals of a number"] == f"{limits.MAX_DECIMALS}"
    lines = f"{limits.MAX_EXAMPLE_LINES:,}"
    assert rows["examples of a tag"] == f"{limits.MAX_EXAMPLES}, each with {lines} events and {lines} changes"
    sizes = (limits.MAX_FILE_BYTES >> 20, limits.MAX_ALL_BYTES >> 20)
    assert rows["files"] == f"{limits.MAX_FILES:,}, each of {sizes[0]} MiB, {sizes[1]} MiB together"
