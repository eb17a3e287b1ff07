"""The card of a restore: whose data replaces what, from which environment into which, and how the source stands."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.changes import decide
from portal.changes.models import Change
from portal.inventory.models import Cluster, Grant, Service
from portal.operations import cancel
from tests.browsing import signed_in
from tests.cast import Cast, cluster
from tests.markup import Element, at_field
from tests.portal.catalog.asking import Values, ago, approve, ask, asked, opened
from tests.portal.changes.test_card import facts

pytestmark = pytest.mark.django_db

WORDS = "The environments differ: data goes from production to QA, where whoever may use target01 can read it."
MOST = 14


@pytest.fixture
def source(cast: Cast) -> Cluster:
    """A cluster in production, which team beta has; it has approver2 and, here, the developer too."""
    service = Service.objects.create(upstream_id=125, name="ACME - BILLING - PROD", environment="PRODUCTION")
    for team in (cast.alpha, cast.beta):
        Grant.objects.create(team=team, service=service)
    return cluster(service, 2, name="source01", read_at=timezone.now(), backup_status=True)


@pytest.fixture
def target(cast: Cast) -> Cluster:
    """A cluster in QA."""
    Service.objects.filter(pk=cast.service.pk).update(environment="QA", name="ACME - BILLING - QA")
    cast.service.refresh_from_db()
    return cluster(cast.service, 1, name="target01", read_at=timezone.now(), backup_status=True)


def values(source: Cluster) -> Values:
    """A form that reads that cluster's backup."""
    return {"source_id": str(source.upstream_id), "stop": "BEFORE", "timestamp": ago(hours=1)}


def card(cast: Cast, change: Change) -> Element:
    """The middle of the page, as the approver sees it."""
    return opened(cast.approver, change.get_absolute_url()).page.one("main")


def test_it_is_told_that_production_data_goes_to_qa(cast: Cast, source: Cluster, target: Cluster) -> None:
    change = asked(cast.developer, "restore", target, values(source))
    pages = [opened(person, change.get_absolute_url()) for person in (cast.developer, cast.approver, cast.support)]
    read = [facts(page.page.one("main")) for page in pages]
    assert read[0] == read[1] == read[2]
    assert {
        name: read[0][name]
        for name in ("Content", "Data of service", "Environment of the data", "Status of the source")
    } == {
        "Content": "What target01 holds now > Backup of source01",
        "Data of service": "ACME - BILLING - QA > ACME - BILLING - PROD",
        "Environment of the data": "QA > production",
        "Status of the source": "When asked Active > Now Active",
    }
    assert [page.notes for page in pages] == [[WORDS]] * 3
    box = card(cast, change).one(id="source")
    assert (box.one("header").text, box.all("p")[0].text) == (
        "Source: source01 ACME - BILLING - PROD, production",
        "Nothing.",
    )


def test_who_asks_is_warned_at_the_field_too(cast: Cast, source: Cluster, target: Cluster) -> None:
    answer = ask(cast.developer, "restore", target, {**values(source), "reason": ""})
    assert (answer.status, at_field(answer.page, "source_id", "warning")) == (422, WORDS)


def test_within_one_environment_nothing_is_warned_of(cast: Cast, target: Cluster) -> None:
    other = cluster(cast.service, 3, name="other0001", read_at=timezone.now(), backup_status=True)
    change = asked(cast.developer, "restore", target, values(other))
    assert (change.notes, facts(card(cast, change))["Environment of the data"]) == ({}, "QA > QA")


def test_its_own_backup_is_called_so_and_no_source_is_shown(cast: Cast, target: Cluster) -> None:
    change = asked(cast.developer, "restore", target, values(target))
    main = card(cast, change)
    assert facts(main)["Content"] == "What target01 holds now > Its own backup"
    assert (change.notes, main.all(id="source")) == ({}, [])


def test_the_source_is_told_as_it_was_and_is_with_what_runs_on_it(cast: Cast, source: Cluster, target: Cluster) -> None:
    change = asked(cast.developer, "restore", target, values(source))
    resize = asked(cast.colleague, "resize", source, {"sizing": "4cpu8gb"})
    operation = decide.approve(resize, cast.approver, "")
    main = card(cast, change)
    box = main.one(id="source")
    assert [link.attributes["href"] for link in box.all("a")] == [operation.get_absolute_url()]
    words = "Another operation is under way on source01, whose backup is read: wait until it has ended."
    assert f"It cannot be carried out as things are. {words}" in main.text
    assert "Nothing else." in main.one(id="situation").text
    cancel.cancel(operation, cast.colleague)
    Cluster.objects.filter(pk=source.pk).update(status="INACTIVE")
    main = card(cast, change)
    assert facts(main)["Status of the source"] == "When asked Active > Now Stopped"
    assert (main.one(id="source").all("a"), main.one(id="source").all("p")[0].text) == ([], "Nothing.")


def test_what_runs_on_the_source_is_named_only_to_who_may_see_it(cast: Cast, source: Cluster, target: Cluster) -> None:
    change = asked(cast.developer, "restore", target, values(source))
    operation = decide.approve(asked(cast.colleague, "resize", source, {"sizing": "4cpu8gb"}), cast.approver2, "")
    Grant.objects.filter(team=cast.alpha, service=source.service).delete()
    main = card(cast, change)
    assert (operation.title in main.text, main.one(id="source").all("li")[0].text) == (
        False,
        "Something of a team that is not yours.",
    )
    seen = opened(cast.approver2, change.get_absolute_url()).page.one(id="source")
    assert [link.text for link in seen.all("a")] == [operation.title]


def test_an_operation_on_both_is_told_of_both_and_the_one_asked_for_of_neither(cast: Cast, target: Cluster) -> None:
    other = cluster(cast.service, 3, name="other0001", read_at=timezone.now(), backup_status=True)
    change, first = (asked(cast.developer, "restore", target, values(other)) for _ in range(2))
    assert approve(cast.approver, first).status == 303
    first.refresh_from_db()
    assert first.operation is not None
    titles = [first.operation.get_absolute_url()] * 2
    links = [link.attributes["href"] for link in card(cast, change).one(id="situation").all("a")]
    assert [link for link in links if link.startswith("/operations/")] == titles
    links = [link.attributes["href"] for link in card(cast, first).one(id="situation").all("a")]
    assert [link for link in links if link.startswith("/operations/")] == []


@pytest.mark.parametrize("running", [False, True])
def test_the_card_takes_few_queries(cast: Cast, source: Cluster, target: Cluster, *, running: bool) -> None:
    change = asked(cast.developer, "restore", target, values(source))
    if running:
        decide.approve(asked(cast.colleague, "resize", source, {"sizing": "4cpu8gb"}), cast.approver, "")
    browser = signed_in(cast.approver)
    browser.get("/")
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(change.get_absolute_url()).status_code == 200
    assert len(queries) == MOST
