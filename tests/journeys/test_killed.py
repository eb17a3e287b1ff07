"""Processes that die in the middle: what may have been sent is never sent again."""

from typing import Any

import pytest
from django.db.models import F

from portal.operations.heartbeat import STALE
from portal.operations.models import Attempt, Heartbeat, Operation
from portal.operations.states import Proof, State
from tests.browsing import banners
from tests.cast import Cast
from tests.faults.outside import end_and_judge
from tests.faults.table import Row, told
from tests.journeys.ways import comes_to, order, ordered, story
from tests.running_portal import RunningPortal, kill
from tests.sandbox_server import Sandbox, until

STOPPED = "The portal's own clock has stopped: nothing is sent or followed until the sweep runs again."
ORDERS = {"method": "POST", "path": "/databases/postgresql"}


def late(**fault: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"match": ORDERS, "times": 1, "fault": {"kind": "late", **fault}}


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a worker killed in the middle of a call",
        "SIGKILL to its process group while ITCare holds the answer back, before and after it accepted",
        "unclear when its lease is over; found at ITCare and followed by others",
        "Nobody can tell whether ITCare received it.",
    )
)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(late(seconds=30), id="after-itcare-took-it"),
        # Longer than the lease: the operation is unclear for a while, and nothing is to be seen at ITCare.
        pytest.param(late(seconds=13, before=True), id="before-itcare-took-it", marks=pytest.mark.campaign),
    ],
)
def test_a_worker_that_is_killed_while_it_sends(
    fault: dict[str, Any], portal: RunningPortal, running_cast: Cast, upstream: Sandbox
) -> None:
    portal.start_web()
    worker = portal.start_worker()
    portal.start_sweep()
    upstream.set_faults(fault)

    operation = order(portal, "killed01")
    comes_to(operation, State.SENDING)
    until(lambda: ordered(upstream))
    kill(worker)
    operation.refresh_from_db()
    assert operation.state == State.SENDING

    portal.start_worker()
    comes_to(operation, State.SUCCEEDED)
    [attempt] = Attempt.objects.filter(operation=operation)
    assert attempt.proof == Proof.UNKNOWN
    assert story("Create killed01")[2:] == [
        "operation.queued",
        "change.approved",
        "operation.sending",
        "operation.unclear",
        "operation.running",
        "operation.succeeded",
    ]
    # Worker and sweep have been at work all the while, and still are.
    comes_to(order(portal, "after01"), State.SUCCEEDED)
    assert [body["name"] for body in ordered(upstream)] == ["killed01", "after01"]
    end_and_judge(portal, upstream)


@pytest.mark.campaign
def test_what_was_lost_stays_unclear_and_is_not_sent_again(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox
) -> None:
    portal.start_web()
    portal.start_worker()
    portal.start_sweep()
    upstream.set_faults({"match": ORDERS, "times": 1, "fault": {"kind": "drop_before"}})

    operation = order(portal, "lost01")
    comes_to(operation, State.UNCLEAR)
    comes_to(order(portal, "after01"), State.SUCCEEDED)
    # Looked for several times, by whoever looks.
    until(Operation.objects.filter(pk=operation.pk, failures__gt=1).exists, seconds=30)

    operation.refresh_from_db()
    assert operation.state == State.UNCLEAR
    assert operation.password is None
    assert [body["name"] for body in ordered(upstream)] == ["lost01", "after01"]
    end_and_judge(portal, upstream)


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "the sweep killed",
        "SIGKILL while an operation runs, with no worker there",
        "the next sweep goes on",
        f"A banner, when nothing was heard of it for {STALE.seconds} seconds: {STOPPED}",
    )
)
def test_a_sweep_that_is_killed_is_replaced(portal: RunningPortal, running_cast: Cast, upstream: Sandbox) -> None:
    portal.environment = {**portal.environment, "SWEEP_PATIENCE_SECONDS": "0.2", "FOLLOW_SECONDS": "2"}
    portal.start_web()
    sweep = portal.start_sweep()  # alone: there is no worker

    operation = order(portal, "swept01")
    comes_to(operation, State.RUNNING)
    kill(sweep)
    assert STOPPED not in banners(running_cast.developer)
    Heartbeat.objects.update(at=F("at") - STALE)
    assert STOPPED in banners(running_cast.developer)
    portal.start_sweep()
    comes_to(operation, State.SUCCEEDED)
    assert STOPPED not in banners(running_cast.developer)

    assert [body["name"] for body in ordered(upstream)] == ["swept01"]
    end_and_judge(portal, upstream)


@told(
    Row(
        "Several people, sweeps or workers at the same instant",
        "two sweeps and two workers",
        "all four run at once on the same queue",
        "each operation is sent once",
        "nothing out of the ordinary",
    )
)
@pytest.mark.campaign
def test_two_sweeps_and_two_workers_send_each_operation_once(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox
) -> None:
    portal.environment = {**portal.environment, "SWEEP_PATIENCE_SECONDS": "0.05"}
    portal.start_web()
    names = [f"doubled{number:02}" for number in range(4)]
    operations = [order(portal, name) for name in names]

    for start in (portal.start_sweep, portal.start_sweep, portal.start_worker, portal.start_worker):
        start()
    for operation in operations:
        comes_to(operation, State.SUCCEEDED)

    assert sorted(body["name"] for body in ordered(upstream)) == names
    end_and_judge(portal, upstream)
