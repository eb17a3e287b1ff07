"""What waits to be sent once more is cancelled only if nothing can have been executed: words, button and deed agree."""

import pytest

from portal.operations.acts import Act
from portal.operations.models import Operation
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


@pytest.mark.parametrize(
    ("status", "why"), [(429, SLOW_DOWN), (401, "ITCare does not accept the portal's account at the moment.")]
)
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


def test_what_no_call_can_have_done_is_cancelled(cast: Cast, upstream: Sandbox) -> None:
    row = queued(cast.developer, cast.approver)
    upstream.set_faults(fault("refuse", status=429))
    row = sent(row)
    assert evidence(row) == [("refused", 429)]
    page = page_of(cast, row.get_absolute_url())
    told = f"It waits to be sent once more. {SLOW_DOWN} {GOES_ON} You can cancel it as long as it waits."
    assert page.one(id="outcome").text == told
    (form,) = page.one("main").all("form")
    signed_in(cast.developer).post(form.attributes["action"])
    assert Operation.objects.get().state == "cancelled"
