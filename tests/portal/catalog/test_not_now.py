"""What cannot be asked now: greyed with its reason in the menu, explained at its address, refused at the form."""

from datetime import UTC, datetime, timedelta

import pytest

from portal.changes.models import Change
from portal.inventory.models import Cluster, Database, Extension, Part, PartName
from portal.operations.models import Operation
from tests.browsing import Silent, signed_in
from tests.browsing import silent_itcare as silent_itcare  # noqa: PLC0414 - a fixture
from tests.cast import Cast, cluster
from tests.portal.catalog.asking import Values, address, approve, approved, ask, opened

pytestmark = pytest.mark.django_db

LABELS = {
    "resize": "Resize",
    "install_extension": "Add extensions",
    "enable_ha": "Make highly available",
    "upgrade": "Upgrade",
    "update_patch_party": "Change patching",
    "start": "Start",
    "stop": "Stop",
    "restore": "Restore",
    "delete": "Delete",
}
STOPPED = "The cluster is stopped: start it first."
UNTOLD = "ITCare has not told the status of this cluster."
NOT_READ = "ITCare has not told enough about this cluster yet."
DOWN = "ITCare is not available at the moment."
BUSY = "Another operation is under way on this cluster: wait until it has ended."


def row(cast: Cast, *, without: str = "", unread: str = "", failed: str = "", **fields: object) -> Cluster:
    """A cluster of which everything can be asked but to start it.

    One part may hold nothing, have never been read, or have failed when it was last read.
    """
    now = datetime.now(UTC)
    told = {"node_count": 1, "offered_versions": [17], "backup_status": True, "read_at": now, "parts_read_at": now}
    made = cluster(cast.service, 1, **{**told, **fields})
    for name, model in (("databases", Database), ("extensions", Extension)):
        if name != without:
            model._default_manager.create(cluster=made, name="hstore")
    for name in PartName.values:
        why = DOWN if name == failed else ""
        Part.objects.create(cluster=made, name=name, read_at=None if name == unread else now, failed=why)
    return made


def menu(cast: Cast, made: Cluster) -> dict[str, str]:
    """Each kind that the cluster's page names, with the reason where it cannot be chosen, else with its address."""
    asks = opened(cast.developer, made.get_absolute_url()).page.one("details", id="asks")
    named = {link.text: link.attributes["href"] for link in asks.all("a")}
    greyed = asks.all(aria_disabled="true")
    assert [each.all("a") + [each] * ("href" in each.attributes) for each in greyed] == [[]] * len(greyed)
    for each in greyed:
        why = each.one("small").text
        named[each.text.removesuffix(why).strip()] = why
    return named


def test_a_cluster_that_runs_can_be_asked_for_everything_but_to_start(cast: Cast, silent_itcare: Silent) -> None:
    made = row(cast)
    offered = {label: address(kind, made) for kind, label in LABELS.items()}
    assert menu(cast, made) == {**offered, "Start": "The cluster is running already."}
    assert silent_itcare.calls() == 0


@pytest.mark.parametrize(
    ("kind", "fields", "why"),
    [
        ("start", {}, "The cluster is running already."),
        ("start", {"status": "RESIZING"}, "The cluster is resizing: only a stopped one can be started."),
        ("start", {"status": ""}, UNTOLD),
        ("stop", {"status": "INACTIVE"}, "The cluster is stopped already."),
        ("stop", {"status": "STARTING"}, "The cluster is starting: only an active one can be changed like this."),
        ("resize", {"status": "INACTIVE"}, STOPPED),
        ("resize", {"status": ""}, UNTOLD),
        ("resize", {"read_at": None}, NOT_READ),
        ("enable_ha", {"status": "INACTIVE"}, STOPPED),
        ("enable_ha", {"topology": "HA"}, "The cluster is highly available already."),
        ("enable_ha", {"topology": "HIGH_AVAILABILITY"}, "The cluster is highly available already."),
        ("enable_ha", {"topology": ""}, "ITCare has not told the topology of this cluster."),
        ("enable_ha", {"version": "11"}, "Version 11: it needs 12 or later."),
        ("enable_ha", {"version": "9.6"}, "Version 9.6: it needs 12 or later."),
        ("enable_ha", {"version": ""}, "Version unknown: it needs 12 or later."),
        ("upgrade", {"status": "INACTIVE"}, STOPPED),
        ("upgrade", {"offered_versions": []}, "ITCare offers no later version for this cluster."),
        ("upgrade", {"offered_versions": [15, 16]}, "ITCare offers no later version for this cluster."),
        ("install_extension", {"status": "INACTIVE"}, STOPPED),
        ("install_extension", {"without": "databases"}, "ITCare names no database for this cluster."),
        ("install_extension", {"without": "extensions"}, "ITCare names no extension for this cluster."),
        ("restore", {"status": "INACTIVE"}, STOPPED),
        ("restore", {"backup_status": False}, "No cluster of this version in your services is active and backed up."),
        ("restore", {"version": ""}, "No cluster of this version in your services is active and backed up."),
        ("delete", {"protected": True}, "An administrator has protected this cluster against deletion."),
        ("update_patch_party", {"read_at": None}, NOT_READ),
    ],
)
def test_it_is_said_in_the_menu_at_its_address_and_to_who_sends_it_all_the_same(
    cast: Cast, silent_itcare: Silent, kind: str, fields: dict[str, object], why: str
) -> None:
    made = row(cast, **fields)  # type: ignore[arg-type]  # of the table
    assert menu(cast, made)[LABELS[kind]] == why
    answer = opened(cast.developer, address(kind, made))
    assert (answer.status, answer.notes) == (200, [f"This cannot be asked now. {why}"])
    assert answer.page.one("main").all("form") == []
    answer = ask(cast.developer, kind, made, {})
    assert (answer.status, answer.problems) == (422, [f"This cannot be asked now. {why}"])
    assert (Change.objects.count(), silent_itcare.calls()) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "part", "words"),
    [
        ("upgrade", "versions", "which versions it offers"),
        ("install_extension", "extensions", "which extensions it offers"),
        ("install_extension", "databases", "which databases there are"),
    ],
)
def test_what_itcare_did_not_tell_is_not_taken_for_nothing(cast: Cast, kind: str, part: str, words: str) -> None:
    made = row(cast, without=part, unread=part, failed=part, offered_versions=[])
    reading = made.parts.get(name=part)
    not_told, not_yet = f"ITCare did not tell {words}: {DOWN}", f"ITCare has not told {words} yet."

    def said(**fields: object) -> str:
        Part.objects.filter(pk=reading.pk).update(**fields)
        why = menu(cast, made)[LABELS[kind]]
        assert opened(cast.developer, address(kind, made)).notes == [f"This cannot be asked now. {why}"]
        answer = ask(cast.developer, kind, made, {})
        assert (answer.status, answer.problems) == (422, [f"This cannot be asked now. {why}"])
        return why

    assert said() == not_told
    assert said(read_at=datetime.now(UTC)) == not_told
    assert said(read_at=None, failed="") == not_yet
    reading.delete()
    assert said() == not_yet


@pytest.mark.parametrize(
    ("kind", "part", "field", "values"),
    [
        ("upgrade", "versions", "target_version", {"target_version": "17"}),
        ("install_extension", "extensions", "extensions", {"dbname": "hstore", "extensions": ["hstore"]}),
        ("install_extension", "databases", "dbname", {"dbname": "hstore", "extensions": ["hstore"]}),
    ],
)
def test_what_itcare_told_before_is_offered_and_said_to_be_from_before(
    cast: Cast, silent_itcare: Silent, kind: str, part: str, field: str, values: Values
) -> None:
    made = row(cast, failed=part)
    words = {"versions": "which versions it offers", "extensions": "which extensions it offers"}
    told = f"ITCare did not tell {words.get(part, 'which databases there are')}: {DOWN}"
    page = opened(cast.developer, address(kind, made)).page
    hints = {each.attributes.get("id", ""): each.text for each in page.one("main").with_class("hint")}
    assert hints[f"id_{field}_helptext"] == f"From before: when it was last asked, {told}"
    assert [each for each in hints.values() if each.startswith("From before")] == [hints[f"id_{field}_helptext"]]
    assert ask(cast.developer, kind, made, values).status == 303
    # Whoever decides later is told the truth of that moment.
    made.extensions.all().delete() if part == "extensions" else made.databases.all().delete()
    Cluster.objects.filter(pk=made.pk).update(offered_versions=[])
    answer = approve(cast.approver, Change.objects.get())
    assert (answer.status, told in answer.page.one("main").text) == (409, True)
    assert (Operation.objects.count(), silent_itcare.calls()) == (0, 0)


def test_of_a_cluster_that_is_gone_nothing_can_be_asked(cast: Cast, silent_itcare: Silent) -> None:
    made = row(cast, gone_at=datetime.now(UTC))
    assert opened(cast.developer, made.get_absolute_url()).page.all("details", id="asks") == []
    for kind in LABELS:
        answer = ask(cast.developer, kind, made, {})
        assert (answer.status, answer.problems) == (
            422,
            ["This cannot be asked now. ITCare no longer knows this cluster."],
        )
    assert (Change.objects.count(), silent_itcare.calls()) == (0, 0)


def test_while_something_runs_the_menu_says_so_and_the_form_keeps_what_was_typed(cast: Cast) -> None:
    made = row(cast)
    approved(cast, "stop", made, {})
    assert menu(cast, made) == dict.fromkeys(LABELS.values(), BUSY)
    answer = ask(cast.developer, "resize", made, {"sizing": "4cpu8gb", "reason": "Slow <reports>."})
    assert (answer.status, answer.problems) == (422, [BUSY])
    assert answer.page.one("textarea", name="reason").text == "Slow <reports>."
    assert [each.attributes["value"] for each in answer.page.all("option") if "selected" in each.attributes] == [
        "4cpu8gb"
    ]
    assert (Change.objects.count(), Operation.objects.count()) == (1, 1)


def test_a_form_whose_cluster_was_stopped_meanwhile_keeps_what_was_typed(cast: Cast) -> None:
    made = row(cast)
    assert opened(cast.developer, address("resize", made)).page.one("main").all("form") != []
    Cluster.objects.filter(pk=made.pk).update(status="INACTIVE")
    answer = ask(cast.developer, "resize", made, {"sizing": "4cpu8gb", "reason": "Slow <reports>."})
    assert (answer.status, answer.problems) == (422, [f"This cannot be asked now. {STOPPED}"])
    assert answer.page.one("textarea", name="reason").text == "Slow <reports>."
    assert [each.attributes["value"] for each in answer.page.all("option") if "selected" in each.attributes] == [
        "4cpu8gb"
    ]
    assert Change.objects.count() == 0


@pytest.mark.parametrize("kind", ["upgrade", "resize"])
def test_opening_a_form_asks_for_a_fresh_reading_as_the_clusters_page_does(cast: Cast, kind: str) -> None:
    made = row(cast, offered_versions=[], unread="versions", tried_at=datetime.now(UTC) - timedelta(minutes=2))
    fresh = cluster(cast.service, 2, read_at=datetime.now(UTC), parts_read_at=datetime.now(UTC))
    Cluster.objects.filter(pk=fresh.pk).update(tried_at=datetime.now(UTC))
    for each in (made, fresh):
        assert opened(cast.developer, address(kind, each)).status == 200
    assert list(Cluster.objects.exclude(wanted_at=None)) == [made]


@pytest.mark.parametrize("person", ["support", "administrator", "approver"])
def test_who_may_not_ask_sees_no_menu_and_gets_no_form(cast: Cast, person: str) -> None:
    made = row(cast)
    browser = signed_in(getattr(cast, person))
    assert b'id="asks"' not in browser.get(made.get_absolute_url()).content
    assert browser.get(address("stop", made)).status_code == 403
    assert ask(getattr(cast, person), "stop", made, {}).status == 403
    assert signed_in(cast.stranger).get(address("stop", made)).status_code == 404
    assert ask(cast.stranger, "stop", made, {}).status == 404
    assert Change.objects.count() == 0
