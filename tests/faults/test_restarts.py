"""PostgreSQL is restarted in the middle of a submission, an approval, a call, and a look: real processes of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from tests.faults.outside import calm, judge_deployment
from tests.faults.table import Row, told
from tests.faults.transactions import CAMPAIGN, ERROR_PAGE, GROUP, SENTENCE, WRONG
from tests.journeys.deployment import Deployment
from tests.journeys.test_starting_and_stopping import order
from tests.journeys.ways import ANSWERS
from tests.portal.operations.engine import CREATES, fault
from tests.sandbox_server import until

NAME = "restart01"
TITLE = f"Create {NAME}"


def restart(deployment: Deployment) -> None:
    deployment.stop_postgres()
    deployment.start_postgres()


def held_in_its_transaction(deployment: Deployment, send: Callable[[], object]) -> None:
    """Restart PostgreSQL while a form that was sent waits in its transaction for the audit log."""
    with ThreadPoolExecutor(1) as pool:
        with closing(deployment.postgres.connect("portal")) as superuser:
            superuser.autocommit = False
            superuser.execute("LOCK TABLE audit_entry")
            answer = pool.submit(send)
            waits = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
            until(lambda: deployment.rows(waits) == [(1,)], seconds=30)
            restart(deployment)
        # The browser says so of every page that is not as it should be.
        with pytest.raises(AssertionError):
            answer.result(30)


def _ask(deployment: Deployment) -> Any:  # noqa: ANN401 - a browser
    browser = deployment.sign_in("developer@example.com")
    browser.open("/requests/new/create/")
    browser.send("/requests/new/create/", **{**ANSWERS, "name": NAME})
    return browser


def _in_submit(deployment: Deployment) -> None:
    browser = _ask(deployment)
    address = browser.path
    _struck(deployment, browser, address, "submit")
    _approve(deployment, address)


def _in_approve(deployment: Deployment) -> None:
    browser = _ask(deployment)
    address = browser.path
    browser.send(f"{address}submit/")
    approver = deployment.sign_in("approver@example.com")
    approver.open(address)
    _struck(deployment, approver, address, "approve")


def _struck(deployment: Deployment, browser: Any, address: str, act: str) -> None:  # noqa: ANN401 - a browser
    """Send the form, have it struck, read the error page, look, and send it again."""
    held_in_its_transaction(deployment, lambda: browser.send(f"{address}{act}/"))
    assert (browser.answer.status_code, WRONG in browser.answer.text, SENTENCE in browser.answer.text) == (
        500,
        True,
        True,
    )
    assert deployment.rows("SELECT count(*) FROM operations_operation") == [(0,)]
    browser.open(address)
    browser.send(f"{address}{act}/")


def _approve(deployment: Deployment, address: str) -> None:
    browser = deployment.sign_in("approver@example.com")
    browser.open(address)
    browser.send(f"{address}approve/")


def _in_send(deployment: Deployment) -> None:
    deployment.upstream.set_faults(fault("late", seconds=2.0))
    order(deployment, NAME)
    until(lambda: deployment.orders() == [NAME], seconds=30)
    restart(deployment)


def _in_follow(deployment: Deployment) -> None:
    slow = fault("late", times=None, seconds=1.5, match={"method": "GET", "path": "/actions"})
    deployment.upstream.set_faults(slow, {**fault("late", seconds=0.1), "match": CREATES})
    order(deployment, NAME)
    deployment.comes_to(TITLE, "running")
    held = "SELECT count(*) FROM operations_operation WHERE state = 'running' AND lease_until > now()"
    until(lambda: deployment.rows(held) == [(1,)], seconds=30)
    restart(deployment)
    deployment.upstream.set_faults()


STEPS = {"submit": _in_submit, "approve": _in_approve, "send": _in_send, "follow": _in_follow}


@told(
    Row(
        GROUP,
        "PostgreSQL restarted in submit, approve, send and follow",
        "the server ends, without waiting for its clients, while the form waits in its transaction, the worker in its "
        "call, or the look for its answer, and starts again",
        "nothing of the transaction stays, the person does it again; processes connect again; what was sent is found",
        ERROR_PAGE,
    )
)
@pytest.mark.parametrize("step", [pytest.param(step, marks=() if step == "approve" else CAMPAIGN) for step in STEPS])
def test_postgresql_is_restarted_in_the_middle(deployment: Deployment, step: str) -> None:
    deployment.start_redis()
    deployment.start_postgres()
    deployment.portal.start_worker()
    deployment.portal.start_sweep()
    deployment.portal.start_web()
    STEPS[step](deployment)
    deployment.comes_to(TITLE, "succeeded")
    assert deployment.orders() == [NAME]
    calm(deployment)
    judge_deployment(deployment)
