"""Parts of pages that refresh themselves: what a poll gets, when it ends, and that no cache keeps any of it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client
from django.utils import timezone

from portal.changes import decide
from portal.changes.models import Change
from portal.inventory.models import Cluster
from portal.operations.models import Action, ActionMessage, Operation
from portal.operations.states import Proof, Reason, State
from tests.browsing import signed_in
from tests.cast import Cast, cluster, draft, form_data, pending, queued, sending
from tests.markup import Element, Page


def poll(browser: Client, live: Element) -> tuple[int, Element]:
    """Ask as htmx does for a part of a page; answers the status and the new part."""
    address = live.attributes["hx-get"]
    answer = browser.get(address, headers={"HX-Request": "true"})
    return answer.status_code, Page.of(answer.content)


def live_part(browser: Client, address: str) -> Element:
    """The part of the page that refreshes itself, with its address made whole."""
    page = Page.of(browser.get(address).content)
    (live,) = [element for element in page.all() if "hx-get" in element.attributes]
    assert (live.attributes["hx-trigger"], live.attributes["hx-swap"]) == ("every 2s", "outerHTML")
    if live.attributes["hx-get"].startswith("?"):
        live.attributes["hx-get"] = address.partition("?")[0] + live.attributes["hx-get"]
    return live


@dataclass
class World:
    """One thing of each sort, seen by an approver of its team."""

    cast: Cast
    cluster: Cluster
    change: Change
    operation: Operation

    def move_cluster(self) -> None:
        Cluster.objects.update(status="INACTIVE", changed_at=timezone.now())

    def move_operation(self) -> None:
        sending(self.operation)

    def file_another(self) -> None:
        pending(self.cast.colleague, name="another02")

    def decide(self) -> None:
        decide.reject(self.change, self.cast.approver2, "Not now.")


@pytest.fixture
def world(cast: Cast) -> World:
    return World(
        cast,
        cluster(cast.service, 1, tried_at=timezone.now(), read_at=timezone.now()),
        pending(cast.developer),
        queued(cast.developer, cast.approver, name="another01"),
    )


MOVES: dict[str, tuple[Callable[[World], str], Callable[[World], None]]] = {
    "home, by a request": (lambda _: "/", World.file_another),
    "home, by an operation": (lambda _: "/", World.move_operation),
    "clusters": (lambda _: "/clusters/", World.move_cluster),
    "clusters, searched": (lambda _: "/clusters/?q=cluster", World.move_cluster),
    "cluster": (lambda world: world.cluster.get_absolute_url(), World.move_cluster),
    "requests, by a request": (lambda _: "/requests/", World.file_another),
    "requests, by an operation": (lambda _: "/requests/", World.move_operation),
    "request, by a decision": (lambda world: world.change.get_absolute_url(), World.decide),
    "request, by its operation": (
        lambda world: Change.objects.get(operation=world.operation).get_absolute_url(),
        World.move_operation,
    ),
    "approvals, by another": (lambda _: "/approvals/", World.file_another),
    "approvals, by a decision": (lambda _: "/approvals/", World.decide),
    "operations": (lambda _: "/operations/", World.move_operation),
    "operation": (lambda world: world.operation.get_absolute_url(), World.move_operation),
}


@pytest.mark.parametrize("case", MOVES)
def test_a_poll_brings_nothing_until_something_moved_and_then_a_new_stamp(world: World, case: str) -> None:
    address_of, move = MOVES[case]
    browser, address = signed_in(world.cast.approver), address_of(world)
    shown = live_part(browser, address)
    for _ in range(2):
        status, nothing = poll(browser, shown)
        assert (status, nothing.inside) == (204, [])
    move(world)
    status, part = poll(browser, shown)
    assert status == 200
    (new,) = [element for element in part.inside if isinstance(element, Element)]
    assert (new.tag, new.attributes["id"]) == (shown.tag, shown.attributes["id"])
    assert not part.all("html")
    if "hx-get" in new.attributes:
        if new.attributes["hx-get"].startswith("?"):
            new.attributes["hx-get"] = address.partition("?")[0] + new.attributes["hx-get"]
        assert new.attributes["hx-get"] != shown.attributes["hx-get"]
        assert poll(browser, new)[0] == 204


@pytest.mark.parametrize("end", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
def test_what_has_ended_asks_no_more(world: World, end: State) -> None:
    browser = signed_in(world.cast.developer)
    change = Change.objects.get(operation=world.operation)
    shown = [live_part(browser, each.get_absolute_url()) for each in (world.operation, change)]
    if end != State.CANCELLED:
        sending(world.operation)
    reason = Reason.REFUSED if end == State.FAILED else Reason.NONE
    world.operation.move(end, reason=reason)
    for live in shown:
        status, part = poll(browser, live)
        assert status == 200
        assert not [
            element for element in part.all() if "hx-get" in element.attributes or "hx-trigger" in element.attributes
        ]
    for each in (world.operation, change):
        page = Page.of(browser.get(each.get_absolute_url()).content)
        assert not [element for element in page.all() if "hx-get" in element.attributes]


@pytest.mark.parametrize("how", ["rejected", "withdrawn"])
def test_a_request_that_ended_undone_asks_no_more(world: World, how: str) -> None:
    browser = signed_in(world.cast.developer)
    live = live_part(browser, world.change.get_absolute_url())
    if how == "rejected":
        decide.reject(world.change, world.cast.approver, "Not now.")
    else:
        decide.withdraw(world.change, world.cast.developer)
    status, part = poll(browser, live)
    assert (status, part.one(id="live").attributes["data-state"]) == (200, how)
    assert not [element for element in part.all() if "hx-get" in element.attributes]


def test_the_decision_of_another_replaces_the_card_outside_of_the_live_part(world: World) -> None:
    browser = signed_in(world.cast.approver)
    page = Page.of(browser.get(world.change.get_absolute_url()).content)
    assert page.one(id="decision").one("form").attributes["action"].endswith("/approve/")
    live = live_part(browser, world.change.get_absolute_url())
    assert not live.all(id="decision")
    decide.reject(world.change, world.cast.approver2, "Too <big>.")
    card = poll(browser, live)[1].one(id="decision")
    assert card.attributes["hx-swap-oob"] == "true"
    assert not card.all("form")
    assert "Rejected by approver2@example.com" in card.text
    assert [quote.text for quote in card.all("q")] == ["A test needs it.", "Too <big>."]


def test_a_comment_that_is_being_typed_is_not_swept_away_by_a_poll(world: World) -> None:
    browser = signed_in(world.cast.approver)
    live = live_part(browser, world.change.get_absolute_url())
    Change.objects.filter(pk=world.change.pk).update(changed_at=timezone.now())
    status, part = poll(browser, live)
    assert status == 200
    assert not part.all(id="decision")
    assert not part.all("textarea")


def test_a_message_of_itcare_appears_on_the_operation(world: World) -> None:
    Operation.objects.filter(pk=world.operation.pk).update(
        state=State.RUNNING, upstream_action_id=77, last_proof=Proof.ACCEPTED, password=None
    )
    browser = signed_in(world.cast.support)
    live = live_part(browser, world.operation.get_absolute_url())
    assert live.attributes["data-upstream-id"] == "77"
    action = Action.objects.create(upstream_id=77, operation=world.operation)
    ActionMessage.objects.create(action=action, text="Creating nodes", said_at=timezone.now())
    Operation.objects.filter(pk=world.operation.pk).update(changed_at=timezone.now())
    assert "Creating nodes" in poll(browser, live)[1].with_class("timeline")[0].text


@pytest.mark.parametrize("path", ["/", "/clusters/?q=x", "/requests/", "/approvals/", "/operations/", "/audit/"])
def test_the_poll_of_who_was_signed_out_leads_the_whole_page_to_the_sign_in(cast: Cast, path: str) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{path}"}
    answer = Client().get(path, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    leads = answer["HX-Redirect"]
    assert leads.startswith("/accounts/login/?next=/")
    assert "Location" not in answer.headers
    page = Client().get(leads)
    assert page.status_code == 200
    sent = {"login": cast.developer.email, "password": "demo-Portal-1"}
    back = Client().post(leads, sent)
    assert (back.status_code, back["Location"]) == (302, path)


def test_a_leaver_who_looks_at_a_page_is_led_out_by_its_next_poll(world: World) -> None:
    browser = signed_in(world.cast.developer)
    live = live_part(browser, world.operation.get_absolute_url())
    world.cast.developer.is_active = False
    world.cast.developer.save()
    answer = browser.get(live.attributes["hx-get"], headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith("/accounts/login/")


def test_no_answer_may_be_kept_by_a_cache_nor_taken_for_another(world: World) -> None:
    browser = signed_in(world.cast.developer)
    change, operation = world.change.get_absolute_url(), world.operation.get_absolute_url()
    asked = [
        ("GET", address, headers)
        for address in ("/", "/clusters/", world.cluster.get_absolute_url(), "/requests/", change, "/approvals/")
        for headers in ({}, {"HX-Request": "true"})
    ]
    asked += [("GET", address, {}) for address in (operation, "/operations/", "/audit/", "/requests/new/create/")]
    asked += [
        ("GET", address, {}) for address in ("/nowhere/", "/requests/999/", "/accounts/login/", "/healthz", "/readyz")
    ]
    asked += [
        ("POST", address, {}) for address in ("/requests/new/create/", f"{change}approve/", f"{operation}reveal/", "/")
    ]
    statuses = set()
    for method, address, headers in asked:
        answer = browser.generic(method, address, headers=headers)
        statuses.add(answer.status_code)
        assert "no-store" in answer["Cache-Control"], address
        assert "hx-request" in answer["Vary"].lower(), address
    assert statuses == {200, 302, 403, 404, 405, 409, 422}


def test_who_reads_by_script_finds_state_and_numbers(world: World) -> None:
    Operation.objects.filter(pk=world.operation.pk).update(
        state=State.RUNNING, upstream_action_id=77, last_proof=Proof.ACCEPTED, password=None
    )
    mine = draft(world.cast.developer, name="another03")
    browser = signed_in(world.cast.developer)
    running = {"data-state": "running", "data-id": str(world.operation.pk), "data-upstream-id": "77"}
    there = {"data-state": "ACTIVE", "data-id": str(world.cluster.pk), "data-upstream-id": "500000001"}
    waits = {"data-state": "pending", "data-id": str(world.change.pk)}
    expected = {
        "/clusters/": [there],
        world.cluster.get_absolute_url(): [there],
        world.change.get_absolute_url(): [waits],
        mine.get_absolute_url(): [{"data-state": "draft", "data-id": str(mine.pk)}],
        "/operations/": [running],
        world.operation.get_absolute_url(): [running],
    }
    for address, wanted in expected.items():
        page = Page.of(browser.get(address).content)
        marked = [element.attributes for element in page.all() if "data-state" in element.attributes]
        found = [{name: each[name] for name in each if name.startswith("data-")} for each in marked]
        assert found == wanted, address
    approved = Change.objects.get(operation=world.operation)
    page = Page.of(browser.get(approved.get_absolute_url()).content)
    assert page.one(id="live").attributes["data-state"] == "approved"
    assert page.all("a", href=world.operation.get_absolute_url())


def test_a_page_with_errors_is_a_whole_page_for_htmx_too(cast: Cast) -> None:
    answer = signed_in(cast.developer).post(
        "/requests/new/create/", form_data(name="pg01"), headers={"HX-Request": "true"}
    )
    assert answer.status_code == 422
    assert Page.of(answer.content).one(id="id_name_error").text == "The name has 4 characters; it needs 5 to 60."
