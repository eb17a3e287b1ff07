"""Faults of Redis and of the messages it carries: hints may be lost, doubled, late or out of order without harm."""

import json
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest
import redis
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import User
from portal.celery import app
from portal.changes.models import Change
from portal.operations.models import Operation
from sandbox import processes, servers
from tests.browsing import signed_in
from tests.cast import Cast, draft, queued
from tests.conftest import published_to
from tests.faults.framing import Message, Raw
from tests.faults.judge import judge, settle_down
from tests.faults.proxy import Moment, Proxy
from tests.faults.table import Row, told
from tests.portal.operations.engine import posts
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "Redis, and the hints it carries"
QUEUE = "celery"
NOTHING = "nothing out of the ordinary"
SLOWER = "nothing out of the ordinary; /readyz says that Redis is down"


@dataclass(frozen=True)
class Broker:
    """A Redis of the test's own, behind a proxy."""

    server: servers.Redis
    process: subprocess.Popen[bytes]
    proxy: Proxy

    @property
    def url(self) -> str:
        """Where the portal finds it."""
        return self.server.url.replace(f":{self.server.port}", f":{self.proxy.port}")


def _flushed(broker: Broker) -> None:
    with redis.Redis.from_url(broker.server.url) as client:
        client.flushall()


def _full(broker: Broker) -> None:
    with redis.Redis.from_url(broker.server.url) as client:
        client.config_set("maxmemory", "1")


def _restarted(broker: Broker) -> None:
    processes.stop(broker.process)
    broker.server.start(subprocess.DEVNULL)


def _stopped(broker: Broker) -> None:
    processes.stop(broker.process)
    # Who connects is refused, as by the server itself.
    broker.proxy.close()


def _frozen(broker: Broker) -> None:
    broker.process.send_signal(signal.SIGSTOP)


HOW: dict[str, tuple[str, Callable[[Broker], None]]] = {
    "stopped": ("SIGTERM", _stopped),
    "flushed": ("FLUSHALL", _flushed),
    "restarted": ("SIGTERM, and a new start with nothing kept", _restarted),
    "full": ("maxmemory of a byte, with noeviction", _full),
    "hanging": ("SIGSTOP: it accepts and never answers", _frozen),
}


# Where it answers nobody; otherwise it is there again before anybody looks.
AWAY = {"stopped", "hanging"}


FOUND = "what was lost is found by the sweep"
HAPPENS = f"a page waits for one answer of Redis at most, and for a second; {FOUND}"
# One of each for every run; the campaign has them all.
TELLING = {("stopped", "submit"), ("flushed", "run"), ("restarted", "approve"), ("full", "approve"), ("hanging", "run")}


@told(
    *(
        Row(
            GROUP,
            f"Redis {how} at submit, approve and run",
            cause,
            *(HAPPENS, SLOWER) if how in AWAY else (FOUND, NOTHING),
        )
        for how, (cause, _) in HOW.items()
    )
)
@pytest.mark.parametrize(
    ("how", "when"),
    [
        pytest.param(how, when, marks=() if (how, when) in TELLING else pytest.mark.campaign)
        for how in HOW
        for when in ("submit", "approve", "run")
    ],
)
def test_redis_fails_and_nothing_is_lost(
    cast: Cast, upstream: Sandbox, settings: Settings, tmp_path: Path, how: str, when: str
) -> None:
    server = servers.Redis(tmp_path / "redis", processes.free_port(), "own-redis", durable=False)
    process = server.start(subprocess.DEVNULL)
    asked: list[str] = []

    def listen(message: Message, moment: Moment) -> None:
        if moment == Moment.BEFORE:
            asked.append(message.text)

    with Proxy((processes.LOOPBACK, server.port), Raw, listen) as proxy:
        broker = Broker(server, process, proxy)
        settings.CELERY_BROKER_URL = broker.url
        with published_to(broker.url):
            draft(cast.developer)
            steps: list[tuple[str, Callable[[], object]]] = [
                ("submit", lambda: filed(cast.developer, "submit")),
                ("approve", lambda: filed(cast.approver, "approve")),
                ("run", settle_down),
            ]
            struck = False
            for name, step in steps:
                if name == when:
                    HOW[how][1](broker)
                    struck = True
                    assert Client().get("/readyz").json()["redis"] == ("down" if how in AWAY else "up")
                asked.clear()
                step()
                if struck and how in AWAY and name != "run":
                    # Whatever a page says to Redis, it waits for the answer once, and for so long.
                    assert len(asked) <= 1
                    assert (app.connection_for_write().transport_options or {})["socket_timeout"] == 1
    process.send_signal(signal.SIGCONT)
    processes.stop(process)
    judge(upstream)
    assert (Operation.objects.get().state, posts(upstream)) == ("succeeded", 1)


def filed(person: User, act: str) -> None:
    """Send the form of the one request."""
    assert signed_in(person).post(f"/requests/{Change.objects.get().pk}/{act}/").status_code == HTTPStatus.SEE_OTHER


@told(
    Row(
        GROUP,
        "hints delivered twice, in the wrong order, late, or never",
        "messages are copied, reversed, aged by a day and removed in the queue of a real worker",
        "each operation is sent once; what nobody was told of is found by the sweep",
        NOTHING,
    )
)
def test_hints_may_come_twice_late_never_or_in_any_order(
    portal: RunningPortal, cast: Cast, upstream: Sandbox, broker: str
) -> None:
    operations = [queued(cast.developer, cast.approver, name=f"hinted0{number}") for number in range(5)]
    with redis.Redis.from_url(broker, decode_responses=True) as client:
        hints = client.lrange(QUEUE, 0, -1)
        assert len(hints) == len(operations)
        client.delete(QUEUE)
        # Two of them twice and backwards; one aged by a day; the others are never delivered.
        aged = json.loads(hints[2])
        aged["headers"]["expires"] = "2020-01-01T00:00:00+00:00"
        client.rpush(QUEUE, hints[1], hints[0], hints[1], hints[0], json.dumps(aged))
        portal.start_worker()
        until(lambda: client.llen(QUEUE) == 0 and portal.log().count("succeeded in") == 4, seconds=60)
        # Each of the four that counted sent one, if any was due; nobody was told of all.
        assert 0 < posts(upstream) < len(operations)
        settle_down()
        judge(upstream)
        # Long after its end, the same again.
        client.rpush(QUEUE, *hints)
        until(lambda: client.llen(QUEUE) == 0, seconds=30)
        until(lambda: portal.log().count("succeeded in") >= 4 + len(hints), seconds=30)
    judge(upstream)
    assert {row.state for row in Operation.objects.all()} == {"succeeded"}
    assert posts(upstream) == len(operations)


@told(
    Row(
        GROUP,
        "the visibility time-out passes in a call",
        "a real worker is held in its call; what Redis holds for redelivery is looked at, and the hint delivered again",
        "a hint is acknowledged before it is worked on: nothing can be redelivered, and a second one finds the lease",
        NOTHING,
    )
)
def test_nothing_is_kept_for_redelivery_while_a_worker_calls(
    portal: RunningPortal, cast: Cast, upstream: Sandbox, broker: str
) -> None:
    upstream.set_faults({"match": {"method": "POST"}, "times": 1, "fault": {"kind": "late", "seconds": 2}})
    queued(cast.developer, cast.approver)
    with redis.Redis.from_url(broker, decode_responses=True) as client:
        (message,) = client.lrange(QUEUE, 0, -1)
        portal.start_worker()
        until(lambda: posts(upstream) == 1, seconds=30)
        assert client.hlen("unacked") == client.zcard("unacked_index") == 0
        client.rpush(QUEUE, message)
        until(lambda: portal.log().count("succeeded in") == 2, seconds=30)
    settle_down()
    judge(upstream)
    assert (Operation.objects.get().state, posts(upstream)) == ("succeeded", 1)
