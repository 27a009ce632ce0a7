"""One entry of the error catalogue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """What an error code means to the person who meets it. Every text is one or two plain sentences."""

    title: str
    """What is wrong, without a full stop; also the message when the error gives none."""
    why: str
    """How it comes about and why it is an error."""
    cure: str
    """What to do about it."""
    example: str
    """Something that brings it about: a command, a setting, a payload, a rule."""
