"""What waits to be sent once more is cancelled only if nothing can have been executed: words, button and deed agree."""

import pytest
from django.test import Client
from pytest_django import Settings

from portal.operations import acts
from portal.operations.acts import Act
from portal.operations.models import Operation, Situation
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, queued
from tests.markup import Element, Page
from tests.portal.operations.deciding import WHY, acted
from tests.portal.operations.engine import evidence, fault, sent, tells
from tests.portal.operations.needing import ON_CLUSTERS, concern_of, grace_passes, unclear
from tests.sandbox_server import Sandbox
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

GOES_ON = "It goes on by itself when ITCare takes it."
SENT_BEFORE = "It cannot be cancelled: an earlier call of it may have been executed."
SLOW_DOWN = "ITCare asks the portal to slow down."
NOT_KNOWN = "ITCare does not accept the portal's account at the moment."


def page_of(cast: Cast, address: str) -> Element:
    return Page.of(signed_in(cast.developer).get(address).content)


def assert_not_cancelled(cast: Cast, row: Operation, why: str) -> None:
    """Neither said to be possible, nor offered, nor done."""
    told = f"It waits to be sent once more. {why} {GOES_ON} {SENT_BEFORE}"
    page = page_of(cast, row.get_absolute_url())
    assert page.one(id="outcome").text == told
    assert page.one("main").all("form") == []
    assert page_of(cast, row.change.get_absolute_url()).one(id="outcome").text == told
    answer = signed_in(cast.developer).post(f"{row.get_absolute_url()}cancel/")
    assert answer.status_code == 409
    assert f"Not done. {SENT_BEFORE}" in Page.of(answer.content).one("main").text
    assert Operation.objects.get(pk=row.pk).state == "queued"


def released(cast: Cast, row: Operation) -> None:
    grace_passes(row)
    acted(Act.SEND, concern_of(row), cast.approver)


def test_what_was_released_to_be_sent_again_is_not_cancelled(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    released(cast, row)
    assert_not_cancelled(cast, row, f"Released by approver@example.com to be sent again: {WHY}")


@pytest.mark.parametrize(("status", "why"), [(429, SLOW_DOWN), (401, NOT_KNOWN)])
def test_nor_is_it_when_its_second_call_was_not_executed(cast: Cast, upstream: Sandbox, status: int, why: str) -> None:
    row = unclear(cast, upstream)
    released(cast, row)
    patches = {"method": "PATCH", **ON_CLUSTERS}
    upstream.set_faults(fault("refuse", times=None, match=patches, status=status), tells([]))
    row = sent(row)
    assert (row.state, row.released_by) == ("queued", None)
    assert evidence(row) == [("unknown", None), ("refused", status)]
    assert_not_cancelled(cast, row, why)


@pytest.mark.parametrize(
    ("state", "values", "why"),
    [
        (
            State.CANCELLED,
            {"message": "Cancelled by colleague@example.com before it was sent."},
            "It is cancelled already. Cancelled by colleague@example.com before it was sent.",
        ),
        (State.SUCCEEDED, {}, "It is no longer waiting: what was sent to ITCare cannot be taken back."),
        (
            State.FAILED,
            {"message": "The cluster moved since the approval."},
            "It has failed already. The cluster moved since the approval.",
        ),
        (State.RUNNING, {}, "It is no longer waiting: what was sent to ITCare cannot be taken back."),
        (State.SENDING, {}, "It is no longer waiting: what was sent to ITCare cannot be taken back."),
    ],
)
def test_who_cancels_too_late_is_told_what_is_so(cast: Cast, state: State, values: dict[str, str], why: str) -> None:
    row = row_of(cast, state, **values)
    answer = signed_in(cast.developer).post(f"{row.get_absolute_url()}cancel/")
    assert (answer.status_code, Operation.objects.get().state) == (409, state)
    assert Page.of(answer.content).one("main").with_class("note")[-1].text == f"Not done. {why}"


@pytest.mark.parametrize(("status", "why"), [(429, SLOW_DOWN), (401, NOT_KNOWN)])
def test_what_itcare_refused_is_cancelled_and_not_called_unsent(
    cast: Cast, upstream: Sandbox, status: int, why: str
) -> None:
    row = queued(cast.developer, cast.approver)
    upstream.set_faults(fault("refuse", times=None, status=status))
    row = sent(row)
    assert evidence(row) == [("refused", status)]
    concern = concern_of(row, situation=Situation.UNREACHABLE)
    (offer,) = acts.offers(concern, cast.approver)
    assert offer.means == f"{acts.REFUSED_SO_FAR} {acts.LOST_WITH_IT}"
    browser = signed_in(cast.developer)
    page = page_of(cast, row.get_absolute_url())
    told = f"It waits to be sent once more. {why} {GOES_ON} You can cancel it as long as it waits."
    assert page.one(id="outcome").text == told
    (form,) = page.one("main").all("form")
    browser.post(form.attributes["action"])
    assert_told_alike(cast, browser, row, f". {acts.REFUSED}", acts.REFUSED)


def test_what_never_reached_itcare_is_called_unsent(cast: Cast, settings: Settings) -> None:
    settings.ITCARE_BASE_URL = settings.ITCARE_TOKEN_URL = "http://127.0.0.1:9"
    row = queued(cast.developer, cast.approver)
    assert evidence(sent(row)) == []
    browser = signed_in(cast.developer)
    browser.post(f"{row.get_absolute_url()}cancel/")
    assert_told_alike(cast, browser, row, " before it was sent.", "Nothing was sent to ITCare.")


def assert_told_alike(cast: Cast, browser: Client, row: Operation, end: str, said: str) -> None:
    """By the answer, the outcome, the timeline, the request's page and the audit page."""
    page = Page.of(browser.get(row.get_absolute_url()).content).one("main")
    row.refresh_from_db()
    assert (row.state, row.message) == ("cancelled", f"Cancelled by developer@example.com{end}")
    assert f"Cancelled: {row.title}. {said}" in [note.text for note in page.with_class("note")]
    told = f"It was cancelled. {row.message} Ask again if it is wanted after all."
    assert page.one(id="outcome").text == page_of(cast, row.change.get_absolute_url()).one(id="outcome").text == told
    assert row.message in page.one("ol").all("li")[-1].text
    assert page_of(cast, "/audit/").all("tr")[1].all("td")[3].text == f"cancelled {row.title} {said}"
