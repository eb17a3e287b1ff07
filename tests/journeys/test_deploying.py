"""A deployment: processes are told to stop in the middle of a call, and new ones work beside them."""

import signal
import subprocess
from collections.abc import Callable

import pytest

from portal.operations.models import Attempt
from portal.operations.states import Proof, State
from sandbox import processes
from tests.cast import Cast
from tests.faults.outside import end_and_judge
from tests.faults.table import Row, told
from tests.journeys.ways import comes_to, order, ordered
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

CALL_SECONDS = 2.0
LATE = {"match": {"method": "POST", "path": "/databases/postgresql"}, "times": 1}


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a deployment in the middle of a call",
        "SIGTERM to the worker, and to the sweep, while it sends",
        "it ends the call, writes down what came of it, and then ends",
        "nothing out of the ordinary",
    )
)
@pytest.mark.parametrize("sends", ["worker", "sweep"])
def test_a_process_that_is_told_to_stop_ends_its_call_first(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox, sends: str
) -> None:
    portal.environment = {**portal.environment, "SWEEP_PATIENCE_SECONDS": "0.2" if sends == "sweep" else "60"}
    starts: dict[str, Callable[[], subprocess.Popen[bytes]]] = {
        "worker": portal.start_worker,
        "sweep": portal.start_sweep,
    }
    portal.start_web()
    old = starts[sends]()
    if sends == "worker":
        portal.start_sweep()
    upstream.set_faults({**LATE, "fault": {"kind": "late", "seconds": CALL_SECONDS, "before": True}})
    operation = order(portal, "deployed01")
    comes_to(operation, State.SENDING)

    old.send_signal(signal.SIGTERM)
    starts[sends]()
    assert processes.stop(old, seconds=60)
    comes_to(operation, State.SUCCEEDED)
    attempts = Attempt.objects.filter(operation=operation)
    assert list(attempts.values_list("proof", flat=True)) == [Proof.ACCEPTED]
    comes_to(order(portal, "after01"), State.SUCCEEDED)
    assert [body["name"] for body in ordered(upstream)] == ["deployed01", "after01"]
    end_and_judge(portal, upstream)


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "old and new processes side by side",
        "new ones are started before the old ones are stopped",
        "each operation is sent once",
        "nothing out of the ordinary",
    )
)
def test_old_and_new_processes_side_by_side_send_each_operation_once(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox
) -> None:
    portal.start_web()
    old = [portal.start_worker(), portal.start_sweep()]
    until(lambda: "ready." in portal.log(), seconds=30)
    operations = [order(portal, f"first0{number}") for number in range(3)]
    for start in (portal.start_worker, portal.start_sweep):
        start()
    operations += [order(portal, f"second0{number}") for number in range(3)]
    for process in old:
        assert processes.stop(process, seconds=60)
    for operation in operations:
        comes_to(operation, State.SUCCEEDED)
    assert list(Attempt.objects.values_list("proof", flat=True)) == [Proof.ACCEPTED] * 6
    assert sorted(body["name"] for body in ordered(upstream)) == sorted(each.name for each in operations)
    end_and_judge(portal, upstream)
