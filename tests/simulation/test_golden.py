"""One expected output, whether the same input is applied plainly, through crashes, by more and fewer taggers, or by
three that begin with the snapshots of two.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation import golden
from tests.simulation.campaign import prepared


def test_the_expected_output_is_what_the_oracle_says() -> None:
    assert golden.recomputed() == golden.expected()
    kinds = Counter((change["tag"], change["origin"]) for mine in golden.expected().values() for change in mine)
    assert len(kinds) > 10 and sum(kinds.values()) > 300


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", golden.WAYS)
def test_it_comes_out_whatever_befalls_the_taggers(way: str, seed: int) -> None:
    with prepared():
        found = golden.run(way, seed)
    assert found == golden.expected()
