"""The user's directory of writer schemas, for events that carry a fingerprint of a schema that is not ours."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import ConfigError, EventError
from schemas.outcomes import Dead
from schemas.registry import RawSchema, load_schema
from schemas.resolution import check_readable


def load_directory(directory: Path) -> tuple[RawSchema, ...]:
    """Every .avsc file of the directory, in the order of names: the schema of one event each, complete in itself.

    Raises ConfigError: TS-C102 the directory or a file cannot be read, TS-C103 a schema is no event of ours, TS-C104 no
    event written by it could be read.
    """
    if not directory.is_dir():
        raise ConfigError("TS-C102", f"{directory} is not a directory")
    return tuple(_load(path) for path in sorted(directory.glob("*.avsc")))


def _load(path: Path) -> RawSchema:
    raw = load_schema(path).raw
    try:
        check_readable(raw)
    except EventError as error:
        code = "TS-C103" if error.dead is Dead.UNKNOWN_SCHEMA else "TS-C104"
        raise ConfigError(code, f"{path}: {error.detail}") from error
    return raw
