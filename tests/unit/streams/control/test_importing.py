"""The sending of a file: its rate, what is on its way at once, and what is told of each line."""

from __future__ import annotations

import pytest

from schemas.errors import RequestError, TagstreamError
from schemas.records import Answer, Request
from streams.clock import ManualClock
from streams.control import importing
from streams.control.importing import Report, send_all
from streams.control.tag_file import Line
from tests.unit.streams.control.control_rules import request


class Office:
    """Answers a request `delay_s` after it was sent; those for the tag `none` are refused, for `silent` not at all."""

    def __init__(self, clock: ManualClock, delay_s: float = 0.05) -> None:
        self.clock = clock
        self.delay_s = delay_s
        self.waiting: list[tuple[float, Request]] = []
        self.sent_s: list[float] = []
        self.most_waiting = 0

    def send(self, asked: Request) -> None:
        self.sent_s.append(self.clock.monotonic_s())
        self.waiting.append((self.clock.monotonic_s() + self.delay_s, asked))
        self.most_waiting = max(self.most_waiting, len(self.waiting))

    def answers(self, timeout_s: float) -> list[Answer]:
        self.clock.sleep(timeout_s)
        due = [r for at, r in self.waiting if at <= self.clock.monotonic_s() and r.tag != "silent"]
        self.waiting = [(at, r) for at, r in self.waiting if r not in due]
        others = Answer(request_id="of somebody else", customer_id="x", status="accepted", arrived_at=0)
        return [others, *(self._answer(r) for r in due)]

    def _answer(self, asked: Request) -> Answer:
        if asked.tag == "none":
            return Answer(
                request_id=asked.request_id, customer_id="x", status="refused", code="TS-Q102", message="m", cure="c",
                arrived_at=0,
            )  # fmt: skip
        return Answer(request_id=asked.request_id, customer_id="x", status="accepted", arrived_at=0)


def run(lines: list[Line], office: Office, per_second: float = 1e6, timeout_s: float = 5) -> tuple[Report, list[str]]:
    told: list[str] = []

    def bad(line: int, error: TagstreamError) -> None:
        told.append(f"{line} {error.code}")

    report = Report(on_bad=bad)
    settled: list[int] = []
    send_all(
        lines, office, office.clock, report, per_second=per_second, timeout_s=timeout_s,
        on_line=lambda: settled.append(1),
    )  # fmt: skip
    assert len(settled) == len(lines)
    return report, told


def line(number: int, tag: str = "vip") -> Line:
    return Line(number, request(request_id=f"f-{number}", tag=tag))


def test_every_line_is_accepted_or_told_of() -> None:
    lines = [line(2), Line(3, RequestError("TS-Q204")), line(4, "none"), line(5)]
    report, told = run(lines, Office(ManualClock()))
    assert (report.accepted, report.bad) == (2, 2)
    assert told == ["3 TS-Q204", "4 TS-Q102"]


def test_no_more_are_sent_in_a_second_than_was_asked_for() -> None:
    office = Office(ManualClock())
    run([line(n) for n in range(500)], office, per_second=100)
    assert office.sent_s[-1] == pytest.approx(5.0, abs=0.1)
    for start in range(5):
        assert sum(start <= at < start + 1 for at in office.sent_s) <= 102


def test_only_so_many_are_on_their_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_UNANSWERED", 7)
    office = Office(ManualClock())
    report, _ = run([line(n) for n in range(40)], office)
    assert report.accepted == 40
    assert office.most_waiting == 7


def test_silence_ends_it_and_names_the_first_line_without_an_answer() -> None:
    office = Office(ManualClock())
    with pytest.raises(RequestError, match="first line without one is 3") as caught:
        run([line(2), line(3, "silent"), line(4)], office, timeout_s=2)
    assert caught.value.code == "TS-Q201"
    assert office.clock.monotonic_s() == pytest.approx(2, abs=0.3)


def test_a_slow_office_is_waited_for_as_long_as_it_answers_at_all() -> None:
    office = Office(ManualClock(), delay_s=1.5)
    report, _ = run([line(n) for n in range(5)], office, per_second=1, timeout_s=2)
    assert report.accepted == 5
