"""Functions fit on a screen."""

from __future__ import annotations

import ast

from tests.tidy.files import PACKAGES, ROOT, sources

MOST_LINES = 70


def too_long(source: str) -> list[str]:
    """name:line:lines of each function that does not fit."""
    return [
        f"{node.name}:{node.lineno}:{length}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_LINES
    ]


def test_no_function_is_longer_than_a_screen() -> None:
    found = [
        f"{path}: {each}"
        for path in sources(*PACKAGES, "benchmarks", "tests")
        for each in too_long((ROOT / path).read_text("utf-8"))
    ]
    assert found == []


def test_a_function_of_71_lines_is_found() -> None:
    body = "    x = 1\n"
    assert too_long("def f():\n" + body * 69) == []
    assert too_long("def f():\n" + body * 70) == ["f:1:71"]
