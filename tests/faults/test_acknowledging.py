"""A hint is delivered, its work done, and the acknowledgement fails: done once, and the worker goes on."""

import json
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import redis

from portal.operations.states import State
from tests.cast import Cast, queued
from tests.faults.framing import Message, Raw
from tests.faults.judge import judge
from tests.faults.proxy import Action, Moment, Proxy, Rule, cut
from tests.faults.table import Row, told
from tests.faults.test_broker import GROUP, NOTHING
from tests.journeys.ways import comes_to
from tests.portal.operations.engine import posts
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

# Seconds: a worker waits thirty for Redis, and looks every ten for what was not acknowledged.
PATIENCE = 90.0


def late(go: threading.Event) -> Action:
    """Keep it until the test lets go, and then lose it."""

    def do() -> None:
        go.wait(PATIENCE)
        cut()

    return do


HOW: dict[str, Callable[[threading.Event], Action]] = {"cut": lambda _go: cut, "held": late}


def acknowledges(message: Message) -> bool:
    """Whether a worker tells Redis that it has a message."""
    return b"HDEL" in message.data and b"unacked" in message.data


@pytest.fixture
def go() -> Iterator[threading.Event]:
    """Lets a held message go; also where a test fails before it does."""
    event = threading.Event()
    yield event
    event.set()


@told(
    Row(
        GROUP,
        "a failed acknowledgement",
        "a proxy before a real worker cuts the connection with the acknowledgement of a hint in it, or holds it for "
        "longer than the worker waits for Redis; what was not acknowledged is then delivered again",
        "the work is done once; the worker connects again and goes on; the second delivery finds nothing to do",
        NOTHING,
    )
)
@pytest.mark.parametrize(
    ("how", "again"),
    [
        ("cut", False),
        pytest.param("cut", True, marks=pytest.mark.campaign),
        pytest.param("held", True, marks=pytest.mark.campaign),
    ],
)
def test_an_acknowledgement_that_fails_does_nothing_twice(
    portal: RunningPortal,
    running_cast: Cast,
    upstream: Sandbox,
    broker: str,
    go: threading.Event,
    how: str,
    again: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    rule = Rule(acknowledges, Moment.BEFORE, HOW[how](go))
    server, plain = urlsplit(broker), portal.environment
    assert server.hostname
    assert server.port
    first = queued(running_cast.developer, running_cast.approver, name="unacked1")
    with (
        Proxy((server.hostname, server.port), Raw, rule) as proxy,
        redis.Redis.from_url(broker, decode_responses=True) as client,
    ):
        portal.environment = {**plain, "REDIS_URL": broker.replace(f":{server.port}/", f":{proxy.port}/")}
        worker = portal.start_worker()
        until(lambda: "Couldn't ack" in portal.log(), seconds=PATIENCE)
        # The work goes on all the same, and Redis believes that it is still to be done.
        comes_to(first, State.RUNNING)
        assert client.hlen("unacked") == 1
        go.set()
        # The sweep tells the worker, and leaves everything to it.
        portal.environment = {**plain, "SWEEP_PATIENCE_SECONDS": "600"}
        portal.start_sweep()
        second = queued(running_cast.developer, running_cast.approver, name="acked1")
        for operation in (first, second):
            comes_to(operation, State.SUCCEEDED)
        if again:
            # Others may be on their way to being acknowledged just now.
            kept = {tag: json.loads(message)[0]["headers"] for tag, message in client.hgetall("unacked").items()}
            [(tag, task)] = [(tag, head["id"]) for tag, head in kept.items() if head["argsrepr"] == f"({first.pk},)"]
            client.zadd("unacked_index", {tag: 0})
            until(lambda: tag not in client.hkeys("unacked"), seconds=PATIENCE)
            until(lambda: portal.log().count(f"send_operation[{task}] received") == 2, seconds=PATIENCE)
        assert worker.poll() is None
        portal.stop()
    judge(upstream)
    assert posts(upstream) == 2
