"""Makes examples/cdnow.jsonl.gz from the CDNOW master file.

    python examples/make_cdnow.py CDNOW_master.txt examples/cdnow.jsonl.gz

A line of the master file is one purchase: customer, date as YYYYMMDD, number of CDs, dollars; a head line is left out
where there is one. Lines repeat: a customer may buy the same for the same price twice a day. So a purchase is named by
its number in the file, counted from 1 without the head line. The dates have no time of day; midnight UTC stands for it.
Amounts carry no currency: the rules take them in their default currency, whichever that is.

The same input gives the same lines, and the same bytes wherever zlib is the same.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

USAGE = "usage: make_cdnow.py CDNOW_MASTER OUT.jsonl.gz"


def purchases(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The events, in the file's order. Raises ValueError for a line that is no purchase."""
    fields = (line.split() for line in lines)
    rows = (row for row in fields if row and row[0] != "customer_id")
    for number, row in enumerate(rows, start=1):
        customer, date, quantity, dollars = row
        cents = Decimal(dollars) * 100
        if cents != int(cents):
            raise ValueError(f"purchase {number}: {dollars} is not a whole number of cents")
        bought_at = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
        yield {
            "type": "purchase",
            "event_id": f"cdnow-{number}",
            "customer_id": f"cdnow-{int(customer)}",
            "event_time": int(bought_at.timestamp()) * 1000,
            "order_id": f"cdnow-{number}",
            "kind": "order",
            "quantity": int(quantity),
            "amount_cents": int(cents),
        }


def main(arguments: list[str]) -> int:
    """Writes the file, sorted by time and then by number. Returns the exit code."""
    if len(arguments) != 2:
        print(USAGE, file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    with source.open(encoding="ascii") as lines:
        # sorting is stable, so purchases of one day stay in the file's order
        events = sorted(purchases(lines), key=lambda event: event["event_time"])
    text = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)
    # Without time and name in its head, the file depends on its content alone.
    target.write_bytes(gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0))
    print(f"{len(events):,} purchases of {len({event['customer_id'] for event in events}):,} customers in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
