"""Commands of people and models as decoded rows: which tag of the rules in force, and what its value is to be; or that
the customer is to be forgotten."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from processors import assigned
from processors import layout as L
from processors.rules.tag_tables import kind_of
from processors.rules.tree import RuleSet, Tag
from processors.rules.walk import level_names
from schemas.errors import EventError
from schemas.ids import fault_of_id
from schemas.outcomes import Dead
from schemas.records import Command, Value
from schemas.registry import SCHEMAS, WriterSchemas

_KINDS = {"assign": assigned.ASSIGN, "remove": assigned.REMOVE, "score": assigned.BY_MODEL}
_HEADER = b"\xc3\x01" + SCHEMAS["command"].fingerprint


class CommandRow(NamedTuple):
    """A command as the engine obeys it."""

    command_id: bytes
    customer_id: bytes
    tag: int
    """-1 for an erasure."""
    kind: int
    value: int
    """0 absent, 1 there or a number, 1 + position of a level."""
    number: int
    """Bits of a double."""
    until: int
    """FAR if it has no end."""


def is_command(payload: bytes) -> bool:
    """Whether a payload among events is a command: in single-object encoding, by our own schema."""
    return payload.startswith(_HEADER)


class CommandReader:
    """Reads commands about the tags of one rule set."""

    def __init__(self, rule_set: RuleSet) -> None:
        self._tags = {tag.id: (index, tag) for index, tag in enumerate(rule_set.tags)}

    def read(self, payload: bytes, writers: WriterSchemas) -> CommandRow:
        """Raises EventError: it cannot be read, names no tag in force, or gives a value that the tag cannot have."""
        command = Command.from_value(payload, writers)
        for text in (command.command_id, command.customer_id):
            fault = fault_of_id(text)
            if fault is not None:
                raise EventError(fault, f"the id {text[:64]!r}")
        ids = command.command_id.encode(), command.customer_id.encode()
        if command.kind == "erase":
            return CommandRow(*ids, -1, assigned.ERASE, 0, 0, L.FAR)
        if command.tag not in self._tags:
            raise EventError(Dead.NO_SUCH_TAG, str(command.tag)[:64])
        index, tag = self._tags[command.tag]
        kind = _KINDS[command.kind]
        by_model = kind == assigned.BY_MODEL
        if not (tag.model if by_model else tag.manual):
            raise EventError(
                Dead.BAD_ASSIGNMENT, f"{tag.id} is not to be set {'by a model' if by_model else 'by hand'}"
            )
        value, number = (0, 0) if kind == assigned.REMOVE else coded(tag, command.value)
        until = L.FAR if command.until is None else command.until
        return CommandRow(*ids, index, kind, value, number, until)


def coded(tag: Tag, value: Value | None) -> tuple[int, int]:
    """(code, bits of the number) of a value that is assigned to a tag. Raises EventError BAD_ASSIGNMENT."""
    if value is None:
        return 0, 0
    kind, levels = kind_of(tag), level_names(tag)
    if kind == assigned.SCORE and isinstance(value, float) and np.isfinite(value):
        return 1, int(np.float64(value).view(np.int64))
    if kind == assigned.PLAIN and (value in levels if levels else value is True):
        return 1 + levels.index(str(value)) if levels else 1, 0
    raise EventError(Dead.BAD_ASSIGNMENT, f"{tag.id} cannot be {value!r:.64}")
