"""Reading what ITCare tells calmly: gone and found clusters, odd answers, missing lists, and the other number."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db.models import Model
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from portal.audit.models import Entry
from portal.catalog.create_form import CreateForm
from portal.inventory import fallback, lists, reading
from portal.inventory.models import Area, Attachment, Cluster, Network, Origin, Service, Sync
from portal.operations.models import Operation
from portal.operations.origins import settle_origins
from portal.operations.states import State
from portal.upstream.client import client
from tests.browsing import signed_in
from tests.cast import Cast, cluster, form_data, queued
from tests.portal.itcare.scripted import answer, scripted
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = 500_000_000
TOKEN = answer(200, {"access_token": "t", "expires_in": 1200, "token_type": "bearer"})


def read_lists() -> None:
    """Read all lists, as if each were due."""
    Sync.objects.update(look_at=Now())
    lists.sync_lists(client())


def read(number: int = FIRST) -> Cluster:
    """Read one cluster with its parts, and return it as it is then."""
    row = Cluster.objects.get(upstream_id=number)
    reading.read_cluster(client(), row)
    return Cluster.objects.get(pk=row.pk)


def entries(verb: str) -> list[tuple[str, str, int | None]]:
    rows = Entry.objects.filter(verb=verb).order_by("number")
    return list(rows.values_list("actor", "subject", "service_id"))


# --- Gone and found


def test_a_cluster_that_disappeared_keeps_its_last_state_and_is_told_of_once(small: Sandbox) -> None:
    read_lists()
    before = read()
    small.remove_cluster(FIRST)
    assert read().gone_at is None
    Cluster.objects.filter(pk=before.pk).update(missed_at=Now() - reading.GONE_AFTER)
    after = read()
    assert after.gone_at is not None
    for name in ("name", "status", "version", "sizing", "topology", "ip_address", "storage", "service_id"):
        assert getattr(after, name) == getattr(before, name)
    assert after.nodes.count() > 0
    read()
    assert entries("cluster.gone") == [("portal", before.name, before.service_id)]
    entry = Entry.objects.get(verb="cluster.gone")
    assert entry.detail == {"upstream_id": FIRST, "status": before.status}


def test_what_was_there_at_the_first_reading_is_not_found(small: Sandbox) -> None:
    assert settle_origins() == 0
    read_lists()
    assert set(Cluster.objects.values_list("origin", flat=True)) == {Origin.KNOWN}
    assert settle_origins() == 0
    assert entries("cluster.found") == []


def test_a_cluster_that_nobody_asked_for_appears_as_found(small: Sandbox) -> None:
    read_lists()
    small.place_cluster(77, name="stranger01")
    read_lists()
    assert (settle_origins(), settle_origins()) == (1, 0)
    row = Cluster.objects.get(name="stranger01")
    assert row.origin == Origin.FOUND
    assert row.found_look is not None
    assert entries("cluster.found") == [("portal", "stranger01", row.service_id)]


@pytest.mark.parametrize("state", [State.RUNNING, State.UNCLEAR])
def test_a_cluster_that_an_operation_of_ours_makes_is_not_found(cast: Cast, small: Sandbox, state: State) -> None:
    read_lists()
    operation = queued(cast.developer, cast.approver, name="newpostgre01")
    Operation.objects.filter(pk=operation.pk).update(state=state, last_proof="accepted", password=None)
    small.place_cluster(77, name="NEWPOSTGRE01")
    read_lists()
    settle_origins()
    row = Cluster.objects.get(upstream_id=77)
    assert (row.origin, row.found_look) == (Origin.ASKED, None)
    assert entries("cluster.found") == []


def test_a_cluster_with_the_name_of_a_create_that_failed_is_found(cast: Cast, small: Sandbox) -> None:
    read_lists()
    operation = queued(cast.developer, cast.approver, name="newpostgre01")
    ended = {"state": State.FAILED, "reason": "refused", "look_at": None, "password": None, "reveal": None}
    Operation.objects.filter(pk=operation.pk).update(**ended, ended_at=Now())
    small.place_cluster(77, name="newpostgre01")
    read_lists()
    settle_origins()
    assert Cluster.objects.get(upstream_id=77).origin == Origin.FOUND


# --- Odd answers


def tells(path: str, document: object = None) -> dict[str, Any]:
    """A rule of the stand-in: this address is answered with this document; with nothing at all for None."""
    return {"match": {"method": "GET", "path": path}, "fault": {"kind": "refuse", "status": 200, "body": document}}


def test_nulls_and_unknown_words_lose_nothing_that_is_known(small: Sandbox) -> None:
    read_lists()
    before = read()
    told = {
        "internalResourceId": FIRST,
        "name": None,
        "status": "HIBERNATING",
        "version": None,
        "topology": ["HA"],
        "storage": "much",
        "sizing": {"cpu": 2},
        "tlsEnabled": "yes",
        "creationTime": "2022-11-08T09:32:02.000+0200",
        "endOfSupportAt": "2030-11-08T09:32:02.263Z",
        "extendedSupportAt": "when it is time",
        "moods": [{"new": True}],
    }
    small.set_faults(tells(f"/databases/postgresql/{FIRST}$", told))
    after = read()
    for name in ("name", "version", "topology", "storage", "sizing", "tls_enabled", "extended_support_at"):
        assert getattr(after, name) == getattr(before, name), name
    assert (after.status, after.look.word, after.read_failed) == ("HIBERNATING", "Hibernating", "")
    assert after.creation_time == datetime(2022, 11, 8, 7, 32, 2, tzinfo=UTC)
    assert after.end_of_support_at == datetime(2030, 11, 8, 9, 32, 2, 263_000, tzinfo=UTC)


def test_patching_and_backup_are_read_where_they_are_told(small: Sandbox) -> None:
    def told(**more: object) -> tuple[object, ...]:
        small.set_faults(tells(f"/databases/postgresql/{FIRST}$", {"internalResourceId": FIRST, **more}))
        row = read()
        assert row.read_failed == ""
        patching = (row.patch_excluded, row.patch_group, row.exclusion_reason, row.patched_at, row.patch_tag)
        return (*patching, row.backup_system, row.backup_type, row.backup_at, row.backup_policies)

    read_lists()
    # The stand-in tells none of it, as the page of PostgreSQL prints none of it (API.md 7.4).
    assert told() == (None, "", "", None, "", "", "", None, "")
    party = {"excluded": True, "exclusionReason": "We patch it.", "patchGroup": 3, "patchTag": "2026-Q3"}
    party["patchDate"] = "2026-09-08T09:32:02.263Z"
    backup = {"backupSystem": "pgBackRest", "size": 12, "type": "FULL", "lastDate": "2026-10-08T09:32:02.263Z"}
    policies = {"backups": 7, "policies": [{"name": "Daily"}, "Weekly", {"label": "none"}, None]}
    whole = {"patchParty": party, "backup": backup, "backupPolicyDetails": policies}
    patched, backed_up = (datetime(2026, month, 8, 9, 32, 2, 263_000, tzinfo=UTC) for month in (9, 10))
    last = ("pgBackRest", "FULL", backed_up, "Daily, Weekly")
    left_out = (True, "3", "We patch it.", patched, "2026-Q3", *last)
    assert told(**whole) == left_out
    # Nothing known is lost by what is null, left out, or of another kind.
    nothing = dict.fromkeys(party), dict.fromkeys(backup), dict.fromkeys(policies)
    oddities: tuple[object, ...] = (None, [], "much", 7)
    for odd in oddities:
        assert told(**dict.fromkeys(whole, odd)) == left_out
    assert told(**dict(zip(whole, nothing, strict=True))) == left_out
    # Why it was left out is no reason any more.
    assert told(patchParty={"excluded": False, "patchGroup": "2"}) == (False, "2", "", patched, "2026-Q3", *last)


def test_a_network_of_a_cluster_is_read_with_how_full_it_is(small: Sandbox) -> None:
    read_lists()
    network = {"id": 5, "technicalId": "EB_5", "shortDescription": "Backend", "ipFreeNumber": 0, "usedPercent": 100}
    flags = {"isIpRangePublic": True, "defaultNetwork": False}
    small.set_faults(tells(f"/databases/postgresql/{FIRST}/networks$", network | flags))
    (row,) = read().attachments.all()
    assert (row.name, row.description, row.free_addresses, row.used_percent) == ("EB_5", "Backend", 0, 100)
    assert (row.is_public, row.is_default) == (True, False)


def test_nulls_in_lists_lose_nothing_that_is_known(small: Sandbox) -> None:
    read_lists()
    service = Service.objects.filter(environment="PRODUCTION").earliest("pk")
    network = Network.objects.exclude(free_addresses=None).earliest("pk")
    area = Area.objects.filter(is_default=True).select_related("region").earliest("pk")
    before = state(service, network, area.region, area)
    assert "" not in [value for row in before for value in row.values()]
    nothing = dict.fromkeys(("name", "environment", "cloudName", "cidr", "region", "area", "scope", "ipFreeNumber"))
    descriptions = dict.fromkeys(("technicalId", "shortDescription", "networkShortDescription", "description"))
    small.set_faults(
        tells("/compute/services", [{**nothing, "id": service.upstream_id}]),
        tells("/networks", [{**nothing, **descriptions, "id": network.upstream_id}]),
        tells("/regions", [{"name": area.region.name, "label": None, "areas": [{"name": area.name, "default": None}]}]),
    )
    read_lists()
    assert list(Sync.objects.values_list("failed", flat=True).distinct()) == [""]
    assert state(service, network, area.region, area) == before
    small.set_faults(tells("/compute/services", [{"id": service.upstream_id, "environment": "QA"}]))
    read_lists()
    service.refresh_from_db()
    assert (service.name, service.environment) == (before[0]["name"], "QA")


def state(*rows: Model) -> list[dict[str, object]]:
    """What is known of each row, without when it was listed."""
    known = [type(row)._default_manager.filter(pk=row.pk).values().get() for row in rows]
    return [{name: value for name, value in row.items() if name != "listed_at"} for row in known]


@pytest.mark.parametrize("form", ["object", "page"])
def test_one_object_or_a_page_serves_where_a_list_is_expected(small: Sandbox, form: str) -> None:
    read_lists()
    below = f"/databases/postgresql/{FIRST}"
    parts: dict[str, dict[str, object]] = {
        "nodes": {"name": "only01", "status": None},
        "databases": {"name": "sole"},
        "extensions": {"name": "pg_trgm", "requiresRestarting": "no"},
        "networks": {"id": 190, "technicalId": "EB_190"},
    }
    shaped = {name: part if form == "object" else {"content": [part]} for name, part in parts.items()}
    small.set_faults(*(tells(f"{below}/{name}", part) for name, part in shaped.items()))
    row = read()
    assert row.read_failed == ""
    found = [list(parts.values_list("name", flat=True)) for parts in (row.nodes, row.databases, row.extensions)]
    assert found == [["only01"], ["sole"], ["pg_trgm"]]
    assert list(row.attachments.values_list("upstream_id", "name")) == [(190, "EB_190")]


def test_an_empty_body_is_an_empty_list(small: Sandbox) -> None:
    read_lists()
    assert read().databases.count() > 0
    small.set_faults(tells(f"/databases/postgresql/{FIRST}/"))
    row = read()
    assert (row.read_failed, row.databases.count(), row.nodes.count(), row.offered_versions) == ("", 0, 0, [])
    small.set_faults(*(tells(path) for path in ("/compute", "/networks", "/regions")))
    read_lists()
    assert list(Sync.objects.values_list("failed", flat=True).distinct()) == [""]
    assert Cluster.objects.filter(gone_at=None).count() == 5
    assert Service.objects.filter(name="").count() == 0


def test_a_whole_reading_from_a_server_that_spells_everything_otherwise(db: None, settings: Settings) -> None:
    lone: dict[str, Any] = {
        "internalResourceId": 5,
        "id": None,
        "name": "lone01",
        "type": "PostgreSQL",
        "serviceId": 9,
        "new": {},
    }
    page = {"name": "lone01", "status": "", "serviceId": 9, "version": "16.4", "creationTime": "2024-02-01 10:00"}
    script = [
        TOKEN,
        answer(200, {"id": 9, "name": "ODD", "environment": None}),  # one service, no list
        answer(200, body=b""),  # no networks
        answer(204),  # no regions
        answer(200, [lone, {"name": "nameless numbers"}, None, "text", 7]),
        answer(200, page),
    ]
    parts = {
        "nodes": answer(200, {"name": "node01", "cpu": None}),
        "databases": answer(200, body=b""),
        "extensions": answer(200, [None, {}, {"name": "hstore", "version": 1.8}]),
        "networks": answer(404),
        "versions": answer(200, [17, "18", None]),
    }
    with scripted(*script) as server:
        settings.ITCARE_BASE_URL, settings.ITCARE_TOKEN_URL = server.url, f"{server.url}/token"
        read_lists()
        server.by_end = parts
        row = read(5)
        assert len(server.received) == len(script) + len(parts)
    assert list(Sync.objects.values_list("failed", flat=True).distinct()) == [""]
    assert (row.name, row.status, row.version, str(row.service), row.service and row.service.environment) == (
        "lone01",
        "",
        "16.4",
        "ODD",
        "",
    )
    assert row.creation_time == datetime(2024, 2, 1, 10, tzinfo=UTC)
    assert [str(part) for part in (*row.nodes.all(), *row.extensions.all())] == ["node01", "hstore"]
    assert (row.offered_versions, row.databases.count()) == ([17], 0)


# --- Lists that are guesses (API.md A2 to A4)


def test_without_the_guessed_lists_choices_come_from_clusters_and_settings(
    cast: Cast, start: Callable[..., Sandbox], settings: Settings
) -> None:
    for rows in (Area.objects, Network.objects):
        rows.all().delete()
    settings.ITCARE_AREAS = ["WE-1:WE-1A|WE-1B", " EB:EB-C", "nonsense here", ""]
    start(without="services,networks,regions")
    read_lists()
    for row in Cluster.objects.all():
        reading.read_cluster(client(), row)
    read_lists()
    told = set(Cluster.objects.values_list("area", "zone"))
    assert {name for name, _ in told} < set(Area.objects.values_list("name", flat=True))
    assert told <= set(Area.objects.values_list("name", "zones__name"))
    places = {area.name: [zone.name for zone in area.zones.all()] for area in Area.objects.all()}
    assert places["WE-1"] == ["WE-1A", "WE-1B"]
    assert "EB-C" in places["EB"]
    assert "nonsense here" not in places
    attached = set(Attachment.objects.values_list("upstream_id", "cidr", "area"))
    assert set(Network.objects.values_list("upstream_id", "cidr", "area")) == attached
    assert attached
    assert set(Cluster.objects.values_list("service__upstream_id", flat=True)) <= set(
        Service.objects.exclude(name="").values_list("upstream_id", flat=True)
    )


def test_the_form_works_without_the_guessed_lists(cast: Cast, start: Callable[..., Sandbox]) -> None:
    for rows in (Area.objects, Network.objects):
        rows.all().delete()
    start(without="services,networks,regions")
    read_lists()
    for row in Cluster.objects.all():
        reading.read_cluster(client(), row)
    read_lists()
    known = Network.objects.order_by("upstream_id").values_list("upstream_id", flat=True)
    browser: Client = signed_in(cast.developer)
    page = browser.get("/requests/new/create/").content.decode()
    assert [f'<option value="{number}">' in page for number in known] == [True] * len(known)
    # One that no cluster tells of can be typed.
    sent = form_data(network_id="4711", area="EB", az="EB-A", send="now")
    answered = browser.post("/requests/new/create/", sent, follow=True)
    assert answered.status_code == 200
    assert "Filed: Create newpostgre01." in answered.content.decode()
    assert not CreateForm(form_data(network_id="no number"), user=cast.developer).is_valid()


def test_a_network_that_was_listed_stays_as_it_was_listed(cast: Cast) -> None:
    row = cluster(cast.service, 1, network_id=132, area="EB")
    Attachment.objects.create(cluster=row, upstream_id=142, name="Other", area="ET")
    Attachment.objects.create(cluster=row, upstream_id=190, name="EB_190", area="EB")
    before = list(Network.objects.order_by("upstream_id").values_list("upstream_id", "name", "area"))
    fallback.networks()
    fallback.networks()
    after = list(Network.objects.order_by("upstream_id").values_list("upstream_id", "name", "area"))
    assert after == [*before, (190, "EB_190", "EB")]
