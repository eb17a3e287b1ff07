"""The switch that holds all sends, and the banner that says so."""

import re

import pytest

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.operations import holds
from portal.operations.models import Concern, Hold
from tests.browsing import signed_in
from tests.cast import Cast
from tests.markup import Page, at_field, filled_in
from tests.portal.home.attending import page_of

pytestmark = pytest.mark.django_db


def test_a_hold_is_told_on_every_page_with_who_since_when_and_why(cast: Cast, concern: Concern) -> None:
    everyone = (cast.developer, cast.stranger, cast.support, cast.administrator)
    assert not any("Nothing is sent" in page_of(signed_in(user), "/").text for user in everyone)
    holds.hold("Maintenance at <Labège>", by=cast.administrator)
    for user in everyone:
        for address in ("/", "/clusters/", "/attention/", "/operations/", "/audit/"):
            (box,) = page_of(signed_in(user), address).with_class("banners")
            (told,) = [note.text for note in box.with_class("note") if "Nothing is sent" in note.text]
            assert re.fullmatch(
                r"Nothing is sent to ITCare: admin@example.com holds all sends\. Maintenance at <Labège>\. Since .+",
                told,
            )
    held = holds.held()
    assert held is not None
    holds.let_go(held, "Over.")
    holds.hold("The database was restored.")
    assert "the portal holds all sends." in page_of(signed_in(cast.developer), "/").text


def test_an_administrator_holds_all_sends_and_lets_them_go_with_reasons(cast: Cast) -> None:
    browser = signed_in(cast.administrator)
    form = page_of(browser, "/attention/").one(id="switch").one("form")
    assert form.attributes["action"] == "/attention/hold/"
    answer = browser.post("/attention/hold/", {**filled_in(form), "reason": ""})
    assert (answer.status_code, Hold.objects.count()) == (422, 0)
    assert at_field(Page.of(answer.content), "reason") == "Say why: it stays in the history and in the audit log."
    assert browser.post("/attention/hold/", {"reason": "Maintenance."}).status_code == 303
    answer = browser.post("/attention/hold/", {"reason": "Maintenance too."})
    refused = Page.of(answer.content).one("main").text
    assert (answer.status_code, "All sends are held already" in refused) == (409, True)
    assert "You had written: Maintenance too." in refused
    page = page_of(browser, "/attention/")
    assert "Maintenance." in page.one(id="switch").text
    data = filled_in(page.one(id="switch").one("form"))
    answer = browser.post("/attention/let-go/", {**data, "reason": "x" * 401})
    assert (answer.status_code, "x" * 401 in Page.of(answer.content).one(id="switch").text) == (422, True)
    assert browser.post("/attention/let-go/", {**data, "reason": "It is over."}).status_code == 303
    answer = browser.post("/attention/let-go/", {**data, "reason": "It is over, I say."})
    assert answer.status_code == 409
    assert "You had written: It is over, I say." in Page.of(answer.content).one("main").text
    hold = Hold.objects.get()
    assert (hold.started_by, hold.why, hold.ended_by, hold.outcome) == (
        cast.administrator,
        "Maintenance.",
        cast.administrator,
        "It is over.",
    )
    assert [entry.verb for entry in Entry.objects.order_by("number")] == ["sends.held", "sends.let_go"]


def test_who_lets_go_of_a_hold_that_is_over_sees_the_one_in_force_and_keeps_what_was_typed(cast: Cast) -> None:
    browser = signed_in(cast.administrator)
    holds.hold("First.", by=cast.administrator)
    data = {**filled_in(page_of(browser, "/attention/").one(id="switch").one("form")), "reason": "It is over."}
    first = Hold.objects.get()
    holds.let_go(first, "Over.")
    holds.hold("Second.")
    answer = browser.post("/attention/let-go/", data)
    page = Page.of(answer.content).one("main")
    assert (answer.status_code, "Second." in page.one(id="switch").text) == (409, True)
    again = filled_in(page.one(id="switch").one("form"))
    assert again["reason"].strip() == "It is over."
    assert browser.post("/attention/let-go/", again).status_code == 303
    assert list(Hold.objects.order_by("pk").values_list("outcome", flat=True)) == ["Over.", "It is over."]


@pytest.mark.parametrize("who", ["developer", "approver", "support", "stranger"])
def test_nobody_else_turns_the_switch(cast: Cast, who: str) -> None:
    user: User = getattr(cast, who)
    browser = signed_in(user)
    assert page_of(browser, "/attention/").all(id="switch") == []
    for address, verb in (("hold", "hold"), ("let-go", "let_go")):
        assert browser.post(f"/attention/{address}/", {"reason": "Stop.", "hold": "1"}).status_code == 403
        assert Entry.objects.latest("number").verb == f"sends.{verb}.refused"
    assert Hold.objects.count() == 0
