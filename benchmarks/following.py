"""`make bench`: 1,000 and 10,000 running operations, each time followed in one pass, on a PostgreSQL of its own.

ITCare is a process of its own that serves prepared JSON on loopback, in pages and as a bare array. It ends with 1 when
a pass takes more than twice as long as fetching and reading the same JSON with the portal's own client, or asks more
often than there are pages plus one, or leaves an operation out, or holds more memory the more there are. Readings and
passes take turns, and the quickest of each is compared: what else the machine does only ever adds to one.
"""

import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import django
import psycopg
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from benchmarks.ground import memory, start

SIZES = (1_000, 10_000)
PAGE = 200
# How many times as long as reading a pass may take.
MOST = 2.0
ROUNDS = 15
# What a pass may add to the process, in MB: a page and what is written of it, with what the allocator keeps of it. A
# bare array comes as one answer, which has to be there in whole.
MOST_MEMORY = {"paged": 16.0, "bare": 64.0}
FORMS = ("paged", "bare")
STEP = b"@step"
OPERATIONS = """
INSERT INTO operations_operation
    (reference, kind, name, title, service_id, requester_id, approver_id, parameters, revision, digest,
     state, reason, message, evidence, last_proof, upstream_action_id, fence, failures, sent_at)
SELECT gen_random_uuid(), 'resize', 'pg' || n, 'Resize pg' || n, %s, %s, %s, '{"sizing": "4cpu8gb"}', '',
    repeat('d', 64), 'running', '', '', '', 'accepted', n, 0, 0, now()
FROM generate_series(%s::int, %s::int) AS n
"""
DUE = "UPDATE operations_operation SET look_at = now() - interval '1 second', lease_until = NULL"


def action(number: int) -> dict[str, Any]:
    """An action as ITCare tells one (API.md 6)."""
    return {
        "id": number,
        "internalId": 700_000_000 + number,
        "status": "IN_PROGRESS",
        "process": "POSTGRESQL_RESIZE",
        "family": "DATABASES",
        "message": f"Adding processors and memory, step {STEP.decode()}",
        "resourceName": f"pg{number}",
        "resourceType": "POSTGRESQL",
        "submittedAt": "2026-11-23T08:00:00.263Z",
        "submittedBy": "portal-account",
        "lastUpdatedAt": "2026-11-23T08:05:00.263Z",
    }


def answers() -> dict[str, bytes]:
    """Every page of every list, by the path and the number of the page."""
    made: dict[str, bytes] = {}
    for size in SIZES:
        actions = [action(number) for number in range(1, size + 1)]
        made[f"/{size}/bare/actions#0"] = json.dumps(actions).encode()
        pages = [actions[first : first + PAGE] for first in range(0, size, PAGE)]
        for number, content in enumerate(pages):
            page = {
                "content": content,
                "number": number,
                "size": PAGE,
                "numberOfElements": len(content),
                "totalElements": size,
                "totalPages": len(pages),
                "first": number == 0,
                "last": number == len(pages) - 1,
            }
            made[f"/{size}/paged/actions#{number}"] = json.dumps(page).encode()
    return made


class Upstream(BaseHTTPRequestHandler):
    """Answers from what was prepared, counts what it was asked, and says a new message each time it is told to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    prepared: ClassVar[dict[str, bytes]] = {}
    told = 0
    calls = 0

    def do_POST(self) -> None:
        """A token."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._send(json.dumps({"access_token": "token", "expires_in": 3600, "token_type": "bearer"}).encode())

    def do_GET(self) -> None:
        """A page; or how many calls there were; or from now on the other message."""
        url = urlsplit(self.path)
        if url.path == "/calls":
            self._send(json.dumps(Upstream.calls).encode())
            Upstream.calls = 0
            return
        if url.path == "/other":
            Upstream.told += 1
            self._send(b"null")
            return
        Upstream.calls += 1
        found = self.prepared.get(f"{url.path}#{parse_qs(url.query).get('page', ['0'])[0]}")
        self._send(found and found.replace(STEP, b"%d" % self.told))

    def _send(self, body: bytes | None) -> None:
        status = b"HTTP/1.1 404 Not Found\r\n" if body is None else b"HTTP/1.1 200 OK\r\n"
        length = f"Content-Type: application/json\r\nContent-Length: {len(body or b'')}\r\n\r\n".encode()
        self.wfile.write(status + length + (body or b""))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def serve(pipe: Connection) -> None:
    """Serve until the process is ended; tells its port first."""
    Upstream.prepared = answers()
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        pipe.send(server.server_port)
        server.serve_forever()


@contextmanager
def upstream() -> Iterator[str]:
    """Run the stand-in; gives its address. Forked before anything else is there."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def asked(address: str) -> int:
    """How many calls came since this was last asked."""
    with urlopen(f"{address}/calls") as answer:  # noqa: S310 - our own server
        return int(json.load(answer))


def grow(first: int, last: int) -> None:
    """Make the running operations with these actions."""
    user, _ = apps.get_model("accounts", "User").objects.get_or_create(email="developer@example.com")
    service, _ = apps.get_model("inventory", "Service").objects.get_or_create(upstream_id=1)
    with connection.cursor() as cursor:
        cursor.execute(OPERATIONS, [service.pk, user.pk, user.pk, first, last])


def due() -> None:
    """Let the time of all operations come, and the database do what it does in a while."""
    with connection.cursor() as cursor:
        cursor.execute(DUE)
    # As its owner: the portal's role may not, and what the server does by itself comes at any moment.
    with psycopg.connect(os.environ["MIGRATION_DATABASE_URL"], autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE operations_operation, operations_action, operations_actionmessage")


def unheeded(size: int) -> int:
    """How many operations the last pass did not give back with a later time."""
    model = apps.get_model("operations", "Operation")
    now = import_module("django.db.models.functions").Now()
    return int(size - model.objects.filter(state="running", look_at__gt=now, lease_until=None, failures=0).count())


@dataclass(frozen=True)
class Measured:
    """What a list took: milliseconds of the quickest reading and of the quickest pass, calls, MB that a pass added."""

    reading: float
    following: float
    news: float
    calls: int
    pages: int
    left: int
    added: float

    def sound(self, size: int, form: str) -> bool:
        """Whether the bounds hold; no call at all would mean that nothing was measured.

        Time is bounded where there is enough of it to be measured.
        """
        few = 0 < self.calls <= self.pages + 1
        quick = size < SIZES[-1] or self.following <= MOST * self.reading
        return quick and few and not self.left and self.added <= MOST_MEMORY[form]


def quickest(rounds: int, *works: Callable[[], object], before: Callable[[], object]) -> list[float]:
    """Milliseconds of the quickest round of each, in turns, so that what else the machine does meets all alike."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, taken, strict=True):
            before()
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
    return [min(times) * 1000 for times in taken]


def added(work: Callable[[], object]) -> float:
    """What the process holds more while it works than before, at most, in MB."""
    before = memory()
    most, stop = [before], Event()

    def watch() -> None:
        while not stop.wait(0.002):
            most.append(memory())

    thread = Thread(target=watch)
    thread.start()
    work()
    stop.set()
    thread.join()
    return max(most) - before


def measure(address: str, size: int, form: str) -> Measured:
    """Read one list and follow it, in turns."""
    follow = import_module("portal.operations.follow").follow
    client = import_module("portal.upstream.client").client
    settings.ITCARE_BASE_URL = f"{address}/{size}/{form}"
    settings.ITCARE_TOKEN_URL = f"{address}/token"

    def read() -> None:
        for _ in client().actions_by_page(statuses=["IN_PROGRESS"]):
            pass

    def other() -> None:
        due()
        with urlopen(f"{address}/other"):  # noqa: S310 - our own server
            pass

    if size == SIZES[0]:
        # What any first pass loads is not counted; at the larger size, a first one would hide what rows take.
        other()
        follow()
    read()
    other()
    more = added(follow)
    due()
    asked(address)
    follow()
    calls, left = asked(address), unheeded(size)

    reading, following = quickest(ROUNDS, read, follow, before=due)
    (news,) = quickest(1, follow, before=other)
    pages = 1 if form == "bare" else -(-size // PAGE)
    return Measured(reading, following, news, calls, pages, left, more)


def run(address: str) -> bool:
    """Measure, print, and answer whether all bounds hold."""
    call_command("migrate", verbosity=0)
    sound = True
    print(f"{'':14}{'read':>12}{'followed':>12}{'ratio':>8}{'all news':>12}{'pages':>8}{'calls':>8}{'memory':>12}")
    before = 0
    for size in SIZES:
        grow(before + 1, size)
        before = size
        for form in FORMS:
            found = measure(address, size, form)
            fine = found.sound(size, form)
            sound = sound and fine
            print(
                f"{f'{size:,} {form}':14}{found.reading:>9.0f} ms{found.following:>9.0f} ms"
                f"{found.following / found.reading:>8.2f}{found.news:>9.0f} ms{found.pages:>8}{found.calls:>8}"
                f"{found.added:>9.1f} MB  {'' if fine else 'TOO MUCH'}"
            )
    return sound


def main() -> int:
    """Run it with servers of its own."""
    with upstream() as address:
        folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
        _, stop = start(folder)
        try:
            django.setup()
            return 0 if run(address) else 1
        finally:
            connection.close()
            stop()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
