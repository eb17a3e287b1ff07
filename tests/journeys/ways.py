"""Steps that the journeys share."""

from typing import Any

from portal.audit.models import Entry
from portal.changes.models import Change
from portal.operations.models import Operation
from portal.operations.states import State
from tests.plain_browser import PlainBrowser
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox, until

# Seconds in which a busy machine gets there: a limit, not a measure.
PATIENCE = 60.0

ANSWERS = {
    "service_id": "123",
    "name": "newpostgre01",
    "topology": "STANDALONE",
    "product_code": "deb12pg16",
    "node_sizing": "2cpu4gb",
    "disk_size": "40",
    "area": "EB-QA",
    "az": "EB-A",
    "network_id": "132",
    "allowed_replication_lag": "10",
    "trigram": "tri",
    "tls": "true",
    "reason": "The billing team needs it.",
}
# The same as ITCare must receive it (API.md 7.1), without the password.
ORDER = {
    "productCode": "deb12pg16",
    "serviceId": 123,
    "nodeSizing": "2cpu4gb",
    "networkId": 132,
    "area": "EB-QA",
    "az": "EB-A",
    "diskSize": 40,
    "allowedReplicationLag": 10,
    "topology": "STANDALONE",
    "trigram": "tri",
    "tls": True,
    "name": "newpostgre01",
}


def sign_in(portal: RunningPortal, person: str) -> PlainBrowser:
    """Return a browser in which that person of the cast is signed in."""
    browser = PlainBrowser(portal.address)
    browser.sign_in(f"{person}@example.com")
    return browser


def ask(browser: PlainBrowser, **answers: str) -> Change:
    """Fill in the form, look at the summary, file it."""
    browser.open("/requests/new/create/")
    browser.send("/requests/new/create/", **{**ANSWERS, **answers})
    change = Change.objects.latest("pk")
    assert (browser.path, change.state) == (f"/requests/{change.pk}/", "draft")
    browser.send(f"/requests/{change.pk}/submit/")
    assert browser.path == f"/requests/{change.pk}/"
    return change


def agree(browser: PlainBrowser, change: Change) -> Operation:
    """Approve the request, from the list of what waits."""
    assert f'href="{change.get_absolute_url()}"' in browser.open("/approvals/")
    browser.open(change.get_absolute_url())
    browser.send(f"/requests/{change.pk}/approve/", comment="Agreed.")
    return Operation.objects.get(change=change)


def order(portal: RunningPortal, name: str) -> Operation:
    """Have the developer ask for a cluster of that name and the approver agree."""
    return agree(sign_in(portal, "approver"), ask(sign_in(portal, "developer"), name=name))


def comes_to(operation: Operation, state: State) -> None:
    """Wait until the operation is in that state."""

    def there() -> bool:
        operation.refresh_from_db()
        return operation.state == state

    until(there, seconds=PATIENCE)


def ordered(upstream: Sandbox) -> list[dict[str, Any]]:
    """What ITCare was sent: the body of each order. Fails if it received any other write."""
    writes = upstream.writes()
    assert {(write["method"], write["path"]) for write in writes} <= {("POST", "/databases/postgresql")}
    return [write["body"] for write in writes]


def story(title: str) -> list[str]:
    """What the audit log tells of a request and its operation, in order."""
    return list(Entry.objects.filter(subject=title).order_by("number").values_list("verb", flat=True))
