"""A worker can be alive and deaf: it is ended, to be started anew, and one that is merely busy is not."""

import os
import subprocess
import time

import pytest
from django.db.models import F

from portal.celery import app
from portal.operations.heartbeat import STALE, WORKER
from portal.operations.models import Heartbeat
from portal.operations.states import State
from portal.watchdog import Patience
from tests.browsing import banners
from tests.cast import Cast
from tests.faults.outside import end_and_judge
from tests.faults.table import Row, told
from tests.journeys.ways import comes_to, order, ordered
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

DEAF_SECONDS = 2.0
NOBODY = "No worker answers: approved requests are carried out all the same, but slower."


@pytest.fixture
def quick(portal: RunningPortal, running_cast: Cast) -> RunningPortal:
    """A portal whose workers are watched closely, and whose sweep leaves everything to them."""
    portal.environment = {
        **portal.environment,
        "WORKER_DEAF_SECONDS": str(DEAF_SECONDS),
        "SWEEP_PATIENCE_SECONDS": "600",
    }
    portal.start_web()
    return portal


def deafen(broker: str, worker: subprocess.Popen[bytes]) -> None:
    """Let the worker take no more messages; it stays connected and answers pings, as after a failed acknowledgement."""
    told = app.control.cancel_consumer("celery", reply=True, timeout=0.9)
    assert told is not None
    assert len(told) == 1
    assert len(app.control.ping(timeout=0.9) or []) == 1
    assert worker.poll() is None


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a worker that is alive and deaf",
        "it is told to consume no more, and still answers pings",
        "its watchdog ends it, the next one does the work",
        f"A banner, when nothing was heard of any for {STALE.seconds} seconds: {NOBODY}",
    )
)
def test_a_deaf_worker_ends_and_the_next_one_does_the_work(
    quick: RunningPortal, running_cast: Cast, upstream: Sandbox, broker: str
) -> None:
    worker = quick.start_worker()
    quick.start_sweep()
    comes_to(order(quick, "before01"), State.SUCCEEDED)
    deafen(broker, worker)
    operation = order(quick, "waits01")
    assert worker.wait(DEAF_SECONDS + 30) == os.EX_SOFTWARE
    assert "this worker has taken none" in quick.log()
    operation.refresh_from_db()
    assert operation.state == State.QUEUED
    Heartbeat.objects.filter(name=WORKER).update(at=F("at") - STALE)
    assert NOBODY in banners(running_cast.developer)
    quick.start_worker()
    comes_to(operation, State.SUCCEEDED)
    assert [body["name"] for body in ordered(upstream)] == ["before01", "waits01"]
    end_and_judge(quick, upstream)


def test_a_worker_that_is_busy_or_has_nothing_to_do_is_left_alone(
    quick: RunningPortal, upstream: Sandbox, broker: str
) -> None:
    quick.environment["ITCARE_TOTAL_SECONDS"] = quick.environment["ITCARE_READ_SECONDS"] = "8"
    quick.environment["LEASE_SECONDS"] = "60"
    worker = quick.start_worker()
    until(lambda: "ready." in quick.log(), seconds=30)
    idle = time.monotonic() + 2 * DEAF_SECONDS
    until(lambda: time.monotonic() > idle, seconds=30)
    assert worker.poll() is None
    # Both of its processes are held by a call while the sweep's hints pile up behind them.
    slow = {"kind": "late", "seconds": 3 * DEAF_SECONDS}
    upstream.set_faults({"match": {"method": "POST", "path": "/databases/postgresql"}, "times": 2, "fault": slow})
    quick.start_sweep()
    operations = [order(quick, f"slow0{number}") for number in (1, 2)]
    for operation in operations:
        comes_to(operation, State.SUCCEEDED)
    assert worker.poll() is None


@pytest.mark.parametrize(
    ("looks", "deaf"),
    [
        ([(5, 1, False), (5, 1, False), (5, 1, False), (5, 1, False)], [False, False, False, True]),
        # Something was begun: the waiting begins anew.
        ([(5, 1, False), (5, 1, False), (5, 2, False), (5, 2, False), (5, 2, False)], [False] * 5),
        ([(5, 1, False), (5, 1, False), (0, 1, False), (5, 1, False), (5, 1, False)], [False] * 5),
        ([(5, 1, False), (5, 1, True), (5, 1, True), (5, 1, True)], [False] * 4),
        # A broker that does not answer says nothing about the worker.
        ([(5, 1, False), (5, 1, False), (None, 1, False), (5, 1, False), (5, 1, False)], [False] * 5),
    ],
)
def test_only_waiting_messages_with_nothing_moving_are_deafness(
    looks: list[tuple[int | None, int, bool]], deaf: list[bool]
) -> None:
    patience = Patience(seconds=2.0)
    seen = [
        patience.exhausted(waiting=waiting, begun=begun, busy=busy, now=float(now))
        for now, (waiting, begun, busy) in enumerate(looks)
    ]
    assert seen == deaf
