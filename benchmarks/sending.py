"""`make bench`: 50 approvals at once, by a real worker, sweep, Redis and the stand-in ITCare, on servers of their own.

Prints how long after its approval each write reached ITCare. It ends with 1 when one is missing, doubled, or later
than the pace of sending explains.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from importlib import import_module
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection

from benchmarks.ground import start
from sandbox import commands, processes, servers
from tests import sandbox_server

ROOT = Path(__file__).parent.parent
MANY = 50
# How many approvals are made at the same instant; the audit chain puts them one after the other.
AT_ONCE = 10
PERCENT = 95
# Seconds of patience, and of what a write may take beyond its turn on a busy machine.
PATIENCE = 120.0
MOST_BEYOND_THE_PACE = 20.0


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process of the portal with its children: nothing of it is needed any more."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def pending(names: list[str]) -> list[Callable[[], float]]:
    """File a create of each name; answers how to approve each, which tells when that was."""
    cast = import_module("tests.cast")
    decide = import_module("portal.changes.decide")
    everybody = cast.cast.__wrapped__(None)

    def approval(name: str) -> Callable[[], float]:
        change = cast.pending(everybody.developer, name=name)

        def approve() -> float:
            try:
                decide.approve(change, everybody.approver, "")
                return time.time()
            finally:
                connection.close()

        return approve

    return [approval(name) for name in names]


def reached(upstream: sandbox_server.Sandbox) -> dict[str, float]:
    """When ITCare received the create of each name.

    Raises:
        SystemExit: it received one twice.
    """
    found: dict[str, float] = {}
    for write in upstream.writes():
        name = write["body"]["name"]
        if name in found:
            sys.exit(f"{name} was sent twice")
        found[name] = datetime.fromisoformat(write["at"]).timestamp()
    return found


def run(upstream: sandbox_server.Sandbox) -> bool:
    """Approve, wait, print, and answer whether all came in time."""
    settings = import_module("django.conf").settings
    call_command("migrate", verbosity=0)
    names = [f"bench{number:05}" for number in range(MANY)]
    approvals = pending(names)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    with ExitStack() as running:
        for command in (commands.WORKER, commands.SWEEP):
            process = processes.start(
                commands.of_this_python(command), output=subprocess.DEVNULL, cwd=ROOT, environment=environment
            )
            running.callback(stop, process)
        beat = import_module("portal.operations.heartbeat")
        sandbox_server.until(lambda: beat.heard() >= {beat.SWEEP, beat.WORKER}, seconds=PATIENCE)
        with ThreadPoolExecutor(AT_ONCE) as people:
            began = dict(zip(names, people.map(lambda approve: approve(), approvals), strict=True))
        sandbox_server.until(lambda: len(upstream.writes()) >= MANY, seconds=PATIENCE)
    came = reached(upstream)
    took = sorted(came[name] - began[name] for name in names)
    worst = took[MANY * PERCENT // 100]
    span = max(began.values()) - min(began.values())
    most = max(MANY / settings.SENDS_PER_SECOND, span) + MOST_BEYOND_THE_PACE
    fine = len(came) == MANY and took[-1] <= most
    print(f"{MANY} approvals within {span:.1f} s, {settings.SENDS_PER_SECOND:g} sends a second at most")
    print(
        f"approval to POST: median {took[MANY // 2]:.2f} s, p{PERCENT} {worst:.2f} s, longest {took[-1]:.2f} s", end=""
    )
    print("" if fine else "  TOO MUCH")
    return fine


def main() -> int:
    """Run it with servers of its own, all on loopback."""
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        ends.callback(start(folder)[1])
        redis = servers.Redis(folder / "redis", processes.free_port(), secrets.token_urlsafe(), durable=False)
        broker = redis.start(subprocess.DEVNULL)
        ends.callback(processes.stop, broker)
        upstream = ends.enter_context(sandbox_server.start(folder / "sandbox", speed=200))
        os.environ.update(
            {
                "REDIS_URL": redis.url,
                "ITCARE_BASE_URL": upstream.base_url,
                "ITCARE_TOKEN_URL": upstream.token_url,
                "ITCARE_CLIENT_ID": upstream.client_id,
                "ITCARE_CLIENT_SECRET": upstream.client_secret,
            }
        )
        django.setup()
        ends.callback(connection.close)
        return 0 if run(upstream) else 1


if __name__ == "__main__":
    sys.exit(main())
