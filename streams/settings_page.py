"""The settings as a page for people: `python -m streams.settings_page > docs/settings.md`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from streams.settings import Loaded, Row, Section, Settings

__all__ = ["page"]

HEAD: Final = """\
# Settings

Every setting has a type and a default and is checked once, at start. `tagstream config` shows the values in force and
where each comes from. A setting is looked for in this order; the first place that has it wins:

1. The environment: `TAGSTREAM_` and the name in capitals, with `__` for the dot: `TAGSTREAM_KAFKA__BOOTSTRAP`.
2. A file with that name without the prefix (`kafka__sasl_password`) in the directory that `TAGSTREAM_SECRETS_DIR`
   names, by default `/run/secrets`, where Docker and Kubernetes put secrets.
3. The file that `--config` or `TAGSTREAM_CONFIG` names, else `tagstream.toml` or `tagstream.yaml` in the working
   directory; one table a section.
4. The default.

A name that is no setting is an error (TS-C105). Secrets are never shown. As a file:

```toml
output_format = "json"

[kafka]
bootstrap = "broker-1:9092,broker-2:9092"
topic_prefix = "shop."

[rules]
dir = "rules"
default_currency = "CNY"
```

This page is made from `streams/settings.py`:  `python -m streams.settings_page > docs/settings.md`
"""


def page() -> str:
    """The whole page, Markdown, ending in a line break. It does not depend on the environment: defaults alone."""
    rows = sorted(Loaded(Settings(), {}).rows(), key=lambda row: "." in row.path)
    parts = [HEAD]
    for section, group in groupby(rows, key=lambda row: row.path.rpartition(".")[0]):
        parts.append("\n".join(_section(section, list(group))))
    return "\n".join(parts)


def _section(name: str, rows: list[Row]) -> Iterator[str]:
    yield f"## {name}\n" if name else "## At the top level\n"
    if name:
        model = Settings.model_fields[name].annotation
        assert isinstance(model, type) and issubclass(model, Section)
        yield f"{model.__doc__}\n"
    yield "| Setting | Default | Type | What it does |"
    yield "|---|---|---|---|"
    for row in rows:
        default = {"-": "none", "": "empty"}.get(row.value, f"`{row.value}`")
        cells = [f"`{row.path}`", default, row.type, row.doc]
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
    yield ""


if __name__ == "__main__":
    print(page(), end="")
