"""What the demo shows: a live view on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from processors.rules.tree import RuleSet
from schemas.records import Change
from streams.change_line import shown_value
from streams.demo.tally import Tally

REFRESH_MS: Final = 250
"""Four pictures a second look alive, and cost some percent of one core."""
LINE_EVERY_MS: Final = 2_000
"""A line's time where there is no terminal: a log of a minute is thirty lines."""
SIGNS: Final = {"entered": ("+", "bold green"), "left": ("-", "bold red"), "changed": ("~", "bold yellow")}


@dataclass(frozen=True, slots=True)
class Label:
    """How people see a tag."""

    name: str
    colour: str


def labels_of(rule_set: RuleSet) -> dict[str, Label]:
    """By tag id: its Chinese and English names, as far as it has them, and its colour."""
    return {
        tag.id: Label(
            " ".join(tag.name[language] for language in ("zh", "en") if language in tag.name) or tag.id,
            tag.colour or "default",
        )
        for tag in rule_set.tags
    }


class View:
    """`with` begins and ends the picture; `show` may be called as often as one likes."""

    def __init__(self, console: Console, labels: Mapping[str, Label], *, live_picture: bool | None = None) -> None:
        """`live_picture`: None asks the console whether it is a terminal."""
        self._console = console
        self._labels = labels
        picture = console.is_terminal if live_picture is None else live_picture
        self._live = Live(console=console, auto_refresh=False) if picture else None
        self._shown_ms: int | None = None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, lines: Sequence[str]) -> None:
        """Lines that stay, above the picture; not broken, so that commands can be copied."""
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)

    def show(self, now_ms: int, tally: Tally) -> None:
        """Shows where things stand, unless that was done a moment ago."""
        every_ms = LINE_EVERY_MS if self._live is None else REFRESH_MS
        if self._shown_ms is not None and now_ms < self._shown_ms + every_ms:
            return
        self._shown_ms = now_ms
        if self._live is None:
            self._console.print(figures(now_ms, tally), soft_wrap=True)
        else:
            self._live.update(self.picture(now_ms, tally), refresh=True)

    def picture(self, now_ms: int, tally: Tally) -> Group:
        """Figures, the newest changes, the tags by number of customers."""
        changes = Table("at (UTC)", "", "customer", "tag", "value", box=None, pad_edge=False)
        for change in tally.newest:
            changes.add_row(*self._row(change))
        holders = Table("customers", "tag", box=None, pad_edge=False)
        holders.columns[0].justify = "right"
        for tag, count in tally.tags.most_common(tally.newest.maxlen):
            holders.add_row(f"{count:,}", self._name(tag))
        both = Table.grid(padding=(0, 4))
        both.add_row(changes, holders)
        return Group(figures(now_ms, tally), Padding(both, (1, 0)))

    def _row(self, change: Change) -> tuple[Text, Text, Text, Text, Text]:
        sign, style = SIGNS[change.op]
        at = datetime.fromtimestamp(change.effective_at / 1000, UTC)
        value = change.after if change.after is not None else change.before
        return (
            Text(f"{at:%m-%d %H:%M:%S}", style="dim"),
            Text(sign, style=style),
            Text(change.customer_id, no_wrap=True, overflow="ellipsis"),
            self._name(change.tag),
            Text("" if value is True else shown_value(value)),
        )

    def _name(self, tag: str) -> Text:
        label = self._labels.get(tag, Label(tag, "default"))
        return Text(label.name, style=label.colour, no_wrap=True, overflow="ellipsis")


def figures(now_ms: int, tally: Tally) -> Text:
    """One line: time, rate, counts, delays."""
    is_live = tally.live_since_ms is not None
    parts = [
        f"{max(0, now_ms - tally.since_ms) / 1000:4.0f} s",
        f"{tally.rate(now_ms):,.0f} events/s" if is_live else "taking in the history",
        f"tags entered {tally.ops['entered']:,}",
        f"changed {tally.ops['changed']:,}",
        f"left {tally.ops['left']:,}",
    ]
    if is_live:
        parts.append(f"arrival to change {tally.to_change.delay() or '-'}")
        parts.append(f"to Redis {tally.to_redis.delay() or '-'}")
    return Text(" · ".join(parts), style="bold")
