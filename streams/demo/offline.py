"""The demo where no Kafka or no Redis can run: the same history through `tagstream replay`, which needs neither."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.errors import ConfigError
from streams.demo.history import Past
from streams.demo.view import Label


def show_replay(
    past: Past, rules_dir: Path, run_dir: Path, now_ms: int, console: Console, labels: Mapping[str, Label]
) -> None:
    """Replays the history up to now and shows what came of it. Raises ConfigError TS-C303 if the replay fails."""
    events = run_dir / "history.jsonl"
    events.write_bytes(b"".join(orjson.dumps({"type": "purchase"} | purchase) + b"\n" for purchase in past.purchases))
    arguments = ["replay", str(events), "--rules", str(rules_dir), "--until", str(now_ms)]
    console.print(f"Without them: tagstream {' '.join(arguments)}", soft_wrap=True)
    ops: Counter[str] = Counter()
    holders: Counter[str] = Counter()
    log = run_dir / "replay.log"
    with log.open("wb") as complaints:
        command = [sys.executable, "-m", "streams.cli.main", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints) as replay:
            assert replay.stdout is not None
            for line in replay.stdout:
                change = orjson.loads(line)
                ops[change["op"]] += 1
                holders[change["tag"]] += {"entered": 1, "left": -1}.get(change["op"], 0)
    if replay.returncode != 0:
        raise ConfigError("TS-C303", f"`tagstream replay` ended with exit code {replay.returncode}; its log is {log}")
    table = Table("customers", "tag", box=None, pad_edge=False)
    table.columns[0].justify = "right"
    for tag, count in holders.most_common():
        label = labels.get(tag, Label(tag, "default"))
        table.add_row(f"{count:,}", Text(label.name, style=label.colour))
    console.print(table)
    console.print(
        f"{len(past.purchases):,} purchases: tags entered {ops['entered']:,} · changed {ops['changed']:,} · "
        f"left {ops['left']:,}"
    )
