"""streams.logs"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from streams import logs
from streams.settings import LogSettings


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_of_text_has_time_level_event_and_its_fields() -> None:
    out = io.StringIO()
    logs.setup(LogSettings(), stream=out)
    structlog.get_logger().info("step.done", partition=3, tag="高价值")
    line = out.getvalue()
    assert line.startswith("timestamp='2")
    assert line.endswith("level='info' event='step.done' partition=3 tag='高价值'\n")


def test_json_lines_are_objects_and_libraries_write_the_same() -> None:
    out = io.StringIO()
    logs.setup(LogSettings(format="json"), stream=out)
    structlog.get_logger().warning("a", partition=3)
    logging.getLogger("library").error("b %s", 5)
    ours, theirs = map(json.loads, out.getvalue().splitlines())
    assert (ours["event"], ours["level"], ours["partition"]) == ("a", "warning", 3)
    assert (theirs["event"], theirs["level"]) == ("b 5", "error")


def test_what_is_below_the_level_is_not_written() -> None:
    out = io.StringIO()
    logs.setup(LogSettings(level="error"), stream=out)
    structlog.get_logger().warning("a")
    logging.getLogger("library").warning("b")
    assert out.getvalue() == ""


def test_before_it_is_set_up_nothing_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    logs.keep_off_stdout()
    structlog.get_logger().info("rules.read")
    out, err = capsys.readouterr()
    assert out == "" and "rules.read" in err
