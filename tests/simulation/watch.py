"""Looks at the product from beside it: what its log says, and by which ways its functions went. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

import structlog

from streams.log import Stamp
from streams.tagger import backfill, changeover, loop, recovery, restore
from tests.simulation.faults import Crash
from tests.simulation.kinds import Kind
from tests.simulation.memory_log import MemoryLog
from tests.simulation.trace import Trace

__all__ = ["watching"]

TOLD: Final = {
    "snapshot.written": Kind.SNAPSHOT_WRITTEN,
    "snapshot.not_written": Kind.SNAPSHOT_NOT_WRITTEN,
    "journal.cut_and_no_snapshot": Kind.REBUILT,
    "journal.older_epochs_ignored": Kind.STRAY_IGNORED,
    "changeover.done": Kind.CHANGEOVER,
}
"""What the product's own log says of where it was led."""
PASSED_OVER: Final = {"damaged": Kind.PASSED_OVER_DAMAGED, "other_rules": Kind.PASSED_OVER_OTHER_RULES}

IN_BACKFILL: Final = 6.0


@contextmanager
def watching(trace: Trace) -> Iterator[None]:
    """Everything of a run is counted and noted in its trace. The product's log goes nowhere else meanwhile."""

    def tell(logger: object, level: str, event: MutableMapping[str, Any]) -> str:
        name = str(event.pop("event"))
        trace.note("", f"{name} {dict(event)}")
        if name in TOLD:
            trace.count(TOLD[name])
        elif name == "snapshot.passed_over" and event["reason"] in PASSED_OVER:
            trace.count(PASSED_OVER[event["reason"]])
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[tell], cache_logger_on_first_use=False)
    try:
        with ExitStack() as stack:
            for target, name, wrapped in _wrapped(trace):
                stack.enter_context(mock.patch.object(target, name, wrapped))
            yield
    finally:
        structlog.configure(**before)


def _wrapped(trace: Trace) -> list[tuple[object, str, Callable[..., Any]]]:
    """Functions of the product, each of which tells that it was called."""
    is_as_it_was, write, whole = recovery._is_as_it_was, backfill._write, backfill.backfill

    def judging_kept(*given: Any) -> bool:
        same = is_as_it_was(*given)
        trace.count(Kind.KEPT if same else Kind.NOT_KEPT)
        return same

    def writing(*given: Any) -> Stamp:
        trace.danger = IN_BACKFILL
        try:
            return write(*given)
        except Crash:
            trace.count(Kind.CRASH_IN_BACKFILL)
            raise
        finally:
            trace.danger = 1.0

    def completing(*given: Any, **named: Any) -> Generator[None, None, Stamp | None]:
        stamp = yield from whole(*given, **named)
        trace.count(Kind.BACKFILL_DONE)
        return stamp

    return [
        (restore, "_put", _counting(trace, Kind.RESTORED, restore._put)),
        (MemoryLog, "pause", _counting(trace, Kind.HELD_BACK, MemoryLog.pause)),
        (recovery, "_is_as_it_was", judging_kept),
        (backfill, "_write", writing),
        (loop, "backfill", completing),
        (changeover, "backfill", completing),
    ]


def _counting(trace: Trace, kind: Kind, function: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*given: Any) -> Any:
        trace.count(kind)
        return function(*given)

    return counted
