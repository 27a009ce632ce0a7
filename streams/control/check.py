"""What makes a request valid: to set or remove a tag by hand, or to erase a customer. Pure; used by the control role
and before sending.

All functions raise RequestError with the number of the first thing that is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from processors.rules.durations import UNITS_MS, write_length
from processors.rules.sorts import sort_of
from processors.rules.suggest import nearest
from processors.rules.tree import Tag
from processors.rules.walk import level_names
from schemas.errors import RequestError
from schemas.events import MAX_ID_BYTES, RESERVED_PREFIX
from schemas.ids import fault_of_id
from schemas.outcomes import Dead
from schemas.records import Request, Value

__all__ = ["check_form", "check_id", "check_tag"]

MAX_ACTOR_CHARS: Final = 256
MAX_REASON_CHARS: Final = 1_000
"""A few sentences. It is copied into the command and into what explains a tag."""
MIN_TERM_MS: Final = 1_000
MAX_TERM_MS: Final = 3_650 * UNITS_MS["d"]
"""Ten years. Beyond, an assignment without a term says the same more plainly."""


def check_form(request: Request) -> None:
    """What can be said of a request without the rules."""
    check_id("request_id", request.request_id)
    check_id("customer_id", request.customer_id)
    if not 1 <= len(request.actor.strip()) <= len(request.actor) <= MAX_ACTOR_CHARS:
        raise RequestError("TS-Q105", f"The actor has {len(request.actor)} characters, or nothing but spaces")
    if request.reason is not None and len(request.reason) > MAX_REASON_CHARS:
        raise RequestError("TS-Q106", f"The reason has {len(request.reason)} characters")
    if request.kind == "erase":
        _check_erasure(request)
        return
    if request.kind != "assign" and request.value is not None:
        raise RequestError("TS-Q104", f"A request of the kind {request.kind} has no value")
    _check_term(request)


def _check_erasure(request: Request) -> None:
    given = {"tag": request.tag, "value": request.value, "term_ms": request.term_ms}
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise RequestError("TS-Q110", f"The request to erase gives {' and '.join(named)}")


def check_id(name: str, text: str) -> None:
    """As for the ids of events."""
    fault = fault_of_id(text)
    if fault is not None:
        shown = repr(text if len(text) <= 64 else f"{text[:61]}...")
        raise RequestError("TS-Q101", f"The {name} {shown} is {_FAULTS[fault]}")


_FAULTS: Final = {
    Dead.NOT_UTF8: "no text",
    Dead.EMPTY_ID: "empty",
    Dead.LONG_ID: f"longer than {MAX_ID_BYTES} bytes",
    Dead.RESERVED_ID: f"reserved: it begins with {RESERVED_PREFIX}",
}


def _check_term(request: Request) -> None:
    term_ms = request.term_ms
    if term_ms is None:
        return
    if request.kind == "remove":
        raise RequestError("TS-Q107", "What is taken back has no term")
    if not MIN_TERM_MS <= term_ms <= MAX_TERM_MS:
        raise RequestError("TS-Q107", f"A term of {term_ms} ms is not from 1s to {write_length(MAX_TERM_MS)}")


def check_tag(request: Request, tags: Mapping[str, Tag]) -> Value | None:
    """The value that is to be assigned; None if it is to be absent, or an assignment is taken back.

    `tags` are the tags in force by their id. An assignment is not asked for its tag's present value: it masks the rule.
    """
    name = request.tag or ""
    tag = tags.get(name)
    if tag is None:
        near = nearest(name, tags)
        hint = f"; did you mean {near}?" if near else ""
        raise RequestError("TS-Q102", f"There is no tag {name[:64]!r}{hint}")
    if not tag.manual:
        raise RequestError("TS-Q103", f"The tag {tag.id} may not be set by hand")
    if request.kind != "assign":
        return None
    return _VALUES[sort_of(tag)](tag, request.value)


def _truth(tag: Tag, value: Value | None) -> bool:
    if value is not None and value is not True:
        raise RequestError("TS-Q104", f"{tag.id} is a plain tag, and {_shown(value)} is not true")
    return True


def _level(tag: Tag, value: Value | None) -> str:
    levels = level_names(tag)
    if not isinstance(value, str) or value not in levels:
        given = "no level was given" if value is None else f"{_shown(value)} is none of its levels"
        raise RequestError("TS-Q104", f"{tag.id} has levels, and {given}", cure=f"Give one of {', '.join(levels)}")
    return value


def _number(tag: Tag, value: Value | None) -> float:
    """A number, also as people write it."""
    try:
        number = float(value) if isinstance(value, str | float) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        given = "no number was given" if value is None else f"{_shown(value)} is none"
        raise RequestError("TS-Q104", f"{tag.id} is a number, and {given}", cure="Give a number, such as --value 0.75")
    return number


def _keys(tag: Tag, value: Value | None) -> NoReturn:
    cure = "Have the customer be without it (--absent), or leave it to the rule"
    raise RequestError("TS-Q104", f"{tag.id} is a set of keys, which its rule alone can tell", cure=cure)


_VALUES: Final[Mapping[str, Callable[[Tag, Value | None], Value]]] = {
    "plain": _truth, "level": _level, "number": _number, "keys": _keys,
}  # fmt: skip


def _shown(value: Value) -> str:
    text = "true" if value is True else "false" if value is False else repr(value)
    return text if len(text) <= 64 else f"{text[:61]}..."
