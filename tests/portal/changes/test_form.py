"""Bad input of the create form: each rule has its sentence at its field, nothing typed is lost, nobody is called."""

from typing import Any

import pytest
from pytest_django import Settings

from portal import itcare
from portal.changes.models import Change
from portal.inventory.models import Network
from portal.operations.models import Operation, Secret
from portal.upstream.client import client
from tests.browsing import Silent, signed_in
from tests.browsing import silent_itcare as silent_itcare  # noqa: PLC0414 - a fixture
from tests.cast import Cast, cluster, form_data, queued
from tests.markup import Element, Page, at_field, filled_in

ADDRESS = "/requests/new/create/"
HA = {"topology": "HA", "node_prefix": "NEWPG"}
CASES: list[tuple[dict[str, str], dict[str, str]]] = [
    ({"name": ""}, {"name": "Give the cluster a name."}),
    ({"name": "pg01"}, {"name": "The name has 4 characters; it needs 5 to 60."}),
    ({"name": "n" * 61}, {"name": "The name has 61 characters; it needs 5 to 60."}),
    ({"name": "new-postgre"}, {"name": "Only small letters and digits: the dash must go."}),
    ({"name": "new postgre"}, {"name": "Only small letters and digits: the space must go."}),
    ({"name": "newpostgré"}, {"name": "Only small letters and digits: “é” must go."}),
    ({"name": "new_pg.01"}, {"name": "Only small letters and digits: the underscore, “.” must go."}),
    ({"name": "cluster"}, {"name": "ITCare keeps the word “cluster” for itself: choose another name."}),
    ({"name": "CLUSTER"}, {"name": "ITCare keeps the word “cluster” for itself: choose another name."}),
    ({"disk_size": "39"}, {"disk_size": "At least 40, at most 1024 GB."}),
    ({"disk_size": "1025"}, {"disk_size": "At least 40, at most 1024 GB."}),
    ({"disk_size": "40.5"}, {"disk_size": "The disk's size is a whole number of GB."}),
    ({"disk_size": ""}, {"disk_size": "Give the size of the disk, 40 to 1024 GB."}),
    ({"allowed_replication_lag": "0"}, {"allowed_replication_lag": "At least 1, at most 10240 MB."}),
    ({"allowed_replication_lag": "10241"}, {"allowed_replication_lag": "At least 1, at most 10240 MB."}),
    ({"allowed_replication_lag": "few"}, {"allowed_replication_lag": "The lag is a whole number of MB."}),
    ({"trigram": ""}, {"trigram": "Give the trigram: three letters or digits."}),
    ({"trigram": "tr"}, {"trigram": "The trigram is exactly three letters or digits."}),
    ({"trigram": "trig"}, {"trigram": "The trigram is exactly three letters or digits."}),
    ({"trigram": "t-i"}, {"trigram": "The trigram is exactly three letters or digits."}),
    ({"area": "", "az": ""}, {"area": "Choose an area, or an availability zone: ITCare needs one of them."}),
    ({"az": "EB-C"}, {"az": "Area EB-QA has no such zone."}),
    ({**HA, "az": ""}, {"az": "High availability needs an availability zone."}),
    ({**HA, "tls": ""}, {"tls": "High availability needs the choice: TLS on or off."}),
    ({**HA, "node_prefix": ""}, {"node_prefix": "High availability needs a prefix for the names of the nodes."}),
    ({**HA, "node_prefix": "NEWP"}, {"node_prefix": "The prefix has 4 characters; it needs 5 to 12."}),
    ({**HA, "node_prefix": "N" * 13}, {"node_prefix": "The prefix has 13 characters; it needs 5 to 12."}),
    (
        {**HA, "node_prefix": "newpg"},
        {"node_prefix": "Only capital letters and digits: “n”, “e”, “w”, “p”, “g” must go."},
    ),
    ({**HA, "node_prefix": "NEW-PG"}, {"node_prefix": "Only capital letters and digits: the dash must go."}),
    (
        {"topology": "HA", "az": "", "tls": "", "node_prefix": ""},
        {
            "az": "High availability needs an availability zone.",
            "tls": "High availability needs the choice: TLS on or off.",
            "node_prefix": "High availability needs a prefix for the names of the nodes.",
        },
    ),
    ({"reason": ""}, {"reason": "Say why: the approver decides on it."}),
    ({"reason": "   "}, {"reason": "Say why: the approver decides on it."}),
    ({"adm_password": "Abcdefgh12!"}, {"adm_password": "The password needs at least 12 characters (it has 11)."}),
    ({"adm_password": "ABCDEFGH123!"}, {"adm_password": "The password needs a small letter."}),
    ({"adm_password": "abcdefgh123!"}, {"adm_password": "The password needs a capital letter."}),
    ({"adm_password": "Abcdefghijk!"}, {"adm_password": "The password needs a digit."}),
    ({"adm_password": "Abcdefgh1234"}, {"adm_password": "The password needs a special character."}),
    (
        {"adm_password": "abc"},
        {
            "adm_password": "The password needs at least 12 characters (it has 3), "
            "and a capital letter, a digit and a special character."
        },
    ),
]
# A list cannot show what it does not offer: the value that a forger sent is dropped, and the form's own stands there.
FORGED: list[tuple[dict[str, str], dict[str, str], str]] = [
    (
        {"service_id": number},
        {"service_id": "This service is not one of your team's: choose one from the list."},
        "123",
    )
    for number in ("201", "999", "0", "-1", "123 OR 1=1", "")
    if number
]
FORGED += [
    ({"network_id": "999"}, {"network_id": "ITCare has no such network: choose one from the list."}, ""),
    ({"network_id": "x"}, {"network_id": "ITCare has no such network: choose one from the list."}, ""),
    ({"network_id": ""}, {"network_id": "Choose the network."}, ""),
    ({"area": "EB-XX", "az": ""}, {"area": "ITCare has no such area: choose one from the list."}, ""),
    ({"area": "", "az": "EB-Z"}, {"az": "ITCare has no such zone."}, ""),
    ({"topology": "TRIANGLE"}, {"topology": "Choose standalone or high availability."}, ""),
    ({"topology": ""}, {"topology": "Choose standalone or high availability."}, ""),
    ({"product_code": "deb12pg99"}, {"product_code": "This version is not offered: choose one from the list."}, ""),
    ({"product_code": ""}, {"product_code": "Choose a version."}, ""),
    ({"node_sizing": "1cpu1gb"}, {"node_sizing": "This size is not offered: choose one from the list."}, ""),
    ({"tls": "perhaps"}, {"tls": "Choose on or off, or leave it to ITCare."}, ""),
]


def errors(page: Element) -> dict[str, str]:
    """What is said at each field of the page."""
    names = [div.attributes["id"] for div in page.with_class("error")]
    return {name[len("id_") : -len("_error")]: page.one(id=name).text for name in names}


def the_form(page: Element) -> Element:
    return page.one("main").all("form", method="post")[0]


def refused(cast: Cast, sent: dict[str, str]) -> Element:
    """Send the form; answers the page that comes back, after seeing that nothing else came of it."""
    answer = signed_in(cast.developer).post(ADDRESS, sent)
    assert answer.status_code == 422
    assert (Change.objects.count(), Operation.objects.count(), Secret.objects.count()) == (0, 0, 0)
    return Page.of(answer.content)


def without_tokens(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name != "csrfmiddlewaretoken"}


@pytest.mark.parametrize(("changes", "expected"), CASES)
def test_each_rule_has_its_sentence_at_its_field_and_nothing_else_is_lost(
    cast: Cast, silent_itcare: Silent, changes: dict[str, str], expected: dict[str, str]
) -> None:
    sent = form_data(**changes)
    page = refused(cast, sent)
    assert errors(page) == expected
    assert without_tokens(filled_in(the_form(page))) == {**sent, "adm_password": ""}
    assert silent_itcare.calls() == 0


@pytest.mark.parametrize(("changes", "expected", "instead"), FORGED)
def test_what_is_not_offered_is_refused_at_its_field(
    cast: Cast, silent_itcare: Silent, changes: dict[str, str], expected: dict[str, str], instead: str
) -> None:
    sent = form_data(**changes)
    page = refused(cast, sent)
    assert errors(page) == expected
    shown = without_tokens(filled_in(the_form(page)))
    kept = {name: value for name, value in sent.items() if name not in expected}
    assert {name: shown.get(name, "") for name in kept} == {**kept, "adm_password": ""}
    assert {name: shown.get(name, "") for name in expected} == dict.fromkeys(expected, instead)
    assert silent_itcare.calls() == 0


def test_the_server_that_must_not_be_called_would_notice(
    silent_itcare: Silent, settings: Settings, transactional_db: None
) -> None:
    settings.ITCARE_CONNECT_SECONDS = settings.ITCARE_READ_SECONDS = settings.ITCARE_TOTAL_SECONDS = 0.1
    with pytest.raises(itcare.ItcareError):
        client().services()
    assert silent_itcare.calls() > 0


@pytest.mark.parametrize("number", ["7" * 12, "-7", "0", "4294967428", "x"])
def test_a_network_is_typed_where_no_list_could_be_read_and_is_a_number_of_itcare(cast: Cast, number: str) -> None:
    Network.objects.all().delete()
    page = refused(cast, form_data(network_id=number))
    assert errors(page) == {"network_id": "The network is a number of ITCare, from 1 to 2147483647."}
    assert filled_in(the_form(page))["network_id"] == number


@pytest.mark.parametrize("known", ["newpostgre01", "NEWPOSTGRE01", "NewPostgre01"])
@pytest.mark.parametrize("asked", ["newpostgre01", "NEWPOSTGRE01"])
def test_the_name_of_a_known_cluster_is_taken_whatever_its_capitals_and_whosever_it_is(
    cast: Cast, known: str, asked: str
) -> None:
    cluster(cast.other_service, 1, name=known)
    page = refused(cast, form_data(name=asked))
    assert errors(page) == {"name": "A cluster named newpostgre01 exists already: choose another name."}


def test_the_name_of_an_unfinished_create_is_taken(cast: Cast) -> None:
    queued(cast.developer, cast.approver, name="newpostgre01")
    before = Change.objects.count()
    answer = signed_in(cast.colleague).post(ADDRESS, form_data(name="NEWPOSTGRE01"))
    assert answer.status_code == 422
    assert errors(Page.of(answer.content)) == {"name": "A cluster of this name is being created already."}
    assert Change.objects.count() == before


def test_the_first_thing_read_out_names_the_fields_and_leads_to_them(cast: Cast) -> None:
    page = refused(cast, form_data(name="pg01", topology="TRIANGLE", disk_size="39"))
    summary = page.one(id="form-errors")
    assert "autofocus" in summary.attributes
    assert [(link.text, link.attributes["href"]) for link in summary.all("a")] == [
        ("Name", "#id_name"),
        ("Topology", "#id_topology"),
        ("Disk of a data node, in GB", "#id_disk_size"),
    ]
    ids = {element.attributes["id"] for element in page.all() if "id" in element.attributes}
    assert {"id_name", "id_topology", "id_disk_size"} <= ids


def test_a_password_is_nowhere_in_the_page_that_comes_back(cast: Cast) -> None:
    password = "Abcdefgh12!x"
    sent: dict[str, Any] = form_data(name="pg01", adm_password=password)
    answer = signed_in(cast.developer).post(ADDRESS, sent)
    assert answer.status_code == 422
    assert password not in answer.content.decode()
    assert "has to be typed again" in Page.of(answer.content).one(id="form-errors").text


def test_a_page_with_errors_still_warns_of_what_was_accepted(cast: Cast) -> None:
    page = refused(cast, form_data(name="NEWPOSTGRE01", adm_password="Abcdefgh12345678901!x", disk_size="39"))
    assert at_field(page, "name", "warning") == (
        "Capitals became small letters: NEWPOSTGRE01 is asked for as newpostgre01."
    )
    assert filled_in(the_form(page))["name"] == "newpostgre01"
    assert at_field(page, "adm_password", "warning") == (
        "It is longer than 20 characters, which ITCare's other products take at most, so it may be refused. "
        "It was accepted here."
    )
