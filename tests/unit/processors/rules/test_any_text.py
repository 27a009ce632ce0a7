"""Whatever stands in a rule file, reading it ends with a rule set or with errors that have a place."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.rules.load import read_rules

RULES = """\
- tag: high_value
  name: {zh: 高价值客户, en: "High \\"value\\""}
  class: dynamic
  category: value
  colour: "#c0392b"
  when: sum(purchase.amount where kind in ["order", 'refund'] and quantity >= 2, 90d) >= 5000.50
  leave: >-
    not (count(browse, 1d) > 1
      or count(service where sentiment < -0.5, ever) == 2)
  dwell: 10m
  examples:
    - given: [purchase 2000 at 0d, 'browse category="x y" at 1d2h']
      then: [entered at 2d10m, left at 90d1h]
- tag: tier
  name: Tier
  class: static
  category: base
  tier: [{level: a, when: 'count(browse, 1d) > 5'}, {level: b, when: 'count(browse, 1d) > 1'}]
- tag: back
  name: Back
  class: business
  category: marketing
  parent: high_value
  exclusive: offer
  rank: 2
  owner: Ann
  review_by: 2030-01-31
  sensitive: true
  when: >-
    browse where page_type starts_with "p" and hour(browse) in [8, 9] then no purchase where present(order_time)
    within 2h and not (tag("tier") == "a" or tag("high_value")) and first(browse.category, 7d) != "x"
  leave: days_since(browse) > 30 or ratio(trend(count(browse, 7d)), interval(browse, 30d)) < 1.5
- tag: liked
  name: Liked
  class: dynamic
  category: behaviour
  for_each: browse.category
  limit: 5
  when: count(browse, 7d) >= 2 and distinct(purchase.product_id, 7d) == 0 and profile.a != "x"
  examples:
    - given: ['profile a="x", b=null at 0d']
      then:
        - entered [a, "b c"] at 1d
- tag: worth
  name: Worth
  class: dynamic
  category: value
  score: ratio(days_since(purchase where profile.a == category), count(browse, 7d))
  step: 0.5
  holdout: 10%
  forecast: true
  examples: [{given: [], then: [entered 0.5 at 1d]}]
- {tag: vip, name: Vip, class: business, category: special, manual: true, levels: [a, b]}
- {tag: churn, name: Churn, class: business, category: special, model: true, manual: false}
- tag: asks
  name: Asks
  class: dynamic
  category: base
  when: >-
    top(purchase.category by sum(purchase.amount) where age(profile.b) > 5, 7d) == profile.c
    and tag("churn") >= 0.5 and tag("vip") != "a" and not age(profile.b) < 18 and not tag("liked")
- {tag: offer, name: Offer, class: business, category: marketing, exclusive: offer, when: 'tag("tier")'}
"""
PIECES = st.one_of(
    st.sampled_from(
        [
            *"()[]{},.:\"'=<>!&*#-|\\\n\t\x00\x1b鞋",
            "not ",
            " and ",
            "\n  ",
            "where",
            " then ",
            "tag(",
            "back",
            "400d",
            "9" * 30,
            "\r\n",
            "",
        ]
    ),
    st.text(max_size=3),
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The rules with a few pieces cut out or put in."""
    text = RULES
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(PIECES) + text[at + draw(st.integers(0, 6)) :]
    return text


def test_the_rules_that_are_mutated_have_no_fault() -> None:
    assert read_rules({"r.yaml": RULES}, time_zone="UTC", default_currency="CNY").errors == ()


@settings(max_examples=300, deadline=None)
@given(st.one_of(mutated(), st.text(max_size=60)))
def test_reading_ends_with_rules_or_with_errors_that_have_a_place(text: str) -> None:
    loaded = read_rules({"r.yaml": text}, time_zone="UTC", default_currency="CNY")
    assert (loaded.rule_set is None) == bool(loaded.errors)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for found in loaded.errors + loaded.warnings:
        assert found.line is not None and found.column is not None
        assert 1 <= found.line <= len(lines)
        assert 1 <= found.column <= len(lines[found.line - 1]) + 1
        assert found.render()
