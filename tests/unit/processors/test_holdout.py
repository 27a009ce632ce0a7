"""The control group of a tag: its share of the customers, always the same ones, drawn for each tag anew."""

from __future__ import annotations

from math import sqrt

import pytest
from numba import config as numba_config

from processors.partition import Partition
from tests.unit.processors.world import World, event, rules

CUSTOMERS = 1_000 if numba_config.DISABLE_JIT else 10_000
ONCE = "count(browse, 1h) >= 1\nholdout: "


def groups(world: World, tag: str) -> dict[str, set[str | None]]:
    """By customer all groups that changes of the tag name."""
    found: dict[str, set[str | None]] = {}
    for change in world.changes:
        if change.tag == tag:
            found.setdefault(change.customer_id, set()).add(change.group)
    return found


def crowd(**tags: str) -> World:
    """All customers enter and leave the tags, twice."""
    world = World(Partition(rules(**tags)))
    for hours in (0, 5):
        at_ms = hours * 3_600_000
        names = [f"customer {n}" for n in range(CUSTOMERS)]
        world.step(*(event(at_ms, name, "browse") for name in names), to_ms=at_ms + 3 * 3_600_000)
    assert len(world.changes) == 4 * CUSTOMERS * len(tags)
    return world


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_the_share_is_held_out_and_stays_so(share: float) -> None:
    held = groups(crowd(t=f"{ONCE}{share}"), "t")
    assert all(len(each) == 1 for each in held.values()), "on one side at every change"
    control = sum(each == {"control"} for each in held.values())
    assert abs(control - share * CUSTOMERS) < 5 * sqrt(share * (1 - share) * CUSTOMERS)


def test_nobody_and_everybody_can_be_held_out() -> None:
    world = crowd(none=f"{ONCE}0", all=f"{ONCE}100%", plain="count(browse, 1h) >= 1")
    for tag, group in (("none", "treatment"), ("all", "control"), ("plain", None)):
        assert set.union(*groups(world, tag).values()) == {group}


def test_each_tag_draws_for_itself() -> None:
    world = crowd(a=f"{ONCE}0.5", b=f"{ONCE}0.5")
    a, b = groups(world, "a"), groups(world, "b")
    both = sum(a[customer] == b[customer] for customer in a)
    assert abs(both - CUSTOMERS / 2) < 5 * sqrt(CUSTOMERS / 4)


def test_a_customer_is_on_the_same_side_whatever_else_is_defined() -> None:
    alone = groups(crowd(t=f"{ONCE}0.3"), "t")
    among = groups(crowd(a=f"{ONCE}0.5", t=f"{ONCE}0.3", z="count(browse, 2h) >= 1"), "t")
    assert alone == among
