"""Deciding by the pages: approve, reject, withdraw, cancel; and what one reads when it was not done."""

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.changes import decide
from portal.changes.models import Change, Decision
from portal.inventory.models import Network
from portal.operations.models import Operation, Secret
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, cluster, draft, pending, queued, sending
from tests.markup import Element, Page, at_field, filled_in

if TYPE_CHECKING:
    # What the test client answers has a name in the type stubs only.
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

FASTER = "Not done. Somebody was faster: this is how the request stands now."


def send(person: User, change: Change, verb: str, **sent: str) -> "Answer":
    return signed_in(person).post(f"{change.get_absolute_url()}{verb}/", sent)


def page_of(answer: "Answer") -> Element:
    return Page.of(answer.content).one("main")


def told(page: Element) -> list[str]:
    """The notes of a page but for its banners."""
    banners = [note.text for box in page.with_class("banners") for note in box.with_class("note")]
    return [note.text for note in page.with_class("note") if note.text not in banners]


def test_an_approval_queues_the_operation_and_says_so_to_everybody(cast: Cast) -> None:
    change = pending(cast.developer)
    browser = signed_in(cast.approver)
    form = page_of(browser.get(change.get_absolute_url())).one(id="decision").all("form")[0]
    answer = browser.post(form.attributes["action"], {**filled_in(form), "comment": "Fine."}, follow=True)
    assert answer.redirect_chain == [(change.get_absolute_url(), 303)]
    page = page_of(answer)
    assert told(page) == ["Approved: Create newpostgre01. It is on its way to ITCare."]
    operation = Operation.objects.get()
    assert (operation.state, operation.requester, operation.approver) == (State.QUEUED, cast.developer, cast.approver)
    for person in (cast.developer, cast.support):
        page = page_of(signed_in(person).get(change.get_absolute_url()))
        assert page.one(id="live").attributes["data-state"] == "approved"
        assert page.all("a", href=operation.get_absolute_url())
        assert "Approved by approver@example.com" in page.one(id="decision").text
        assert not page.one(id="decision").all("form")
        assert [quote.text for quote in page.all("q")] == ["A test needs it.", "Fine."]
    verbs = ["change.draft", "change.pending", "operation.queued", "change.approved"]
    assert list(Entry.objects.order_by("number").values_list("verb", flat=True)) == verbs


def test_a_rejection_needs_a_reason_and_is_read_by_the_requester(cast: Cast) -> None:
    change = pending(cast.developer, adm_password="Test123@2022")
    answer = send(cast.approver, change, "reject", comment="  ")
    assert answer.status_code == 422
    page = page_of(answer)
    assert at_field(page, "comment") == "Say why you reject it: the requester reads this."
    assert page.one(id="live").attributes["data-state"] == "pending"
    assert page.one(id="decision").all("form")
    assert Change.objects.get().state == "pending"
    answer = send(cast.approver, change, "reject", comment="Too <big>.")
    assert (answer.status_code, answer["Location"]) == (303, change.get_absolute_url())
    page = page_of(signed_in(cast.developer).get(change.get_absolute_url()))
    assert page.one(id="live").attributes["data-state"] == "rejected"
    assert [quote.text for quote in page.all("q")] == ["A test needs it.", "Too <big>."]
    assert (Operation.objects.count(), Secret.objects.count()) == (0, 0)


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize(
    ("comment", "sentence"),
    [
        ("n" * 1001, "At most 1000 characters; these are 1001."),
        ("a\0b", "Null characters are not allowed."),
    ],
)
def test_a_comment_that_cannot_be_kept_comes_back(cast: Cast, verb: str, comment: str, sentence: str) -> None:
    change = pending(cast.developer)
    answer = send(cast.approver, change, verb, comment=comment)
    assert answer.status_code == 422
    page = page_of(answer)
    assert at_field(page, "comment") == sentence
    assert filled_in(page.one(id="decision").all("form")[0])["comment"] == comment
    assert Change.objects.get().state == "pending"


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_who_is_too_late_sees_the_request_as_it_stands(cast: Cast, verb: str) -> None:
    change = pending(cast.developer)
    decide.reject(change, cast.approver2, "Not now.")
    answer = send(cast.approver, change, verb, comment="Mine.")
    assert answer.status_code == 409
    page = page_of(answer)
    assert told(page) == [FASTER]
    assert page.one(id="live").attributes["data-state"] == "rejected"
    assert "Rejected by approver2@example.com" in page.one(id="decision").text
    assert Decision.objects.get().decider == cast.approver2


def test_a_second_click_on_approve_approves_once(cast: Cast) -> None:
    change = pending(cast.developer)
    assert [send(cast.approver, change, "approve").status_code for _ in range(2)] == [303, 409]
    assert Operation.objects.count() == 1


def test_a_request_is_taken_back_by_who_asked(cast: Cast) -> None:
    change = pending(cast.developer, adm_password="Test123@2022")
    browser = signed_in(cast.developer)
    (form,) = page_of(browser.get(change.get_absolute_url())).one(id="decision").all("form")
    answer = browser.post(form.attributes["action"], filled_in(form), follow=True)
    assert answer.redirect_chain == [(change.get_absolute_url(), 303)]
    assert told(page_of(answer)) == ["Withdrawn: Create newpostgre01."]
    assert Change.objects.get().state == "withdrawn"
    assert Secret.objects.count() == 0
    again = browser.post(form.attributes["action"], filled_in(form))
    assert (again.status_code, told(page_of(again))) == (409, [FASTER])


def test_a_draft_is_thrown_away_by_its_author(cast: Cast) -> None:
    change = draft(cast.developer)
    assert send(cast.developer, change, "withdraw").status_code == 303
    assert signed_in(cast.developer).get(change.get_absolute_url()).status_code == 200
    assert signed_in(cast.support).get(change.get_absolute_url()).status_code == 404


def test_what_was_decided_cannot_be_taken_back(cast: Cast) -> None:
    change = pending(cast.developer)
    decide.approve(change, cast.approver, "")
    answer = send(cast.developer, change, "withdraw")
    assert (answer.status_code, told(page_of(answer))) == (409, [FASTER])
    assert Change.objects.get().state == "approved"


@pytest.mark.parametrize("how", ["known", "creating", "no network"])
def test_what_cannot_be_carried_out_now_stays_pending_with_the_sentence(cast: Cast, how: str) -> None:
    change = pending(cast.developer)
    before = Entry.objects.count()
    if how == "known":
        cluster(cast.other_service, 1, name="NewPostgre01")
        sentence = "A cluster named newpostgre01 exists already: choose another name."
    elif how == "creating":
        decide.approve(pending_twin(cast), cast.approver2, "")
        before = Entry.objects.count()
        sentence = "A cluster of this name is being created already."
    else:
        Network.objects.filter(upstream_id=132).delete()
        sentence = "The network no longer exists."
    answer = send(cast.approver, change, "approve", comment="Go on.")
    assert answer.status_code == 409
    page = page_of(answer)
    assert f"Not done. {sentence}" in told(page)
    assert page.one(id="live").attributes["data-state"] == "pending"
    assert filled_in(page.one(id="decision").all("form")[0])["comment"] == "Go on."
    change.refresh_from_db()
    assert (change.state, change.operation, change.decisions.count()) == ("pending", None, 0)
    assert Entry.objects.count() == before


def pending_twin(cast: Cast) -> Change:
    return pending(cast.colleague)


def test_the_approver_reads_beforehand_what_stands_in_the_way(cast: Cast) -> None:
    change = pending(cast.developer)
    cluster(cast.service, 1, name="newpostgre01")
    assert told(page_of(signed_in(cast.approver).get(change.get_absolute_url()))) == [
        "It cannot be carried out as things are. A cluster named newpostgre01 exists already: choose another name."
    ]


def test_an_expired_request_cannot_be_approved(cast: Cast) -> None:
    change = pending(cast.developer)
    Change.objects.update(expires_at=timezone.now())
    answer = send(cast.approver, change, "approve")
    assert (answer.status_code, told(page_of(answer))) == (
        409,
        ["Not done. This request has expired: it has to be asked again."],
    )


def test_a_draft_whose_name_was_taken_meanwhile_is_not_filed(cast: Cast) -> None:
    change = draft(cast.developer)
    cluster(cast.service, 1, name="newpostgre01")
    answer = send(cast.developer, change, "submit")
    assert answer.status_code == 409
    assert "Not done. A cluster named newpostgre01 exists already: choose another name." in told(page_of(answer))
    assert Change.objects.get().state == "draft"


def test_a_draft_whose_name_is_being_created_meanwhile_is_not_filed(cast: Cast) -> None:
    change = draft(cast.developer)
    queued(cast.colleague, cast.approver)
    answer = send(cast.developer, change, "submit")
    assert answer.status_code == 409
    assert "Not done. A cluster of this name is being created already." in told(page_of(answer))
    change.refresh_from_db()
    assert change.state == "draft"


@pytest.mark.parametrize("who", ["developer", "approver", "approver2"])
def test_what_was_not_sent_yet_is_cancelled_by_its_requester_or_an_approver(cast: Cast, who: str) -> None:
    operation = queued(cast.developer, cast.approver)
    browser, person = signed_in(getattr(cast, who)), getattr(cast, who)
    (form,) = page_of(browser.get(operation.get_absolute_url())).all("form")
    answer = browser.post(form.attributes["action"], filled_in(form), follow=True)
    assert answer.redirect_chain == [(operation.get_absolute_url(), 303)]
    page = page_of(answer)
    cancelled = f"Cancelled by {person.email} before it was sent."
    assert told(page) == [
        "Cancelled: Create newpostgre01. Nothing was sent to ITCare.",
        f"It was cancelled. {cancelled} Ask again if it is wanted after all.",
    ]
    assert f"Cancelled by {person.email} before it was sent." in page.with_class("timeline")[0].text
    assert Secret.objects.count() == 0


def test_who_may_not_cancel_sees_no_button(cast: Cast) -> None:
    operation = queued(cast.developer, cast.approver)
    for person in (cast.colleague, cast.support, cast.administrator):
        assert not page_of(signed_in(person).get(operation.get_absolute_url())).all("form")


@pytest.mark.parametrize("state", [State.SENDING, State.RUNNING, State.SUCCEEDED])
def test_what_was_sent_cannot_be_cancelled(cast: Cast, state: State) -> None:
    operation = queued(cast.developer, cast.approver)
    sending(operation)
    if state == State.RUNNING:
        operation.move(State.RUNNING, upstream_action_id=77, last_proof="accepted")
    elif state == State.SUCCEEDED:
        operation.move(State.SUCCEEDED)
    answer = signed_in(cast.developer).post(f"{operation.get_absolute_url()}cancel/")
    assert answer.status_code == 409
    assert told(page_of(answer)) == ["Not done. It is no longer waiting: what was sent to ITCare cannot be taken back."]
    operation.refresh_from_db()
    assert operation.state == state


def test_the_pages_that_decide_work_without_scripts(cast: Cast) -> None:
    change = pending(cast.developer)
    page = page_of(signed_in(cast.approver).get(change.get_absolute_url()))
    (form,) = page.one(id="decision").all("form")
    buttons = [
        (button.text, button.attributes.get("formaction", form.attributes["action"])) for button in form.all("button")
    ]
    address = change.get_absolute_url()
    assert buttons == [("Approve", f"{address}approve/"), ("Reject", f"{address}reject/")]
    assert form.attributes["method"] == "post"
    assert not [element for element in form.all() if "hx-post" in element.attributes]


def test_nobody_is_offered_what_they_may_not_do(cast: Cast) -> None:
    change = pending(cast.developer)
    reasons = {
        "developer": "You asked for it: somebody else decides.",
        "colleague": "Only approvers of the service's team decide this request.",
        "support": "Only approvers of the service's team decide this request.",
        "administrator": "Only approvers of the service's team decide this request.",
    }
    for who, reason in reasons.items():
        card = page_of(signed_in(getattr(cast, who)).get(change.get_absolute_url())).one(id="decision")
        assert reason in card.text
        actions = [form.attributes["action"] for form in card.all("form")]
        assert actions == ([f"{change.get_absolute_url()}withdraw/"] if who == "developer" else [])


def test_a_leaver_cannot_decide_with_the_page_still_open(cast: Cast) -> None:
    change = pending(cast.developer)
    browser: Client = signed_in(cast.approver)
    User.objects.filter(pk=cast.approver.pk).update(is_active=False)
    answer = browser.post(f"{change.get_absolute_url()}approve/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
    assert Change.objects.get().state == "pending"
