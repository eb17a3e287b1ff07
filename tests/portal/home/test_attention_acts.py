"""The acts on what needs a person: who may, what is done, and what becomes of what was typed."""

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.home.attention import MOVED, NOT_YOURS
from portal.operations import concerns
from portal.operations.models import Action, Concern, Operation, Situation
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, cluster
from tests.markup import Page, filled_in
from tests.portal.home.attending import ACTS, acts_on, page_of, sent
from tests.portal.operations.needing import bare, concern_of, grace_passes

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("who", ["developer", "support", "stranger"])
def test_who_may_not_act_is_refused_and_that_is_written_down(cast: Cast, concern: Concern, who: str, act: str) -> None:
    user: User = getattr(cast, who)
    before = Entry.objects.count()
    answer = signed_in(user).post(f"{concern.get_absolute_url()}{act}/", {"reason": "I want to."})
    entries = list(Entry.objects.order_by("number").values_list("verb", "actor", "subject_id")[before:])
    if who == "stranger":
        assert (answer.status_code, entries) == (404, [])
        return
    assert (answer.status_code, NOT_YOURS in Page.of(answer.content).text) == (403, True)
    assert entries == [(f"concern.{act}.refused", user.email, str(concern.operation_id))]
    assert Operation.objects.get().state == "unclear"


@pytest.mark.parametrize(
    ("act", "state", "said"),
    [
        ("adopt", "running", "Adopted, and followed from now on"),
        ("done", "succeeded", "Mark as done"),
        ("failed", "failed", "Mark as failed"),
        ("send", "queued", "On its way to ITCare once more"),
        ("release", "failed", "Release the cluster"),
    ],
)
def test_an_act_is_done_and_told(cast: Cast, concern: Concern, act: str, state: str, said: str) -> None:
    browser = signed_in(cast.approver)
    page = page_of(browser, concern.get_absolute_url())
    extra = {"confirm_name": "cluster00001"} if act == "send" else {}
    if act == "adopt":
        buttons = acts_on(page)["adopt"].all("button")
        assert [button.text for button in buttons] == ["Adopt action 202 (Running)", "Adopt action 201 (Running)"]
        extra = {"action": buttons[0].attributes["value"]}
    answer = browser.post(f"{concern.get_absolute_url()}{act}/", sent(page, act, **extra))
    assert (answer.status_code, answer["Location"]) == (303, "/attention/")
    row = Operation.objects.get()
    assert row.state == state
    if act == "adopt":
        assert row.upstream_action_id == 202
    assert f"{said}: Resize cluster00001" in page_of(browser, "/attention/").text
    assert "I asked cegedim.cloud." in page_of(browser, row.get_absolute_url()).text


def test_a_note_closes_what_one_only_has_to_know(cast: Cast) -> None:
    there = cluster(cast.service, 1)
    concerns.raise_concern(Situation.DRIFT, "It has another size.", cluster=there)
    concern = Concern.objects.get()
    browser = signed_in(cast.approver)
    page = page_of(browser, concern.get_absolute_url())
    assert list(acts_on(page)) == ["noted"]
    assert browser.post(f"{concern.get_absolute_url()}noted/", sent(page, "noted")).status_code == 303
    concern.refresh_from_db()
    assert (concern.closed_by, concern.outcome) == (cast.approver, "Noted: I asked cegedim.cloud.")


@pytest.mark.parametrize(
    ("act", "typed", "field", "error"),
    [
        ("done", {"reason": " "}, "reason", "Say why: it stays in the history and in the audit log."),
        ("failed", {"reason": "x" * 401}, "reason", "At most 400 characters; these are 401."),
        (
            "send",
            {"confirm_name": "cluster0001"},
            "confirm_name",
            "This is not the name of the cluster: type cluster00001 exactly.",
        ),
        (
            "send",
            {"confirm_name": ""},
            "confirm_name",
            "Type the name of the cluster: what is sent cannot be taken back.",
        ),
        ("release", {"reason": ""}, "reason", "Say why: it stays in the history and in the audit log."),
    ],
)
def test_an_invalid_form_says_why_and_keeps_what_was_typed(
    cast: Cast, concern: Concern, act: str, typed: dict[str, str], field: str, error: str
) -> None:
    browser = signed_in(cast.approver)
    data = sent(page_of(browser, concern.get_absolute_url()), act, **typed)
    answer = browser.post(f"{concern.get_absolute_url()}{act}/", data)
    page = Page.of(answer.content)
    assert answer.status_code == 422
    assert page.one("div", id=f"{act}_{field}_error").text == error
    assert page.one(id="form-errors").one("a").attributes["href"] == f"#{act}_{field}"
    shown = acts_on(page)[act]
    assert "open" in shown.attributes
    kept = filled_in(shown.one("form"))
    assert {name: kept[name].strip() for name in data if name != "csrfmiddlewaretoken"} == {
        name: value.strip() for name, value in data.items() if name != "csrfmiddlewaretoken"
    }
    others = [filled_in(each.one("form"))["reason"].strip() for name, each in acts_on(page).items() if name != act]
    assert others == [""] * 4
    assert Operation.objects.get().state == "unclear"


@pytest.mark.parametrize("action", ["", "x", "999999"])
def test_only_an_action_that_is_offered_can_be_adopted(cast: Cast, concern: Concern, action: str) -> None:
    browser = signed_in(cast.approver)
    data = sent(page_of(browser, concern.get_absolute_url()), "adopt", action=action)
    answer = browser.post(f"{concern.get_absolute_url()}adopt/", data)
    assert answer.status_code == 422
    assert "I asked cegedim.cloud." in acts_on(Page.of(answer.content))["adopt"].text
    assert "Choose the action by its own button" in Page.of(answer.content).one(id="form-errors").text


def test_who_comes_second_is_told_and_keeps_what_was_typed(cast: Cast, concern: Concern) -> None:
    browser = signed_in(cast.approver)
    data = sent(page_of(browser, concern.get_absolute_url()), "done", reason="It <b>runs</b>.")
    Action.objects.filter(upstream_id=201).update(status="ERROR")
    answer = browser.post(f"{concern.get_absolute_url()}done/", data)
    page = Page.of(answer.content)
    assert (answer.status_code, MOVED in page.one("main").text) == (409, True)
    unseen = browser.post(f"{concern.get_absolute_url()}done/", {"reason": "I did not look."})
    assert (unseen.status_code, Operation.objects.get().state) == (409, "unclear")
    again = filled_in(acts_on(page)["done"].one("form"))
    assert again["reason"].strip() == "It <b>runs</b>."
    assert browser.post(f"{concern.get_absolute_url()}done/", again).status_code == 303
    answer = browser.post(f"{concern.get_absolute_url()}failed/", {**data, "seen": again["seen"]})
    page = Page.of(answer.content)
    assert (answer.status_code, "Marked as done: It <b>runs</b>." in page.one("main").text) == (409, True)
    assert "You had written: It <b>runs</b>." in page.one("main").text
    assert Operation.objects.get().state == "succeeded"


def test_what_cannot_be_done_says_why_in_place_of_its_form(cast: Cast) -> None:
    concern = concern_of(bare(cast, kind="create", name="newpostgre01"))
    browser = signed_in(cast.approver)
    shown = acts_on(page_of(browser, concern.get_absolute_url()))
    assert shown["send"].all("form") == []
    assert "its administrator password is erased" in shown["send"].text
    data = {**filled_in(shown["done"].one("form")), "reason": "Again.", "confirm_name": "newpostgre01"}
    answer = browser.post(f"{concern.get_absolute_url()}send/", data)
    assert (answer.status_code, "its administrator password is erased" in Page.of(answer.content).text) == (409, True)
    assert Operation.objects.get().state == "unclear"


def test_two_people_send_a_delete_again(cast: Cast) -> None:
    there = cluster(cast.service, 1)
    row = bare(cast, kind="delete", cluster=there, name=there.name)
    grace_passes(row)
    concern = concern_of(row)
    address = f"{concern.get_absolute_url()}send/"
    first, second = signed_in(cast.approver), signed_in(cast.administrator)
    page = page_of(first, concern.get_absolute_url())
    assert "you are the first" in acts_on(page)["send"].text
    data = sent(page, "send", confirm_name=there.name)
    assert first.post(address, data).status_code == 303
    assert Operation.objects.get().state == "unclear"
    page = page_of(first, concern.get_absolute_url())
    assert acts_on(page)["send"].all("form") == []
    assert "somebody else, who did not ask for it, has to agree" in acts_on(page)["send"].text
    before = Entry.objects.count()
    forged = {**filled_in(acts_on(page)["done"].one("form")), "reason": "Me again.", "confirm_name": there.name}
    assert first.post(address, forged).status_code == 403
    assert [entry.verb for entry in Entry.objects.order_by("number")[before:]] == ["concern.send.refused"]
    page = page_of(second, concern.get_absolute_url())
    assert "approver@example.com has said so already" in acts_on(page)["send"].text
    assert second.post(address, sent(page, "send", confirm_name=there.name)).status_code == 303
    row.refresh_from_db()
    assert (row.state, row.released_by, row.also_released_by) == ("queued", cast.approver, cast.administrator)


def test_an_act_works_without_javascript_and_not_without_the_token(cast: Cast, concern: Concern) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.approver)
    data = sent(page_of(browser, concern.get_absolute_url()), "done")
    assert browser.post(f"{concern.get_absolute_url()}done/", {**data, "csrfmiddlewaretoken": "x"}).status_code == 403
    assert browser.post(f"{concern.get_absolute_url()}done/", data).status_code == 303
    assert Operation.objects.get().state == State.SUCCEEDED
