"""What no file of ours may say, and what some file must."""

from __future__ import annotations

import re

import pytest

from streams.cli.main import COMMANDS
from streams.settings import load
from tests.tidy.files import ROOT, text_of, tracked

# In halves, so that this file does not have them.
REGISTRIES = re.compile(
    "|".join(
        rf"\b{first}\.{second}\b"
        for first, second in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("maven", "org"),
            (r"repo\.maven\.apache", "org"),
            ("npmjs", "org"),
            (r"proxy\.golang", "org"),
            ("crates", "io"),
            (r"deb\.debian", "org"),
        )
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.$}~-])/(?:work|root|home/\w+|Users/\w+)/")
OTHERS_TEXTS = ("tests/unit/deploy/vendor/",)
"""Kept as their authors wrote them."""


def ours() -> dict[str, str]:
    texts = {str(path): text_of(path) for path in tracked() if not str(path).startswith(OTHERS_TEXTS)}
    return {path: text for path, text in texts.items() if text is not None}


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()}"
        for path, text in ours().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert lines_with(REGISTRIES) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert lines_with(MACHINE_PATHS) == []


@pytest.mark.parametrize("text", ["see https://" + "pypi" + ".org/simple", "cd /" + "work/main", '"/' + 'root/.cache"'])
def test_both_would_be_found(text: str) -> None:
    assert REGISTRIES.search(text) or MACHINE_PATHS.search(text)


def test_dependencies_are_pinned_by_their_hashes() -> None:
    for name in ("bootstrap", "dev", "runtime"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        packages = re.findall(r"^[A-Za-z0-9._-]+==", text, re.MULTILINE)
        assert len(packages) == len(re.findall(r"^[A-Za-z0-9._-]+==.*\\\n    --hash=sha256:", text, re.MULTILINE)) > 0


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_command_is_in_the_readme(name: str) -> None:
    readme = (ROOT / name).read_text("utf-8")
    assert [command for command in COMMANDS if not re.search(rf"\btagstream {command}\b", readme)] == []


def test_every_setting_that_a_document_names_exists() -> None:
    known = {row.path for row in load(environ={}).rows()}
    sections = {path.split(".")[0] for path in known if "." in path}
    # Only what is set in capitals after the prefix: that can be nothing else.
    named = re.compile(r"\bTAGSTREAM_((?:[A-Z_]+?__)?[A-Z_]+[A-Z])\b")
    unknown = []
    for path, text in ours().items():
        if not path.endswith((".md", ".yml", ".yaml", "Dockerfile")):
            continue
        for variable in named.findall(text):
            setting = variable.lower().replace("__", ".")
            if setting.split(".")[0] in sections and setting not in known and not setting.startswith("kafka.extra"):
                unknown.append(f"{path}: TAGSTREAM_{variable}")
    assert unknown == []


def test_every_error_that_a_document_names_exists() -> None:
    from schemas.errors import CATALOGUE

    named = re.compile(r"\bTS-[A-Z][0-9]{3}\b")
    unknown = [
        f"{path}: {code}"
        for path, text in ours().items()
        if path.endswith((".md", ".yml", ".yaml", ".py")) and not path.startswith("tests/")
        for code in named.findall(text)
        if code not in CATALOGUE
    ]
    assert unknown == []
