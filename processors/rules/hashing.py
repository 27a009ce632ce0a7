"""The two hashes of a rule set: `version` of what it decides, `text_hash` of what people see.

Both are the first 16 hex digits of SHA-256 over canonical JSON (keys sorted, no spaces, UTF-8). Editing a name or a
colour changes the text hash alone, so nothing is computed again; two ways of writing one condition (spaces, quotes,
needless parentheses, 24h for 1d) have one version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from processors.rules import tree as T
from processors.rules.depend import before_in_group
from processors.rules.dump import dump, dump_number

_FORMAT: Final = 1
"""Raised when equal rules come to mean something else, so that they get another version."""
_HEX_DIGITS: Final = 16


def version_of(tags: Sequence[T.Tag], time_zone: str, default_currency: str) -> str:
    """Hash of the logic: conditions, values, levels and their order, timing, what may set a tag, exclusive groups and
    the order in them, zone and currency.
    """
    before = before_in_group(tags)
    logic = {
        "format": _FORMAT,
        "time_zone": time_zone,
        "default_currency": default_currency,
        "tags": {tag.id: logic_of(tag, len(before[tag.id])) for tag in tags},
    }
    return _hash(logic)


def text_hash_of(tags: Sequence[T.Tag]) -> str:
    """Hash of everything else that was written: names, texts, class, category, colour, the wording, the examples, who
    answers for the tag and what stands above it.
    """
    return _hash({tag.id: _text(tag) for tag in tags})


def logic_of(tag: T.Tag, before: int) -> dict[str, Any]:
    """What a tag decides by, apart from its id; `before` is how many tags of its exclusive group come before it.

    A key that came later is there only where it is given, so rules that do not use it keep their version. Of a group
    the order counts, not the numbers by which it is given.
    """
    logic: dict[str, Any] = {
        "when": _dump(tag.when),
        "leave": _dump(tag.leave),
        "tier": [[level.name, dump(level.when)] for level in tag.tiers],
        "dwell_ms": tag.dwell_ms,
        "cooldown_ms": tag.cooldown_ms,
        "expires_ms": tag.expires_ms,
    }
    if tag.exclusive is not None:
        logic |= {"exclusive": tag.exclusive, "rank": before + 1}
    if tag.for_each is not None:
        logic |= {"for_each": f"{tag.for_each.event}.{tag.for_each.field}", "limit": tag.for_each.limit}
    if tag.score is not None:
        logic |= {"score": dump(tag.score), "step": dump_number(tag.step)}
    later = {
        "manual": None if tag.manual else False,
        "model": tag.model or None,
        "levels": list(tag.levels) or None,
        "holdout": None if tag.holdout is None else dump_number(tag.holdout),
        "forecast": tag.forecast or None,
    }
    return logic | {key: value for key, value in later.items() if value is not None}


def _text(tag: T.Tag) -> dict[str, Any]:
    later = {
        "parent": tag.parent,
        "owner": tag.owner,
        "review_by": tag.review_by,
        "sensitive": tag.sensitive or None,
    }
    return {
        "name": tag.name,
        "describe": tag.describe,
        "class": tag.class_,
        "category": tag.category,
        "colour": tag.colour,
        "source": tag.source,
        "examples": [_example(e) for e in tag.examples],
        **{key: value for key, value in later.items() if value is not None},
    }


def _example(example: T.Example) -> list[list[Any]]:
    def rows(items: Iterable[T.Given | T.Then]) -> list[Any]:
        return [[g.event, g.at_ms, g.fields] if isinstance(g, T.Given) else [g.op, g.at_ms, g.value] for g in items]

    return [rows(example.given), rows(example.then)]


def _dump(expr: T.Expr | None) -> str | None:
    return None if expr is None else dump(expr)


def _hash(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # a lone surrogate can come from a YAML escape; it must not make a rule set unhashable
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX_DIGITS]
