"""Explanations as text for a person, and as one JSON object for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from processors.explain import Condition, Standing, Waiting, Word
from schemas.records import Change, NextFlip, Value
from streams.change_line import change_line, shown_delay, shown_value
from streams.explain.answer import Answer
from streams.sealing import SEALED

__all__ = ["as_record", "show"]

_BY: Final = {"rule": "by its rule", "hand": "by hand", "model": "by a model"}
_MARKS: Final = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}
INDENT: Final = (0, 0, 0, 2)


def show(console: Console, answer: Answer) -> None:
    """All of an answer; of one tag in full, of all tags a line each."""
    console.print(_head(answer), soft_wrap=True)
    if answer.one is not None:
        console.print(_in_full(answer, answer.one), soft_wrap=True)
    else:
        console.print(_overview(answer))
    for line in answer.notes:
        console.print(Text(f"note: {line}", style="yellow"), soft_wrap=True)
    if answer.changes:
        console.print(Text("\nlast changes", style="bold"))
    for change in answer.changes:
        console.print(Padding(_change(answer, change), INDENT, expand=False), soft_wrap=True)


def _head(answer: Answer) -> Text:
    line = Text(answer.customer_id, style="bold")
    line.append(f"  partition {answer.partition}, as of {_time(answer.at)} UTC\n", style="not bold dim")
    return line


def _overview(answer: Answer) -> RenderableType:
    if not answer.standings:
        return Text("has no tags")
    table = Table("tag", "value", "by", "next flip", box=None, pad_edge=False)
    for standing in answer.standings:
        table.add_row(
            standing.tag.id,
            shown_value(standing.value),
            _BY[standing.words[0].by],
            _flip(standing.next_flip, standing.at),
        )
    return table


def _in_full(answer: Answer, standing: Standing) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    facts.add_row("tag", Text.assemble((standing.tag.id, "bold"), f"  {_names(standing.tag.name)}"))
    for place, word in enumerate(standing.words):
        facts.add_row("value" if place == 0 else "beneath", _word(word))
    if answer.redis is not None:
        facts.add_row("in Redis", answer.redis)
    facts.add_row("next flip", _flip(standing.next_flip, standing.at))
    for waiting in standing.waiting:
        facts.add_row("waiting", _waiting(waiting))
    blocks: list[RenderableType] = [facts]
    if standing.conditions:
        blocks += [Text("\nconditions", style="bold"), Padding(_conditions(standing), INDENT, expand=False)]
    elif standing.tag.for_each is not None:
        blocks.append(Text("\nno event of any key counts for it", style="dim"))
    return Group(*blocks)


def _conditions(standing: Standing) -> Table:
    """A line for each: where it stands, whether it holds, how it reads, what it sees, by how much."""
    table = Table.grid(padding=(0, 2))
    levels = [level.name for level in standing.tag.tiers]
    before: tuple[str | None, str] | None = None
    for condition in standing.conditions:
        place = condition.seen.key, condition.part
        mark, style = _MARKS[condition.holds]
        table.add_row(
            "" if place == before else _place(condition, levels),
            Text(mark, style=style),
            Text(condition.expression),
            Text(_seen(condition), style=style),
            Text(_since(condition), style="dim"),
        )
        before = place
    return table


def _place(condition: Condition, levels: Sequence[str]) -> str:
    part = condition.part
    if part.startswith("tier["):
        part = levels[int(part[5:-1])]
    return part if condition.seen.key is None else f"{condition.seen.key}: {part}"


def _seen(condition: Condition) -> str:
    """The value, and how far it is from what it is compared with."""
    value, threshold = condition.seen.value, condition.seen.threshold
    told = f"is {_plain(value)}" if value is not None else "is missing"
    if isinstance(value, bool):
        told = "yes" if value else "no"
    if value == threshold:
        return told
    if _is_number(value) and _is_number(threshold):
        told += f", {'by' if condition.holds else 'off by'} {_plain(abs(value - threshold))}"  # type: ignore[operator]
    elif threshold is not None and condition.holds is False and not isinstance(threshold, tuple | str):
        told += f", against {_plain(threshold)}"
    return told


def _is_number(value: Value | None) -> bool:
    return isinstance(value, float) and not isinstance(value, bool)


def _plain(value: Value | None) -> str:
    return f"{value:.10g}" if isinstance(value, float) else shown_value(value)


def _since(condition: Condition) -> str:
    """From when on the window counts."""
    start = condition.seen.window_start
    return "" if start is None else f"since {_time(start).removesuffix(':00.000')}"


def _word(word: Word) -> str:
    value = "absent" if word.value is None else shown_value(word.value)
    until = "" if word.until is None else f", until {_time(word.until)}"
    return f"{value}, {_BY[word.by]}{until}"


def _flip(flip: NextFlip, at: int) -> str:
    if flip == "never":
        return "never, unless an event comes"
    if flip == "unknown":
        return "not within 732 days, unless an event comes"
    return f"{_time(flip)}, in {shown_delay(flip - at)}"


def _waiting(waiting: Waiting) -> str:
    until = "" if waiting.until is None else f" {_time(waiting.until)}"
    to = shown_value(waiting.to)
    return {
        "dwell": f"dwell: becomes {to} at{until} if its conditions hold until then",
        "cooldown": f"cooldown: does not come back before{until}",
        "term": f"expires at{until}, whatever its conditions say",
        "spent": "has expired: its conditions must be false once before it comes back",
    }[waiting.why]


def _change(answer: Answer, change: Change) -> RenderableType:
    """The line of a change, and if one tag was asked for what each condition saw."""
    line = change_line(change)
    if answer.one is None or not change.evidence:
        return line
    table = Table.grid(padding=(0, 2))
    for each in change.evidence:
        known = answer.conditions if change.rule_version == answer.rule_version else {}
        text = known.get(each.condition, f"condition {each.condition} of rule version {change.rule_version}")
        key = "" if each.key is None else f"{_evident(each.key)}: "
        told = "missing" if each.value is None else _evident(each.value)
        table.add_row(Text(f"{key}{text}"), Text(f"was {told}", style="dim"))
    return Group(line, Padding(table, (0, 0, 0, 4), expand=False))


def _evident(value: Value) -> str:
    """What a condition saw; it may be encrypted under a key that we do not have."""
    is_sealed = isinstance(value, str) and value.startswith(SEALED)
    return "encrypted (see encryption.keys)" if is_sealed else _plain(value)


def _names(names: Mapping[str, str]) -> str:
    return " / ".join(dict.fromkeys(names.values()))


def _time(at_ms: int) -> str:
    try:
        return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03d}"
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"


# --------------------------------------------------------------------------------------------------------- as JSON


def as_record(answer: Answer) -> dict[str, Any]:
    """All of an answer as plain values; times in ms since the epoch."""
    return {
        "customer_id": answer.customer_id,
        "partition": answer.partition,
        "at": answer.at,
        "rule_version": answer.rule_version,
        "notes": list(answer.notes),
        "tags": [_standing_record(standing) for standing in answer.standings],
        "changes": [change.to_record() for change in answer.changes],
    }


def _standing_record(standing: Standing) -> dict[str, Any]:
    return {
        "tag": standing.tag.id,
        "value": standing.value,
        "by": standing.words[0].by,
        "said": [{"by": word.by, "value": word.value, "until": word.until} for word in standing.words],
        "next_flip_at": standing.next_flip,
        "waiting": [{"why": each.why, "to": each.to, "until": each.until} for each in standing.waiting],
        "conditions": [
            {"part": each.part, "expression": each.expression, "holds": each.holds} | each.seen.to_record()
            for each in standing.conditions
        ],
    }
