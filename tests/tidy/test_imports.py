"""Imports point one way, and our names at the top are ours alone."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.files import PACKAGES, ROOT

CONFIG = ROOT / "pyproject.toml"


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the packages in `root`, without its cache: that is kept by the files' times."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--config", str(CONFIG), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
    )


def test_imports_point_one_way() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("package", "imported"),
    [
        ("processors", "streams"),
        ("schemas", "processors"),
        ("schemas", "socket"),
        ("processors", "confluent_kafka"),
        ("processors.oracle", "processors.jit"),
        ("processors.oracle", "numpy"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, package: str, imported: str) -> None:
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    for module in ("processors/oracle/__init__", "processors/jit", "processors/layout", "processors/rules/__init__"):
        (tmp_path / module).parent.mkdir(exist_ok=True)
        (tmp_path / f"{module}.py").write_text("")
    (tmp_path / "processors/rules/compile.py").write_text("")
    assert lint_imports(tmp_path).returncode == 0
    (tmp_path / package.replace(".", "/") / "wrong.py").write_text(f"import {imported}\n")
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    assert f"{package}.wrong" in done.stdout


def test_nothing_else_that_is_installed_owns_our_names() -> None:
    owners = importlib.metadata.packages_distributions()
    for name in PACKAGES:
        assert set(owners.get(name, [])) <= {"tagstream"}, name
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin == str(ROOT / name / "__init__.py")
