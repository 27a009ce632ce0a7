"""Lines of changes are what the records say, and how each condition reads."""

from __future__ import annotations

import random

import orjson
import pytest

from processors import change_lines
from processors.change_lines import ChangeLines
from processors.changes import ChangeWriter
from processors.partition import Partition
from processors.replay import replay
from processors.rules.clauses import clauses_of
from tests.oracle.generate import random_scenario
from tests.unit.processors.histories import history_of


@pytest.mark.parametrize("piece_changes", [1, 3, 8192])
def test_lines_are_the_records_as_json(monkeypatch: pytest.MonkeyPatch, piece_changes: int) -> None:
    monkeypatch.setattr(change_lines, "PIECE_CHANGES", piece_changes)
    rng = random.Random(3)
    found = conditions = 0
    for _ in range(100):
        scenario = random_scenario(rng)
        writer, lines = ChangeWriter(scenario.rule_set), ChangeLines(scenario.rule_set)
        clauses = clauses_of(scenario.rule_set)
        for _, decoded, output in replay(Partition(scenario.rule_set), history_of(scenario), scenario.until_ms, 7):
            records = [change.to_record() for change in writer.changes(output, decoded, partition=0, epoch=0)]
            for each in (each for record in records for each in record["evidence"]):
                each["expression"] = clauses[each["condition"]].text
                conditions += 1
            assert b"".join(lines.lines(output, decoded)) == b"".join(orjson.dumps(r) + b"\n" for r in records)
            found += len(records)
    assert found > 500 and conditions > 500
