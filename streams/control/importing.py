"""Sends the lines of a file of tags as requests, not too many at once and not too fast, and collects the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from schemas.errors import RequestError, TagstreamError
from schemas.records import Answer, Request
from streams.clock import Clock
from streams.control.ask import refusal
from streams.control.tag_file import Line

__all__ = ["Report", "send_all"]

MOST_UNANSWERED: Final = 1_000
"""Requests on their way. The control role handles them in batches of hundreds; more would only wait in Kafka."""
WAIT_S: Final = 0.02


class Client(Protocol):
    """See `client.RequestClient`."""

    def send(self, request: Request) -> None: ...

    def answers(self, timeout_s: float) -> list[Answer]: ...


@dataclass(slots=True)
class Report:
    """What has become of the lines so far."""

    accepted: int = 0
    bad: int = 0
    """Lines that are no request, or whose request was refused."""
    on_bad: Callable[[int, TagstreamError], None] = field(default=lambda line, error: None)
    """Told of each, with its line: those that are no request when they are met, refusals when they come."""

    def is_bad(self, line: int, error: TagstreamError) -> None:
        """One more."""
        self.bad += 1
        self.on_bad(line, error)


def send_all(
    lines: Iterable[Line],
    client: Client,
    clock: Clock,
    report: Report,
    *,
    per_second: float,
    timeout_s: float,
    on_line: Callable[[], None],
) -> None:
    """Send all lines and wait for all answers; `on_line` is called for each line that is settled.

    Raises RequestError TS-Q201 if no answer at all comes for `timeout_s` while one is due, KafkaError as the client.
    """
    unanswered: dict[str, int] = {}
    started_s = heard_s = clock.monotonic_s()
    sent = 0

    def collect(wait_s: float) -> None:
        nonlocal heard_s
        for answer in client.answers(wait_s):
            line = unanswered.pop(answer.request_id, None)
            if line is None:
                continue
            heard_s = clock.monotonic_s()
            if answer.status == "accepted":
                report.accepted += 1
            else:
                report.is_bad(line, refusal(answer))
            on_line()
        if unanswered and clock.monotonic_s() - heard_s > timeout_s:
            first = min(unanswered.values())
            raise RequestError("TS-Q201", f"No answer came for {timeout_s:g} s; the first line without one is {first}")

    for line in lines:
        if isinstance(line.asked, RequestError):
            report.is_bad(line.number, line.asked)
            on_line()
            continue
        while len(unanswered) >= MOST_UNANSWERED or sent > (clock.monotonic_s() - started_s) * per_second:
            collect(WAIT_S)
        if not unanswered:
            heard_s = clock.monotonic_s()
        client.send(line.asked)
        unanswered[line.asked.request_id] = line.number
        sent += 1
        if sent % 100 == 0:
            collect(0)
    while unanswered:
        collect(WAIT_S)
