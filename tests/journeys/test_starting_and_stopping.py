"""Any order of starting and stopping ends well, with sentences in the log, and nothing is sent twice."""

import re
from collections.abc import Callable

import pytest

from tests.faults.outside import calm, judge_deployment
from tests.faults.table import Row, told
from tests.faults.transactions import ERROR_PAGE, SENTENCE
from tests.journeys.deployment import Deployment
from tests.journeys.ways import ANSWERS
from tests.plain_browser import PlainBrowser

TRACEBACK = re.compile(r"^Traceback ", re.MULTILINE)


def order(deployment: Deployment, name: str) -> str:
    """Ask for a cluster and agree; answers the operation's title."""
    browser: PlainBrowser = deployment.sign_in("developer@example.com")
    browser.open("/requests/new/create/")
    browser.send("/requests/new/create/", **{**ANSWERS, "name": name})
    change = browser.path
    browser.send(f"{change}submit/")
    browser = deployment.sign_in("approver@example.com")
    browser.open(change)
    browser.send(f"{change}approve/", comment="Agreed.")
    return f"Create {name}"


# The order in which the parts start; web comes when its database is there, because people cannot sign in before.
ORDERS: dict[str, tuple[str, ...]] = {
    "as one would": ("postgres", "redis", "worker", "sweep", "web"),
    "the portal first": ("sweep", "worker", "web", "redis", "postgres"),
    "the worker before its broker": ("postgres", "worker", "web", "sweep", "redis"),
    "the sweep before its database": ("redis", "sweep", "worker", "postgres", "web"),
}


CAMPAIGN = ("as one would", "the worker before its broker", "the sweep before its database")


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "any order of starting",
        "PostgreSQL, Redis, worker, sweep and web are started in four orders",
        "each waits for what it needs, and no log has a traceback",
        "nothing out of the ordinary",
    )
)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.campaign if name in CAMPAIGN else ()) for name in ORDERS]
)
def test_any_order_of_starting_ends_well(deployment: Deployment, name: str) -> None:
    parts: dict[str, Callable[[], object]] = {
        "postgres": deployment.start_postgres,
        "redis": deployment.start_redis,
        "worker": deployment.portal.start_worker,
        "sweep": deployment.portal.start_sweep,
        "web": deployment.portal.start_web,
    }
    for part in ORDERS[name]:
        parts[part]()
    title = order(deployment, "started01")
    deployment.comes_to(title, "succeeded")
    assert deployment.orders() == ["started01"]
    assert TRACEBACK.findall(deployment.portal.log()) == []
    calm(deployment)
    judge_deployment(deployment)


@told(
    Row(
        "PostgreSQL",
        "PostgreSQL and Redis stopped and started under load",
        "both servers end while an operation is under way",
        "processes connect again by themselves; nothing is lost",
        f"While the database is away: {ERROR_PAGE}",
    )
)
@pytest.mark.campaign
def test_servers_that_stop_and_come_back_lose_nothing(deployment: Deployment) -> None:
    deployment.start_redis()
    deployment.start_postgres()
    deployment.portal.start_worker()
    deployment.portal.start_sweep()
    deployment.portal.start_web()
    first = order(deployment, "before01")
    browser = deployment.sign_in("developer@example.com")
    deployment.stop_redis()
    deployment.stop_postgres()
    # The browser says so of every page that is not as it should be.
    with pytest.raises(AssertionError):
        browser.open("/operations/")
    assert (browser.answer.status_code, SENTENCE in browser.answer.text) == (500, True)
    deployment.start_postgres()
    deployment.comes_to(first, "succeeded")
    second = order(deployment, "between01")
    deployment.start_redis()
    deployment.comes_to(second, "succeeded")
    deployment.comes_to(order(deployment, "after01"), "succeeded")
    assert deployment.orders() == ["before01", "between01", "after01"]
    assert deployment.rows("SELECT count(*) FROM operations_attempt") == [(3,)]
    calm(deployment)
    judge_deployment(deployment)
