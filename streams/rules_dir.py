"""The rule files of a directory, as text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from processors.rules import limits
from processors.rules.problems import RuleErrors
from schemas.errors import RuleError

__all__ = ["read_rules_dir"]

SUFFIXES: Final = (".yaml", ".yml")


def read_rules_dir(directory: Path) -> dict[str, str]:
    """Path (as `directory` was given) to text of every *.yaml and *.yml below `directory`, in order of path.

    Names that begin with a dot are passed over, and linked directories are not entered; a linked file is read, as
    Kubernetes mounts them. Raises RuleErrors: TS-R316 no such directory, TS-R317 no rule file, TS-R318 a file that
    can't be read, TS-R510 too much to read.
    """
    if not directory.is_dir():
        message = f"{directory} is not a directory" if directory.exists() else f"There is no directory {directory}"
        raise RuleErrors([RuleError("TS-R316", message)])
    errors: list[RuleError] = []
    files: dict[str, str] = {}
    total_bytes = 0
    paths = sorted(_paths(directory, errors))
    if len(paths) > limits.MAX_FILES:
        message = f"{directory} holds {len(paths)} rule files; {limits.MAX_FILES} is the most"
        raise RuleErrors([RuleError("TS-R510", message)])
    for path in paths:
        try:
            raw = _read(path)
            total_bytes += len(raw)
            if total_bytes > limits.MAX_ALL_BYTES:
                message = f"The rule files together have more than {limits.MAX_ALL_BYTES} bytes"
                errors.append(RuleError("TS-R510", message, file=str(path)))
                break
            # a byte order mark, which some editors write, is no part of the text
            files[str(path)] = raw.decode("utf-8-sig")
        except RuleError as error:
            errors.append(error)
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            errors.append(RuleError("TS-R318", f"Byte {error.start} is not UTF-8", file=str(path), line=line))
        except OSError as error:
            errors.append(RuleError("TS-R318", f"The file cannot be read: {error.strerror}", file=str(path)))
    if not paths and not errors:
        errors.append(RuleError("TS-R317", f"{directory} holds no *.yaml and no *.yml file"))
    if errors:
        raise RuleErrors(errors)
    return files


def _paths(directory: Path, errors: list[RuleError]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        errors.append(RuleError("TS-R316", f"{error.filename} cannot be read: {error.strerror}"))

    for parent, children, names in os.walk(directory, onerror=unreadable):
        children[:] = [name for name in children if not name.startswith(".")]
        for name in names:
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield Path(parent, name)


def _read(path: Path) -> bytes:
    """The bytes of a regular file; a pipe would never end, and a file that is too large is not read whole."""
    if not path.is_file():
        raise RuleError("TS-R318", "This is not a file, or a link to nothing", file=str(path))
    with path.open("rb") as file:
        raw = file.read(limits.MAX_FILE_BYTES + 1)
    if len(raw) > limits.MAX_FILE_BYTES:
        raise RuleError("TS-R510", f"The file has more than {limits.MAX_FILE_BYTES} bytes", file=str(path))
    return raw
