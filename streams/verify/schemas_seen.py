"""Writers' schemas as the tagger saw them: what its journal says that it found is known from that step on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.registry import OWN_WRITERS, RawSchema, WriterSchemas

__all__ = ["SchemasSeen"]


class SchemasSeen:
    """An event whose schema the tagger did not know is dead, though the schema may be known today."""

    def __init__(self, schemas: WriterSchemas) -> None:
        self._schemas = schemas
        self._may_find: set[str] | None = None
        self._known: dict[str, RawSchema] = {}

    def begin(self, found: Iterable[str] | None) -> None:
        """A step begins. `found`: what its journal record names; None: nothing is told of it, so all are looked up."""
        self._may_find = None if found is None else {*self._known, *found}

    def by_id(self, schema_id: int) -> RawSchema | None:
        return self._look_up(f"id {schema_id}", lambda: self._schemas.by_id(schema_id))

    def by_fingerprint(self, fingerprint: bytes) -> RawSchema | None:
        return self._look_up(fingerprint.hex(), lambda: self._schemas.by_fingerprint(fingerprint))

    def _look_up(self, name: str, ask: Callable[[], RawSchema | None]) -> RawSchema | None:
        if self._may_find is not None and name not in self._may_find:
            # our own schemas are known without being looked up, and then no record names them
            return None if name.startswith("id ") else OWN_WRITERS.by_fingerprint(bytes.fromhex(name))
        if name not in self._known:
            found = ask()
            if found is None:
                return None
            self._known[name] = found
        return self._known[name]
