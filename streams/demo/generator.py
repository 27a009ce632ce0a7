"""A shop with customers in it: the demo's live stream. Pure: seeded, and told what time it is.

Customers come in visits. A visit is a coroutine that yields one action after the other, each with the pause before it;
a heap holds the next action of every visit that is under way. Visits begin at random (a Poisson process), so that as
many events come as asked for in the long run, and as unevenly as in a shop.

Who comes: mostly customers of the history, of whom a few come often (the whales) and most never (their tags leave by
silence alone); people who were never seen before; now and then a program that reads page after page. What they do
follows from who they are: that depends on the customer's id, so a coupon hunter is one at each visit.
"""

from __future__ import annotations

import heapq
import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Action = tuple[int, str, dict[str, Any]]
"""Milliseconds since the visit's last action, event type, fields beside the ids and the time."""
Visit = Iterator[Action]

CATEGORIES: Final = ("music", "books", "games", "home", "electronics", "clothes")
CHANNELS: Final = ("web", "app", "wechat")
REGIONS: Final = ("Beijing", "Shanghai", "Guangdong", "Sichuan", "Hubei", "Shaanxi")
COMPLAINTS: Final = ("late delivery", "defect", "wrong item", "no answer")

MEAN_EVENTS_PER_VISIT: Final = 7.6
"""Measured over a hundred thousand visits; turns events a second into visits a second. A test holds it to 10 %."""
WARM_UP_MS: Final = 5 * 60_000
"""The shop was open before anyone looked: visits begin this long before the first event that is given out. By then as
many end as begin, for few last longer."""
MAX_EVENTS_PER_S: Final = 20_000.0
"""What this generator makes in one thread, with room for the producer beside it."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event as its sender makes it."""

    type: str
    event: dict[str, Any]
    """event_id, customer_id, event_time (ms) and the type's own fields, ready for JSON."""


class Shop:
    """All visits under way. `events_until` is called with times that do not go back."""

    def __init__(self, *, seed: int, customers: Sequence[str], events_per_s: float, opens_ms: int) -> None:
        """`customers` are the ids that are known already; `opens_ms` is the time before which no event lies.

        The rate is a mean over minutes, above 0 and at most `MAX_EVENTS_PER_S`.
        """
        if not 0 < events_per_s <= MAX_EVENTS_PER_S:
            raise ValueError(f"events_per_s must be above 0 and at most {MAX_EVENTS_PER_S:,.0f}: {events_per_s}")
        if not customers:
            raise ValueError("a shop needs customers")
        self._random = random.Random(seed)
        self._customers = customers
        self._opens_ms = opens_ms
        # Ids of one run must not meet those of an earlier one in the same Kafka: they would be duplicates.
        self._run = f"{opens_ms:x}"
        self._mean_gap_ms = 1000 * MEAN_EVENTS_PER_VISIT / events_per_s
        self._next_visit_ms = float(opens_ms - WARM_UP_MS)
        self._due: list[tuple[int, int, str, Action, Visit]] = []
        self._visits = 0
        self._events = 0
        self._strangers = 0

    def events_until(self, now_ms: int) -> list[LiveEvent]:
        """Every event not given out yet that lies before `now_ms`, by time."""
        given: list[LiveEvent] = []
        while True:
            next_action_ms = self._due[0][0] if self._due else now_ms
            if min(next_action_ms, self._next_visit_ms) >= now_ms:
                return given
            if self._next_visit_ms <= next_action_ms:
                self._begin_visit(int(self._next_visit_ms))
                self._next_visit_ms += self._random.expovariate(1 / self._mean_gap_ms)
                continue
            at_ms, number, customer, (_, event_type, fields), visit = heapq.heappop(self._due)
            if at_ms >= self._opens_ms:
                given.append(self._event(event_type, customer, at_ms, fields))
            self._await_action(at_ms, number, customer, visit)

    def _event(self, event_type: str, customer: str, at_ms: int, fields: dict[str, Any]) -> LiveEvent:
        self._events += 1
        ids = {"event_id": f"live-{self._run}-{self._events}", "customer_id": customer, "event_time": at_ms}
        return LiveEvent(event_type, ids | fields)

    def _begin_visit(self, at_ms: int) -> None:
        self._visits += 1
        draw = self._random.random()
        if draw < 0.003:
            customer = f"bot-{self._random.randrange(20)}"
            visit = crawl(self._random)
        elif draw < 0.15:
            self._strangers += 1
            customer = f"guest-{self._run}-{self._strangers}"
            visit = first_visit(self._random, manners_of(customer))
        else:
            customer = self._someone_known()
            manners = manners_of(customer)
            occasion = self._random.choices(tuple(_OCCASIONS), tuple(_OCCASIONS.values()))[0]
            visit = occasion(self._random, manners)
        self._await_action(at_ms, self._visits, customer, visit)

    def _someone_known(self) -> str:
        """A customer, those at the front of the list far more often than those behind (the cube of an even draw)."""
        return self._customers[int(self._random.random() ** 3 * len(self._customers))]

    def _await_action(self, now_ms: int, number: int, customer: str, visit: Visit) -> None:
        """Puts a visit's next action on the heap; `number` orders what is due at the same time."""
        action = next(visit, None)
        if action is not None:
            heapq.heappush(self._due, (now_ms + action[0], number, customer, action, visit))


# -------------------------------------------------------------------------------------------------- customers


@dataclass(frozen=True, slots=True)
class Manners:
    """What a customer is like, at every visit."""

    channel: str
    category: str
    """The one that they like best."""
    is_whale: bool
    hunts_coupons: bool
    is_hard_to_please: bool


def manners_of(customer_id: str) -> Manners:
    """The same for the same id, in every run and on every machine."""
    draw = random.Random(zlib.crc32(customer_id.encode("utf-8")))
    return Manners(
        channel=draw.choice(CHANNELS),
        category=draw.choice(CATEGORIES),
        is_whale=draw.random() < 0.02,
        hunts_coupons=draw.random() < 0.1,
        is_hard_to_please=draw.random() < 0.05,
    )


# ----------------------------------------------------------------------------------------------------- visits


def shop_around(draw: random.Random, manners: Manners) -> Visit:
    """Looks at some pages; may fill a cart; may pay. Who pays may come to regret it, and may say so."""
    pages = 1 + int(draw.expovariate(1 / 7))
    for _ in range(pages):
        yield _page(draw, manners)
    wants_it = draw.random() < (0.6 if manners.is_whale else 0.25)
    if not wants_it:
        return
    yield _pause(draw, 10), "browse", {"channel": manners.channel, "page_type": "cart"}
    if draw.random() < 0.3:  # leaves the cart behind
        return
    order_id, cents = f"o-{draw.getrandbits(40):x}", _price_cents(draw, manners)
    order = {"channel": manners.channel, "order_id": order_id, "category": manners.category}
    coupon = {"coupon_id": f"coupon-{draw.randrange(30)}"} if manners.hunts_coupons else {}
    bought = {"kind": "order", "amount_cents": cents, "quantity": 1 + int(draw.expovariate(1.2))}
    yield _pause(draw, 20), "purchase", order | bought | coupon
    if draw.random() < (0.5 if manners.is_hard_to_please else 0.04):
        yield from complain(draw, manners)
        yield _pause(draw, 30), "purchase", order | {"kind": "refund", "amount_cents": -cents, "quantity": 1}
    elif draw.random() < 0.1:
        yield _pause(draw, 30), "service", _survey(manners, satisfaction=draw.choice((4, 5)))


def first_visit(draw: random.Random, manners: Manners) -> Visit:
    """Somebody new: looks around, and often leaves a profile."""
    if draw.random() < 0.5:
        attributes = {"region": draw.choice(REGIONS), "source": draw.choice(("search", "referral", "advert"))}
        attributes |= {"sex": draw.choice(("female", "male")), "birthday": _birthday(draw)}
        yield _pause(draw, 5), "profile", {"attributes": attributes}
    yield from shop_around(draw, manners)


def complain(draw: random.Random, manners: Manners) -> Visit:
    """Asks, complains, perhaps twice, and is helped."""
    ticket = {"channel": manners.channel, "ticket_id": f"t-{draw.getrandbits(40):x}", "topic": draw.choice(COMPLAINTS)}
    yield _pause(draw, 10), "service", ticket | {"kind": "enquiry", "sentiment": _tenths(draw, -0.4, 0.2)}
    for _ in range(draw.choice((1, 1, 2))):
        yield _pause(draw, 15), "service", ticket | {"kind": "complaint", "sentiment": _tenths(draw, -1.0, -0.5)}
    yield _pause(draw, 30), "service", ticket | {"kind": "resolved", "sentiment": _tenths(draw, -0.3, 0.5)}


def answer_campaign(draw: random.Random, manners: Manners) -> Visit:
    """Is sent an offer; may open it, click on it, and shop."""
    about = {"channel": "email", "topic": f"{manners.category} week"}
    for kind, share_going_on in (("campaign_sent", 0.5), ("campaign_open", 0.4), ("campaign_click", 0.8)):
        yield _pause(draw, 10), "service", about | {"kind": kind}
        if draw.random() >= share_going_on:
            return
    yield from shop_around(draw, manners)


def change_profile(draw: random.Random, manners: Manners) -> Visit:
    """Moves house, or changes their mind about being written to. None takes an attribute away."""
    change = draw.choice(({"region": draw.choice(REGIONS)}, {"consent_email": draw.choice(("yes", None))}))
    yield _pause(draw, 5), "profile", {"attributes": change}


def crawl(draw: random.Random) -> Visit:
    """A program: a page about every second, and it never buys."""
    for _ in range(draw.randrange(60, 180)):
        page = {"channel": "web", "page_type": "product", "product_id": f"p-{draw.randrange(5000)}"}
        yield draw.randrange(500, 1500), "browse", page | {"dwell_ms": 0}


_OCCASIONS: Final[Mapping[Callable[[random.Random, Manners], Visit], float]] = {
    shop_around: 0.82,
    answer_campaign: 0.11,
    complain: 0.04,
    change_profile: 0.03,
}
"""Why somebody comes who is known, and the share of visits for it."""


def _page(draw: random.Random, manners: Manners) -> Action:
    if draw.random() < 0.1:
        fields: dict[str, Any] = {"page_type": "search", "search_query": f"{manners.category} {draw.randrange(50)}"}
    else:
        category = manners.category if draw.random() < 0.6 else draw.choice(CATEGORIES)
        fields = {"page_type": "product", "product_id": f"p-{draw.randrange(5000)}", "category": category}
    pause_ms = _pause(draw, 12)
    return pause_ms, "browse", {"channel": manners.channel, "dwell_ms": pause_ms} | fields


def _survey(manners: Manners, satisfaction: int) -> dict[str, Any]:
    return {"channel": manners.channel, "kind": "survey", "satisfaction": satisfaction}


def _pause(draw: random.Random, mean_s: float) -> int:
    """Milliseconds to the next action: one second at least, as nobody clicks faster."""
    return 1000 + int(draw.expovariate(1 / (mean_s - 1)) * 1000)


def _birthday(draw: random.Random) -> str:
    return f"{draw.randrange(1955, 2008)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"


def _price_cents(draw: random.Random, manners: Manners) -> int:
    """Mostly some tens of the currency, as the history's purchases are; a whale's are some hundreds."""
    return int(draw.lognormvariate(3.3, 0.7) * 100) * (12 if manners.is_whale else 1) + 99


def _tenths(draw: random.Random, low: float, high: float) -> float:
    return round(draw.uniform(low, high), 1)
