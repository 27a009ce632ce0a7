"""Rules and requests that the tests of the control role share."""

from __future__ import annotations

from processors.rules.load import load_rules
from processors.rules.tree import RuleSet
from schemas.records import Request

RULES = """
- {tag: vip, name: {en: VIP}, class: business, category: value, when: "count(purchase, 30d) >= 3"}
- tag: tier
  name: {en: Tier}
  class: dynamic
  category: value
  tier:
    - {level: gold, when: "sum(purchase.amount, 90d) >= 1000"}
    - {level: silver, when: "sum(purchase.amount, 90d) >= 100"}
"""


def rule_set(more: str = "") -> RuleSet:
    return load_rules({"r.yaml": RULES + more}, time_zone="UTC", default_currency="CNY")


def request(**fields: object) -> Request:
    given = {"request_id": "r-1", "customer_id": "anna", "kind": "assign", "tag": "vip", "actor": "bob"}
    return Request(**given | fields)  # type: ignore[arg-type]
