"""One request from the command line: sent, waited for, and what came of it said in a line."""

from __future__ import annotations

import getpass
import os
import uuid
from datetime import UTC, datetime

import typer

from processors.rules.durations import TIMING_UNITS, read_length
from schemas.errors import CATALOGUE, RequestError, TagstreamError
from schemas.records import Answer, Request, RequestKind, Value
from streams.clock import SystemClock
from streams.control.check import check_form
from streams.control.client import RequestClient
from streams.settings import KafkaSettings

__all__ = ["actor_or_login", "ask", "read_term", "refusal", "value_of"]


def ask(
    kafka: KafkaSettings,
    kind: RequestKind,
    customer_id: str,
    tag: str | None,
    *,
    value: str | None = None,
    term: str | None = None,
    reason: str | None,
    actor: str | None,
    timeout_s: float,
) -> None:
    """Send one request and print what came of it.

    Raises RequestError: the number of the refusal, or TS-Q201 if no answer comes in time; KafkaError as RequestClient.
    """
    request = Request(
        request_id=str(uuid.uuid4()),
        customer_id=customer_id,
        kind=kind,
        tag=tag,
        value=value_of(value),
        actor=actor_or_login(actor),
        reason=reason,
        term_ms=read_term(term),
    )
    check_form(request)
    with RequestClient(kafka, SystemClock()) as client:
        answer = client.answer(request, timeout_s)
    if answer is None:
        raise RequestError("TS-Q201", f"No answer to the request {request.request_id} came within {timeout_s:g} s")
    if answer.status == "refused":
        raise refusal(answer)
    typer.echo(f"accepted: {_told(request, answer)}; request {request.request_id}")


def refusal(answer: Answer) -> TagstreamError:
    """Why a request was refused."""
    code = answer.code or ""
    if code not in CATALOGUE:  # of a control role of a later version
        return RequestError("TS-Q201", f"The request was refused: {code} {answer.message}", cure=answer.cure)
    return TagstreamError(code, answer.message, cure=answer.cure)


def value_of(text: str | None) -> Value | None:
    """A value as it is written: `true`, or a level; None if none is given."""
    return True if text == "true" else text or None


def read_term(text: str | None) -> int | None:
    """Milliseconds of a term such as 30d. Raises RequestError TS-Q107."""
    if not text:
        return None
    term_ms = read_length(text, TIMING_UNITS)
    if term_ms is None:
        raise RequestError("TS-Q107", f"{text!r} is not a term")
    return term_ms


def actor_or_login(actor: str | None) -> str:
    """Who asks: as given, else the name of the user of this machine."""
    if actor is not None:
        return actor
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


def _told(request: Request, answer: Answer) -> str:
    """What was accepted, such as: anna value_tier = gold until 2026-06-01 12:30 UTC."""
    if request.kind == "erase":
        return f"{request.customer_id} is forgotten as soon as the tagger comes to it"
    what = f"{request.customer_id} {request.tag}"
    if request.kind == "remove":
        return f"{what} is left to its rule"
    value = request.value if isinstance(request.value, str) else "set"
    told = f"{what} = {value if request.kind == 'assign' else 'absent'}"
    if answer.until is None:
        return told
    return f"{told} until {datetime.fromtimestamp(answer.until / 1000, UTC):%Y-%m-%d %H:%M} UTC"
