"""A worker's time limits in the middle of a call: the outcome is unclear, is settled, and happened once at ITCare."""

import os
import signal
from pathlib import Path

import pytest

from portal.celery import app
from portal.operations import tasks
from portal.operations.models import Operation
from portal.operations.states import Proof, State
from tests.cast import Cast, queued
from tests.faults.figures import Figures
from tests.faults.judge import later, verdict_on
from tests.faults.table import Row, told
from tests.journeys.ways import comes_to, story
from tests.portal.operations.engine import fault
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

# Seconds until the soft and the hard limit: below the length of a call, as they never are but here.
SOFT = (3, 60)
HARD = (3, 5)


def pool_of(worker: int) -> list[int]:
    """The processes in which a worker works."""
    return [int(word) for word in Path(f"/proc/{worker}/task/{worker}/children").read_text().split()]


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "the soft and the hard time limit of a task, in its call",
        "limits shorter than the call; for the hard one the process is deaf to the soft one",
        "unclear; never sent again; the action is found at ITCare and followed",
        "Nobody can tell whether ITCare received it.",
    )
)
@pytest.mark.parametrize(
    ("limits", "logged"),
    [(SOFT, "SoftTimeLimitExceeded"), (HARD, "Hard time limit (5s) exceeded")],
    ids=["soft", "hard"],
)
def test_a_time_limit_in_a_call(
    limits: tuple[int, int],
    logged: str,
    portal: RunningPortal,
    broker: str,
    running_cast: Cast,
    upstream: Sandbox,
    figures: Figures,
) -> None:
    slow = {"ITCARE_READ_SECONDS": "20", "ITCARE_TOTAL_SECONDS": "20", "LEASE_SECONDS": "45"}
    portal.environment = {**portal.environment, **slow, "SWEEP_PATIENCE_SECONDS": "60"}
    upstream.set_faults(fault("late", seconds=15))
    operation = queued(running_cast.developer, running_cast.approver)
    # Limits travel with the message. The hint of the approval had those of the settings.
    app.control.purge()
    tasks.send_operation.apply_async((operation.pk,), soft_time_limit=limits[0], time_limit=limits[1])
    worker = portal.start_worker()

    until(upstream.writes, seconds=60)
    at_work = pool_of(worker.pid) if limits is HARD else []
    for process in at_work:
        # Deaf to the soft limit, as one that hangs outside of Python.
        os.kill(process, signal.SIGSTOP)
    until(lambda: logged in portal.log(), seconds=60)
    for process in set(at_work) & set(pool_of(worker.pid)):
        os.kill(process, signal.SIGCONT)
    portal.start_sweep()
    if limits is HARD:
        # It had no time to say anything: only the end of its lease tells.
        assert Operation.objects.get(pk=operation.pk).state == State.SENDING
        later()
    comes_to(operation, State.SUCCEEDED)

    assert [attempt.proof for attempt in operation.attempts.all()] == [Proof.UNKNOWN]
    assert story(operation.title)[-4:] == [
        "operation.sending",
        "operation.unclear",
        "operation.running",
        "operation.succeeded",
    ]
    verdict = verdict_on(operation, upstream)
    figures.ran(verdict, faults=1, kills=int(limits is HARD))
    assert (verdict.problems, verdict.writes) == ((), 1)
