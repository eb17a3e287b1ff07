"""From a valid form to a request that waits: what is accepted, what is frozen, what a second click does."""

import uuid

import pytest

from portal.catalog.kinds import KINDS
from portal.changes.models import Change, State
from portal.operations import heartbeat
from portal.operations.models import Operation, Secret, bound
from tests.browsing import Silent, signed_in
from tests.browsing import silent_itcare as silent_itcare  # noqa: PLC0414 - a fixture
from tests.cast import Cast, draft, form_data, pending
from tests.contracts import openapi
from tests.markup import Element, Page, filled_in

ADDRESS = "/requests/new/create/"
# The API page's own example (API.md 7.1), with a zone that exists.
EXAMPLE = {
    "productCode": "deb12pg16",
    "serviceId": 123,
    "nodeSizing": "2cpu4gb",
    "networkId": 132,
    "area": "EB-QA",
    "az": "EB-A",
    "diskSize": 40,
    "admPassword": "Test123@2022",
    "allowedReplicationLag": 10,
    "topology": "STANDALONE",
    "trigram": "tri",
    "tls": True,
    "name": "newpostgre01",
}


def asked(cast: Cast, **changes: str | None) -> Change:
    """Send the form by the page; answers the draft that it led to."""
    answer = signed_in(cast.developer).post(ADDRESS, form_data(**changes))
    assert answer.status_code == 303
    change = Change.objects.get()
    assert answer["Location"] == f"/requests/{change.pk}/"
    return change


def body(change: Change, password: str) -> dict[str, object]:
    """What would be sent, held against the contract."""
    sent = {**KINDS["create"].payload(change.parameters), "admPassword": password}
    openapi.check_request("POST", "/databases/postgresql", sent)
    return sent


def typed(values: dict[str, object]) -> dict[str, tuple[type, object]]:
    """The values with their types: to Python True is 1."""
    return {name: (type(value), value) for name, value in values.items()}


def summary(cast: Cast, change: Change) -> Element:
    for process in (heartbeat.SWEEP, heartbeat.WORKER):
        heartbeat.beat(process)
    answer = signed_in(cast.developer).get(change.get_absolute_url())
    assert answer.status_code == 200
    return Page.of(answer.content).one("main")


def notes(page: Element) -> list[str]:
    return [note.text for note in page.with_class("note")]


def test_the_example_of_the_api_page_is_accepted_and_its_capitals_become_small_letters_visibly(
    cast: Cast, silent_itcare: Silent
) -> None:
    change = asked(cast, name="NEWPOSTGRE01", adm_password="Test123@2022")
    assert typed(body(change, "Test123@2022")) == typed(EXAMPLE)
    page = summary(cast, change)
    assert page.all("h1")[0].text.startswith("Create newpostgre01")
    assert notes(page) == ["Capitals became small letters: NEWPOSTGRE01 is asked for as newpostgre01."]
    assert silent_itcare.calls() == 0


def test_high_availability_sends_its_extra_fields_too(cast: Cast) -> None:
    change = asked(cast, topology="HA", node_prefix="NEWPG", adm_password="Test123@2022")
    assert typed(body(change, "Test123@2022")) == typed({**EXAMPLE, "topology": "HA", "nodePrefix": "NEWPG"})


@pytest.mark.parametrize(
    ("changes", "without", "other"),
    [
        ({"tls": "false"}, [], {"tls": False}),
        ({"tls": ""}, ["tls"], {}),
        ({"az": ""}, ["az"], {}),
        ({"area": ""}, ["area"], {}),
        # A prefix that was typed before high availability was given up is not sent.
        ({"node_prefix": "NEWPG"}, [], {}),
        (
            {"disk_size": "1024", "allowed_replication_lag": "10240"},
            [],
            {"diskSize": 1024, "allowedReplicationLag": 10240},
        ),
        ({"allowed_replication_lag": "1"}, [], {"allowedReplicationLag": 1}),
        ({"name": "n2345"}, [], {"name": "n2345"}),
        ({"name": "n" * 60}, [], {"name": "n" * 60}),
        ({"name": "  newpostgre01 "}, [], {}),
        ({"name": "clusters"}, [], {"name": "clusters"}),
        ({"topology": "HA", "node_prefix": "NEWP1"}, [], {"topology": "HA", "nodePrefix": "NEWP1"}),
        ({"topology": "HA", "node_prefix": "N" * 12}, [], {"topology": "HA", "nodePrefix": "N" * 12}),
        (
            {"topology": "HA", "node_prefix": "NEWPG", "tls": "false"},
            [],
            {"topology": "HA", "nodePrefix": "NEWPG", "tls": False},
        ),
        (
            {"product_code": "deb12pg12", "node_sizing": "16cpu64gb"},
            [],
            {"productCode": "deb12pg12", "nodeSizing": "16cpu64gb"},
        ),
    ],
)
def test_exactly_the_attributes_of_the_form_are_frozen(
    cast: Cast, changes: dict[str, str], without: list[str], other: dict[str, object]
) -> None:
    expected = {name: value for name, value in {**EXAMPLE, **other}.items() if name not in without}
    assert typed(body(asked(cast, **changes), "Test123@2022")) == typed(expected)


def test_a_typed_password_is_sealed_for_sending_alone(cast: Cast) -> None:
    change = asked(cast, adm_password="Test123@2022")
    assert change.password is not None
    assert change.password.open(bound_to=bound(change.reference, "send")).reveal() == "Test123@2022"
    assert change.parameters["password"] == "typed"
    assert Secret.objects.count() == 1


def test_a_request_that_leaves_the_password_to_the_portal_holds_no_secret(cast: Cast) -> None:
    assert asked(cast).parameters["password"] == "generated"
    assert Secret.objects.count() == 0


@pytest.mark.parametrize(
    ("password", "warning"),
    [
        (
            "Abcdefgh12345678901!x",
            (
                "It is longer than 20 characters, which ITCare's other products take at most, so it may be refused. "
                "It was accepted here."
            ),
        ),
        (
            "Abcdefgh-1234",
            (
                "None of its special characters is among those that ITCare's other products take "
                "(!@#&()\N{EN DASH}{}:;',?/*~$^+=<>), so it may be refused. It was accepted here."
            ),
        ),
    ],
)
def test_a_password_outside_of_the_narrower_rule_is_accepted_with_a_warning(
    cast: Cast, password: str, warning: str
) -> None:
    change = asked(cast, adm_password=password)
    assert notes(summary(cast, change)) == [warning]


def test_the_field_warns_of_a_long_password_while_it_is_typed(cast: Cast) -> None:
    page = Page.of(signed_in(cast.developer).get(ADDRESS).content)
    field = page.one("input", id="id_adm_password").attributes
    assert (field["data-warn-over"], field["type"], field["autocomplete"]) == ("20", "password", "new-password")
    assert "20" in field["data-warning"]


def test_a_network_of_another_area_is_accepted_with_a_warning(cast: Cast) -> None:
    change = asked(cast, area="EB", az="EB-C")
    assert notes(summary(cast, change)) == ["This network is in area EB-QA, the cluster in EB: ITCare may refuse that."]


@pytest.mark.parametrize(("send", "state"), [(None, State.DRAFT), ("now", State.PENDING)])
def test_a_second_submit_of_the_same_form_leads_to_the_same_request(cast: Cast, send: str | None, state: State) -> None:
    browser, sent = signed_in(cast.developer), form_data(send=send, adm_password="Test123@2022")
    answers = [browser.post(ADDRESS, {**sent, "name": name}) for name in ("newpostgre01", "newpostgre01", "another01")]
    change = Change.objects.get()
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(303, f"/requests/{change.pk}/")] * 3
    assert (change.state, change.name) == (state, "newpostgre01")
    assert Secret.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"disk_size": "41"}, ["This form was sent before and led to this request; what was sent now is not in it."]),
    ],
)
def test_who_sends_a_form_again_with_other_words_is_told_that_they_are_not_taken(
    cast: Cast, changed: dict[str, str], told: list[str]
) -> None:
    browser, sent = signed_in(cast.developer), form_data()
    browser.post(ADDRESS, sent)
    again = browser.post(ADDRESS, {**sent, **changed})
    page = Page.of(browser.get(again["Location"]).content)
    assert [note.text for box in page.all(class_="messages") for note in box.all("p")] == told


@pytest.mark.parametrize(("password", "told"), [("Test123@2022", 1), ("", 0)])
def test_who_changes_a_draft_is_told_that_a_typed_password_is_not_kept(cast: Cast, password: str, told: int) -> None:
    change = draft(cast.developer, adm_password=password)
    page = Page.of(signed_in(cast.developer).get(f"{ADDRESS}?draft={change.pk}").content)
    assert len(page.all(id="id_adm_password_warning")) == told


def test_a_form_that_was_sent_stays_sent_when_what_it_asked_for_is_no_longer_possible(cast: Cast) -> None:
    browser, sent = signed_in(cast.developer), form_data(send="now")
    first = browser.post(ADDRESS, sent)
    cast.service.grants.all().delete()
    cast.other_service.grants.create(team=cast.alpha)
    again = browser.post(ADDRESS, sent)
    assert (again.status_code, again["Location"]) == (303, first["Location"])


def test_the_token_of_a_form_is_its_persons_own(cast: Cast) -> None:
    sent = form_data()
    first = signed_in(cast.developer).post(ADDRESS, sent)
    second = signed_in(cast.colleague).post(ADDRESS, {**sent, "name": "another01"})
    assert first["Location"] != second["Location"]
    assert set(Change.objects.values_list("requester__email", "name")) == {
        ("developer@example.com", "newpostgre01"),
        ("colleague@example.com", "another01"),
    }


def test_two_forms_are_two_requests(cast: Cast) -> None:
    page = Page.of(signed_in(cast.developer).get(ADDRESS).content)
    another = Page.of(signed_in(cast.developer).get(ADDRESS).content)
    tokens = {uuid.UUID(each.one("input", name="form_token").attributes["value"]) for each in (page, another)}
    assert len(tokens) == 2


def test_a_draft_becomes_a_summary_is_changed_and_is_filed(cast: Cast) -> None:
    browser, sent = signed_in(cast.developer), form_data(adm_password="Test123@2022")
    browser.post(ADDRESS, sent)
    change = Change.objects.get()
    assert (change.state, change.submitted_at) == (State.DRAFT, None)
    edit = summary(cast, change).one("a", href=f"{ADDRESS}?draft={change.pk}").attributes["href"]
    form = Page.of(browser.get(edit).content).one("main").all("form", method="post")[0]
    again = {**filled_in(form), "name": "another01", "reason": "Another name."}
    untouched = {
        name: value for name, value in sent.items() if name not in {"form_token", "adm_password", "name", "reason"}
    }
    assert untouched.items() <= again.items()
    assert again["adm_password"] == ""
    answer = browser.post(edit, {**again, "adm_password": "Other456@2022"})
    assert (answer.status_code, answer["Location"]) == (303, change.get_absolute_url())
    changed = Change.objects.get()
    assert (changed.pk, changed.name, changed.title, changed.why) == (
        change.pk,
        "another01",
        "Create another01",
        "Another name.",
    )
    assert changed.digest == changed.computed_digest() != change.digest
    secret = Secret.objects.get()
    assert secret.open(bound_to=bound(change.reference, "send")).reveal() == "Other456@2022"
    answer = browser.post(f"/requests/{change.pk}/submit/")
    assert (answer.status_code, answer["Location"]) == (303, change.get_absolute_url())
    filed = Change.objects.get()
    assert (filed.state, filed.digest) == (State.PENDING, changed.digest)
    assert Operation.objects.count() == 0


def test_nobody_else_sees_a_draft(cast: Cast) -> None:
    change = draft(cast.developer)
    for person in (cast.colleague, cast.approver, cast.stranger, cast.support, cast.administrator):
        browser = signed_in(person)
        assert browser.get(change.get_absolute_url()).status_code == 404
        assert browser.post(f"{change.get_absolute_url()}submit/").status_code == 404
        assert "newpostgre01" not in browser.get("/requests/").content.decode()
    assert Change.objects.get().state == State.DRAFT


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_was_filed_meanwhile_is_shown_and_not_changed(cast: Cast, method: str) -> None:
    change = pending(cast.developer)
    browser = signed_in(cast.developer)
    sent = form_data(name="another01", draft=str(change.pk), send="now")
    answer = browser.post(ADDRESS, sent) if method == "post" else browser.get(f"{ADDRESS}?draft={change.pk}")
    assert (answer.status_code, answer["Location"]) == (303, change.get_absolute_url())
    assert Change.objects.get().name == "newpostgre01"
    assert "it was not changed" in Page.of(browser.get(change.get_absolute_url()).content).text


@pytest.mark.parametrize("number", ["0", "999999", "9" * 5000, "-1", "x", "\u0663", "1 OR 1=1"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_draft_that_is_not_there_is_not_found(cast: Cast, number: str, method: str) -> None:
    browser = signed_in(cast.developer)
    answer = getattr(browser, method)(ADDRESS, {**form_data(), "draft": number})
    assert answer.status_code == 404
    assert Change.objects.count() == 0


def test_another_persons_draft_is_not_found(cast: Cast) -> None:
    theirs = draft(cast.colleague)
    browser = signed_in(cast.developer)
    assert browser.get(ADDRESS, {"draft": str(theirs.pk)}).status_code == 404
    assert browser.post(ADDRESS, form_data(draft=str(theirs.pk), name="another01")).status_code == 404
    assert Change.objects.get().name == "newpostgre01"


def test_sent_at_once_it_waits_for_a_decision_and_its_warnings_are_said(cast: Cast) -> None:
    browser = signed_in(cast.developer)
    answer = browser.post(ADDRESS, form_data(name="NEWPOSTGRE01", send="now"), follow=True)
    assert answer.redirect_chain == [(Change.objects.get().get_absolute_url(), 303)]
    page = Page.of(answer.content).one("main")
    assert page.one(id="live").attributes["data-state"] == "pending"
    warned, filed = page.with_class("messages")[0].with_class("note")
    assert warned.text == "Capitals became small letters: NEWPOSTGRE01 is asked for as newpostgre01."
    assert filed.text == "Filed: Create newpostgre01. An approver of the service's team decides."
