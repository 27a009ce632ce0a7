"""What was made from a schema, found again by the schema object itself.

Hashing a schema's contents for each event would cost more than reading the event; the object's identity is free, and
`registry.Writers` gives the same object for the same schema.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from schemas.registry import RawSchema

Made = TypeVar("Made")

MAX_SCHEMAS: Final = 1024
"""Far more writer schemas than four event types have; when reached, all are forgotten and made again as needed."""


class IdentityCache(Generic[Made]):
    """`get(schema)` makes once per schema object. The schema is held, so that its identity is not given to another."""

    def __init__(self, make: Callable[[RawSchema], Made]) -> None:
        self._make = make
        self._made: dict[int, tuple[RawSchema, Made]] = {}

    def get(self, schema: RawSchema) -> Made:
        """What `make` returned for this object. Raises what it raises, each time."""
        found = self._made.get(id(schema))
        if found is None:
            found = (schema, self._make(schema))
            if len(self._made) >= MAX_SCHEMAS:
                self._made.clear()
            self._made[id(schema)] = found
        return found[1]
