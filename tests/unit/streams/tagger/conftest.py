"""What the tests of taking a partition share."""

from __future__ import annotations

import pytest

from streams.tagger import patient_reader
from tests.unit.streams.tagger.memory_log import MemoryLog


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> MemoryLog:
    """A log whose silence is noticed soon."""
    monkeypatch.setattr(patient_reader, "SILENT_READS", 3)
    return MemoryLog()
