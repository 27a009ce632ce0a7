"""The control role on a real broker: each request answered, each obeyed once, also when the process is killed."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from confluent_kafka import Producer

from processors.oracle.place import murmur2
from schemas.errors import RequestError, TagstreamError
from schemas.records import Answer, Command, Request
from streams import topics
from streams.local.docker import DockerKafka
from streams.local.kafka import LocalKafka
from tests.integration.pipeline import Pipeline, kill, until

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


def request(number: int | str, customer: str = "anna", **fields: object) -> Request:
    given = {"kind": "assign", "tag": "vip", "actor": "test", **fields}
    return Request(request_id=f"r-{number}", customer_id=customer, **given)  # type: ignore[arg-type]


@pytest.fixture
def control(pipeline: Pipeline) -> Pipeline:
    pipeline.write_rules(RULES)
    pipeline.settings["CONTROL__SESSION_TIMEOUT_MS"] = "6000"
    return pipeline


@pytest.fixture
def producer(control: Pipeline) -> Iterator[Producer]:
    producer = Producer(
        {**control.kafka.client_config(), "partitioner": "murmur2_random", "enable.idempotence": True, "linger.ms": 2}
    )
    yield producer
    assert producer.flush(30) == 0


def send(control: Pipeline, producer: Producer, *requests: Request | bytes, key: str = "anna", to: int = -1) -> None:
    for each in requests:
        value, of = (each, key) if isinstance(each, bytes) else (each.to_avro(), each.customer_id)
        producer.produce(topics.REQUESTS.named(control.kafka), value, of, partition=to)
        producer.poll(0)


def answers(control: Pipeline) -> list[Answer]:
    return [Answer.from_value(m.value() or b"") for m in control.read(topics.RESULTS)]


def commands(control: Pipeline) -> list[Command]:
    """In order of partition and offset, all of them in the partition of their customer and under their key."""
    found = []
    for message in control.read(topics.COMMANDS):
        command = Command.from_value(message.value() or b"")
        assert (message.key() or b"").decode() == command.customer_id
        assert message.partition() == murmur2(command.customer_id.encode()) % control.kafka.partitions
        found.append(command)
    return found


def wait_for_answers(control: Pipeline, ids: set[str], within_s: float = 60) -> dict[str, list[Answer]]:
    """All answers by request, once each of these has one."""
    found: dict[str, list[Answer]] = {}

    def done() -> bool:
        found.clear()
        for answer in answers(control):
            found.setdefault(answer.request_id, []).append(answer)
        return ids <= found.keys()

    until(done, within_s, lambda: f"{len(ids - found.keys())} without answer\n{control.children[-1].tail(30)}")
    return found


def test_a_request_becomes_a_command_and_is_answered_and_the_same_one_again_only_answered(
    control: Pipeline, producer: Producer
) -> None:
    control.start("control")
    first = request(1, reason="loyal", term_ms=86_400_000)
    send(control, producer, first, first, request(2, tag="tier", value="gold"), request(3, kind="absent"))
    send(control, producer, request(4, kind="remove"), request(5, tag="nobody"), request(5, tag="nobody"))
    send(control, producer, request(1, kind="remove"))
    until(lambda: len(answers(control)) == 8, what=lambda: control.children[-1].tail(30))
    given = [(a.request_id, a.status, a.code) for a in answers(control)]
    assert given == [
        ("r-1", "accepted", None),
        ("r-1", "accepted", None),
        ("r-2", "accepted", None),
        ("r-3", "accepted", None),
        ("r-4", "accepted", None),
        ("r-5", "refused", "TS-Q102"),
        ("r-5", "refused", "TS-Q102"),
        ("r-1", "refused", "TS-Q108"),
    ]
    assert answers(control)[0] == answers(control)[1]
    obeyed = commands(control)
    assert [(c.command_id, c.kind, c.tag, c.value) for c in obeyed] == [
        ("r-1", "assign", "vip", True),
        ("r-2", "assign", "tier", "gold"),
        ("r-3", "assign", "vip", None),
        ("r-4", "remove", "vip", None),
    ]
    assert (obeyed[0].actor, obeyed[0].reason) == ("test", "loyal")
    arrived = control.read(topics.REQUESTS)[0].timestamp()[1]
    assert (obeyed[0].issued_at, obeyed[0].until) == (arrived, arrived + 86_400_000)
    assert answers(control)[0].until == obeyed[0].until


def test_after_a_restart_the_same_request_still_gets_the_first_answer(control: Pipeline, producer: Producer) -> None:
    child = control.start("control", "one")
    send(control, producer, request(1), request(2, tag="later"))
    before = wait_for_answers(control, {"r-1", "r-2"})
    control.write_rules(
        RULES, '- {tag: later, name: {en: L}, class: static, category: base, when: "count(browse, 1d) > 0"}'
    )
    applied = control.tagstream("apply", "--yes", "--no-wait")
    assert applied.exit_code == 0, applied.output
    assert child.stop(20) == 0, child.tail(30)
    control.start("control", "one")
    send(control, producer, request(1), request(2, tag="later"), request(9))
    after = wait_for_answers(control, {"r-9"})
    # What was answered shortly before the end may be answered once more.
    assert len(after["r-1"]) >= 2 and set(after["r-1"]) == set(before["r-1"])
    assert [c.command_id for c in commands(control)] == ["r-1", "r-2", "r-9"]
    # It was refused for want of the tag, so it may be asked once more under rules that have it.
    assert [a.status for a in dict.fromkeys(after["r-2"])] == ["refused", "accepted"]


KILLS = 3


def send_under_load(
    control: Pipeline,
    producer: Producer,
    requests: list[Request],
    least: int = 0,
    enough: Callable[[], bool] = lambda: False,
) -> list[Request]:
    """Some 600 a second: all, or at least so many until there are enough. Returns those that were sent."""
    for number, each in enumerate(requests):
        if number >= least and enough():
            return requests[:number]
        send(control, producer, each)
        if number % 10 == 0:  # sent again at once, and again much later
            send(control, producer, each, requests[number // 2])
        if number % 50 == 49:
            time.sleep(0.08)
    return requests


def some_requests(count: int) -> list[Request]:
    """Of 211 customers; one in thirty asks for a tag that there is not."""
    return [
        request(
            n, f"c{n % 211}", tag="tier" if n % 3 else "none" if n % 30 == 0 else "vip", value="gold" if n % 3 else None
        )
        for n in range(count)
    ]


def assert_each_was_obeyed_once(control: Pipeline, requests: list[Request], may_repeat: bool = False) -> list[Command]:
    """Also that each customer's were obeyed in their order. Returns all commands.

    `may_repeat`: a process that loses its partition in the middle of a batch may write the very same command again.
    """
    found = wait_for_answers(control, {r.request_id for r in requests}, 120)
    assert {len(set(given)) for given in found.values()} == {1}, "different answers to one request"
    refused = {r.request_id for r in requests if r.tag == "none"}
    assert {i for i, given in found.items() if given[0].status == "refused"} == refused

    obeyed = commands(control)
    by_id: dict[str, set[Command]] = defaultdict(set)
    for command in obeyed:
        by_id[command.command_id].add(command)
    assert by_id.keys() == found.keys() - refused
    assert {len(same) for same in by_id.values()} == {1}
    assert may_repeat or len(obeyed) == len(by_id), f"{len(obeyed) - len(by_id)} commands were written twice"
    order: dict[str, list[str]] = defaultdict(list)
    for command in obeyed:
        order[command.customer_id].append(command.command_id)
    for customer, ids in order.items():
        if customer != "anna":
            assert list(dict.fromkeys(ids)) == [
                r.request_id for r in requests if r.customer_id == customer and r.tag != "none"
            ]
    return obeyed


def test_killed_under_load_it_loses_no_request_and_obeys_none_twice(control: Pipeline, producer: Producer) -> None:
    child = control.start("control", "one")
    send(control, producer, request("first"))
    wait_for_answers(control, {"r-first"})
    requests, killed = some_requests(60_000), threading.Event()
    sent: list[Request] = []
    load = threading.Thread(
        target=lambda: sent.extend(send_under_load(control, producer, requests, 3_000, killed.is_set))
    )
    load.start()
    for _ in range(KILLS):
        answered = len(answers(control))
        # Not before this process is in the middle of its work.
        until(lambda enough=answered + 200: len(answers(control)) > enough, every_s=0.05)  # type: ignore[misc]
        kill(child)
        assert load.is_alive(), "it was killed when all was done"
        child = control.start("control", "one")
    killed.set()
    load.join()
    requests = sent
    obeyed = assert_each_was_obeyed_once(control, requests)
    answered = len(answers(control))

    # All of it once more: not one command.
    send(control, producer, *requests, request("last"))
    wait_for_answers(control, {"r-last"})
    until(lambda: len(answers(control)) >= answered + len(requests) + 1)
    assert Counter(c.command_id for c in commands(control)) == Counter(c.command_id for c in obeyed) + Counter(
        ["r-last"]
    )


def test_two_share_the_partitions_and_one_that_ends_is_replaced_by_the_other(
    control: Pipeline, producer: Producer
) -> None:
    requests = some_requests(3_000)
    children = [control.start("control", name) for name in ("one", "two")]
    load = threading.Thread(target=send_under_load, args=(control, producer, requests))
    load.start()
    until(lambda: len(answers(control)) > 500)
    assert children[1].stop(20) == 0, children[1].tail(30)
    load.join()
    assert_each_was_obeyed_once(control, requests, may_repeat=True)


def test_a_broker_that_restarts_costs_no_request(
    control: Pipeline, producer: Producer, kafka: LocalKafka | DockerKafka
) -> None:
    requests = some_requests(3_000)
    control.start("control", "one")
    load = threading.Thread(target=send_under_load, args=(control, producer, requests))
    load.start()
    until(lambda: len(answers(control)) > 500)
    kafka.kill()
    try:
        time.sleep(1)
    finally:
        kafka.restart()
    load.join()
    assert_each_was_obeyed_once(control, requests)


def test_bad_requests_are_answered_with_a_number_and_unreadable_ones_are_dead_letters(
    control: Pipeline, producer: Producer
) -> None:
    control.start("control")
    place = murmur2(b"anna") % control.kafka.partitions
    send(control, producer, request(1, tag="vpi"), request(2, value="gold"), request(3, tag="tier", value="bronze"))
    send(control, producer, request(4, actor=" "), request(5, term_ms=1), request(6, reason="x" * 1001))
    send(control, producer, request(7), to=(place + 1) % control.kafka.partitions)
    send(control, producer, request(8, customer=""), b'{"request_id": "r-9", "customer_id": "anna", "kind": "grant"}')
    send(control, producer, b"", b"{not json", b"\xc3\x01short", request(2**20).to_json().replace(b"r-1", b"@-1"))
    send(control, producer, request("good"))
    found = wait_for_answers(control, {f"r-{n}" for n in range(1, 10)} | {"r-good"})
    codes = {i: given[0].code for i, given in found.items()}
    assert codes == {
        "r-1": "TS-Q102",
        "r-2": "TS-Q104",
        "r-3": "TS-Q104",
        "r-4": "TS-Q105",
        "r-5": "TS-Q107",
        "r-6": "TS-Q106",
        "r-7": "TS-Q109",
        "r-8": "TS-Q101",
        "r-9": "TS-D111",
        "r-good": None,
    }
    assert "vip" in (found["r-1"][0].message or "")
    assert "gold, silver" in (found["r-3"][0].cure or "")
    assert [c.command_id for c in commands(control)] == ["r-good"]
    dead = control.read(topics.DEAD_LETTERS)
    assert [m.value() for m in dead] == [
        b"", b"{not json", b"\xc3\x01short", request(2**20).to_json().replace(b"r-1", b"@-1")
    ]  # fmt: skip
    headers = [dict(m.headers() or []) for m in dead]
    assert [h["code"] for h in headers] == [b"TS-D101", b"TS-D119", b"TS-D103", b"TS-D114"]
    assert {h["topic"] for h in headers} == {topics.REQUESTS.named(control.kafka).encode()}


def test_the_commands_tag_and_untag_wait_for_the_answer_and_say_it(control: Pipeline) -> None:
    child = control.start("control", OUTPUT_FORMAT="json")
    first = control.tagstream("tag", "anna", "tier", "--value", "gold", "--term", "30d", "--timeout", "60")
    assert first.exit_code == 0, first.output + child.tail(30)
    assert first.output.startswith("accepted: anna tier = gold until 20")
    second = control.tagstream("untag", "anna", "tier", "--reason", "a mistake", "--actor", "crm")
    assert second.output.startswith("accepted: anna tier is left to its rule; request ")
    third = control.tagstream("tag", "anna", "teir")
    assert isinstance(third.exception, TagstreamError)
    assert third.exception.code == "TS-Q102"
    assert json.loads(control.read(topics.RESULTS)[0].value() or b"")["status"] == "accepted"
    assert [(c.kind, c.value, c.reason) for c in commands(control)] == [
        ("assign", "gold", None),
        ("remove", None, "a mistake"),
    ]
    assert commands(control)[1].actor == "crm"
    kill(child)
    alone = control.tagstream("tag", "anna", "vip", "--timeout", "1")
    assert isinstance(alone.exception, RequestError)
    assert alone.exception.code == "TS-Q201"


def test_a_file_is_imported_with_a_report_and_a_second_time_without_effect(control: Pipeline, tmp_path: Path) -> None:
    lines = ["customer_id,tag,value,term", *(f"c{n},tier,silver,30d" for n in range(300))]
    lines[50:50] = ["c1,teir,gold,30d", "c1,tier,gold", "", '"c,1",vip,,']
    file = tmp_path / "tags.csv"
    file.write_text("\n".join(lines))
    dry = control.tagstream("import-tags", str(file), "--dry-run")
    assert dry.exit_code == 3
    assert "301 lines would be sent, 2 not" in dry.output
    assert "line 51: TS-Q102" in dry.output and "line 52: TS-Q204" in dry.output
    control.start("control")
    for _ in range(2):
        done = control.tagstream("import-tags", str(file), "--timeout", "60", "--rate", "5000")
        assert done.exit_code == 3, done.output
        assert "301 lines accepted, 2 not" in done.output
        assert "line 51: TS-Q102" in done.output
        assert len(commands(control)) == 301


def test_a_tag_set_by_hand_is_in_redis_for_its_term_and_its_changes_name_the_request(
    control: Pipeline, redis_client: redis.Redis
) -> None:
    control.write_rules(RULES, "- {tag: churn, name: Churn, class: dynamic, category: status, model: true}")
    control.follow_wall = True
    for role in ("control", "tagger", "projector"):
        control.start(role)
    for arguments in (
        ("tag", "bob", "tier", "--value", "gold"),
        ("tag", "bob", "churn", "--value", "0.75"),
        ("tag", "anna", "vip", "--term", "8s", "--reason", "met at the fair"),
    ):
        result = control.tagstream(*arguments, "--timeout", "60")
        assert result.exit_code == 0, result.output
    control.wait_for_redis(redis_client, {"anna": {"vip": "1"}, "bob": {"tier": "gold", "churn": "0.75"}}, 60)
    control.wait_for_redis(redis_client, {"bob": {"tier": "gold", "churn": "0.75"}}, 30)
    assert control.tagstream("untag", "bob", "tier", "--timeout", "60").exit_code == 0
    control.wait_for_redis(redis_client, {"bob": {"churn": "0.75"}}, 20)
    ids = {(c.customer_id, c.tag, c.kind): (c.command_id, c.until) for c in commands(control)}
    told = {(c.customer_id, c.tag, c.op): (c.origin, c.cause) for c in control.changes()}
    assert told == {
        ("anna", "vip", "entered"): ("manual", ids["anna", "vip", "assign"][0]),
        ("anna", "vip", "left"): ("timer", ids["anna", "vip", "assign"][1]),
        ("bob", "tier", "entered"): ("manual", ids["bob", "tier", "assign"][0]),
        ("bob", "tier", "left"): ("manual", ids["bob", "tier", "remove"][0]),
        ("bob", "churn", "entered"): ("manual", ids["bob", "churn", "assign"][0]),
    }
