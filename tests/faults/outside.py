"""The judge after what real processes did: they are ended first, and the sweep's work is done here."""

import json
import subprocess
import sys

from tests.faults.asked import Asked
from tests.faults.judge import judge, settle_down
from tests.journeys.deployment import Deployment
from tests.running_portal import ROOT, RunningPortal
from tests.sandbox_server import Sandbox, until

# What nobody was asked about, and what has succeeded and whose cluster is still to be read.
MOVING = """
    SELECT count(*) FROM operations_operation AS row LEFT JOIN inventory_cluster AS its ON its.id = row.cluster_id
    WHERE state IN ('queued', 'sending', 'running', 'unclear') AND (lease_until IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM operations_concern WHERE operation_id = row.id AND closed_at IS NULL
    )) OR state = 'succeeded' AND (its.id IS NULL OR kind = 'delete' AND its.gone_at IS NULL)
"""
# Seconds in which all must have ended, or wait for a person, once nothing goes wrong any more.
CALM = 600.0


def end_and_judge(portal: RunningPortal, upstream: Sandbox) -> None:
    """End the processes of a portal that works on the test's database, let the sweep's work be done, and judge."""
    portal.stop()
    settle_down()
    judge(upstream)


def calm(deployment: Deployment) -> None:
    """Wait until everything in it has ended or waits for a person."""
    until(lambda: deployment.rows(MOVING) == [(0,)], seconds=CALM)


def judge_deployment(deployment: Deployment) -> dict[str, float]:
    """Judge a deployment by its own database when all has calmed down; answers its figures."""
    upstream = deployment.upstream
    judged = subprocess.run(
        [sys.executable, "-m", "tests.faults.verdict", str(upstream.state), upstream.root],
        cwd=ROOT,
        env=deployment.portal.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    told = judged.stdout.splitlines()
    figures: dict[str, float] = json.loads(told[0]) if told else {}
    Asked.once_more(figures)
    assert judged.returncode == 0, f"{judged.stdout}\n{judged.stderr}"
    return figures
