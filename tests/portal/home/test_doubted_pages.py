"""A restore that may have been sent already, by its pages: what is offered says what it does, and is as hard to do."""

import pytest

from portal.operations.acts import LOST_WITH_IT, Act
from portal.operations.cancel import LOSES, LOST
from portal.operations.models import Concern, Operation, Secret
from tests.browsing import signed_in
from tests.cast import Cast
from tests.markup import Page, filled_in
from tests.portal.home.attending import acts_on, page_of
from tests.portal.home.attending import sent as form_of
from tests.portal.operations.deciding import acted
from tests.portal.operations.engine import sent, time_passes
from tests.portal.operations.test_doubts import doubted
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

WAITS = "It waits: somebody has to decide whether it was sent already."
SEND_NOW = (
    "You found out that this operation was not sent before: none of the actions named here is its own. "
    "The portal checks everything afresh and sends it."
)
TWO = "Two people have to say so: you are the first, and nothing is sent until somebody else agrees."


def test_the_page_says_what_each_act_does_and_offers_no_note(cast: Cast, upstream: Sandbox) -> None:
    _, concern = doubted(cast, upstream)
    page = page_of(signed_in(cast.approver), concern.get_absolute_url())
    offers = {name: act.one("summary").text for name, act in acts_on(page).items()}
    assert offers == {
        "adopt": "Adopt an action One of the actions named here is this operation, sent already. "
        "The portal follows that action to its end, and sends nothing.",
        "failed": "Mark as failed You found out that it was not done. "
        "The operation fails, nothing is sent, and it can be asked again.",
        "send_now": f"Not its own: send it now {SEND_NOW} {TWO}",
    }
    act = acts_on(page)["send_now"]
    assert [button.attributes["class"] for button in act.all("button")] == ["button danger"]
    assert "open" not in act.attributes
    assert "confirm_name" in filled_in(act.one("form"))
    told = "It may be this operation, sent already: if so, adopt it. It is not sent until somebody decides."
    assert concern.words.endswith(told)
    assert told in page.text


def test_the_operation_s_page_does_not_promise_that_it_is_sent(cast: Cast, upstream: Sandbox) -> None:
    row, _ = doubted(cast, upstream)
    page = page_of(signed_in(cast.developer), row.get_absolute_url())
    assert WAITS in page.text
    assert page.one("ol").all("li")[-1].text == "It is not sent until somebody decides."


def test_two_people_who_type_the_name_send_it(cast: Cast, upstream: Sandbox) -> None:
    row, concern = doubted(cast, upstream)
    address = f"{concern.get_absolute_url()}send_now/"
    first, second = signed_in(cast.approver), signed_in(cast.administrator)
    page = page_of(first, concern.get_absolute_url())
    answer = first.post(address, form_of(page, "send_now", confirm_name="another01"))
    assert (answer.status_code, Operation.objects.get().released_by) == (422, None)
    assert first.post(address, form_of(page, "send_now", confirm_name=row.name)).status_code == 303
    assert "You are the first of two; somebody else has to agree" in page_of(first, "/attention/").text
    page = page_of(first, concern.get_absolute_url())
    assert acts_on(page)["send_now"].all("form") == []
    # A note is not to be had, whatever is sent.
    forged = {**filled_in(acts_on(page)["failed"].one("form")), "reason": "I know of it."}
    answer = first.post(f"{concern.get_absolute_url()}noted/", forged)
    assert (answer.status_code, "This cannot be done as things are." in Page.of(answer.content).text) == (409, True)
    time_passes()
    assert (sent(row).state, upstream.writes()) == ("queued", [])
    page = page_of(second, concern.get_absolute_url())
    assert "approver@example.com has said so already: if you agree, it is sent." in acts_on(page)["send_now"].text
    assert second.post(address, form_of(page, "send_now", confirm_name=row.name)).status_code == 303
    assert "On its way to ITCare: Restore" in page_of(second, "/attention/").text
    time_passes()
    assert (sent(row).state, len(upstream.writes()), Concern.objects.open().count()) == ("running", 1, 0)


def test_the_operation_says_that_it_waits_for_a_decision(cast: Cast, upstream: Sandbox) -> None:
    row, concern = doubted(cast, upstream)
    told = (
        f"{WAITS} {concern.words} "
        "It does not go on by itself. You can cancel it: then it is not sent, and what ITCare did stays."
    )
    for address in (row.get_absolute_url(), row.change.get_absolute_url()):
        assert page_of(signed_in(cast.developer), address).one(id="outcome").text == told


def test_who_cancels_it_is_told_that_it_may_have_been_sent(cast: Cast, upstream: Sandbox) -> None:
    row, concern = doubted(cast, upstream)
    browser = signed_in(cast.developer)
    assert browser.post(f"{row.get_absolute_url()}cancel/").status_code == 303
    said = (
        "It is not sent from here on. It may have been sent before: ITCare's action 90001 may be its own. "
        "Look at the cluster before you ask again."
    )
    page = page_of(browser, row.get_absolute_url())
    assert f"Cancelled: {row.title}. {said}" in page.text
    told = f"It was cancelled. Cancelled by developer@example.com. {said} Ask again if it is wanted after all."
    assert page.one(id="outcome").text == told
    time_passes()
    concern.refresh_from_db()
    assert (sent(row).state, upstream.writes(), concern.closed_by) == ("cancelled", [], cast.developer)


def test_a_create_is_not_cancelled_by_who_does_not_know_that_its_password_goes(cast: Cast, upstream: Sandbox) -> None:
    row, concern = doubted(cast, upstream, "create")
    assert row.reveal_id is not None
    browser = signed_in(cast.developer)
    page = page_of(browser, row.get_absolute_url())
    told = f"You can cancel it: then it is not sent, and what ITCare did stays. {LOSES}"
    assert page.one(id="outcome").text == f"{WAITS} {concern.words} It does not go on by itself. {told}"
    (form,) = page.all("form")
    assert form.one("button").text == "Cancel, and destroy the password"
    # A page from before the doubt has a plain button.
    answer = browser.post(form.attributes["action"])
    assert (answer.status_code, Page.of(answer.content).one("main").with_class("note")[-1].text) == (
        409,
        f"Not done. {LOSES}",
    )
    assert (Operation.objects.get().state, Secret.objects.filter(operation_to_reveal=row).exists()) == ("queued", True)
    assert browser.post(form.attributes["action"], filled_in(form)).status_code == 303
    assert (Operation.objects.get().state, Secret.objects.count()) == ("cancelled", 0)
    said = (
        "It is not sent from here on. It may have been sent before: ITCare's action 90001 may be its own. "
        f"Look at the cluster before you ask again. {LOST}"
    )
    page = page_of(browser, row.get_absolute_url())
    assert f"Cancelled: {row.title}. {said}" in page.text
    told = f"It was cancelled. Cancelled by developer@example.com. {said} Ask again if it is wanted after all."
    assert page.one(id="outcome").text == told


def test_who_has_its_action_adopted_keeps_the_password(cast: Cast, upstream: Sandbox) -> None:
    row, concern = doubted(cast, upstream, "create")
    page = page_of(signed_in(cast.approver), concern.get_absolute_url())
    assert acts_on(page)["failed"].one("summary").text.endswith(LOST_WITH_IT)
    acted(Act.ADOPT, concern, cast.approver, action=concern.actions.get())
    row = Operation.objects.get()
    assert (row.state, Secret.objects.filter(operation_to_reveal=row).exists()) == ("running", True)
