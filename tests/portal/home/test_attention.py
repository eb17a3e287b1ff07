"""The page *Needs a person*: what it tells, who may do what there, and what becomes of what was typed."""

import re

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import Entry
from portal.home.attention import MOVED, NOT_YOURS
from portal.inventory.models import Service
from portal.operations import concerns, holds
from portal.operations.models import Action, Attempt, Concern, Hold, Operation, Situation
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, cluster, queued
from tests.markup import Element, Page, at_field, filled_in
from tests.portal.home.test_hostile_upstream import MARKUP, SCRIPT, harmless
from tests.portal.home.test_live import live_part, poll
from tests.portal.operations.needing import bare, concern_of, grace_passes

pytestmark = pytest.mark.django_db

ACTS = ("adopt", "done", "failed", "send", "release", "noted")


def page_of(browser: Client, address: str, status: int = 200) -> Element:
    answer = browser.get(address)
    assert answer.status_code == status
    return Page.of(answer.content).one("main")


def acts_on(page: Element) -> dict[str, Element]:
    return {name: found[0] for name in ACTS if (found := [each for each in page.all("details") if _is(each, name)])}


def _is(details: Element, name: str) -> bool:
    return details.attributes.get("id") == f"act-{name}"


def sent(page: Element, name: str, **typed: str) -> dict[str, str]:
    """What a browser sends of the form of an act."""
    return {**filled_in(acts_on(page)[name].one("form")), "reason": "I asked cegedim.cloud.", **typed}


@pytest.fixture
def concern(cast: Cast) -> Concern:
    """An unclear resize of team alpha, past its grace period, for which two actions may be the ones."""
    there = cluster(cast.service, 1, read_at=timezone.now())
    row = bare(cast, cluster=there, name=there.name, title="Resize cluster00001 to 4 CPU, 8 GB")
    grace_passes(row)
    Attempt.objects.update(http_status=500, correlation_id="correlation-7", watermark_at=Now(), message="Oops, it said")
    actions = [
        Action.objects.create(
            upstream_id=number,
            process="POSTGRESQL_RESIZE",
            status="IN_PROGRESS",
            submitted_by="someone",
            resource_name=there.name,
        )
        for number in (201, 202)
    ]
    return concern_of(row, *actions, situation=Situation.SEVERAL_FIT)


@pytest.mark.parametrize("where", ["list", "own"])
def test_the_evidence_is_told_in_words(cast: Cast, concern: Concern, where: str) -> None:
    browser = signed_in(cast.approver)
    Action.objects.create(upstream_id=150, resource_name="Cluster00001", status="ERROR")
    address = "/attention/" if where == "list" else concern.get_absolute_url()
    page = page_of(browser, address)
    operation = concern.operation
    assert operation is not None
    assert operation.cluster is not None
    for link in (operation, operation.cluster):
        assert page.all("a", href=link.get_absolute_url())
    text = page.text
    for words in (
        "Unclear, and several actions of ITCare fit",
        "A person must look.",
        "was sent, and nobody can tell whether ITCare carried it out.",
        "HTTP status 500; correlation id correlation-7; newest action before it: 100; Oops, it said",
        "Action 201 Running POSTGRESQL_RESIZE, on cluster00001; submitted at a time that was not told by someone",
        "Action 202 Running",
        "The cluster now Active",
        "2cpu4gb",
    ):
        assert words in text, words
    assert ("Action 150 Failed" in text) is (where == "own")


def test_what_was_asked_stands_beside_the_cluster_as_it_is(cast: Cast) -> None:
    operation = queued(cast.developer, cast.approver)
    page = page_of(signed_in(cast.approver), concern_of(operation).get_absolute_url())
    assert "The cluster now The portal knows none of that name" in page.text
    assert "Name, asked newpostgre01" in page.text
    assert page.all("a", href=operation.change.get_absolute_url())


def test_everything_open_is_listed_the_oldest_first_and_nothing_else(cast: Cast, concern: Concern) -> None:
    second = concern_of(bare(cast, name="cluster00002"))
    closed = concern_of(bare(cast, name="cluster00003"))
    concerns.close(Concern.objects.filter(pk=closed.pk), "Settled.")
    page = page_of(signed_in(cast.approver), "/attention/")
    assert [card.attributes["data-id"] for card in page.all("section") if "data-id" in card.attributes] == [
        str(concern.pk),
        str(second.pk),
    ]
    page = page_of(signed_in(cast.approver), closed.get_absolute_url())
    assert "Dealt with. Settled." in page.text
    assert "Closed" in page.text
    assert acts_on(page) == {}
    assert not [each for each in page.all() if "hx-get" in each.attributes]


def test_an_operation_that_one_decision_settles_stands_there_once_with_all_that_is_said(
    cast: Cast, concern: Concern
) -> None:
    operation = concern.operation
    assert operation is not None
    overdue = concern_of(operation, situation=Situation.OVERDUE)
    known = concern_of(operation, situation=Situation.LATE_ACTION)
    Concern.objects.filter(pk=overdue.pk).update(words="It was sent more than 4 hours ago.", raised_at=Now())
    browser = signed_in(cast.approver)
    page = page_of(browser, "/attention/")
    cards = [card for card in page.all("section") if "data-id" in card.attributes]
    assert [card.attributes["data-id"] for card in cards] == [str(concern.pk), str(known.pk)]
    assert ["It was sent more than 4 hours ago." in card.text for card in cards] == [True, False]
    assert [len(card.all("a", href=overdue.get_absolute_url())) for card in cards] == [1, 0]
    assert Page.of(browser.get("/").content).one("a", href="/attention/").text == "Needs a person 2 waiting"
    other = page_of(browser, overdue.get_absolute_url())
    assert [link.text for link in other.all("a", href=concern.get_absolute_url())] == [str(concern)]
    live = live_part(browser, "/attention/")
    assert poll(browser, live)[0] == 204
    Concern.objects.filter(pk=overdue.pk).update(words="More than 5 hours.", changed_at=timezone.now())
    assert "More than 5 hours." in poll(browser, live)[1].text
    page = page_of(browser, concern.get_absolute_url())
    assert browser.post(f"{concern.get_absolute_url()}done/", sent(page, "done")).status_code == 303
    assert not Concern.objects.open().exists()


def test_one_that_goes_on_is_still_overdue(cast: Cast, concern: Concern) -> None:
    operation = concern.operation
    assert operation is not None
    overdue = concern_of(operation, situation=Situation.OVERDUE)
    browser = signed_in(cast.approver)
    page = page_of(browser, concern.get_absolute_url())
    button = acts_on(page)["adopt"].all("button")[0].attributes["value"]
    assert browser.post(f"{concern.get_absolute_url()}adopt/", sent(page, "adopt", action=button)).status_code == 303
    cards = page_of(browser, "/attention/").all("section")
    assert [card.attributes["data-id"] for card in cards if "data-id" in card.attributes] == [str(overdue.pk)]


def test_an_empty_list_says_so(cast: Cast) -> None:
    (empty,) = page_of(signed_in(cast.approver), "/attention/").with_class("empty")
    assert empty.one("h2").text == "Nothing needs a person"


def test_long_lists_have_pages(cast: Cast) -> None:
    rows = [concern_of(bare(cast, name=f"cluster{number:05}")) for number in range(12)]
    browser, address, seen = signed_in(cast.approver), "/attention/", list[str]()
    while address:
        page = page_of(browser, address)
        seen += [card.attributes["data-id"] for card in page.all("section") if "data-id" in card.attributes]
        following = page.all("a", rel="next")
        address = f"/attention/{following[0].attributes['href']}" if following else ""
    assert seen == [str(row.pk) for row in rows]


@pytest.mark.parametrize(
    ("who", "sees", "acts", "count"),
    [
        ("developer", True, False, ""),
        ("stranger", False, False, ""),
        ("approver", True, True, "1 waiting"),
        ("support", True, False, ""),
        ("administrator", True, True, "1 waiting"),
    ],
)
def test_each_sees_and_is_offered_what_is_theirs(
    cast: Cast, concern: Concern, who: str, count: str, *, sees: bool, acts: bool
) -> None:
    browser = signed_in(getattr(cast, who))
    page = page_of(browser, "/attention/")
    assert [card.attributes["data-id"] for card in page.all("section") if "data-id" in card.attributes] == (
        [str(concern.pk)] if sees else []
    )
    assert ("What can be done" in page.text) is acts
    entry = Page.of(browser.get("/").content).one("a", href="/attention/")
    assert entry.text == f"Needs a person {count}".strip()
    if not sees:
        page_of(browser, concern.get_absolute_url(), 404)
        return
    page = page_of(browser, concern.get_absolute_url())
    assert list(acts_on(page)) == (["adopt", "done", "failed", "send", "release"] if acts else [])
    assert (NOT_YOURS in page.text) is not acts


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


def test_nothing_of_what_itcare_tells_runs(cast: Cast, concern: Concern) -> None:
    for text in (SCRIPT, MARKUP):
        Concern.objects.update(words=text)
        Attempt.objects.update(message=text, correlation_id=text[:64])
        Action.objects.update(process=text, status=text[:40], submitted_by=text)
        Service.objects.update(name=text)
        Operation.objects.update(message=text)
        operation = Operation.objects.get()
        for address in ("/attention/", concern.get_absolute_url(), operation.get_absolute_url()):
            answer = signed_in(cast.approver).get(address)
            assert answer.status_code == 200
            assert harmless(Page.of(answer.content))
            assert text in Page.of(answer.content).one("main").text
    assert holds.hold(SCRIPT, by=cast.administrator)
    page = Page.of(signed_in(cast.administrator).get("/attention/").content)
    assert (harmless(page), page.text.count(SCRIPT)) == (True, 2)


def test_nothing_that_is_typed_into_stands_in_a_part_that_refreshes_itself(cast: Cast, concern: Concern) -> None:
    for browser in (signed_in(cast.approver), signed_in(cast.administrator)):
        for address in ("/attention/", concern.get_absolute_url()):
            live = live_part(browser, address)
            assert [each.tag for each in live.all() if each.tag in {"input", "textarea", "form", "button"}] == []


@pytest.mark.parametrize("where", ["list", "own"])
def test_it_refreshes_itself_when_the_evidence_moves(cast: Cast, concern: Concern, where: str) -> None:
    browser = signed_in(cast.approver)
    address = "/attention/" if where == "list" else concern.get_absolute_url()
    live = live_part(browser, address)
    assert poll(browser, live)[0] == 204
    Action.objects.filter(upstream_id=201).update(status="ERROR")
    status, part = poll(browser, live)
    assert (status, "Action 201 Failed" in part.text) == (200, True)
    if where == "own":
        assert "The evidence has changed since you opened this page." in part.text
        (again,) = [each for each in part.all() if "hx-get" in each.attributes]
        # It goes on saying so until the page is opened afresh.
        assert poll(browser, again)[0] == 204
        Concern.objects.update(changed_at=timezone.now())
        assert "The evidence has changed since you opened this page." in poll(browser, again)[1].text
        assert "The evidence has changed" not in page_of(browser, address).text


def test_the_operation_s_page_says_that_it_needs_a_person_and_tells_what_they_did(cast: Cast, concern: Concern) -> None:
    operation = Operation.objects.get()
    browser = signed_in(cast.developer)
    page = page_of(browser, operation.get_absolute_url())
    (note,) = [each for each in page.with_class("note") if "Needs a person" in each.text]
    assert note.one("a").attributes["href"] == concern.get_absolute_url()
    live = live_part(browser, operation.get_absolute_url())
    concerns.close_of(operation, "Noted: all is <well>.", by=cast.approver)
    status, part = poll(browser, live)
    assert status == 200
    story = part.with_class("timeline")[0].text
    assert "Needs a person: Unclear, and several actions of ITCare fit A person must look." in story
    assert "Dealt with by approver@example.com Noted: all is <well>." in story
    assert [each for each in part.with_class("note") if "Needs a person" in each.text] == []


def test_a_hold_is_told_on_every_page_with_who_since_when_and_why(cast: Cast, concern: Concern) -> None:
    everyone = (cast.developer, cast.stranger, cast.support, cast.administrator)
    assert not any("Nothing is sent" in page_of(signed_in(user), "/").text for user in everyone)
    holds.hold("Maintenance at <Labège>.", by=cast.administrator)
    for user in everyone:
        for address in ("/", "/clusters/", "/attention/", "/operations/", "/audit/"):
            (box,) = page_of(signed_in(user), address).with_class("banners")
            (told,) = [note.text for note in box.with_class("note") if "Nothing is sent" in note.text]
            assert re.fullmatch(
                r"Nothing is sent to ITCare: admin@example.com holds all sends since .+\. Maintenance at <Labège>\.",
                told,
            )
    held = holds.held()
    assert held is not None
    holds.let_go(held, "Over.")
    holds.hold("The database was restored.")
    assert "the portal holds all sends since" in page_of(signed_in(cast.developer), "/").text


def test_an_administrator_holds_all_sends_and_lets_them_go_with_reasons(cast: Cast) -> None:
    browser = signed_in(cast.administrator)
    form = page_of(browser, "/attention/").one(id="switch").one("form")
    assert form.attributes["action"] == "/attention/hold/"
    answer = browser.post("/attention/hold/", {**filled_in(form), "reason": ""})
    assert (answer.status_code, Hold.objects.count()) == (422, 0)
    assert at_field(Page.of(answer.content), "reason") == "Say why: it stays in the history and in the audit log."
    assert browser.post("/attention/hold/", {"reason": "Maintenance."}).status_code == 303
    answer = browser.post("/attention/hold/", {"reason": "Maintenance too."})
    assert (answer.status_code, "All sends are held already" in Page.of(answer.content).text) == (409, True)
    page = page_of(browser, "/attention/")
    assert "Maintenance." in page.one(id="switch").text
    data = filled_in(page.one(id="switch").one("form"))
    answer = browser.post("/attention/let-go/", {**data, "reason": "x" * 401})
    assert (answer.status_code, "x" * 401 in Page.of(answer.content).one(id="switch").text) == (422, True)
    assert browser.post("/attention/let-go/", {**data, "reason": "It is over."}).status_code == 303
    assert browser.post("/attention/let-go/", {**data, "reason": "It is over."}).status_code == 409
    hold = Hold.objects.get()
    assert (hold.started_by, hold.why, hold.ended_by, hold.outcome) == (
        cast.administrator,
        "Maintenance.",
        cast.administrator,
        "It is over.",
    )
    assert [entry.verb for entry in Entry.objects.order_by("number")] == ["sends.held", "sends.let_go"]


@pytest.mark.parametrize("who", ["developer", "approver", "support", "stranger"])
def test_nobody_else_turns_the_switch(cast: Cast, who: str) -> None:
    user: User = getattr(cast, who)
    browser = signed_in(user)
    assert page_of(browser, "/attention/").all(id="switch") == []
    for address, verb in (("hold", "hold"), ("let-go", "let_go")):
        assert browser.post(f"/attention/{address}/", {"reason": "Stop.", "hold": "1"}).status_code == 403
        assert Entry.objects.latest("number").verb == f"sends.{verb}.refused"
    assert Hold.objects.count() == 0


def test_an_act_works_without_javascript_and_not_without_the_token(cast: Cast, concern: Concern) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.approver)
    data = sent(page_of(browser, concern.get_absolute_url()), "done")
    assert browser.post(f"{concern.get_absolute_url()}done/", {**data, "csrfmiddlewaretoken": "x"}).status_code == 403
    assert browser.post(f"{concern.get_absolute_url()}done/", data).status_code == 303
    assert Operation.objects.get().state == State.SUCCEEDED
