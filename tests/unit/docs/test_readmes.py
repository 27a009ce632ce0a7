"""The two READMEs say the same; tests/integration/test_readme.py runs their commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from schemas.codec import event_from_json_bytes
from streams.cli.main import app
from streams.demo.hints import where_to_look
from streams.demo.place import Place
from streams.redis_layout import Layout
from streams.settings import KafkaSettings, RedisSettings
from streams.topics import TOPICS
from tests.unit.docs.doc_blocks import READMES, ROOT, blocks, commands, text_of

ENGLISH, CHINESE = READMES
BENCH = re.compile(r"^<!-- bench -->\n(?P<table>.*?)^<!-- /bench -->$", re.MULTILINE | re.DOTALL)


def test_both_have_the_same_commands_rules_and_picture() -> None:
    assert commands(ENGLISH) == commands(CHINESE)
    for language in ("yaml", ""):
        assert [b.text for b in blocks(ENGLISH, language)] == [b.text for b in blocks(CHINESE, language)]


def test_both_have_the_same_sections_and_lead_to_the_same_documents() -> None:
    def shape(file: str) -> list[tuple[int, int]]:
        """(number of tables' lines, number of links) of each section."""
        return [
            (len(re.findall(r"^\|", part, re.MULTILINE)), len(re.findall(r"\]\(", part)))
            for part in BENCH.sub("", text_of(file)).split("\n## ")[1:]
        ]

    def documents(file: str) -> list[str]:
        return sorted(set(re.findall(r"\]\(((?:docs|examples)/[^)]*|[A-Z]+\.md)\)", text_of(file))) - set(READMES))

    assert shape(ENGLISH) == shape(CHINESE)
    assert documents(ENGLISH) == documents(CHINESE)


@pytest.mark.parametrize("file", READMES)
def test_there_is_one_place_for_the_measured_figures(file: str) -> None:
    assert len(BENCH.findall(text_of(file))) == 1


@pytest.mark.parametrize("file", READMES)
def test_the_tables_name_every_topic_and_every_key_of_redis(file: str) -> None:
    text, layout = text_of(file), Layout()
    keys = [layout.tags_prefix.decode() + "<customer_id>", *(k.decode() for k in (layout.clock, layout.position))]
    keys.append(layout.projector.decode())
    assert [name for name in (*(topic.name for topic in TOPICS), *keys) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("file", READMES)
def test_make_has_every_target_that_is_named(file: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text_of(file), re.MULTILINE))
    assert named
    assert named <= targets


@pytest.mark.parametrize("file", READMES)
def test_the_event_that_is_sent_is_a_purchase_under_its_customers_key(file: str) -> None:
    (send,) = [line for line in commands(file) if "kcat" in line]
    found = re.fullmatch(r"echo '(?P<event>.*)' \| (?P<kcat>kcat .*)", send)
    assert found is not None
    value = re.sub(r"'\$\(date [^)]*\)'", "2025-06-01T12:30:00Z", found["event"])
    event_from_json_bytes("purchase", value.encode())
    assert '"customer_id": "me"' in value
    assert "-k me " in found["kcat"]
    assert "-X topic.partitioner=murmur2_random" in found["kcat"]


def test_the_demo_prints_the_same_commands_with_its_own_addresses() -> None:
    place = Place(KafkaSettings(), RedisSettings(url="redis://127.0.0.1:7000/0"), owns_kafka=True)
    shown = " ".join(" ".join(where_to_look(place, Path("my rules"), "me", 9108)).split())
    (send,) = [line for line in commands(ENGLISH) if "kcat" in line]
    event, _, kcat = send.partition(" | ")
    assert event in shown
    assert kcat in shown
    assert "redis-cli -u redis://127.0.0.1:7000/0 HGETALL tags:me" in shown
    assert "TAGSTREAM_RULES__DIR='my rules' tagstream explain me" in shown


@pytest.mark.parametrize("file", READMES)
def test_every_option_that_is_named_exists(file: str) -> None:
    group = typer.main.get_command(app)
    known = {
        name: {flag for parameter in command.params for flag in parameter.opts}
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }
    used = [
        (found[1], set(re.findall(r"(?<=[` ])--[a-z][a-z-]+", line)))
        for line in text_of(file).splitlines()
        if (found := re.search(r"tagstream ([a-z-]+)\b", line))
    ]
    assert len([options for _, options in used if options]) > 5
    assert [(name, missing) for name, options in used if (missing := options - known.get(name, set()))] == []
