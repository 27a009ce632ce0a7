"""The JSON Schema of a rule file, by which editors complete keys and mark slips while one types.

`python -m processors.rules.json_schema > docs/rules.schema.json`. It knows the form of a file; whether a condition
means something, `tagstream check` says. Draft 7 is what the editors' YAML plugins know.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from processors.rules import limits
from processors.rules.durations import TIMING_UNITS, WINDOW_UNITS
from processors.rules.for_each import KEY_FIELDS
from processors.rules.key_reader import DATE, ID, LANGUAGES
from processors.rules.key_rules import EXCLUDED, NEEDED, OF_A_RULE, RULES
from processors.rules.tag_reader import CATEGORIES, CLASSES, COLOUR
from schemas.events import EVENT_TYPES

_PROSE: Final = ["string", "number"]
"""YAML takes a text such as 2024 for a number; the rules take it for a text."""

_ID: Final = {"type": "string", "pattern": f"^{ID}$"}


def schema() -> dict[str, Any]:
    """The schema as plain data; the same each time."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Tag rules of tagstream",
        "type": ["array", "null"],
        "items": {"$ref": "#/definitions/tag"},
        "definitions": {
            "tag": _tag(),
            "condition": {"type": "string", "minLength": 1, "maxLength": limits.MAX_EXPRESSION_CHARS},
            "level": _closed({"level": _ID, "when": {"$ref": "#/definitions/condition"}}, ["level", "when"]),
            "example": _closed(
                {
                    "given": _lines(rf"^\s*({'|'.join(EVENT_TYPES)})\s(.*\s)?at\s+\S+\s*$"),
                    "then": _lines(r"^\s*(entered|changed|left)\s+((\[.*\]|\S+)\s+)?at\s+\S+\s*$"),
                },
                ["given", "then"],
            ),
        },
    }


def _closed(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """A map with these keys and no others."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _lines(pattern: str) -> dict[str, Any]:
    line = {"type": "string", "maxLength": limits.MAX_EXAMPLE_CHARS, "pattern": pattern}
    return {"type": "array", "maxItems": limits.MAX_EXAMPLE_LINES, "items": line}


def _tag() -> dict[str, Any]:
    properties = {
        key: described | {"description": text} for key, (described, text) in {**_decided(), **_for_people()}.items()
    }
    return {
        **_closed(properties, ["tag", "name", "class", "category"]),
        "oneOf": [*({"required": [rule]} for rule in RULES), _without_rule()],
        "dependencies": {
            **{key: _none_of(excluded) for key, excluded in EXCLUDED.items()},
            **{key: [needed] for key, (needed, _) in NEEDED.items()},
        },
    }


def _without_rule() -> dict[str, Any]:
    """A tag that is set from outside only."""
    settable = [{"properties": {key: {"const": True}}, "required": [key]} for key in ("manual", "model")]
    return {**_none_of((*RULES, *OF_A_RULE)), "anyOf": settable}


def _none_of(keys: Sequence[str]) -> dict[str, Any]:
    return {"not": {"anyOf": [{"required": [key]} for key in keys]}}


def _decided() -> dict[str, tuple[dict[str, Any], str]]:
    """Keys of the conditions and values, each with its shape and what it means."""
    condition = {"allOf": [{"$ref": "#/definitions/condition"}]}
    levels = {
        "type": "array",
        "minItems": 1,
        "maxItems": limits.MAX_LEVELS,
        "items": {"$ref": "#/definitions/level"},
    }
    names = {"type": "array", "minItems": 1, "maxItems": limits.MAX_LEVELS, "uniqueItems": True, "items": _ID}
    holdout = {"type": ["number", "string"], "minimum": 0, "maximum": 1, "pattern": r"^(100|[0-9]{1,2})(\.[0-9]+)?%$"}
    most = 10**limits.MAX_RANK_DIGITS - 1
    rank = {"type": "integer", "minimum": -most, "maximum": most}
    return {
        "when": (condition, "The condition under which a customer has the tag."),
        "leave": (condition, "The condition under which they lose it; without it: when `when` no longer holds."),
        "tier": (levels, "Levels, tried from top to bottom; the first that holds is the value."),
        "score": (condition, "The number that is the value, in place of a condition."),
        "step": ({"type": "number", "minimum": 0}, "By how much the score must have moved to be published."),
        "for_each": ({"enum": list(KEY_FIELDS)}, "The field whose values are the keys for which `when` is asked."),
        "limit": ({"type": "integer", "minimum": 1, "maximum": limits.MAX_KEYS}, "Most keys at once."),
        "levels": (names, "Of a tag without a rule: the values that it may be set to."),
        "dwell": (_length(TIMING_UNITS), "How long the condition must have held before the tag is entered."),
        "cooldown": (_length(TIMING_UNITS), "How long after leaving the tag cannot be entered again."),
        "expires": (_length(WINDOW_UNITS), "How long the tag lasts at most."),
        "manual": ({"type": "boolean"}, "Whether the tag may be set by hand."),
        "model": ({"type": "boolean"}, "Whether a model may set it."),
        "holdout": (holdout, "The share of customers that is the control group."),
        "forecast": ({"type": "boolean"}, "Whether its changes say when it will flip if nothing happens."),
        "exclusive": (_ID, "A group of which a customer has one tag at most."),
        "rank": (rank, "Place within the group: the least comes first."),
    }


def _for_people() -> dict[str, tuple[dict[str, Any], str]]:
    """The id, and keys that change nothing in what is decided."""
    examples = {"type": "array", "maxItems": limits.MAX_EXAMPLES, "items": {"$ref": "#/definitions/example"}}
    return {
        "tag": (_ID, "The tag's id, unique over all files."),
        "name": (_texts(limits.MAX_NAME_CHARS), "What people see: one text, or one for each language."),
        "describe": (_texts(limits.MAX_DESCRIBE_CHARS), "What the tag means."),
        "class": ({"enum": list(CLASSES)}, "How the tag comes about."),
        "category": ({"enum": list(CATEGORIES)}, "Where it is listed."),
        "colour": ({"type": "string", "pattern": f"^{COLOUR}$"}, 'In quotes: "#rrggbb".'),
        "parent": (_ID, "The tag above it."),
        "owner": ({"type": _PROSE, "maxLength": limits.MAX_OWNER_CHARS}, "Who answers for the tag."),
        "review_by": ({"type": "string", "pattern": f"^{DATE}$"}, "The day by which it is looked at again."),
        "sensitive": ({"type": "boolean"}, "Whether the tag tells something that not everybody may see."),
        "examples": (examples, "Histories of one customer, and the complete list of changes that come of them."),
    }


def _length(units: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^0*[1-9][0-9]*({'|'.join(units)})$"}


def _texts(max_chars: int) -> dict[str, Any]:
    text = {"type": _PROSE, "minLength": 1, "maxLength": max_chars}
    by_language = {**_closed(dict.fromkeys(LANGUAGES, text), []), "minProperties": 1}
    return {"anyOf": [text, by_language]}


def page() -> str:
    """The schema as the file's text, ending in a line break."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(page(), end="")
