"""`tagstream replay EVENTS.jsonl --rules DIR`: which tags a history brings, without Kafka and without Redis."""

from __future__ import annotations

import atexit
import gc
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final, Literal

import typer

from streams.cli.output import write_no_more

if TYPE_CHECKING:
    from collections.abc import Callable

    from processors.history import History
    from processors.rules.tree import RuleSet
    from schemas.errors import EventError
    from streams.settings import RulesSettings, TaggerSettings

EXIT_RULES = 1
EXIT_BAD_LINES = 3

SHOWN_BAD_LINES: Final = 20
"""A wrong file has a million bad lines, of which the first few say it all."""


def command(
    events: Annotated[
        str, typer.Argument(metavar="EVENTS", help="File with one event a line, plain or gzip; - for standard input.")
    ],
    rules: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory of the rules; default: the setting rules.dir.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Let the clock end here (ms or ISO-8601, UTC if it says no zone), inclusive; "
                     "later events are not read. Default: the last arrival."),
    ] = None,
    format: Annotated[Literal["jsonl"], typer.Option(help="One change a line, as JSON.")] = "jsonl",
) -> None:  # fmt: skip
    """Replay a history through the rules and print every change of a tag, in order, one JSON object a line.

    Exit code 0: all lines were events, 1: the rules have errors, 2: the history cannot be read, 3: some lines were no
    events; they are listed on standard error, like everything that is not a change.
    """
    from streams.history_file import opened, read_history
    from streams.settings import load

    # Before it ends, Python would search all that Numba has loaded for cycles: a third of a second for nothing.
    atexit.register(gc.freeze)
    until_ms = None if until is None else _time(until)
    settings = load().settings
    rule_set = _rule_set(rules or settings.rules.dir, settings.rules)
    bad = BadLines()
    with opened(events) as file, _progress("Reading", _size(file)) as progress:
        history = read_history(file, bad.add, progress)
    _run(rule_set, history, until_ms, settings.tagger, bad)
    if bad.count:
        raise typer.Exit(EXIT_BAD_LINES)


class BadLines:
    """Lines that are no events: the first ones are shown at once, all are counted by reason."""

    def __init__(self) -> None:
        self._by_code: Counter[str] = Counter()

    @property
    def count(self) -> int:
        return self._by_code.total()

    def add(self, line: int, error: EventError) -> None:
        """The line of this number has this fault."""
        if self.count < SHOWN_BAD_LINES:
            typer.echo(f"line {line}: {error.code} {error.message}", err=True)
        self._by_code[error.code] += 1

    def reasons(self) -> str:
        """How many for which reason, in brackets; empty if there are none."""
        found = ", ".join(f"{code} {count}" for code, count in sorted(self._by_code.items()))
        more = f"; the first {SHOWN_BAD_LINES} are shown" if self.count > SHOWN_BAD_LINES else ""
        return f" ({found}{more})" if found else ""


def _size(file: BinaryIO) -> int | None:
    """In bytes, if it is a file, of which that is known."""
    try:
        found = os.fstat(file.fileno())
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _time(text: str) -> int:
    """Milliseconds since the epoch. Raises ConfigError(TS-C405)."""
    from schemas.errors import ConfigError
    from schemas.events import EARLIEST_EVENT_MS
    from schemas.iso_time import ms_from_iso
    from streams.history_file import LATEST_MS

    try:
        at_ms = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else ms_from_iso(text)
    except ValueError:
        raise ConfigError("TS-C405", f"{text!r} is not a time") from None
    if not EARLIEST_EVENT_MS <= at_ms <= LATEST_MS:
        raise ConfigError("TS-C405", f"{text} is not in the years 1990 to 9999")
    return at_ms


def _rule_set(directory: Path, rules: RulesSettings) -> RuleSet:
    """The rules; with errors in them, the command ends as `tagstream check` does."""
    from processors.rules.load import load_rules
    from processors.rules.problems import RuleErrors
    from streams.rules_dir import read_rules_dir

    try:
        files = read_rules_dir(directory)
        return load_rules(files, time_zone=rules.time_zone, default_currency=rules.default_currency)
    except RuleErrors as found:
        from rich.console import Console

        from streams.rule_problems import show_problems

        show_problems(Console(stderr=True, soft_wrap=True, highlight=False), found.errors, "red")
        raise typer.Exit(EXIT_RULES) from None


def _run(rule_set: RuleSet, history: History, until_ms: int | None, tagger: TaggerSettings, bad: BadLines) -> None:
    """Print the changes, then the summary; nothing more once the reader of the changes has gone."""
    # These modules load the compiled engine, so what is wrong with the history is said before.
    from processors import layout as L
    from processors.change_lines import ChangeLines
    from processors.partition import Partition
    from processors.replay import replay
    from schemas.errors import EventError
    from schemas.outcomes import Dead, Outcome
    from streams.one_ahead import one_ahead

    term_ms = tagger.erasure_term_days * L.DAY_MS
    partition = Partition(rule_set, dedupe_max_ids=tagger.dedupe_max_ids, erasure_term_ms=term_ms)
    writer = ChangeLines(rule_set)
    unreadable = bad.count
    outcomes: Counter[Outcome] = Counter()
    with _progress("Applying", len(history)) as progress:
        for places, decoded, output in one_ahead(replay(partition, history, until_ms)):
            outcomes.update(dict(zip(Outcome, output.outcomes, strict=True)))
            for row in (decoded.events[:, L.EV_OUTCOME] == Outcome.DEAD).nonzero()[0].tolist():
                times = f"event_time {decoded.events[row, L.EV_TIME]}, arrival {decoded.events[row, L.EV_ARRIVAL]}"
                dead = Dead(int(decoded.events[row, L.EV_CODE]))
                bad.add(history.line(int(places[row])), EventError(dead, times))
            if not all(map(_write, writer.lines(output, decoded))):
                return
            progress(places.size)
    later = len(history) - outcomes.total()
    counts = {o.name.lower(): outcomes[o] for o in reversed(Outcome)} | {"dead": bad.count, "after --until": later}
    shown = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    typer.echo(f"lines: {unreadable + len(history)}, of which {shown}{bad.reasons()}", err=True)
    typer.echo(f"changes: {partition.seq}; clock: {_shown_time(partition.clock)}", err=True)


def _shown_time(at_ms: int) -> str:
    from datetime import UTC, datetime

    if at_ms == 0:
        return "not set"
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def _write(lines: bytes) -> bool:
    """Put changes out; False if nobody reads them any more."""
    try:
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        write_no_more()
        return False
    return True


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where a person looks at it; it takes how much more is done."""
    if not sys.stderr.isatty():
        yield lambda more: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda more: progress.advance(bar, more)
