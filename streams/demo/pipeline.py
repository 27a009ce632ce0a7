"""The pipeline under demonstration: `tagstream run` as a child process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from schemas.errors import ConfigError
from streams.demo.place import Place
from streams.local.child import Child
from streams.local.ports import HOST

STOP_WITHIN_S: Final = 20.0
"""A step under way is finished first, which takes tenths of a second; compiling at the first start takes longer."""
COMMAND: Final = (sys.executable, "-m", "streams.cli.main", "run")


def environment(place: Place, rules_dir: Path, metrics_port: int) -> dict[str, str]:
    """The settings that the child has to have; all others are the user's."""
    kafka, redis = place.kafka, place.redis
    settings = {
        "KAFKA__BOOTSTRAP": kafka.bootstrap,
        "KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "KAFKA__GROUP_ID": kafka.group_id,
        # The demo's own broker speaks plainly, whatever the user's is set to.
        "KAFKA__SECURITY_PROTOCOL": kafka.security_protocol,
        "REDIS__URL": redis.url,
        "REDIS__KEY_PREFIX": redis.key_prefix,
        "RULES__DIR": str(rules_dir.resolve()),
        "METRICS__HOST": HOST,
        "METRICS__PORT": str(metrics_port),
    }
    return {f"TAGSTREAM_{name}": value for name, value in settings.items()}


class Pipeline:
    """Runs from construction until `stop`."""

    def __init__(self, run_dir: Path, env: Mapping[str, str]) -> None:
        self._child = Child(COMMAND, log=run_dir / "run.log", env=env)

    @property
    def log(self) -> Path:
        return self._child.log

    def check(self) -> None:
        """Raises ConfigError TS-C303 if it has ended."""
        code = self._child.exit_code()
        if code is not None:
            said = self._child.tail(3).strip()
            raise ConfigError(
                "TS-C303", f"`tagstream run` ended with exit code {code}; its log is {self.log}\n{said}".strip()
            )

    def stop(self) -> None:
        self._child.stop(STOP_WITHIN_S)
