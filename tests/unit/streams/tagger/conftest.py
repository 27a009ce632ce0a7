"""What the tests of taking a partition share."""

from __future__ import annotations

import pytest

from streams.tagger import patient_reader
from tests.unit.streams.tagger.taking import Installation


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation whose silence is noticed soon."""
    monkeypatch.setattr(patient_reader, "SILENT_READS", 3)
    return Installation()
