"""The evidence of changes as JSON: the fields of `Evidence.to_record`, and each condition in words.

It is for speed: most of an item depends on its condition alone. So the texts between what varies are made once for
each condition, and those of numbers are kept.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson

from processors import evidence as E
from processors.partition import StepOutput
from processors.reasons import Reasons
from processors.rules.clauses import EVER, Clause

MOST_NUMBERS: Final = 200_000
"""Texts of numbers that are kept at once."""


class _Parts(NamedTuple):
    """What an item of one condition is made of."""

    head: str
    """Up to the key."""
    is_number: bool
    """Whether its value is one."""
    threshold: str
    """From the value's end to the window, if that is a constant, else empty."""
    window_ms: int
    """0 where it has no start."""
    pane_ms: int
    tail: str
    """From the end of the window's start, or what stands there, to its end; then what is behind."""
    end: str
    has_window: bool


def _parts_of(number: int, clause: Clause) -> _Parts:
    is_constant = clause.against.sort == E.NONE
    constant = _json(clause.constant)
    window_ms = clause.window_ms or EVER
    start = "" if window_ms != EVER else "null"
    return _Parts(
        head=f'{{"condition":{number},"key":',
        is_number=clause.value.sort in (E.NUMBER, E.WAITS),
        threshold=f',"threshold":{constant},"window_start":' if is_constant else "",
        window_ms=window_ms,
        pane_ms=clause.pane_ms,
        tail=f'{start},"window_end":' + ("null" if clause.window_ms is None else ""),
        end=f',"expression":{_json(clause.text)}}}',
        has_window=clause.window_ms is not None,
    )


class EvidenceLines:
    """Writes the evidence of one rule set's changes."""

    def __init__(self, reasons: Reasons) -> None:
        self._reasons = reasons
        self._parts = [_parts_of(number, clause) for number, clause in enumerate(reasons.clauses)]
        self._numbers: dict[int, str] = {}

    def lists(self, output: StepOutput, places: list[int], ats: list[int]) -> list[str]:
        """For each change, by the place of its evidence (CH_EVIDENCE, rising) and its time (ms), a list as JSON."""
        if len(self._numbers) > MOST_NUMBERS:
            self._numbers.clear()
        first = next((place for place in places if place != 0), 0)
        last = max(places, default=0)
        words = output.evidence[first : last + 1 + int(output.evidence[last]) * E.ITEM_WORDS].tolist() if last else []
        return [
            "[" + ",".join(self._items(output, words, place - first, at)) + "]" if place else "[]"
            for place, at in zip(places, ats, strict=True)
        ]

    def _items(self, output: StepOutput, words: list[int], place: int, at: int) -> list[str]:
        items = []
        first = place + 1
        for i in range(first, first + words[place] * E.ITEM_WORDS, E.ITEM_WORDS):
            number, key, value, against = words[i : i + E.ITEM_WORDS]
            head, is_number, threshold, window_ms, pane_ms, tail, end, has_window = self._parts[number]
            named = _json(self._reasons.text(output, key)) if key else "null"
            if is_number:
                seen = self._numbers.get(value) or self._number(value)
            else:
                seen = self._side(output, number, 0, value)
            if not threshold:
                threshold = f',"threshold":{self._side(output, number, 1, against)},"window_start":'
            start = (at - window_ms) // pane_ms * pane_ms if window_ms else ""
            items.append(f'{head}{named},"value":{seen}{threshold}{start}{tail}{at if has_window else ""}{end}')
        return items

    def _number(self, word: int) -> str:
        """The text of a number, which is kept."""
        self._numbers[word] = text = _json(E.number_of(word))
        return text

    def _side(self, output: StepOutput, number: int, side: int, word: int) -> str:
        return _json(self._reasons.value(output, number, side, word))


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
