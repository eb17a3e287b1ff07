"""What people do beside submitting and approving, and the reading of the inventory: each once, in a transaction."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.db.models import Model
from django.db.models.functions import Now
from django.test import Client

from portal.accounts.models import User
from portal.changes.models import Change
from portal.inventory import lists, waiting
from portal.inventory.models import Cluster, Sync
from portal.operations import holds
from portal.operations.actions import note
from portal.operations.models import Action, Concern, Hold, Operation, Situation
from portal.operations.sweep import Job, once
from portal.upstream.client import client
from tests.cast import Cast, pending, queued
from tests.faults.judge import later
from tests.faults.transactions import browser_of, ended, error_page
from tests.markup import Element, Page, filled_in
from tests.portal.catalog.asking import approved, placed
from tests.portal.home.attending import acts_on
from tests.portal.operations.engine import fault, followed, sent
from tests.portal.operations.needing import ON_CLUSTERS, concern_of, grace_passes
from tests.sandbox_server import Sandbox

_NUMBERS = itertools.count(8001)


@dataclass(frozen=True)
class Deed:
    """Something that is done once.

    Attributes:
        ready: makes something of that name to which it can be done.
        do: brings it to where one press of a button does it, which answers what the error page says.
        done: whether it is done.
        verb: of its entry in the audit log.
        table: of the row that it holds when it comes to the audit log.
    """

    ready: Callable[[Cast, Sandbox, str], Any]
    do: Callable[[Cast, Any], Callable[[], str]]
    done: Callable[[Any], bool]
    verb: str
    table: str


def _pressed(user: User, address: str, data: dict[str, str] | None = None) -> Callable[[], str]:
    browser = browser_of(user)
    return lambda: error_page(browser.post(address, data or {}), HTTPStatus.SEE_OTHER)


def _request(act: str, who: str, data: dict[str, str] | None = None) -> Callable[[Cast, Change], Callable[[], str]]:
    return lambda cast, change: _pressed(getattr(cast, who), f"{change.get_absolute_url()}{act}/", data)


def _is(model: type[Model], state: str) -> Callable[[Any], bool]:
    return lambda row: bool(model._default_manager.filter(pk=row.pk, state=state).exists())


def _concern(act: str) -> Callable[[Cast, Operation], Callable[[], str]]:
    """The form of an act on what is open about an operation."""

    def do(cast: Cast, row: Operation) -> Callable[[], str]:
        concern = Concern.objects.open().get(operation=row)
        form = acts_on(_page(browser_of(cast.approver), concern.get_absolute_url()))[act].one("form")
        typed = {"reason": "I asked cegedim.cloud."}
        if act == "adopt":
            typed["action"] = str(concern.actions.get().pk)
        if act == "send":
            typed["confirm_name"] = row.name
        data = {**filled_in(form), **typed}
        return _pressed(cast.approver, f"{concern.get_absolute_url()}{act}/", data)

    return do


def _page(browser: Client, address: str) -> Element:
    return Page.of(browser.get(address).content).one("main")


def _arrived(cast: Cast, upstream: Sandbox, name: str) -> Operation:
    """A create of which ITCare did not tell the action, and nobody has looked for it yet: a person is shown it."""
    upstream.set_faults(fault("drop"))
    row = sent(queued(cast.developer, cast.approver, name=name))
    (told,) = client().actions(resource_name=name).items
    note(told, None)
    concern_of(row, Action.objects.get(upstream_id=told.id), situation=Situation.SEVERAL_FIT)
    return row


def _lost(cast: Cast, upstream: Sandbox, name: str) -> Operation:
    """A create of which nothing arrived."""
    upstream.set_faults(fault("drop_before"))
    row = sent(queued(cast.developer, cast.approver, name=name))
    grace_passes(row)
    concern_of(row)
    return row


def _lost_resize(cast: Cast, upstream: Sandbox, _name: str) -> Operation:
    """A resize of which nothing arrived."""
    cluster = placed(upstream, cast.service, next(_NUMBERS))
    row = approved(cast, "resize", cluster, {"sizing": "4cpu8gb"})
    upstream.set_faults(fault("drop_before", match={"method": "PATCH", **ON_CLUSTERS}))
    row = sent(row)
    grace_passes(row)
    concern_of(row)
    return row


def _held(cast: Cast, _upstream: Sandbox, name: str) -> Hold:
    holds.hold(name, by=cast.administrator)
    held = holds.held()
    assert held is not None
    return held


def _hold(cast: Cast, _name: str) -> Callable[[], str]:
    return _pressed(cast.administrator, "/attention/hold/", {"reason": "Maintenance."})


def _let_go(cast: Cast, held: Hold) -> Callable[[], str]:
    return _pressed(cast.administrator, "/attention/let-go/", {"reason": "It is over.", "hold": str(held.pk)})


def _with_password(cast: Cast, upstream: Sandbox, name: str) -> Operation:
    return followed(ended(cast, upstream, name))


def _reveal(cast: Cast, row: Operation) -> Callable[[], str]:
    """The button, for somebody who has just said who they are."""
    browser = browser_of(cast.developer)
    session = browser.session
    session["account_authentication_methods_user"] = str(cast.developer.pk)
    session["account_authentication_methods"] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
    session.save()
    return lambda: error_page(browser.post(f"{row.get_absolute_url()}reveal/"), HTTPStatus.OK)


def _vanished(cast: Cast, upstream: Sandbox, _name: str) -> Cluster:
    """A cluster that was missed some time ago, and is not there any more."""
    row = placed(upstream, cast.service, next(_NUMBERS))
    upstream.remove_cluster(row.upstream_id)
    lists.lists_due()
    Sync.objects.exclude(name="resources").update(look_at=Now() + timedelta(days=1))
    Cluster.objects.filter(pk=row.pk).update(missed_at=Now() - timedelta(days=1), wanted_at=Now(), tried_at=None)
    return row


def _read(_cast: Cast, _row: Cluster) -> Callable[[], str]:
    later()

    def do() -> str:
        once([Job("lists", lambda: lists.sync_lists(client()), 0)])
        once([Job("clusters", lambda: waiting.read_waiting(client()), 0)])
        return ""

    return do


DEEDS: dict[str, Deed] = {
    "reject": Deed(
        lambda cast, _upstream, name: pending(cast.developer, name=name),
        _request("reject", "approver", {"comment": "Too large."}),
        _is(Change, "rejected"),
        "change.rejected",
        "changes_change",
    ),
    "withdraw": Deed(
        lambda cast, _upstream, name: pending(cast.developer, name=name),
        _request("withdraw", "developer"),
        _is(Change, "withdrawn"),
        "change.withdrawn",
        "changes_change",
    ),
    "cancel": Deed(
        lambda cast, _upstream, name: queued(cast.developer, cast.approver, name=name),
        lambda cast, row: _pressed(cast.developer, f"{row.get_absolute_url()}cancel/"),
        _is(Operation, "cancelled"),
        "operation.cancelled",
        "operations_operation",
    ),
    "adopt an action": Deed(
        _arrived, _concern("adopt"), _is(Operation, "running"), "operation.running", "operations_operation"
    ),
    "mark as failed": Deed(
        _lost, _concern("failed"), _is(Operation, "failed"), "operation.failed", "operations_operation"
    ),
    "send again": Deed(
        _lost_resize, _concern("send"), _is(Operation, "queued"), "operation.queued", "operations_operation"
    ),
    "hold all sends": Deed(
        lambda _cast, _upstream, name: name, _hold, lambda _name: holds.held() is not None, "sends.held", ""
    ),
    "let sends go": Deed(_held, _let_go, lambda _held: holds.held() is None, "sends.let_go", "operations_hold"),
    "show the password": Deed(
        _with_password,
        _reveal,
        lambda row: Operation.objects.get(pk=row.pk).reveal_id is None,
        "password.revealed",
        "operations_operation",
    ),
    "read the inventory": Deed(
        _vanished,
        _read,
        lambda row: Cluster.objects.get(pk=row.pk).gone_at is not None,
        "cluster.gone",
        "inventory_cluster",
    ),
}
# What no person waits for.
BY_ITSELF = {"read the inventory"}
