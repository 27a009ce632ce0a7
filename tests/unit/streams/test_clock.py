"""streams.clock"""

from __future__ import annotations

import pytest

from streams.clock import Clock, ManualClock, SystemClock


def test_a_manual_clock_moves_only_by_sleeping() -> None:
    clock: Clock = ManualClock(wall_ms=1_000)
    assert (clock.wall_ms(), clock.monotonic_ms(), clock.monotonic_s()) == (1_000, 0, 0.0)
    clock.sleep(2.5)
    assert (clock.wall_ms(), clock.monotonic_ms(), clock.monotonic_s()) == (3_500, 2_500, 2.5)
    clock.sleep(-1)
    assert clock.wall_ms() == 3_500


def test_the_system_clock_sleeps_at_least_as_long_as_asked() -> None:
    clock: Clock = SystemClock()
    before_ms, before_s = clock.monotonic_ms(), clock.monotonic_s()
    clock.sleep(0.02)
    assert clock.monotonic_ms() - before_ms >= 19
    assert clock.monotonic_s() - before_s == pytest.approx((clock.monotonic_ms() - before_ms) / 1000, abs=0.01)


def test_wall_time_is_in_milliseconds_since_1970() -> None:
    assert 1_700_000_000_000 < SystemClock().wall_ms() < 10_000_000_000_000
