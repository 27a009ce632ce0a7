"""Asks a Confluent schema registry which schema an id stands for.

An event whose schema is unknown is dead, and dead for good. So only the registry's own word that it has no such id may
make one unknown; while it does not answer, or answers anything else, the caller waits.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Final

import structlog

from schemas.extra_schemas import load_directory
from schemas.registry import RawSchema, Writers
from streams.clock import Clock
from streams.settings import Settings

__all__ = ["Interrupted", "SchemaRegistry", "writers_of"]

_LOG = structlog.get_logger(__name__)

ANSWER_WITHIN_S: Final = 3.0
"""For connecting and for each piece of an answer; a registry answers from memory, within milliseconds."""
LARGEST_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""A schema of an event has some kilobytes. What answers with more is no registry."""
UNKNOWN_FOR_S: Final = 10.0
"""An id that the registry lacks is not asked again for so long: producers register a schema before they use it, so it
is garbage, and garbage comes in floods."""
MOST_UNKNOWN: Final = 10_000
"""Ids remembered as unknown; the oldest are forgotten, and asked again."""
WAIT_FIRST_S: Final = 0.1
WAIT_MOST_S: Final = 5.0
"""Between two questions to a registry that does not answer; doubled from the first wait on."""
LOOK_EVERY_S: Final = 0.1
"""While it waits: how soon it notices that the process is to end."""
NO_SUCH_SCHEMA: Final = 40403
"""The registry's own error code. A plain 404 may as well come from a wrong address or a proxy."""


class Interrupted(Exception):
    """The process is to end, and the registry has not answered."""


def writers_of(settings: Settings, clock: Clock, go_on: Callable[[], bool]) -> Writers:
    """The schemas that the settings name: those in files, and the registry's. `go_on` as in SchemaRegistry."""
    extra = load_directory(settings.schemas_dir) if settings.schemas_dir is not None else []
    url = settings.schema_registry.url
    return Writers(extra=extra, fetch_by_id=SchemaRegistry(url, clock, go_on).schema if url is not None else None)


class _NoAnswer(Exception):
    """Nothing that a registry would say about an id."""


class SchemaRegistry:
    """The registry at `url`. `go_on` is called often while it does not answer; when it returns False, no more is asked.

    Not for two threads at once.
    """

    def __init__(self, url: str, clock: Clock, go_on: Callable[[], bool]) -> None:
        self._url = url.rstrip("/")
        self._clock = clock
        self._go_on = go_on
        self._unknown: OrderedDict[int, float] = OrderedDict()
        """Id to the time (monotonic seconds) until which it is not asked again, oldest first."""

    def schema(self, schema_id: int) -> RawSchema | None:
        """The Avro schema with this id; None if the registry has none. Known ones are for the caller to remember.

        Blocks until the registry answers. Raises Interrupted.
        """
        until_s = self._unknown.get(schema_id)
        if until_s is not None and self._clock.monotonic_s() < until_s:
            return None
        found = self._insist(schema_id)
        if found is None:
            self._unknown.pop(schema_id, None)
            self._unknown[schema_id] = self._clock.monotonic_s() + UNKNOWN_FOR_S
            if len(self._unknown) > MOST_UNKNOWN:
                self._unknown.popitem(last=False)
        return found

    def _insist(self, schema_id: int) -> RawSchema | None:
        """Ask until there is an answer."""
        wait_s = WAIT_FIRST_S
        while True:
            try:
                return self._ask(schema_id)
            except _NoAnswer as error:
                _LOG.warning("registry.no_answer", schema_id=schema_id, error=str(error), again_in_s=wait_s)
            self._wait(wait_s)
            wait_s = min(WAIT_MOST_S, wait_s * 2)

    def _wait(self, seconds: float) -> None:
        looks = round(seconds / LOOK_EVERY_S)
        for _ in range(looks):
            if not self._go_on():
                raise Interrupted(f"the schema registry at {self._url} does not answer")
            self._clock.sleep(seconds / looks)

    def _ask(self, schema_id: int) -> RawSchema | None:
        """Once. Raises _NoAnswer."""
        address = f"{self._url}/schemas/ids/{schema_id}"
        request = urllib.request.Request(address, headers={"Accept": "application/vnd.schemaregistry.v1+json"})
        try:
            status, body = _get(request)
        except (OSError, HTTPException) as error:
            raise _NoAnswer(f"{address}: {error}") from error
        answer = _object(body) if status in (200, 404) else {}
        if status == 404 and answer.get("error_code") == NO_SUCH_SCHEMA:
            return None
        if status != 200 or not isinstance(answer.get("schema"), str):
            raise _NoAnswer(f"{address}: status {status}, and no schema")
        return _avro(schema_id, answer)


def _get(request: urllib.request.Request) -> tuple[int, bytes]:
    """Status and body. Raises OSError, HTTPException."""
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as response:
            return response.status, response.read(LARGEST_ANSWER_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(LARGEST_ANSWER_BYTES + 1)


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object in an answer. Raises _NoAnswer."""
    if len(body) > LARGEST_ANSWER_BYTES:
        raise _NoAnswer(f"an answer of more than {LARGEST_ANSWER_BYTES} bytes")
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise _NoAnswer(f"not JSON: {error}") from error
    if not isinstance(answer, dict):
        raise _NoAnswer("not a JSON object")
    return answer


def _avro(schema_id: int, answer: dict[str, Any]) -> RawSchema | None:
    """The schema that was answered; None if it is none that an event of ours can have been written by."""
    try:
        if answer.get("schemaType", "AVRO") != "AVRO":
            raise ValueError(f"it is {answer['schemaType']}")
        if answer.get("references"):
            raise ValueError("it refers to other schemas")
        schema = json.loads(answer["schema"])
        if not isinstance(schema, dict):
            raise ValueError("it is not a record")
    except ValueError as error:
        _LOG.warning("registry.not_an_event", schema_id=schema_id, why=str(error))
        return None
    return schema
