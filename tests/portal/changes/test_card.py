"""The decision card: what changes, how the cluster stood and stands, what else waits or runs; and asking once more."""

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.accounts.models import User
from portal.changes import decide, expire
from portal.changes.models import Change
from portal.inventory.models import Cluster
from portal.operations import cancel
from portal.operations.models import Operation
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, cluster, draft, pending
from tests.markup import Element, Page, filled_in

MOST = 14


@pytest.fixture
def known(cast: Cast) -> Cluster:
    """A cluster that was read."""
    return cluster(cast.service, 1, read_at=timezone.now(), backup_status=True)


def asked(person: User, on: Cluster, kind: str = "resize", **values: str) -> Change:
    """A request on a cluster, filed through its form."""
    sent = {"form_token": str(uuid.uuid4()), "reason": "It is slow.", "send": "now"}
    sent |= values or {"sizing": "4cpu8gb"}
    answer = signed_in(person).post(f"/requests/new/{kind}/?cluster={on.pk}", sent)
    assert answer.status_code == 303, Page.of(answer.content).one("main").text
    return Change.objects.latest("pk")


def main_of(person: User, address: str) -> Element:
    return Page.of(signed_in(person).get(address).content).one("main")


def card(person: User, change: Change) -> Element:
    return main_of(person, change.get_absolute_url())


def facts(part: Element) -> dict[str, str]:
    """What the lists of terms say: term to everything that follows it."""
    found: dict[str, list[str]] = {}
    for listed in part.all("dl"):
        label = ""
        for element in listed.all():
            if element.tag == "dt":
                label = element.text
            elif element.tag == "dd" and element.text:
                found.setdefault(label, []).append(element.text)
    return {name: " > ".join(words) for name, words in found.items()}


def ended(operation: Operation, state: State) -> Operation:
    reason = "refused" if state == State.FAILED else ""
    rows = Operation.objects.filter(pk=operation.pk)
    rows.update(state=state, reason=reason, look_at=None, ended_at=Now(), password=None, reveal=None)
    return rows.get()


def test_requester_and_approver_read_the_same_card(cast: Cast, known: Cluster) -> None:
    change = asked(cast.developer, known)
    read = [facts(card(person, change)) for person in (cast.developer, cast.approver, cast.support)]
    assert read[0] == read[1] == read[2]
    assert read[0]["Size of a node"] == "2 CPU, 4 GB > 4 CPU, 8 GB"
    assert read[0]["Status"] == "When asked Active > Now Active"
    assert read[0]["Same as when asked"] == "Yes"
    assert read[0]["What it interrupts"] == change.entry.words.interrupts
    assert read[0]["Can it be undone"] == change.entry.words.undo
    for person in (cast.developer, cast.approver):
        assert [quote.text for quote in card(person, change).all("q")] == ["It is slow."]


def test_the_card_tells_that_the_cluster_was_stopped_or_moved_since(cast: Cast, known: Cluster) -> None:
    change = asked(cast.developer, known)
    Cluster.objects.filter(pk=known.pk).update(status="INACTIVE")
    read = facts(card(cast.approver, change))
    assert (read["Status"], read["Same as when asked"]) == ("When asked Active > Now Stopped", "Yes")
    Cluster.objects.filter(pk=known.pk).update(version="17")
    assert facts(card(cast.approver, change))["Same as when asked"].startswith("No. Name, ")
    # What was asked stays as it was: the old values are those of then.
    assert facts(card(cast.approver, change))["Size of a node"] == "2 CPU, 4 GB > 4 CPU, 8 GB"


def test_what_else_is_pending_running_and_was_done_is_named(cast: Cast, known: Cluster) -> None:
    change = asked(cast.developer, known)
    part = card(cast.approver, change).one(id="situation")
    assert [listed.text for listed in part.all("p")] == [
        "Nothing else.",
        "The portal has carried out nothing on it yet.",
    ]
    other = asked(cast.colleague, known, sizing="8cpu16gb")
    running = asked(cast.colleague, known, "update_patch_party", excluded="false")
    operation = decide.approve(running, cast.approver, "")
    part = card(cast.approver, change).one(id="situation")
    assert [link.attributes["href"] for link in part.all("a")] == [
        known.get_absolute_url(),
        operation.get_absolute_url(),
        other.get_absolute_url(),
    ]
    ended(operation, State.SUCCEEDED)
    part = card(cast.approver, change).one(id="situation")
    assert [link.attributes["href"] for link in part.all("a")] == [
        known.get_absolute_url(),
        other.get_absolute_url(),
        operation.get_absolute_url(),
    ]
    assert "Succeeded" in part.all("li")[1].text


def test_what_belongs_to_another_service_is_not_named_but_stands_in_the_way(cast: Cast, known: Cluster) -> None:
    foreign = cluster(cast.other_service, 2, read_at=timezone.now(), name="foreign01")
    operation = decide.approve(asked(cast.stranger, foreign), cast.approver2, "")
    change = asked(cast.developer, known)
    assert "Another operation" not in card(cast.approver, change).text
    # As a restore that reads the backup of this cluster.
    Operation.objects.filter(pk=operation.pk).update(source=known)
    page = card(cast.approver, change)
    assert "Nothing else." in page.one(id="situation").text
    assert "foreign01" not in page.text
    assert "Another operation is under way on this cluster" in page.text


def test_a_cluster_that_is_not_there_yet_is_known_by_its_name(cast: Cast) -> None:
    change, other = pending(cast.developer), pending(cast.colleague)
    pending(cast.colleague, name="another01")
    part = card(cast.approver, change).one(id="situation")
    assert [link.attributes["href"] for link in part.all("a")] == [other.get_absolute_url()]
    assert part.one("h2").text == "newpostgre01, not there yet"
    operation = decide.approve(other, cast.approver, "")
    page = card(cast.approver, change)
    assert [link.attributes["href"] for link in page.one(id="situation").all("a")] == [operation.get_absolute_url()]
    assert "A cluster of this name is being created already." in page.text


def test_the_card_on_a_page_that_is_open_follows(cast: Cast, known: Cluster) -> None:
    change = asked(cast.developer, known)
    browser = signed_in(cast.approver)
    stamp = card(cast.approver, change).one(id="live").attributes["hx-get"]
    assert browser.get(stamp, headers={"HX-Request": "true"}).status_code == 204
    other = asked(cast.colleague, known, sizing="8cpu16gb")
    answer = browser.get(stamp, headers={"HX-Request": "true"})
    part = Page.of(answer.content).one(id="situation")
    assert part.attributes["hx-swap-oob"] == "true"
    assert [link.attributes["href"] for link in part.all("a")][1:] == [other.get_absolute_url()]
    # What is being typed stays.
    assert 'name="comment"' not in answer.content.decode()


def polled(browser: Client, page: Element) -> Element:
    """What an open page gets next, which has to be something new."""
    answer = browser.get(page.one(id="live").attributes["hx-get"], headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert 'name="comment"' not in answer.content.decode()
    return Page.of(answer.content)


def verdicts(page: Element) -> list[tuple[str, bool]]:
    """The buttons of a decision, each with whether it is the main one."""
    part = page.one(id="verdicts")
    return [(button.text, "first" in button.attributes["class"].split()) for button in part.all("button")]


def obstacles(page: Element) -> list[str]:
    part = page.one(id="obstacles")
    said = [note.text for note in part.with_class("note")]
    assert ("hidden" in part.attributes) == (not said)
    return said


def test_what_stands_in_the_way_comes_and_goes_on_a_page_that_is_open(cast: Cast, known: Cluster) -> None:
    change, other = asked(cast.developer, known), asked(cast.colleague, known, "update_patch_party", excluded="false")
    browser = signed_in(cast.approver)
    page = Page.of(browser.get(change.get_absolute_url()).content)
    assert (obstacles(page), verdicts(page)) == ([], [("Approve", True), ("Reject", False)])
    operation = decide.approve(other, cast.approver, "")
    page = polled(browser, page)
    busy = "Another operation is under way on this cluster: wait until it has ended."
    assert obstacles(page) == [f"It cannot be carried out as things are. {busy}"]
    assert verdicts(page) == [("Approve", False), ("Reject", False)]
    assert [page.one(id=name).attributes["hx-swap-oob"] for name in ("obstacles", "verdicts")] == ["true", "true"]
    ended(operation, State.SUCCEEDED)
    page = polled(browser, page)
    assert (obstacles(page), verdicts(page)) == ([], [("Approve", True), ("Reject", False)])


def test_what_has_to_be_asked_again_is_not_offered_for_approval(cast: Cast, known: Cluster) -> None:
    change = asked(cast.developer, known)
    browser = signed_in(cast.approver)
    page = Page.of(browser.get(change.get_absolute_url()).content)
    Cluster.objects.filter(pk=known.pk).update(version="17", changed_at=Now())
    words = "It cannot be approved. The cluster moved since this was asked: it has to be asked again."
    for shown in (polled(browser, page), card(cast.approver, change)):
        assert verdicts(shown) == [("Reject", False)]
        assert shown.one(id="verdicts").one("p").text == words
    Cluster.objects.filter(pk=known.pk).update(version="16")
    assert verdicts(card(cast.approver, change)) == [("Approve", True), ("Reject", False)]
    # Nothing is written when it expires: the page tells it all the same.
    page = Page.of(browser.get(change.get_absolute_url()).content)
    Change.objects.update(expires_at=Now())
    assert verdicts(polled(browser, page)) == [("Reject", False)]


@pytest.mark.parametrize("kind", ["resize", "restore"])
def test_the_card_takes_a_fixed_number_of_queries(cast: Cast, known: Cluster, kind: str) -> None:
    values = {"sizing": "4cpu8gb"}
    if kind == "restore":
        moment = timezone.localtime().strftime("%Y-%m-%dT%H:%M:%S")
        values = {
            "source_id": str(known.upstream_id),
            "timestamp": moment,
            "stop": "BEFORE",
            "confirm_name": known.name,
        }
    change = asked(cast.developer, known, kind, **values)
    browser = signed_in(cast.approver)
    browser.get("/")
    taken = []
    for more in (0, 8):
        for _ in range(more):
            asked(cast.colleague, known, sizing="8cpu16gb")
            done = asked(cast.colleague, known, "update_patch_party", excluded="false")
            ended(decide.approve(done, cast.approver, ""), State.SUCCEEDED)
        with CaptureQueriesContext(connection) as queries:
            text = browser.get(change.get_absolute_url()).content.decode()
        taken.append(len(queries))
    assert taken[0] == taken[1] <= MOST
    part = Page.of(text.encode()).one(id="situation")
    assert len(part.all("li")) == 8 + 5


# --- Ask again


def again_in(page: Element) -> list[str]:
    return [link.attributes["href"] for link in page.all("a") if link.text == "Ask again"]


def filled(person: User, address: str) -> dict[str, str]:
    form = next(form for form in main_of(person, address).all("form") if form.attributes["method"] == "post")
    return filled_in(form)


@pytest.mark.parametrize("end", ["reject", "withdraw", "expire", "lapse"])
def test_a_request_that_came_to_nothing_can_be_asked_again(cast: Cast, known: Cluster, end: str) -> None:
    change = asked(cast.developer, known)
    assert again_in(card(cast.developer, change)) == []
    if end == "reject":
        decide.reject(change, cast.approver, "Not now.")
    elif end == "withdraw":
        decide.withdraw(change, cast.developer)
    elif end == "expire":
        Change.objects.filter(pk=change.pk).update(expires_at=Now())
        expire.expire()
    else:
        Cluster.objects.filter(pk=known.pk).update(storage=80)
        expire.lapse()
    (address,) = again_in(card(cast.developer, change))
    parts = urlsplit(address)
    assert parts.path == "/requests/new/resize/"
    assert parse_qs(parts.query) == {"cluster": [str(known.pk)], "again_change": [str(change.pk)]}
    values = filled(cast.developer, address)
    assert (values["sizing"], values["reason"]) == ("4cpu8gb", "It is slow.")
    sent = signed_in(cast.developer).post(address, {**values, "send": "now"})
    assert sent.status_code == 303
    assert Change.objects.exclude(pk=change.pk).get().parameters == change.parameters
    # Who cannot ask is not led there.
    assert again_in(card(cast.approver, change)) == again_in(card(cast.support, change)) == []


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_an_operation_that_came_to_nothing_can_be_asked_again(cast: Cast, known: Cluster, state: State) -> None:
    change = asked(cast.developer, known)
    operation = decide.approve(change, cast.approver, "")
    assert again_in(main_of(cast.developer, operation.get_absolute_url())) == []
    if state == State.FAILED:
        operation = ended(operation, state)
    else:
        cancel.cancel(operation, cast.developer)
    pages = [main_of(cast.developer, row.get_absolute_url()) for row in (operation, change)]
    address = f"/requests/new/resize/?cluster={known.pk}&again={operation.pk}"
    assert [again_in(page) for page in pages] == [[address], [address]]
    values = filled(cast.developer, address)
    assert (values["sizing"], values["reason"]) == ("4cpu8gb", "It is slow.")
    assert again_in(main_of(cast.approver, operation.get_absolute_url())) == []


def test_a_create_is_asked_again_with_everything_but_its_password(cast: Cast) -> None:
    change = pending(cast.developer, adm_password="Test123@2022", topology="HA", node_prefix="NODES")
    decide.reject(change, cast.approver, "Not now.")
    (address,) = again_in(card(cast.developer, change))
    assert address == f"/requests/new/create/?again_change={change.pk}"
    values = filled(cast.developer, address)
    kept = {name: str(value) for name, value in change.parameters.items() if name != "password"}
    assert {name: values[name] for name in kept} == kept
    assert (values["reason"], values["adm_password"]) == (change.why, "")


def test_a_restore_is_asked_again_with_its_moment(cast: Cast, known: Cluster) -> None:
    moment = timezone.localtime().strftime("%Y-%m-%dT%H:%M:%S")
    values = {"source_id": str(known.upstream_id), "timestamp": moment, "stop": "AFTER", "confirm_name": known.name}
    change = asked(cast.developer, known, "restore", **values)
    decide.reject(change, cast.approver, "Not now.")
    (address,) = again_in(card(cast.developer, change))
    found = filled(cast.developer, address)
    assert (found["timestamp"], found["stop"], found["source_id"]) == (moment, "AFTER", str(known.upstream_id))
    assert found["confirm_name"] == ""


def test_what_cannot_be_seen_or_is_of_another_kind_fills_no_form(cast: Cast, known: Cluster) -> None:
    change = asked(cast.developer, known)
    decide.reject(change, cast.approver, "Not now.")
    theirs = draft(cast.colleague)
    addresses = {
        f"/requests/new/stop/?cluster={known.pk}&again_change={change.pk}": 404,
        f"/requests/new/create/?again_change={theirs.pk}": 404,
        "/requests/new/create/?again_change=99999999999999999": 404,
        "/requests/new/create/?again_change=x&again=": 200,
    }
    browser = signed_in(cast.developer)
    assert {address: browser.get(address).status_code for address in addresses} == addresses
    stranger = signed_in(cast.stranger)
    assert stranger.get(f"/requests/new/resize/?again_change={change.pk}").status_code == 404


def test_a_cluster_that_is_gone_is_not_asked_about_again(cast: Cast, known: Cluster) -> None:
    change = asked(cast.developer, known)
    decide.reject(change, cast.approver, "Not now.")
    Cluster.objects.filter(pk=known.pk).update(gone_at=Now())
    assert again_in(card(cast.developer, change)) == []
