"""ITCare takes connections and never answers: pages do not notice, because they ask it nothing and wait for nothing."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from portal.catalog.kinds import ON_CLUSTER
from portal.home.cluster_page import PARTS
from tests.browser import world
from tests.cast import Cast
from tests.faults.judge import settle_down, verdict_on
from tests.faults.table import Row, told
from tests.journeys.ways import PATIENCE, agree, ask, sign_in
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

READING = ("/clusters/", "/requests/", "/approvals/", "/operations/", "/attention/", "/audit/", "/readyz")


@pytest.fixture
def hanging() -> Iterator[socket.socket]:
    """Listen and answer nothing: whoever connects waits until it is accepted here, and longer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def called(server: socket.socket) -> bool:
    """Whether anybody has connected since it was asked last."""
    with suppress(BlockingIOError):
        server.accept()[0].close()
        return True
    return False


@told(
    Row(
        "ITCare cannot be reached, or does not let the portal in",
        "ITCare slow, or dead, while people read, ask and approve",
        "it takes connections and answers none; every page is opened, a request is filed and approved",
        "no page and no form opens a connection to ITCare, so none can wait for it; what is to be read or sent waits "
        "for worker and sweep",
        "nothing out of the ordinary: what was read before, with its age",
    )
)
def test_pages_and_forms_ask_itcare_nothing(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox, hanging: socket.socket
) -> None:
    there = world.make(running_cast)
    address = f"http://127.0.0.1:{hanging.getsockname()[1]}"
    portal.environment = {**portal.environment, "ITCARE_BASE_URL": address, "ITCARE_TOKEN_URL": f"{address}/token"}
    portal.start_web()
    rows = (there.waiting, there.rejected, there.running, there.ended, there.concern, there.noted)
    page = there.cluster.get_absolute_url()
    for person in ("developer", "approver", "support", "admin"):
        browser = sign_in(portal, person)
        for path in ("/", *READING, *(row.get_absolute_url() for row in rows), page):
            browser.open(path)
        for part in PARTS:
            browser.open(f"{page}{part}/")
    sign_in(portal, "support").open(there.unread.get_absolute_url())
    developer, approver = sign_in(portal, "developer"), sign_in(portal, "approver")
    for kind in ON_CLUSTER:
        developer.open(f"/requests/new/{kind.name}/?cluster={there.cluster.pk}")
    operation = agree(approver, ask(developer))
    developer.open(operation.get_absolute_url())
    assert not called(hanging)

    # It would have been seen: the worker, which has to ask, comes to this very address.
    portal.start_worker()
    until(lambda: called(hanging), seconds=PATIENCE)
    portal.stop()
    settle_down()
    verdict = verdict_on(operation, upstream)
    assert (verdict.problems, verdict.state, verdict.writes) == ((), "succeeded", 1)
