"""Very many operations at once, and a deployment under operations in each state: real processes, and the judge."""

from typing import Any

import pytest
from django.db.models.functions import Now

from portal.operations.models import Attempt, Operation
from portal.operations.states import State
from sandbox import processes
from tests.cast import Cast, queued
from tests.faults.judge import judge
from tests.faults.table import Row, told
from tests.faults.test_actions import ANY_ACTION
from tests.journeys.ways import PATIENCE, comes_to
from tests.portal.operations.engine import CREATES, fault
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

FEW, MANY = 20, 200
# Seconds: much longer than the portal waits for an answer, and than a deployment takes.
LATE = 25.0


@told(
    Row(
        "Several people, sweeps or workers at the same instant",
        f"{MANY} operations at once",
        f"two sweeps and four workers set to work on them together, {FEW} in every run and {MANY} in the campaign",
        "each is sent once, and followed to its end",
        "nothing out of the ordinary",
    )
)
@pytest.mark.parametrize("many", [FEW, pytest.param(MANY, marks=pytest.mark.campaign)])
def test_very_many_at_once_are_each_sent_once(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox, broker: str, many: int
) -> None:
    # The sweeps do by themselves at once what they nudge workers for.
    portal.environment = {**portal.environment, "SENDS_PER_SECOND": "100", "SWEEP_PATIENCE_SECONDS": "0.05"}
    names = [f"crowd{number:05}" for number in range(many)]
    for name in names:
        queued(running_cast.developer, running_cast.approver, name=name)
    # A worker has two processes.
    for start in (portal.start_sweep, portal.start_worker, portal.start_worker, portal.start_sweep):
        start()
    ended = Operation.objects.filter(state="succeeded")
    until(lambda: ended.count() == many, seconds=PATIENCE + many)
    portal.stop()
    judge(upstream)
    assert sorted(write["body"]["name"] for write in upstream.writes()) == names
    assert list(Attempt.objects.values_list("proof", flat=True)) == ["accepted"] * many


def the_next(rule: dict[str, Any]) -> dict[str, Any]:
    """Only the next create."""
    return {**rule, "match": CREATES, "times": 1}


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a deployment with operations in each state",
        "old processes end and new ones start while operations are unclear, running, being sent, and waiting",
        "the call is ended first; the new ones send, follow and find the others; nothing becomes unclear by it",
        "nothing out of the ordinary",
    )
)
@pytest.mark.campaign
def test_a_deployment_with_operations_in_each_state(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox, broker: str
) -> None:
    # What is unclear arrives later than all this, and no action ends.
    going_on = fault("action_status", times=None, match=ANY_ACTION, status="IN_PROGRESS")
    old = [portal.start_worker(), portal.start_sweep()]
    rows = {}
    for state, rule in [
        ("unclear", fault("late", seconds=LATE, before=True)),
        ("running", None),
        ("sending", fault("late", seconds=2.5)),
    ]:
        upstream.set_faults(*([the_next(rule)] if rule else []), going_on)
        rows[state] = queued(running_cast.developer, running_cast.approver, name=f"is{state}01")
        comes_to(rows[state], State(state))
    rows["queued"] = queued(running_cast.developer, running_cast.approver, name="isqueued01")
    Operation.objects.filter(pk=rows["queued"].pk, state="queued").update(look_at=Now())
    for process in old:
        assert processes.stop(process, seconds=60)
    states = dict(Operation.objects.values_list("name", "state"))
    assert (states["isunclear01"], states["isrunning01"], states["issending01"]) == ("unclear", "running", "running")
    for start in (portal.start_worker, portal.start_sweep):
        start()
    upstream.set_faults()
    for row in rows.values():
        comes_to(row, State.SUCCEEDED)
    portal.stop()
    judge(upstream)
    proofs = dict(Attempt.objects.values_list("operation__name", "proof"))
    assert proofs == {
        "isunclear01": "unknown",
        "isrunning01": "accepted",
        "issending01": "accepted",
        "isqueued01": "accepted",
    }
    assert sorted(write["body"]["name"] for write in upstream.writes()) == sorted(proofs)
