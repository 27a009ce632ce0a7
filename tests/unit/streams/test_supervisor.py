"""Roles that end are started again; one that cannot be started ends all of them."""

from __future__ import annotations

from unittest import mock

from streams.clock import ManualClock
from streams.settings import MetricsSettings
from streams.supervisor import CANNOT_START, ROLES, STEADY_AFTER_S, Supervisor


class FakeChild:
    """Ends with `code` after some seconds; the first ones that are started do, the others run."""

    def __init__(self, clock: ManualClock, ends_after_s: float | None, code: int) -> None:
        self._clock, self._code = clock, code
        self._ends_s = None if ends_after_s is None else clock.monotonic_s() + ends_after_s

    def exit_code(self) -> int | None:
        return None if self._ends_s is None or self._clock.monotonic_s() < self._ends_s else self._code

    def signal(self, number: int) -> None:
        pass

    def stop(self, within_s: float) -> int:
        return 0


def run(ends_after_s: float, code: int, for_s: float) -> tuple[int, int]:
    """The first role ends after so many seconds. Returns the exit code, and how many children there were."""
    clock, started = ManualClock(), 0

    def child(*_: object, **__: object) -> FakeChild:
        nonlocal started
        started += 1
        return FakeChild(clock, ends_after_s if started == 1 else None, code)

    with mock.patch("streams.supervisor.Child", child):
        found = Supervisor(clock, MetricsSettings()).run(lambda: clock.monotonic_s() > for_s)
    return found, started


def test_a_role_that_falls_over_is_started_again() -> None:
    assert run(1, 1, 60) == (0, len(ROLES) + 1)


def test_a_role_that_cannot_be_started_ends_all() -> None:
    assert run(1, CANNOT_START, 60) == (CANNOT_START, len(ROLES))


def test_a_role_that_had_worked_is_started_again_whatever_it_ended_with() -> None:
    assert run(STEADY_AFTER_S + 5, CANNOT_START, STEADY_AFTER_S + 60) == (0, len(ROLES) + 1)
