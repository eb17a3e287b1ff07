"""A deployment: processes are told to stop in the middle of a call, and new ones work beside them."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.operations.models import Attempt
from portal.operations.states import Proof, State
from sandbox import processes
from tests.cast import Cast
from tests.faults.outside import calm, end_and_judge, judge_deployment
from tests.faults.table import Row, told
from tests.journeys.deployment import Deployment
from tests.journeys.next_release import next_release
from tests.journeys.test_starting_and_stopping import order as asked
from tests.journeys.ways import comes_to, order, ordered
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox

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
        "old and new code side by side",
        "the next release's migration, which adds a column, is applied while the old processes work; new ones of the "
        "next release are started while an old one is in a call, and then the old ones are told to stop",
        "old code works on with the new column there; each operation is sent once, and none becomes unclear",
        "nothing out of the ordinary",
    )
)
def test_old_and_new_code_side_by_side_send_each_operation_once(deployment: Deployment, tmp_path: Path) -> None:
    deployment.start_redis()
    deployment.start_postgres()
    portal, operations = deployment.portal, list[str]()
    old = [portal.start_worker(), portal.start_sweep()]
    portal.start_web()
    old.append(portal.newest)
    operations.append(asked(deployment, "before01"))
    portal.code = next_release(tmp_path / "next")
    migrated = portal.manage("migrate", "--settings", "portal.owner")
    assert migrated.returncode == 0, migrated.stderr
    operations.append(asked(deployment, "between01"))
    deployment.comes_to(operations[-1], "succeeded")
    deployment.upstream.set_faults({**LATE, "fault": {"kind": "late", "seconds": CALL_SECONDS, "before": True}})
    operations.append(asked(deployment, "during01"))
    deployment.comes_to(operations[-1], "sending")
    for start in (portal.start_worker, portal.start_sweep, portal.start_web):
        start()
    operations.append(asked(deployment, "beside01"))
    for process in old:
        assert processes.stop(process, seconds=60)
    operations.append(asked(deployment, "after01"))
    for operation in operations:
        deployment.comes_to(operation, "succeeded")
    assert sorted(deployment.orders()) == ["after01", "before01", "beside01", "between01", "during01"]
    made = deployment.rows("SELECT made_by, count(*) FROM operations_operation GROUP BY 1 ORDER BY 1")
    assert made == [("new code", 2), ("old code", 3)]
    assert deployment.rows("SELECT proof, count(*) FROM operations_attempt GROUP BY 1") == [("accepted", 5)]
    assert deployment.rows("SELECT count(*) FROM audit_entry WHERE verb = 'operation.unclear'") == [(0,)]
    calm(deployment)
    judge_deployment(deployment)
