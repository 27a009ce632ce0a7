"""Histories as the engine takes them, of scenarios that were drawn."""

from __future__ import annotations

from processors.history import History
from schemas.codec import event_from_json
from tests.oracle.generate import Scenario


def history_of(scenario: Scenario) -> History:
    """The scenario's events, as if read from lines."""
    history = History()
    for line, event in enumerate(scenario.events):
        own = {"event_id": event.event_id, "customer_id": event.customer_id, "event_time": event.event_time_ms}
        history.add(event_from_json(event.type, {**event.fields, **own}), event.arrival_ms, line)
    return history
