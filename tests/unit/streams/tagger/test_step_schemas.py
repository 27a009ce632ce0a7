"""streams.tagger.step_schemas: a step that is applied again knows the schemas that it knew"""

from __future__ import annotations

from schemas.registry import RawSchema
from streams.tagger.step_schemas import StepSchemas

FINGERPRINT = bytes(range(8))


class Registry:
    """Knows what is put into it."""

    def __init__(self) -> None:
        self.known: dict[int | bytes, RawSchema] = {}

    def by_id(self, schema_id: int) -> RawSchema | None:
        return self.known.get(schema_id)

    def by_fingerprint(self, fingerprint: bytes) -> RawSchema | None:
        return self.known.get(fingerprint)


def test_a_step_names_what_was_found_in_it_and_nothing_else() -> None:
    registry = Registry()
    registry.known = {7: {"a": 1}, FINGERPRINT: {"b": 2}}
    schemas = StepSchemas(registry)
    schemas.begin(None)
    assert schemas.by_id(7) == {"a": 1}
    assert schemas.by_fingerprint(FINGERPRINT) == {"b": 2}
    assert schemas.by_id(8) is None
    assert list(schemas.found) == ["0001020304050607", "id 7"]
    schemas.begin(None)
    assert list(schemas.found) == []


def test_what_was_unknown_then_is_unknown_when_the_step_is_applied_again() -> None:
    registry = Registry()
    registry.known = {7: {}, 8: {}}
    schemas = StepSchemas(registry)
    schemas.begin(["id 8"])
    assert schemas.by_id(7) is None
    assert schemas.by_id(8) == {}
    schemas.begin(None)
    assert schemas.by_id(7) == {}


def test_within_one_step_there_is_one_answer() -> None:
    registry = Registry()
    schemas = StepSchemas(registry)
    schemas.begin(None)
    assert schemas.by_id(7) is None
    registry.known[7] = {}
    assert schemas.by_id(7) is None
    assert schemas.found == ()
    schemas.begin(None)
    assert schemas.by_id(7) == {}
