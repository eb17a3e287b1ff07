"""The administrator password on its whole way: nowhere in the clear, and gone as soon as nobody needs it (SAFETY 5)."""

import html
import logging
from collections.abc import Callable, Iterator

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from django.db import connection
from django.test import Client

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.catalog import passwords
from portal.changes.models import Change
from portal.operations.models import Attempt, Operation, Secret, bound
from tests.cast import PASSWORD, Cast, form_data
from tests.portal.changes.leaks import Places, spellings
from tests.portal.operations.engine import fault, followed, sent, settled
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = "S3cret&Typed<Here>"


@pytest.fixture
def places(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], broker: str) -> Iterator[Places]:
    """Record everything that can be recorded, every SQL statement with its parameters included."""
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests", "django.db.backends"):
        caplog.set_level(logging.DEBUG, name)
    connection.force_debug_cursor = True
    yield Places(caplog, capfd, broker)
    connection.force_debug_cursor = False


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def shown(client: Client, *addresses: str) -> str:
    """What these pages hold."""
    pages = [client.get(address) for address in addresses]
    assert [page.status_code for page in pages] == [200] * len(pages)
    return "".join(page.content.decode() for page in pages)


def asked(cast: Cast, **fields: str) -> Change:
    """A draft, made through the page."""
    answer = browser(cast.developer).post("/requests/new/create/", form_data(**fields))
    assert answer.status_code == 303
    return Change.objects.get()


def approved(cast: Cast, change: Change) -> Operation:
    """File and approve it through the pages."""
    assert browser(cast.developer).post(f"/requests/{change.pk}/submit/").status_code == 303
    assert browser(cast.approver).post(f"/requests/{change.pk}/approve/", {"comment": "Fine."}).status_code == 303
    return Operation.objects.get()


def pages_of(cast: Cast, operation: Operation) -> str:
    """Every page that tells of it, as those see them who see most."""
    addresses = ["/", "/requests/", f"/requests/{operation.change.pk}/", "/operations/", f"/operations/{operation.pk}/"]
    people = (cast.developer, cast.approver, cast.administrator)
    return "".join(shown(browser(user), *addresses) for user in people) + shown(browser(cast.administrator), "/audit/")


def test_what_looks_for_leaks_finds_what_is_there(cast: Cast, upstream: Sandbox, places: Places) -> None:
    """The control of this file: a name, which is no secret, is found wherever the portal writes."""
    change = asked(cast, name="control01", reason="About control01.")
    approved(cast, change)
    mail.send_mail("control01", "control01", "a@example.com", ["b@example.com"])
    session = SessionStore()
    session["seen"] = "control01"
    session.save()
    assert {
        "table changes_change",
        "table operations_operation",
        "table audit_entry",
        "logs",
        "mails",
        "sessions",
    } <= set(places.holding("control01"))
    assert "Redis" in places.holding("portal.operations.tasks.send_operation")
    assert len(spellings("control01")) > 4


def test_a_typed_password_on_its_whole_way(cast: Cast, upstream: Sandbox, places: Places) -> None:
    refused = browser(cast.developer).post("/requests/new/create/", form_data(adm_password=TYPED, name="a b"))
    assert (refused.status_code, Secret.objects.count()) == (422, 0)
    change = asked(cast, adm_password=TYPED)
    assert change.password is not None
    assert change.password.open(bound_to=bound(change.reference, "send")).reveal() == TYPED
    own = browser(cast.developer)
    pages = refused.content.decode() + shown(own, f"/requests/{change.pk}/", f"/requests/new/create/?draft={change.pk}")
    assert places.holding(TYPED) == []
    operation = approved(cast, change)
    assert operation.password is not None
    assert operation.password.open(bound_to=bound(operation.reference, "send")).reveal() == TYPED
    assert (operation.password_id, operation.reveal_id, Secret.objects.count()) == (change.password_id, None, 1)
    pages += pages_of(cast, operation)
    assert places.holding(TYPED) == []
    row = sent(operation)
    (write,) = upstream.writes()
    assert (write["body"]["admPassword"], row.state, Secret.objects.count()) == (TYPED, "running", 0)
    row = followed(row)
    pages += pages_of(cast, row)
    assert (row.state, places.holding(TYPED), Secret.objects.count()) == ("succeeded", [], 0)
    assert [word for word in spellings(TYPED) if word in pages] == []


def test_a_generated_password_on_its_whole_way(cast: Cast, upstream: Sandbox, places: Places) -> None:
    change = asked(cast)
    # What waits for an approval holds no secret.
    assert (change.password_id, Secret.objects.count()) == (None, 0)
    operation = approved(cast, change)
    assert operation.password is not None
    assert operation.reveal is not None
    text = operation.password.open(bound_to=bound(operation.reference, "send")).reveal()
    assert operation.reveal.open(bound_to=bound(operation.reference, "reveal")).reveal() == text
    assert (passwords.broken(text), passwords.doubtful(text), len(text)) == ("", "", 20)
    pages = pages_of(cast, operation)
    assert (places.holding(text), Secret.objects.count()) == ([], 2)
    row = sent(operation)
    assert upstream.writes()[0]["body"]["admPassword"] == text
    assert list(Secret.objects.values_list("pk", flat=True)) == [row.reveal_id]
    row = followed(row)
    pages += pages_of(cast, row)
    assert (places.holding(text), Secret.objects.count()) == ([], 1)
    assert [word for word in spellings(text) if word in pages] == []
    own = browser(cast.developer)
    own.post("/accounts/reauthenticate/", {"password": PASSWORD})
    answer = own.post(f"/operations/{row.pk}/reveal/")
    assert (answer.status_code, answer.content.decode().count(html.escape(text))) == (200, 1)
    assert "no-store" in answer["Cache-Control"]
    assert (places.holding(text), Secret.objects.count()) == ([], 0)
    again = own.post(f"/operations/{row.pk}/reveal/")
    assert (again.status_code, html.escape(text) in again.content.decode()) == (409, False)
    assert list(Entry.objects.filter(verb="password.revealed").values_list("actor", flat=True)) == [
        "developer@example.com"
    ]


@pytest.mark.parametrize(
    "rule",
    [
        fault("refuse", status=400, body={"errorMessage": f"admPassword {TYPED} is too weak", "errorDesc": TYPED}),
        fault("status_after", status=500, body={"errorMessage": f"lost {TYPED}", "errorCode": TYPED}),
        fault("status_after", status=202, body={"id": 77_001, "status": "IN_PROGRESS", "message": f"Took {TYPED}"}),
    ],
    ids=["refused", "failed", "accepted"],
)
def test_an_upstream_that_repeats_the_password_does_not_give_it_away(
    cast: Cast, upstream: Sandbox, places: Places, rule: dict[str, object]
) -> None:
    operation = approved(cast, asked(cast, adm_password=TYPED))
    upstream.set_faults(rule)
    row = sent(operation)
    assert upstream.writes()[0]["body"]["admPassword"] == TYPED
    assert "****" in Attempt.objects.get().message
    assert (places.holding(TYPED), Secret.objects.count()) == ([], 0)
    page = shown(browser(cast.developer), f"/operations/{row.pk}/")
    assert [word for word in spellings(TYPED) if word in page] == []


@pytest.mark.parametrize("kind", ["drop", "drop_before"])
def test_an_unclear_create_keeps_no_password_to_send(cast: Cast, upstream: Sandbox, places: Places, kind: str) -> None:
    upstream.set_faults(fault(kind))
    row = sent(approved(cast, asked(cast, adm_password=TYPED)))
    assert (row.state, row.password_id, Secret.objects.count()) == ("unclear", None, 0)
    settled(row)
    assert (places.holding(TYPED), Secret.objects.count()) == ([], 0)


def _withdraw(cast: Cast, change: Change) -> int:
    return browser(cast.developer).post(f"/requests/{change.pk}/withdraw/").status_code


def _reject(cast: Cast, change: Change) -> int:
    browser(cast.developer).post(f"/requests/{change.pk}/submit/")
    return browser(cast.approver).post(f"/requests/{change.pk}/reject/", {"comment": "No."}).status_code


def _replace(cast: Cast, change: Change) -> int:
    fields = form_data(draft=str(change.pk), adm_password="")
    return browser(cast.developer).post("/requests/new/create/", fields).status_code


def _cancel(cast: Cast, change: Change) -> int:
    operation = approved(cast, change)
    return browser(cast.developer).post(f"/operations/{operation.pk}/cancel/").status_code


@pytest.mark.parametrize("end", [_withdraw, _reject, _replace, _cancel])
def test_whatever_ends_a_request_erases_its_password(
    cast: Cast, places: Places, end: Callable[[Cast, Change], int]
) -> None:
    change = asked(cast, adm_password=TYPED)
    assert Secret.objects.count() == 1
    assert end(cast, change) == 303
    assert (Secret.objects.count(), places.holding(TYPED)) == (0, [])
