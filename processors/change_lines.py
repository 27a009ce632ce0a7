"""A step's changes as lines of JSON: the same fields as `Change.to_json`, at five times the speed.

Most of a line depends on tag, values and cause alone. So each such combination has a template, made from a `Change`, in
which only the numbers and ids of one change are left open.
"""

from __future__ import annotations

from typing import Final

import orjson

from processors import layout as L
from processors.changes import customer_at, event_id_of, op_of, tag_values
from processors.decoder import Decoded
from processors.partition import StepOutput
from processors.rules.tree import RuleSet
from schemas.records import Change, change_id

_OPEN: Final = ("id", "customer_id", "effective_at", "emitted_at", "seq", "prev_seq")
"""Fields that differ from change to change, in the order of the record; behind them `cause`, or `cause_time`."""

Combination = tuple[int, int, int, bool]
"""Tag, value before, value after, whether an event was the cause."""


class ChangeLines:
    """Writes the changes that one rule set finds in partition 0, under no owner (epoch 0)."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._rule_set = rule_set
        self._values = [tag_values(tag) for tag in rule_set.tags]
        self._templates: dict[Combination, str] = {}

    def lines(self, output: StepOutput, decoded: Decoded) -> bytes:
        """Each change as a JSON object and a line break, in order of seq; `emitted_at` is the clock that found it."""
        columns = output.changes.T.tolist()
        tags, befores, afters = columns[L.CH_TAG], columns[L.CH_BEFORE], columns[L.CH_AFTER]
        events, ats, seqs = columns[L.CH_EVENT], columns[L.CH_AT], columns[L.CH_SEQ]
        by_event = (output.changes[:, L.CH_EVENT] >= 0).tolist()
        templates = [
            self._templates.get(combination) or self._make(combination)
            for combination in zip(tags, befores, afters, by_event, strict=True)
        ]
        customers = {at: _quoted(customer_at(output.touched, at)) for at in set(columns[L.CH_CUSTOMER])}
        names = [customers[at] for at in columns[L.CH_CUSTOMER]]
        ids = {event: _quoted(event_id_of(decoded, event)) for event in set(events) if event >= 0}
        causes = [ids.get(event, at) for event, at in zip(events, ats, strict=True)]
        holes = zip(seqs, names, ats, columns[L.CH_CLOCK], seqs, columns[L.CH_PREV], causes, strict=True)
        return "".join([template % hole for template, hole in zip(templates, holes, strict=True)]).encode()

    def _make(self, combination: Combination) -> str:
        """The template of this combination, which is kept."""
        tag, before, after, by_event = combination
        record = Change(
            id="", customer_id="", effective_at=0, emitted_at=0, seq=0, prev_seq=0,
            tag=self._rule_set.tags[tag].id,
            op=op_of(before, after),
            before=self._values[tag][before],
            after=self._values[tag][after],
            rule_version=self._rule_set.version,
            epoch=0,
            origin="live" if by_event else "timer",
        ).to_record()  # fmt: skip
        holes = dict.fromkeys((*_OPEN, "cause" if by_event else "cause_time"), "%s")
        assert [name for name in record if name in holes] == list(holes), "the holes are filled in this order"
        holes["id"] = _quoted(change_id(0, 0)).replace('0"', '%s"')
        parts = [f'"{name}":{holes.get(name) or _escaped(value)}' for name, value in record.items()]
        self._templates[combination] = template = "{" + ",".join(parts) + "}\n"
        return template


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _escaped(value: object) -> str:
    """A value that stays as it is when the template is filled."""
    return orjson.dumps(value).decode().replace("%", "%%")
