"""What holds for all tests: fixed seeds, none of the user's settings, and under CI no test may be skipped."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

from streams.settings import PREFIX, SECRETS_VARIABLE

# A run that fails fails again: the cases are random but the same each time. `--hypothesis-profile thorough` for more.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("thorough", derandomize=True, deadline=None, print_blob=True, max_examples=2_000)
settings.load_profile("repeatable")

# No test may meet the broker or the Redis that the user works with.
for variable in [name for name in os.environ if name.startswith(PREFIX)]:
    del os.environ[variable]
os.environ[SECRETS_VARIABLE] = ""

NOTHING_MAY_BE_SKIPPED = os.environ.get("CI") == "true"


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Makes a failure of a skip. A test that is expected to fail (xfail) also counts as skipped, and may."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped under CI, where every test must run: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    if NOTHING_MAY_BE_SKIPPED:
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    if NOTHING_MAY_BE_SKIPPED:
        _refuse_skip(report)
    return report
