"""Writers' schemas as one partition sees them: when it applies a step again, it knows those that it knew then.

An event whose schema is unknown is dead. The schema may become known later, by a registry or by a file that the user
adds, as the error's cure says; recovery must find the same event dead all the same. So a step's journal record names
the schemas that were looked up and found in it, and in recovery no others are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.registry import RawSchema, WriterSchemas

__all__ = ["StepSchemas"]


class StepSchemas:
    """The schemas behind it, step by step. Whoever asks remembers what was found, and asks no more than once for it.

    Not for two threads at once.
    """

    def __init__(self, schemas: WriterSchemas) -> None:
        self._schemas = schemas
        self._recorded: frozenset[str] | None = None
        self._found: set[str] = set()
        self._unknown: set[str] = set()

    def begin(self, recorded: Iterable[str] | None) -> None:
        """A step begins. `recorded`: what its journal record names, if it is applied again; None: it is new."""
        self._recorded = None if recorded is None else frozenset(recorded)
        self._found.clear()
        self._unknown.clear()

    @property
    def found(self) -> tuple[str, ...]:
        """What was found in this step, sorted: `id 7`, or a fingerprint in hexadecimal digits."""
        return tuple(sorted(self._found))

    def by_id(self, schema_id: int) -> RawSchema | None:
        return self._look_up(f"id {schema_id}", lambda: self._schemas.by_id(schema_id))

    def by_fingerprint(self, fingerprint: bytes) -> RawSchema | None:
        return self._look_up(fingerprint.hex(), lambda: self._schemas.by_fingerprint(fingerprint))

    def _look_up(self, name: str, ask: Callable[[], RawSchema | None]) -> RawSchema | None:
        if self._recorded is not None and name not in self._recorded:
            return None
        # within one step there is one answer, though the registry may come to know the schema meanwhile
        schema = None if name in self._unknown else ask()
        (self._unknown if schema is None else self._found).add(name)
        return schema
