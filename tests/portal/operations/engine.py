"""What tests of the engine share: faults of the stand-in, time that passes, things that happen at once."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Barrier, Event
from typing import Any

from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from portal.home.management.commands.sweep import jobs
from portal.home.timeline import Entry, Records, timeline
from portal.operations import follow, send, settle, tasks
from portal.operations.models import Attempt, Operation
from portal.operations.states import UNFINISHED
from portal.operations.sweep import once
from portal.upstream.models import Pause, Token
from tests.portal.itcare.scripted import Answer, Scripted, answer, scripted
from tests.sandbox_server import Sandbox, until

CREATES = {"method": "POST", "path": "/databases/postgresql"}
OF_OPERATIONS = ("lapsed leases", "due operations", "running operations", "unclear operations")
LISTS_ACTIONS = {"method": "GET", "path": "/actions$"}


def fault(kind: str, *, times: int | None = 1, match: dict[str, str] | None = None, **fields: object) -> dict[str, Any]:
    """A rule of the stand-in; unless told otherwise for the next create."""
    return {"match": match or CREATES, "times": times, "fault": {"kind": kind, **fields}}


def tells(actions: list[dict[str, Any]]) -> dict[str, Any]:
    """A rule by which the list of actions is this one."""
    return fault("refuse", times=None, match=LISTS_ACTIONS, status=200, body=actions)


def time_passes(seconds: float = 3600.0) -> None:
    """Let leases and waits end: everything that carries a time was that much earlier."""
    span = timedelta(seconds=seconds)
    rows = Operation.objects.filter(state__in=UNFINISHED)
    rows.update(look_at=F("look_at") - span, lease_until=F("lease_until") - span)
    Attempt.objects.update(started_at=F("started_at") - span)
    Token.objects.update(failed_at=F("failed_at") - span)
    Pause.objects.all().delete()


def database_clock() -> datetime:
    """What time it is, says PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def sent(operation: Operation) -> Operation:
    """Send it as far as the upstream lets it, and return it as it then is."""
    send.send(operation.pk)
    return Operation.objects.get(pk=operation.pk)


def settled(operation: Operation) -> Operation:
    """Look for what became of it, as if its time had come."""
    time_passes(60.0)
    settle.settle()
    return Operation.objects.get(pk=operation.pk)


def followed(operation: Operation) -> Operation:
    """Follow it to its end."""

    def look() -> Operation | None:
        time_passes(60.0)
        follow.follow()
        row = Operation.objects.get(pk=operation.pk)
        return row if row.finished else None

    ended: Operation = until(look)
    return ended


def story(operation: Operation) -> list[Entry]:
    """The lines of its timeline, without who asked."""
    return timeline(operation, None, None, Records.of(operation, list(operation.concerns.order_by("pk"))))


def everybody_tries(operation: Operation) -> None:
    """Let a worker's task and the sweep look at it, now and when every lease and wait is over."""
    for _ in range(2):
        tasks.send_operation(operation.pk)
        once([job for job in jobs() if job.name in OF_OPERATIONS])
        time_passes()


def posts(upstream: Sandbox) -> int:
    """How many creates reached the stand-in, whatever it answered."""
    return len([write for write in upstream.writes() if write["method"] == "POST"])


def evidence(operation: Operation) -> list[tuple[str, int | None]]:
    """What each attempt proved, and by which status."""
    return list(operation.attempts.order_by("number").values_list("proof", "http_status"))


def at_once(*actions: Callable[[], object]) -> list[object]:
    """Do these at the same instant, each on its own connection; answers what each returned or raised."""
    barrier = Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        try:
            barrier.wait(10)
            return action()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


@contextmanager
def meanwhile(action: Callable[[], object]) -> Iterator[None]:
    """Do something in another thread; leaving waits for its end, and raises what it raised."""

    def run() -> None:
        try:
            action()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        yield
        running.result(20)


class Held:
    """An answer that comes when the test lets go; `asked` is set once somebody waits for it."""

    def __init__(self, reply: bytes) -> None:
        self._reply = reply
        self.asked, self.go = Event(), Event()

    def __call__(self, connection: socket.socket) -> None:
        self.asked.set()
        self.go.wait(20)
        connection.sendall(self._reply)


@contextmanager
def answering(settings: Settings, *script: Answer) -> Iterator[Scripted]:
    """An upstream that answers request after request with exactly these."""
    token = answer(200, {"access_token": "token", "expires_in": 1200, "token_type": "bearer"})
    with scripted(*script) as api, scripted(token) as accounts:
        settings.ITCARE_BASE_URL, settings.ITCARE_TOKEN_URL = api.url, accounts.url
        yield api


def in_seconds(operation: Operation) -> float:
    """How long after its last change it is due again."""
    row = Operation.objects.get(pk=operation.pk)
    assert row.look_at is not None
    return (row.look_at - row.changed_at).total_seconds()


def due_now(operation: Operation) -> bool:
    """Whether its time has come."""
    return Operation.objects.filter(pk=operation.pk, look_at__lte=Now()).exists()
