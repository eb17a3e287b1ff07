"""A cluster that ITCare moved to another service: what was asked for there is not told to the people of this one."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.inventory.models import Cluster
from portal.operations import concerns, drift, mails
from portal.operations.models import Concern, Operation
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, cluster
from tests.markup import Page
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "Resize what is secret"
BEGINS = {
    "differs": "Size 8cpu16gb instead of 2cpu4gb. The last operation here",
    "gone": "ITCare no longer knows the cluster. The last operation here",
    "not done": "ITCare says that",
    "stuck": "It could not be compared with what the last operation here",
}


def compared(cast: Cast, how: str) -> Concern:
    """The cluster differs in that way from what the last operation left, and it was told."""
    now = timezone.now()
    there = cluster(cast.service, 1, read_at=now, changed_at=now)
    ended = {"ended_at": now - timedelta(days=2), "parameters": {"sizing": "2cpu4gb"}}
    row = row_of(cast, State.SUCCEEDED, kind="resize", cluster=there, title=SECRET, **ended)
    assert drift.compare() == 1
    if how == "not done":
        Cluster.objects.update(sizing="4cpu8gb")
        Operation.objects.filter(pk=row.pk).update(left=None, compared_at=None)
    elif how == "stuck":
        Operation.objects.filter(pk=row.pk).update(left={"what": "nobody knows"})
    else:
        Cluster.objects.update(**({"gone_at": now} if how == "gone" else {"sizing": "8cpu16gb"}))
    return told()


def told() -> Concern:
    """Compare again, after news."""
    Cluster.objects.update(changed_at=timezone.now())
    drift.compare()
    return Concern.objects.open().get()


def seen_by(person: User, there: Cluster) -> str:
    """What they read on the cluster's page and in the audit log."""
    browser = signed_in(person)
    pages = [browser.get(address) for address in (there.get_absolute_url(), "/audit/")]
    return " ".join(Page.of(page.content).text for page in pages if page.status_code == 200)


@pytest.mark.parametrize("how", BEGINS)
def test_the_title_is_told_to_the_people_of_its_service_only(cast: Cast, settings: Settings, how: str) -> None:
    settings.STUCK_FAILURES = 1
    ours = compared(cast, how)
    assert (ours.service, SECRET in ours.words) == (cast.service, True)
    assert ours.words.startswith(BEGINS[how])
    Cluster.objects.update(service=cast.other_service)
    there = Cluster.objects.get()
    # Before it is compared again, too.
    assert SECRET not in seen_by(cast.stranger, there)
    if how == "not done":
        Operation.objects.update(left=None)
    theirs = told()
    ours.refresh_from_db()
    first = how == "not done"
    closed = "A newer operation has ended since." if first else "The cluster is another service's by now."
    assert (ours.outcome, ours.closed_by) == (closed, None)
    assert (theirs.service, theirs.words.startswith(BEGINS[how])) == (cast.other_service, True)
    mails.tell()
    (message,) = mail.outbox
    assert message.to == ["approver2@example.com"]
    details = Entry.objects.filter(service_id=cast.other_service.pk).values_list("detail", flat=True)
    for text in (theirs.words, str(message.body), str(list(details)), seen_by(cast.stranger, there)):
        assert SECRET not in text
    assert theirs.words in seen_by(cast.stranger, there)


def test_what_the_others_noted_is_told_to_these_too(cast: Cast) -> None:
    concerns.close(Concern.objects.filter(pk=compared(cast, "differs").pk), "Noted.", by=cast.approver)
    Cluster.objects.update(service=cast.other_service)
    theirs = told()
    assert theirs.words == f"{BEGINS['differs']} left it otherwise."
    concerns.close(Concern.objects.open(), "Noted.", by=cast.approver2)
    Cluster.objects.update(changed_at=timezone.now())
    assert (drift.compare(), Concern.objects.open().count()) == (1, 0)
