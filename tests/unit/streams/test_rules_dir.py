"""The directory of rules: what is read, in which order, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from processors.rules import limits
from processors.rules.problems import RuleErrors
from streams.rules_dir import read_rules_dir


def write(path: Path, text: str = "[]") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def codes(directory: Path) -> list[str]:
    with pytest.raises(RuleErrors) as caught:
        read_rules_dir(directory)
    return [e.code for e in caught.value.errors]


def test_yaml_and_yml_files_are_read_in_order_of_path_from_all_levels(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/z.yml", "a/b/c.yaml", "notes.txt", "yaml", "a.yaml"):
        write(tmp_path / name, name)
    files = read_rules_dir(tmp_path)
    names = ["a/b/c.yaml", "a/z.yml", "a.yaml", "b.yaml"]
    assert list(files.items()) == [(str(tmp_path / name), name) for name in names]


def test_names_that_begin_with_a_dot_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml")
    write(tmp_path / ".swap.yaml")
    write(tmp_path / ".git/b.yaml")
    assert list(read_rules_dir(tmp_path)) == [str(tmp_path / "a.yaml")]


def test_a_directory_mounted_by_kubernetes_is_read_once(tmp_path: Path) -> None:
    write(tmp_path / "..2024_01_01/a.yaml", "rules")
    os.symlink("..2024_01_01", tmp_path / "..data")
    os.symlink("..data/a.yaml", tmp_path / "a.yaml")
    assert read_rules_dir(tmp_path) == {str(tmp_path / "a.yaml"): "rules"}


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf- tag: a")
    assert list(read_rules_dir(tmp_path).values()) == ["- tag: a"]


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    assert codes(tmp_path / "none") == ["TS-R316"]
    assert codes(write(tmp_path / "a.yaml")) == ["TS-R316"]


def test_a_directory_without_rules_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "notes.txt")
    assert codes(tmp_path) == ["TS-R317"]


def test_every_file_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("- tag: a\n  name: café\n".encode("latin-1"))
    os.symlink("nowhere", tmp_path / "b.yaml")
    os.mkfifo(tmp_path / "c.yaml")
    write(tmp_path / "d.yaml")
    with pytest.raises(RuleErrors) as caught:
        read_rules_dir(tmp_path)
    found = [(e.code, Path(e.file or "").name, e.line) for e in caught.value.errors]
    assert found == [("TS-R318", "a.yaml", 2), ("TS-R318", "b.yaml", None), ("TS-R318", "c.yaml", None)]


def test_the_size_of_a_file_of_all_files_and_their_number_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.yaml", "x" * 10)
    write(tmp_path / "b.yaml", "x" * 10)
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 9)
    assert codes(tmp_path) == ["TS-R510", "TS-R510"]
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 10)
    read_rules_dir(tmp_path)
    monkeypatch.setattr(limits, "MAX_ALL_BYTES", 19)
    assert codes(tmp_path) == ["TS-R510"]
    monkeypatch.setattr(limits, "MAX_ALL_BYTES", 20)
    monkeypatch.setattr(limits, "MAX_FILES", 1)
    assert codes(tmp_path) == ["TS-R510"]
