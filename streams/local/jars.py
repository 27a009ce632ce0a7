"""Apache Kafka's jars, fetched once by Maven into the user's cache directory."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from schemas.errors import ConfigError
from streams.local.server import Say

__all__ = ["POM", "fetch", "java_version", "missing"]

POM: Final = Path(__file__).parents[2] / "deploy" / "local" / "pom.xml"
OLDEST_JAVA: Final = 17
"""Kafka 4's brokers need it."""
ASK_WITHIN_S: Final = 20.0
"""`java -version` takes 0.1 s; a cold disk some seconds."""
FETCH_WITHIN_S: Final = 900.0
"""44 MB and Maven's own plugins: 12 s on a fast line, minutes on a slow one."""


def java_version() -> int | None:
    """The main version of the `java` on PATH; None if there is none that answers."""
    java = shutil.which("java")
    if java is None:
        return None
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=ASK_WITHIN_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    # "17.0.15", and "1.8.0_402" before Java 9.
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found.group(1)) if found else None


def missing() -> list[str]:
    """What the broker as a child process lacks on this machine, in words; empty if nothing."""
    lacks = []
    version = java_version()
    if version is None:
        lacks.append(f"Java {OLDEST_JAVA}")
    elif version < OLDEST_JAVA:
        lacks.append(f"Java {OLDEST_JAVA} (this one is {version})")
    if shutil.which("mvn") is None:
        lacks.append("Maven")
    if not POM.is_file():
        lacks.append(f"{POM.name} of deploy/local, which only a checkout has")
    return lacks


def fetch(say: Say, *, environ: Mapping[str, str] = os.environ) -> Path:
    """The directory with the jars, filled by Maven if this is the first time. Raises ConfigError TS-C203.

    Its name has a hash of pom.xml, so another Kafka goes into another directory. Processes that come at the same
    time wait for each other.
    """
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tagstream"
    directory = cache / f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if directory.is_dir():
        return directory
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            say("fetching Apache Kafka with Maven (44 MB, only this once)")
            fresh = Path(tempfile.mkdtemp(prefix="fetching-", dir=cache))
            _run_maven(fresh, cache / "maven.log")
            # In one go, so that a directory of that name is always whole.
            fresh.rename(directory)
    return directory


def _run_maven(into: Path, log: Path) -> None:
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={into}"]
    with log.open("wb") as output:
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=FETCH_WITHIN_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(into, ignore_errors=True)
            raise ConfigError("TS-C203", f"Maven could not fetch Kafka ({error}); its output is in {log}") from None
