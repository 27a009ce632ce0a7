"""A step's changes as lines of JSON: the same fields as `Change.to_json`, at six times the speed.

Most of a line depends on tag, values and cause alone. So each such combination is written once, by way of a `Change`,
and cut where the numbers and ids of the single change belong. A line says of each condition in its evidence also how it
reads, as `expression`: who reads lines has no list of conditions at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

from processors import layout as L
from processors.changes import customer_at, event_id_of, op_of, origin_of
from processors.decoder import Decoded
from processors.evidence_lines import EvidenceLines
from processors.partition import StepOutput
from processors.reasons import GROUPS, Reasons, next_flip_of
from processors.rules.program import I64
from processors.rules.tree import RuleSet
from processors.values import TagValues
from schemas.records import Change, Origin, change_id

PIECE_CHANGES: Final = 8192
"""Changes written at once, some 3 MB: a step in which a million timers fire must not take as much memory."""

_OPEN: Final = (
    *("id", "customer_id", "before", "after", "effective_at", "emitted_at", "seq", "prev_seq", "cause"),
    *("group", "evidence", "next_flip_at"),
)
"""Fields that differ from change to change, in the order of the record."""

Combination = tuple[int, int, int, Origin]
"""Tag, value before, value after (of a number or a set what matters for the op: 0 or 1), what was the cause."""

Template = tuple[str, ...]
"""The texts before, between and behind the open fields."""


_GROUPS: Final = [orjson.dumps(group).decode() for group in GROUPS]
_FLIPS: Final = {flip: orjson.dumps(next_flip_of(flip)).decode() for flip in (0, L.NEVER, L.UNKNOWN)}
"""What is no time, by CH_FLIP."""


class ChangeLines:
    """Writes the changes that one rule set finds in partition 0, under no owner (epoch 0)."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._rule_set = rule_set
        self._values = TagValues(rule_set.tags)
        self._listed: dict[tuple[int, int], str] = {}
        """JSON of values that a code says all about, by tag and code."""
        self._templates: dict[Combination, Template] = {}
        self._evidence = EvidenceLines(Reasons(rule_set))

    def lines(self, output: StepOutput, decoded: Decoded) -> Iterator[bytes]:
        """Each change as a JSON object and a line break, in order of seq, many at once.

        `emitted_at` is the clock that found the change.
        """
        for start in range(0, len(output.changes), PIECE_CHANGES):
            yield self._piece(output.changes[start : start + PIECE_CHANGES], output, decoded).encode()

    def _value(self, output: StepOutput, tag: int, code: int) -> str:
        if not self._values.is_listed(tag):
            return _json(self._values.changed(output, tag, code))
        if (tag, code) not in self._listed:
            self._listed[tag, code] = _json(self._values.changed(output, tag, code))
        return self._listed[tag, code]

    def _piece(self, changes: I64, output: StepOutput, decoded: Decoded) -> str:
        places, tags, befores, afters, ats, seqs, prevs, events, clocks, whys, groups, flips = changes.T.tolist()
        origins = {event: origin_of(decoded, event) for event in set(events)}
        templates = [
            self._templates.get(combination) or self._make(combination)
            for combination in (
                (tag, int(before != 0), int(after != 0), origins[event])
                for tag, before, after, event in zip(tags, befores, afters, events, strict=True)
            )
        ]
        old = [self._value(output, tag, code) for tag, code in zip(tags, befores, strict=True)]
        new = [self._value(output, tag, code) for tag, code in zip(tags, afters, strict=True)]
        customers = {place: _json(customer_at(output.touched, place)) for place in set(places)}
        names = [customers[place] for place in places]
        ids = {event: _json(event_id_of(decoded, event)) for event in set(events) if event >= 0}
        causes = [ids.get(event, at) for event, at in zip(events, ats, strict=True)]
        reasons = self._evidence.lists(output, whys, ats)
        sides = [_GROUPS[group] for group in groups]
        nexts = [_FLIPS.get(flip) or str(flip) for flip in flips]
        # fmt: off
        return "".join([
            f"{t0}{seq}{t1}{name}{t2}{before}{t3}{after}{t4}{at}{t5}{clock}{t6}{seq}{t7}{prev}"
            f"{t8}{cause}{t9}{side}{t10}{why}{t11}{flip}{t12}"
            for (t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12),
                seq, name, before, after, at, clock, prev, cause, side, why, flip in zip(
                templates, seqs, names, old, new, ats, clocks, prevs, causes, sides, reasons, nexts, strict=True,
            )
        ])
        # fmt: on

    def _make(self, combination: Combination) -> Template:
        """The template of this combination, which is kept."""
        tag, before, after, origin = combination
        record = Change(
            id=change_id(0, 0), customer_id="", effective_at=0, emitted_at=0, seq=0, prev_seq=0,
            tag=self._rule_set.tags[tag].id,
            op=op_of(before, after), before=None, after=None,
            rule_version=self._rule_set.version,
            epoch=0,
            origin=origin,
        ).to_record()  # fmt: skip
        assert [name for name in record if name in _OPEN] == list(_OPEN), "they are filled in this order"
        pieces = [""]
        for name, value in record.items():
            pieces[-1] += f',"{name}":'
            if name == "id":
                # The id ends with the seq, within its quotes.
                pieces[-1] += _json(value).removesuffix('0"')
                pieces.append('"')
            elif name in _OPEN:
                pieces.append("")
            else:
                pieces[-1] += _json(value)
        first, *middle, last = pieces
        self._templates[combination] = template = ("{" + first[1:], *middle, last + "}\n")
        return template


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
