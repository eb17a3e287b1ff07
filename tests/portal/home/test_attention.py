"""The page *Needs a person*: what it tells, to whom, and how it keeps up."""

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from portal.home.attention import NOT_YOURS
from portal.inventory.models import Service
from portal.operations import concerns, holds
from portal.operations.acts import BEING_SENT
from portal.operations.models import Action, ActionMessage, Attempt, Concern, Operation, Situation
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, cluster, queued
from tests.markup import Page
from tests.portal.catalog.asking import approved
from tests.portal.home.attending import acts_on, page_of, sent
from tests.portal.home.test_hostile_upstream import MARKUP, SCRIPT, harmless
from tests.portal.home.test_live import live_part, poll
from tests.portal.operations.needing import bare, concern_of

pytestmark = pytest.mark.django_db


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


def test_who_comes_to_do_something_finds_its_form_open(cast: Cast, concern: Concern) -> None:
    browser = signed_in(cast.approver)
    for act in ("done", "failed", "send", "release"):
        shown = acts_on(page_of(browser, f"{concern.get_absolute_url()}?act={act}"))
        assert [name for name, each in shown.items() if "open" in each.attributes] == ["adopt", act]


def test_what_was_asked_is_told_with_what_it_replaces(cast: Cast) -> None:
    there = cluster(cast.service, 1, read_at=timezone.now(), cpu=2, ram=4)
    operation = approved(cast, "resize", there, {"sizing": "4cpu8gb"})
    page = page_of(signed_in(cast.approver), concern_of(operation).get_absolute_url())
    assert "Asked, and as it is now Size of a node, asked 4 CPU, 8 GB instead of 2 CPU, 4 GB" in page.text
    concerns.raise_concern(Situation.DRIFT, "It has another size.", cluster=there)
    own = Concern.objects.get(situation=Situation.DRIFT)
    answer = signed_in(cast.approver).get(own.get_absolute_url())
    page = Page.of(answer.content)
    assert "As it is now The cluster now Active" in page.text
    assert (
        page.one("title").text == "The cluster is not as the last operation left it: cluster00001 · PostgreSQL portal"
    )


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
    links = [each.attributes["href"] for each in page.all("a") if "#act-" in each.attributes["href"]]
    offered = ["adopt", "done", "failed", "send", "release"] if acts else []
    assert links == [f"{concern.get_absolute_url()}?act={act}#act-{act}" for act in offered]
    entry = Page.of(browser.get("/").content).one("a", href="/attention/")
    assert entry.text == f"Needs a person {count}".strip()
    if not sees:
        page_of(browser, concern.get_absolute_url(), 404)
        return
    page = page_of(browser, concern.get_absolute_url())
    assert list(acts_on(page)) == offered
    assert (NOT_YOURS in page.text) is not acts


def test_who_may_act_is_told_that_it_is_being_sent(cast: Cast) -> None:
    concern = concern_of(bare(cast, State.SENDING), situation=Situation.OVERDUE)
    told = {}
    for user in (cast.approver, cast.administrator, cast.support):
        page = page_of(signed_in(user), concern.get_absolute_url())
        assert acts_on(page) == {}
        told[user.email] = [BEING_SENT in page.text, NOT_YOURS in page.text]
    may, may_not = [True, False], [False, True]
    assert list(told.values()) == [may, may, may_not]


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


def test_what_itcare_said_last_goes_on_in_the_story_of_what_needs_a_person_meanwhile(cast: Cast) -> None:
    row = bare(cast, State.RUNNING, upstream_action_id=77)
    action = Action.objects.create(upstream_id=77, operation=row)
    ActionMessage.objects.create(action=action, text="Creating nodes", said_at=timezone.now())
    concern_of(row, situation=Situation.OVERDUE)

    def lines() -> list[tuple[str, str]]:
        (story,) = page_of(signed_in(cast.approver), row.get_absolute_url()).with_class("timeline")
        return [(line.attributes["class"], line.one("span").text) for line in story.all("li")][2:]

    needs = ("warn", "Needs a person: Runs for longer than anything should A person must look.")
    ends = ("next", "ITCare confirms, and the cluster is read again")
    assert lines() == [("now", "Creating nodes"), needs, ends]
    concerns.close_of(row, "Noted: we wait.", by=cast.approver)
    dealt = ("done", "Dealt with by approver@example.com Noted: we wait.")
    assert lines() == [("now", "Creating nodes"), needs, dealt, ends]
