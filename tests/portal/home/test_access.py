"""Who gets which answer at which address. An address that is missing from the table fails.

404: not yours to see. 403: not yours to do. 405: wrong method. 302: sign in (again). 303: done, or where
the form is. 422: the form lacks
something.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from portal.accounts.models import Membership, User
from portal.audit.models import Entry
from portal.changes.models import Change
from portal.home.attention import ROUTES
from portal.home.cluster_page import PARTS
from portal.operations import concerns
from portal.operations.acts import Act
from portal.operations.models import Action, Concern, Operation, Situation
from portal.operations.states import State
from tests.browsing import signed_in
from tests.cast import Cast, cluster, draft, form_data, pending, queued, sending
from tests.portal.operations.needing import bare, concern_of, grace_passes, seen
from tests.states.rows import operation as operation_row

PEOPLE = (
    "anonymous",
    "developer",
    "colleague",
    "stranger",
    "approver",
    "approver2",
    "support",
    "administrator",
    "leaver",
)
# One figure for each of PEOPLE. The developer is the requester of team alpha's objects, the leaver was all that one can
# be in team alpha and was signed in when the account was deactivated.
TABLE = {
    #                                anon dev  coll stra appr app2 supp admi leav
    ("home", "GET"): "               302  200  200  200  200  200  200  200  302",
    ("home", "POST"): "              405  405  405  405  405  405  405  405  405",
    ("clusters", "GET"): "           302  200  200  200  200  200  200  200  302",
    ("clusters", "POST"): "          405  405  405  405  405  405  405  405  405",
    ("clusters_csv", "GET"): "       302  200  200  200  200  200  200  200  302",
    ("clusters_csv", "POST"): "      405  405  405  405  405  405  405  405  405",
    ("cluster", "GET"): "            302  200  200  404  200  200  200  200  302",
    ("cluster", "POST"): "           405  405  405  405  405  405  405  405  405",
    ("cluster_nodes", "GET"): "     302  200  200  404  200  200  200  200  302",
    ("cluster_nodes", "POST"): "    405  405  405  405  405  405  405  405  405",
    ("cluster_databases", "GET"): " 302  200  200  404  200  200  200  200  302",
    ("cluster_databases", "POST"): "405  405  405  405  405  405  405  405  405",
    ("cluster_extensions", "GET"): "302  200  200  404  200  200  200  200  302",
    ("cluster_extensions", "POST"): "405  405  405  405  405  405  405  405  405",
    ("cluster_networks", "GET"): "  302  200  200  404  200  200  200  200  302",
    ("cluster_networks", "POST"): " 405  405  405  405  405  405  405  405  405",
    ("cluster_versions", "GET"): "  302  200  200  404  200  200  200  200  302",
    ("cluster_versions", "POST"): " 405  405  405  405  405  405  405  405  405",
    ("cluster_history", "GET"): "   302  200  200  404  200  200  200  200  302",
    ("cluster_history", "POST"): "  405  405  405  405  405  405  405  405  405",
    ("operations", "GET"): "         302  200  200  200  200  200  200  200  302",
    ("operations", "POST"): "        405  405  405  405  405  405  405  405  405",
    ("operation", "GET"): "          302  200  200  404  200  200  200  200  302",
    ("operation", "POST"): "         405  405  405  405  405  405  405  405  405",
    ("cancel_operation", "GET"): "   303  303  303  303  303  303  303  303  303",
    ("cancel_operation", "POST"): "  302  303  403  404  303  303  403  403  302",
    ("reveal_password", "GET"): "    303  303  303  303  303  303  303  303  303",
    ("reveal_password", "POST"): "   302  302  403  404  403  403  403  403  302",
    ("attention", "GET"): "          302  200  200  200  200  200  200  200  302",
    ("attention", "POST"): "         405  405  405  405  405  405  405  405  405",
    ("hold_sends", "GET"): "         303  303  303  303  303  303  303  303  303",
    ("hold_sends", "POST"): "        302  403  403  403  403  403  403  303  302",
    ("let_sends_go", "GET"): "       303  303  303  303  303  303  303  303  303",
    # There is no hold: who may let go is told so.
    ("let_sends_go", "POST"): "      302  403  403  403  403  403  403  409  302",
    ("concern", "GET"): "            302  200  200  404  200  200  200  200  302",
    ("concern", "POST"): "           405  405  405  405  405  405  405  405  405",
    ("adopt_action", "GET"): "       303  303  303  303  303  303  303  303  303",
    ("adopt_action", "POST"): "      302  403  403  404  303  303  403  303  302",
    ("mark_done", "GET"): "          303  303  303  303  303  303  303  303  303",
    ("mark_done", "POST"): "         302  403  403  404  303  303  403  303  302",
    ("mark_failed", "GET"): "        303  303  303  303  303  303  303  303  303",
    ("mark_failed", "POST"): "       302  403  403  404  303  303  403  303  302",
    ("send_again", "GET"): "         303  303  303  303  303  303  303  303  303",
    ("send_again", "POST"): "        302  403  403  404  303  303  403  303  302",
    ("send_now", "GET"): "           303  303  303  303  303  303  303  303  303",
    ("send_now", "POST"): "          302  403  403  404  303  303  403  303  302",
    ("release_cluster", "GET"): "    303  303  303  303  303  303  303  303  303",
    ("release_cluster", "POST"): "   302  403  403  404  303  303  403  303  302",
    ("note_concern", "GET"): "       303  303  303  303  303  303  303  303  303",
    ("note_concern", "POST"): "      302  403  403  404  303  303  403  303  302",
    ("audit", "GET"): "              302  200  200  200  200  200  200  200  302",
    ("audit", "POST"): "             405  405  405  405  405  405  405  405  405",
    ("banners", "GET"): "            302  200  200  200  200  200  200  200  302",
    ("banners", "POST"): "           405  405  405  405  405  405  405  405  405",
    ("healthz", "GET"): "            200  200  200  200  200  200  200  200  200",
    ("healthz", "POST"): "           405  405  405  405  405  405  405  405  405",
    ("readyz", "GET"): "             200  200  200  200  200  200  200  200  200",
    ("readyz", "POST"): "            405  405  405  405  405  405  405  405  405",
    ("changes", "GET"): "            302  200  200  200  200  200  200  200  302",
    ("changes", "POST"): "           405  405  405  405  405  405  405  405  405",
    ("new_change", "GET"): "         302  200  200  200  403  403  403  403  302",
    # The stranger asks for a service of team alpha: that is forged, so the form says so at its field.
    ("new_change", "POST"): "        302  303  303  422  403  403  403  403  302",
    ("change", "GET"): "             302  200  200  404  200  200  200  200  302",
    ("change", "POST"): "            405  405  405  405  405  405  405  405  405",
    ("submit_change", "GET"): "      303  303  303  303  303  303  303  303  303",
    ("submit_change", "POST"): "     302  303  403  404  403  403  403  403  302",
    ("approve_change", "GET"): "     303  303  303  303  303  303  303  303  303",
    ("approve_change", "POST"): "    302  403  403  404  303  303  403  403  302",
    ("reject_change", "GET"): "      303  303  303  303  303  303  303  303  303",
    ("reject_change", "POST"): "     302  403  403  404  303  303  403  403  302",
    ("withdraw_change", "GET"): "    303  303  303  303  303  303  303  303  303",
    ("withdraw_change", "POST"): "   302  303  403  404  403  403  403  403  302",
    ("approvals", "GET"): "          302  200  200  200  200  200  200  200  302",
    ("approvals", "POST"): "         405  405  405  405  405  405  405  405  405",
}
# What each refused write is called in the audit log.
REFUSED = {
    "cancel_operation": "operation.cancel.refused",
    "reveal_password": "password.reveal.refused",
    "hold_sends": "sends.hold.refused",
    "let_sends_go": "sends.let_go.refused",
    "adopt_action": "concern.adopt.refused",
    "mark_done": "concern.done.refused",
    "mark_failed": "concern.failed.refused",
    "send_again": "concern.send.refused",
    "send_now": "concern.send_now.refused",
    "release_cluster": "concern.release.refused",
    "note_concern": "concern.noted.refused",
    "new_change": "change.ask.refused",
    "submit_change": "change.submit.refused",
    "approve_change": "change.approve.refused",
    "reject_change": "change.reject.refused",
    "withdraw_change": "change.withdraw.refused",
}
# Other packages' addresses: test_access_of_accounts.py.
GROUPS = ("accounts/", "admin/")


@dataclass(frozen=True)
class World:
    """Team alpha's objects, and everybody who tries them."""

    people: dict[str, User | None]
    addresses: dict[str, str]
    fields: dict[str, dict[str, str]]
    """What else a form of that address sends."""


@pytest.fixture
def world(cast: Cast) -> World:
    """Make one object of each sort, all of team alpha, all asked for by the developer."""
    change = pending(cast.developer)
    operation = queued(cast.developer, cast.approver, name="another01")
    # Ready to be revealed as far as anybody but the requester is concerned: a requester is asked to sign in again.
    shown = queued(cast.developer, cast.approver, name="another02")
    sending(shown)
    shown.move(State.SUCCEEDED)
    leaver = User.objects.create_user("leaver@example.com", "demo-Portal-1")
    for role in Membership.Role:
        Membership.objects.create(user=leaver, team=cast.alpha, role=role)
    people: dict[str, User | None] = {name: getattr(cast, name, None) for name in PEOPLE}
    there = cluster(cast.service, 1)
    unclear = bare(cast, cluster=there, name=there.name)
    grace_passes(unclear)
    action = Action.objects.create(upstream_id=77)
    matter = concern_of(unclear, action)
    doubted = concern_of(operation_row(cast, kind="resize", name="another03"), situation=Situation.UNKNOWN_ACTION)
    concerns.raise_concern(Situation.DRIFT, "It has another size.", cluster=there)
    drift = Concern.objects.get(situation=Situation.DRIFT)
    numbers: dict[str, list[int | str]] = {
        **{name: [there.pk] for name in ("cluster", *(f"cluster_{part}" for part in PARTS))},
        "change": [change.pk],
        "operation": [operation.pk],
        "cancel_operation": [operation.pk],
        "reveal_password": [shown.pk],
        "new_change": ["create"],
        "concern": [matter.pk],
        **{name: [matter.pk] for name in ROUTES.values()},
        "note_concern": [drift.pk],
        "send_now": [doubted.pk],
        **{f"{verb}_change": [change.pk] for verb in ("submit", "approve", "reject", "withdraw")},
    }
    names = {name for name, _ in TABLE}
    addresses = {name: reverse(name, args=numbers.get(name, [])) for name in names}
    typed = {"seen": seen(matter), "action": str(action.pk), "confirm_name": there.name}
    fields = {
        **dict.fromkeys(ROUTES.values(), typed),
        "note_concern": {"seen": seen(drift)},
        "send_now": {"seen": seen(doubted), "confirm_name": "another03"},
        "let_sends_go": {"hold": "1"},
    }
    return World({**people, "leaver": leaver}, addresses, fields)


def browser_of(world: World, who: str) -> Client:
    person = world.people[who]
    if person is None:
        return Client()
    browser = signed_in(person)
    if who == "leaver":
        User.objects.filter(pk=person.pk).update(is_active=False)
    return browser


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("cancel_operation", "operation"),
        ("reveal_password", "operation"),
        *((name, "concern") for name in ROUTES.values()),
        ("submit_change", "change"),
        ("approve_change", "change"),
        ("reject_change", "change"),
        ("withdraw_change", "change"),
    ],
)
def test_who_comes_to_a_form_s_address_without_the_form_is_led_to_its_page(name: str, page: str) -> None:
    answers = [Client().get(reverse(name, args=[7])), Client().head(reverse(name, args=[7]))]
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(303, reverse(page, args=[7]))] * 2
    assert Client().put(reverse(name, args=[7])).status_code == 405


def walk(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, str]]:
    """Every address below, as route and name."""
    for each in resolver.url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route, each.name or ""
        else:
            yield from walk(each, route)


def test_no_address_is_missing_from_the_table() -> None:
    ours = [name for route, name in walk(get_resolver()) if not route.startswith(GROUPS)]
    assert sorted(ours) == sorted({name for name, _ in TABLE})
    assert {method for _, method in TABLE} == {"GET", "POST"}
    assert len(TABLE) == 2 * len(ours)


def told(name: str, method: str) -> dict[str, int]:
    """What the table says, by person."""
    return dict(zip(PEOPLE, map(int, TABLE[name, method].split()), strict=True))


def asked(browser: Client, world: World, name: str, method: str) -> tuple[int, str, list[tuple[str, str]]]:
    """What is answered, where it leads, and which entries the audit log then has; nothing of it stays."""
    typed = {**form_data(comment="Because.", name="another03"), **world.fields.get(name, {})}
    before = Entry.objects.count()
    with transaction.atomic():
        answer = (
            browser.generic("GET", world.addresses[name])
            if method == "GET"
            else browser.post(world.addresses[name], typed)
        )
        entries = list(Entry.objects.order_by("number").values_list("verb", "actor")[before:])
        transaction.set_rollback(True)
    return answer.status_code, answer.get("Location", "").partition("?")[0], entries


WRITES = [name for name, method in TABLE if method == "POST" and set(told(name, method).values()) != {405}]
READS = [(name, method) for name, method in TABLE if method == "GET" or name not in WRITES]


@pytest.mark.parametrize("who", PEOPLE)
def test_everybody_reads_what_the_table_says(world: World, who: str) -> None:
    browser = browser_of(world, who)
    answers, entries, led = {}, [], set()
    for name, method in READS:
        answers[name, method], leads_to, more = asked(browser, world, name, method)
        entries += more
        if answers[name, method] == 302:
            led.add(leads_to)
    assert answers == {(name, method): told(name, method)[who] for name, method in READS}
    assert entries == []
    assert led == ({"/accounts/login/"} if who in {"anonymous", "leaver"} else set())


@pytest.mark.parametrize("name", WRITES)
def test_everybody_gets_the_answer_of_the_table(world: World, name: str) -> None:
    expected = told(name, "POST")
    answers, entries = {}, {}
    for who in PEOPLE:
        answers[who], leads_to, entries[who] = asked(browser_of(world, who), world, name, "POST")
        if answers[who] == 302:
            assert leads_to == ("/accounts/reauthenticate/" if who == "developer" else "/accounts/login/")
    assert answers == expected
    refused = {who: entries[who] for who, status in expected.items() if status == 403}
    assert refused == {who: [(REFUSED[name], person_of(world, who).email)] for who in refused}
    silent = {who: entries[who] for who, status in expected.items() if status not in {303, 403}}
    assert not any(silent.values())


def person_of(world: World, who: str) -> User:
    person = world.people[who]
    assert person is not None
    return person


def test_every_method_that_could_write_is_refused_where_it_does_not_belong(world: World) -> None:
    browser = signed_in(person_of(world, "developer"))
    for name, address in world.addresses.items():
        for method in ("PUT", "PATCH", "DELETE"):
            assert browser.generic(method, address).status_code == 405, (method, name)


def test_a_head_is_answered_like_a_get(world: World) -> None:
    browser = signed_in(person_of(world, "developer"))
    for name, method in TABLE:
        if method == "GET":
            address = world.addresses[name]
            head = browser.head(address)
            assert (head.status_code, head.getvalue()) == (browser.get(address).status_code, b""), name


def test_no_write_works_without_the_token_against_forgery(world: World) -> None:
    requester = person_of(world, "developer")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(requester)
    before = Entry.objects.count()
    for name in REFUSED:
        assert browser.post(world.addresses[name], form_data(comment="Because.")).status_code == 403
    assert Entry.objects.count() == before


def test_support_gets_403_for_every_write_whatever_its_state(world: World, cast: Cast) -> None:
    browser = signed_in(cast.support)
    before = (Change.objects.count(), Operation.objects.count())
    states = set(Change.objects.values_list("state", flat=True)) | set(
        Operation.objects.values_list("state", flat=True)
    )
    assert states == {"pending", "approved", "queued", "unclear", "succeeded"}
    for change in Change.objects.all():
        for verb in ("submit", "approve", "reject", "withdraw"):
            assert browser.post(f"{change.get_absolute_url()}{verb}/", {"comment": "x"}).status_code == 403
    for concern in Concern.objects.all():
        for act in Act:
            assert browser.post(f"{concern.get_absolute_url()}{act}/", {"reason": "x"}).status_code == 403
    for operation in Operation.objects.all():
        for verb in ("cancel", "reveal"):
            assert browser.post(f"{operation.get_absolute_url()}{verb}/").status_code == 403
    assert browser.post("/requests/new/create/", form_data()).status_code == 403
    assert (Change.objects.count(), Operation.objects.count()) == before
    assert set(Change.objects.values_list("state", flat=True)) == {"pending", "approved"}
    assert set(Operation.objects.values_list("state", flat=True)) == {"queued", "unclear", "succeeded"}


def test_the_requester_cannot_approve_by_a_forged_post_even_as_an_approver(cast: Cast) -> None:
    Membership.objects.create(user=cast.developer, team=cast.alpha, role=Membership.Role.APPROVER)
    change = pending(cast.developer)
    browser = signed_in(cast.developer)
    page = browser.get(change.get_absolute_url()).content.decode()
    assert "approve" not in page
    answer = browser.post(f"{change.get_absolute_url()}approve/", {"comment": "Mine."})
    assert answer.status_code == 403
    assert "You asked for it: somebody else decides." in answer.content.decode()
    assert Change.objects.get().state == "pending"
    assert Operation.objects.count() == 0
    entry = Entry.objects.latest("number")
    assert (entry.verb, entry.actor, entry.subject_id, entry.detail) == (
        "change.approve.refused",
        "developer@example.com",
        str(change.pk),
        {"why": "You asked for it: somebody else decides."},
    )


def test_a_draft_can_be_decided_by_nobody(cast: Cast) -> None:
    change = draft(cast.developer)
    for verb in ("approve", "reject"):
        address = f"{change.get_absolute_url()}{verb}/"
        assert signed_in(cast.approver).post(address, {"comment": "x"}).status_code == 404
        assert signed_in(cast.developer).post(address, {"comment": "x"}).status_code == 403
    assert Change.objects.get().state == "draft"


def test_who_left_the_team_loses_its_objects_at_once(world: World, cast: Cast) -> None:
    browser = signed_in(cast.developer)
    cast.developer.memberships.all().delete()
    for name in ("cluster", "change", "operation"):
        assert browser.get(world.addresses[name]).status_code == 404
    for name in ("submit_change", "withdraw_change", "cancel_operation", "reveal_password"):
        assert browser.post(world.addresses[name]).status_code == 404
