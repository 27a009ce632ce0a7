"""The command `tagstream`: each of its commands is the function `command` in the module of its name beside this one
(with _ for -).

The modules import what is heavy inside that function, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from schemas.errors import ConfigError, RuleError, TagstreamError
from streams import logs
from streams.cli.output import write_no_more
from streams.settings import CONFIG_VARIABLE

__all__ = ["COMMANDS", "app", "main"]

COMMANDS: Final = (
    "demo",
    "run",
    "tagger",
    "projector",
    "control",
    "tag",
    "untag",
    "erase",
    "import-tags",
    "replay",
    "check",
    "plan",
    "apply",
    "tail",
    "explain",
    "rebuild-redis",
    "reconcile",
    "verify",
    "topics",
    "doctor",
    "config",
)
"""In the order of the help."""
ERROR_EXIT: Final = 2
"""An error with a number: what was asked for could not be done, and the message says what to do about it."""
AGAIN_EXIT: Final = os.EX_TEMPFAIL
"""An error that ended a process which would go on well if it were started again."""
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_START_AGAIN: Final = frozenset({"TS-K104", "TS-K105"})

app = typer.Typer(
    name="tagstream",
    help="Real-time customer tags: events in through Kafka, live tags out to Kafka and Redis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    config: Annotated[
        Path | None,
        typer.Option(help="File with settings (TOML or YAML); default: tagstream.toml or tagstream.yaml, if there."),
    ] = None,
) -> None:
    logs.keep_off_stdout()
    if config is not None:
        # In the environment, processes that a command starts see it as well, wherever they run.
        os.environ[CONFIG_VARIABLE] = str(config.resolve())


def _register() -> None:
    for name in COMMANDS:
        app.command(name)(importlib.import_module(f"streams.cli.{name.replace('-', '_')}").command)


_register()


def main() -> None:
    """The console script. Errors with a number are shown as two lines, not as a traceback, and exit with 2 or 75."""
    try:
        app()
    except TagstreamError as error:
        _show(error)
        sys.exit(AGAIN_EXIT if error.code in _START_AGAIN else ERROR_EXIT)
    except ExceptionGroup as group:
        numbered, others = group.split(TagstreamError)
        if others is not None or numbered is None:
            raise
        for each in numbered.exceptions:
            assert isinstance(each, TagstreamError)
            _show(each)
        sys.exit(ERROR_EXIT)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        write_no_more()
        where = "" if error.filename is None else f" to {error.filename}"
        _show(ConfigError("TS-C107", f"Nothing can be written{where}: {error.strerror}"))
        sys.exit(ERROR_EXIT)


def _show(error: TagstreamError) -> None:
    if isinstance(error, RuleError):
        typer.echo(error.render(), err=True)
        return
    typer.secho(f"{error.code}: ", err=True, nl=False, bold=True, fg=typer.colors.RED)
    typer.echo(error.message, err=True)
    typer.echo(f"  Cure: {error.cure}", err=True)


if __name__ == "__main__":
    main()
