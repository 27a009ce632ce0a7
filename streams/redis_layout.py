"""What stands where in Redis: the names of the keys and fields, and values as text.

`docs/redis-layout.md` describes the same for readers in any language; change both together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

__all__ = ["BUILD", "EPOCH", "META_PREFIX", "PART", "SEQ", "Layout", "TagValue", "text_of", "value_of"]

TagValue = bool | str | float | Sequence[str]
"""True for a plain tag, a level, a number, or the keys of a `for_each` tag."""

META_PREFIX: Final = "_"
"""Fields of a customer's hash that begin with it are ours; no tag's name does."""
SEQ: Final = "_seq"
EPOCH: Final = "_epoch"
PART: Final = "_part"
BUILD: Final = "_build"
"""The rebuild that wrote the hash last; only there until the customer's next change after that rebuild."""

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?", re.ASCII)
"""What `repr` of a finite float looks like. One of them always has a point or an exponent, so `1` is no number."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of the keys; `prefix` is the setting `redis.key_prefix`."""

    prefix: str = ""

    @property
    def tags_prefix(self) -> bytes:
        """A customer's hash is this and the customer's id in UTF-8."""
        return f"{self.prefix}tags:".encode()

    def tags(self, customer_id: str) -> bytes:
        """The hash tag -> value of one customer."""
        return self.tags_prefix + customer_id.encode()

    @property
    def tags_pattern(self) -> bytes:
        """The glob pattern (SCAN's MATCH) of all customers' hashes."""
        return re.sub(rb"([\\*?\[\]])", rb"\\\1", self.tags_prefix) + b"*"

    @property
    def clock(self) -> bytes:
        """The hash partition -> clock, in ms since the epoch."""
        return f"{self.prefix}tagstream:clock".encode()

    @property
    def position(self) -> bytes:
        """The hash partition -> next offset in `tags.current`."""
        return f"{self.prefix}tagstream:position".encode()

    @property
    def projector(self) -> bytes:
        """The projector's own notes, a hash; fields `<partition>.<note>`. No reader needs it."""
        return f"{self.prefix}tagstream:projector".encode()


def text_of(value: TagValue) -> str:
    """A tag's value as Redis holds it: `1` for true, a level as it is, the shortest text that reads back as the same
    number (`5.0`, `0.35`, `1e+22`), or a JSON array of strings sorted by code point."""
    if value is True:
        return "1"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    assert not isinstance(value, bool | int), f"not the value of a tag that is there: {value!r}"
    return orjson.dumps(sorted(value)).decode()


def value_of(text: str) -> bool | str | float | tuple[str, ...]:
    """The value that `text_of` wrote. A level that looks like another kind of value (`1`, `2.5`) is taken for it: the
    text alone does not tell, only the tag's definition does."""
    if text == "1":
        return True
    if text.startswith("["):
        try:
            keys = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return tuple(keys)
    if not text.isdecimal() and _NUMBER.fullmatch(text):
        return float(text)
    return text
