"""The lines of an example: `purchase 20.50 kind=refund category="shoes" at 1d2h`, and `entered gold at 2d10m`.

Of a profile the fields are attributes: `profile region="north", birthday=null at 0d`. A change names a level, a number
(`changed 0.75 at 2d`) or keys (`entered [bags, "running shoes"] at 1d`).
"""

from __future__ import annotations

import re
from typing import Final, Literal, cast

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.durations import read_offset
from processors.rules.fields import CENTS, PROFILE, field_of, names_of
from processors.rules.problems import problem
from processors.rules.sorts import Sort
from processors.rules.suggest import did_you_mean
from schemas.events import EVENT_TYPES, KINDS, Field

_PART: Final = re.compile(
    r"""(?P<name>[A-Za-z_]\w*)=(?P<value>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s"',]\S*?|),?(?=\s|\Z)|(?P<word>\S+)"""
)
_AMOUNT: Final = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,2}))?")
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_REAL: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_CHANGE: Final = re.compile(r"(?P<op>[A-Za-z]+)(?:\s+(?!at\s)(?P<value>\[.*\]|\S+))?\s+at\s+(?P<at>\S+)")
_OPS: Final = ("entered", "changed", "left")
_KEY: Final = re.compile(r"""\s*(?:(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<word>[^\s"',\[\]]+))\s*(?:,|\Z)""")
_REMOVED: Final = "null"


def read_given(text: str) -> T.Given:
    """One event. Its fields are those stored: `amount` is `amount_cents`, exactly; a time is ms since the example's 0d.

    Raises RuleError (TS-R401, 402, 405) with the span in `text`.
    """
    parts = list(_PART.finditer(text))
    words = [part["word"] for part in parts]
    if len(parts) < 3 or words[-2] != "at":
        raise problem("TS-R401", "The event does not end in `at` and a time", T.Span(0, len(text)))
    event = words[0] or ""
    if event not in EVENT_TYPES:
        cure = did_you_mean(event, EVENT_TYPES)
        raise problem("TS-R401", f"`{parts[0][0]}` is no type of event", _span(parts[0]), cure)
    fields: dict[str, str | int | float | None] = {}
    for position, part in enumerate(parts[1:-2]):
        if part["name"] is not None:
            name, written = part["name"], part["value"]
        elif position == 0 and event == "purchase":
            name, written = "amount", part["word"]
        else:
            cure = "Write FIELD=VALUE; only the amount of a purchase stands bare, right after the type"
            raise problem("TS-R401", f"`{part[0]}` cannot stand here", _span(part), cure)
        _put(fields, event, name, written, _span(part))
    return T.Given(event, _offset(words[-1] or "", _span(parts[-1])), fields)


def read_then(text: str, sort: Sort, levels: tuple[str, ...]) -> T.Then:
    """One change of a tag with values of this sort, which are `levels` if they are names.

    Raises RuleError (TS-R403 to 405) with the span in `text`.
    """
    match = _CHANGE.fullmatch(text.strip())
    whole = T.Span(0, len(text))
    if match is None:
        raise problem("TS-R403", "The change cannot be read", whole)
    op, value = match["op"], match["value"]
    if op not in _OPS:
        raise problem("TS-R403", f"`{op}` is no change", T.Span(0, len(op)), did_you_mean(op, _OPS))
    if value is not None and (sort == "plain" or op == "left"):
        raise problem("TS-R404", f"`{op}` of this tag has no value", whole, f"Write {op} at {match['at']}")
    if op == "changed" and sort == "plain":
        raise problem("TS-R404", "The tag has no values to change between", whole, "Write entered or left")
    at_ms = _offset(match["at"], T.Span(len(text.rstrip()) - len(match["at"]), len(text.rstrip())))
    read = None if value is None else _value_of(value, sort, levels, whole)
    return T.Then(cast(Literal["entered", "changed", "left"], op), at_ms, read)


def _value_of(written: str, sort: Sort, levels: tuple[str, ...], span: T.Span) -> str | float | tuple[str, ...]:
    if sort == "keys":
        return _keys(written, span)
    if sort == "number":
        if _REAL.fullmatch(written) is None:
            raise problem("TS-R404", f"`{written}` is no number", span, "Write for example entered 0.5 at 1d")
        return float(written)
    if written not in levels:
        raise problem("TS-R404", f"The tag has no level `{written}`", span, did_you_mean(written, levels))
    return written


def _keys(written: str, span: T.Span) -> tuple[str, ...]:
    """The keys in brackets, in the order in which they are published."""
    cure = 'Write for example entered [bags, "running shoes"] at 1d'
    inside, at = written[1:-1].strip(), 0
    keys: list[str] = []
    if written[:1] != "[" or not inside:
        raise problem("TS-R404", f"`{written}` is no list of keys", span, cure)
    while at < len(inside):
        match = _KEY.match(inside, at)
        if match is None:
            raise problem("TS-R404", f"`{inside[at:]}` is no list of keys", span, cure)
        keys.append(match["word"] or _unquoted(match["text"]))
        at = match.end()
    if len(set(keys)) < len(keys):
        raise problem("TS-R404", "A key stands twice in the list", span, "Take one of them out")
    return tuple(sorted(keys, key=str.encode))


def _span(match: re.Match[str]) -> T.Span:
    return T.Span(*match.span())


def _offset(text: str, span: T.Span) -> int:
    offset_ms = read_offset(text)
    if offset_ms is None:
        raise problem("TS-R405", f"`{text}` is not a time since the start", span)
    if offset_ms > limits.MAX_WINDOW_MS:
        raise problem("TS-R405", f"{text} is more than 400d from the start", span)
    return offset_ms


def _put(fields: dict[str, str | int | float | None], event: str, name: str, written: str, span: T.Span) -> None:
    """Add one field under the name of the stored one, or an attribute of a profile."""
    if event == PROFILE:
        if name in fields:
            raise problem("TS-R402", f"`{name}` is given twice", span)
        fields[name] = None if written == _REMOVED else _unquoted(written)
        return
    field = field_of(event, name)
    if field is None:
        message = f"The event {event} has no field `{name}`"
        raise problem("TS-R402", message, span, did_you_mean(name, names_of(event)))
    if field.name in fields:
        raise problem("TS-R402", f"`{field.name}` is given twice", span)
    fields[field.name] = _value(event, name, field, written, span)


def _value(event: str, name: str, field: Field, written: str, span: T.Span) -> str | int | float:
    if field.kind == "time":
        return _offset(written, span)
    if field.kind in ("text", "kind"):
        text = _unquoted(written)
        if field.kind == "kind" and text not in KINDS[event]:
            raise problem("TS-R402", f"{event} has no kind `{text}`", span, did_you_mean(text, KINDS[event]))
        return text
    number = _cents(written, span) if name == "amount" else _number(field, written, span)
    too_low = field.low is not None and number < field.low
    too_high = field.high is not None and number > field.high
    if too_low or too_high:
        message = f"{name} cannot be {written}"
        raise problem("TS-R402", message, span, f"It is from {field.low:g} to {field.high:g}")
    return number


def _unquoted(written: str) -> str:
    if written[:1] in ("'", '"'):
        return re.sub(r"\\(.)", r"\1", written[1:-1])
    return written


def _cents(written: str, span: T.Span) -> int:
    match = _AMOUNT.fullmatch(written)
    if match is None:
        cure = "Write a number with at most two decimals, such as 2000 or 19.99"
        raise problem("TS-R402", f"`{written}` is no amount", span, cure)
    cents = int(match[2]) * CENTS + int((match[3] or "").ljust(2, "0"))
    return -cents if match[1] else cents


def _number(field: Field, written: str, span: T.Span) -> int | float:
    if field.kind == "real":
        if _REAL.fullmatch(written) is None:
            raise problem("TS-R402", f"`{written}` is no number", span, f"Give {field.name} a number")
        return float(written)
    if _WHOLE.fullmatch(written) is None:
        raise problem("TS-R402", f"`{written}` is no whole number", span, f"Give {field.name} a whole number")
    return int(written)
