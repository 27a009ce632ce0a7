"""Snapshots and the evidence of sensitive tags are encrypted at rest, and everything else is as without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.errors import StateError
from streams.sealing import NO_KEYS, SEALED, Keyring
from streams.tagger.snapshots import Saved
from tests.unit.streams.tagger.taking import (
    JOURNAL,
    MINUTE_MS,
    SNAPSHOTS,
    START_MS,
    Installation,
    changes,
    lose,
    rules,
    send,
    snapshot,
    step,
    taken,
)

FIRST, SECOND = Keyring({"first": bytes(32)}), Keyring({"second": b"2" * 32, "first": bytes(32)})
PLAIN = rules("count(browse, ever) >= 1", "count(browse, ever) >= 2")
RULES = replace(PLAIN, tags=(replace(PLAIN.tags[0], sensitive=True), PLAIN.tags[1]))
CUSTOMER = "somebody-with-a-long-id"


def lived(site: Installation, keyring: Keyring, *, as_json: bool = False) -> int:
    """Two visits and a snapshot of them. Returns where the journal goes on."""
    work = taken(site, RULES, keyring=keyring, as_json=as_json).work
    for minute in range(2):
        send(site, CUSTOMER, START_MS + minute * MINUTE_MS)
        stamp = step(site, work)
    snapshot(site, work, stamp.offset + 1, Saved(0.0))
    return stamp.offset + 1


@pytest.mark.parametrize("as_json", [False, True])
def test_evidence_of_sensitive_tags_alone_is_sealed(site: Installation, as_json: bool) -> None:
    lived(site, FIRST, as_json=as_json)
    sensitive, other = changes(site)
    assert (sensitive.tag, sensitive.after, sensitive.customer_id) == ("t0", True, CUSTOMER)
    assert str(sensitive.evidence[0].value).startswith(SEALED)
    assert (other.tag, other.evidence[0].value) == ("t1", 2.0)
    opened = FIRST.open_evidence(sensitive)
    assert (opened.evidence[0].value, opened.evidence[0].threshold) == (1.0, 1.0)


def test_without_keys_everything_is_as_it_was(site: Installation) -> None:
    lived(site, NO_KEYS)
    assert [change.evidence[0].value for change in changes(site)] == [1.0, 2.0]
    assert any(CUSTOMER.encode() in (r.given_value or b"") for r in site.records(SNAPSHOTS))


def test_a_snapshot_shows_nothing_and_is_read_with_its_key(site: Installation) -> None:
    lose(site, JOURNAL, lived(site, FIRST))
    assert not any(CUSTOMER.encode() in (r.given_value or b"") for r in site.records(SNAPSHOTS))
    again = taken(site, RULES, keyring=FIRST)
    assert len(again.manifests) == 1 and again.records == 0
    assert again.work.tags_by_customer() == {CUSTOMER: {"t0": True, "t1": True}}


def test_after_a_rotation_the_older_snapshot_is_read_and_the_next_one_needs_the_new_key(site: Installation) -> None:
    lived(site, FIRST)
    work = taken(site, RULES, keyring=SECOND).work
    send(site, CUSTOMER, START_MS + 5 * MINUTE_MS)
    stamp = step(site, work)
    snapshot(site, work, stamp.offset + 1, Saved(0.0))
    assert taken(site, RULES, keyring=SECOND).work.tags_by_customer() == {CUSTOMER: {"t0": True, "t1": True}}
    with pytest.raises(StateError, match=r"TS-S110.*key second"):
        taken(site, RULES, keyring=FIRST)


def test_without_the_key_the_partition_stops_and_says_which(site: Installation) -> None:
    lived(site, FIRST)
    with pytest.raises(StateError, match=r"TS-S110.*snapshot of step 2, key first"):
        taken(site, RULES)


def test_a_snapshot_of_before_the_first_key_is_read(site: Installation) -> None:
    lived(site, NO_KEYS)
    assert len(taken(site, RULES, keyring=FIRST).manifests) == 1
