"""Reading ITCare into the inventory: lists, details and parts, and what failures leave as it was (API.md 7 to 11)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError
from django.db.models.functions import Now
from pytest_django import Settings

from portal.catalog.targets import name_taken
from portal.inventory import lists, reading, resources, waiting
from portal.inventory.jobs import Reading
from portal.inventory.keep import keep_cluster
from portal.inventory.models import Area, Cluster, Network, Region, Service, Sync
from portal.itcare import Client
from portal.upstream.client import client
from portal.web.hints import Nudger
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = 500_000_000
RESOURCES = {"method": "GET", "path": "/compute/resources"}


def answers(path: str, status: int, body: object = None, *, times: int | None = None) -> dict[str, Any]:
    fault = {"kind": "refuse", "status": status, "body": body}
    return {"match": {"method": "GET", "path": path}, "times": times, "fault": fault}


def envelope(content: list[dict[str, Any]], total: int) -> dict[str, Any]:
    return {"content": content, "totalElements": total, "totalPages": 1, "number": 0, "size": 200, "last": True}


def read_lists() -> None:
    """Read all lists, as if each were due."""
    Sync.objects.update(look_at=Now())
    lists.sync_lists(client())


def read(number: int = FIRST) -> Cluster:
    """Read one cluster with its parts, because somebody waits."""
    reading.read_cluster(client(), Cluster.objects.get(upstream_id=number))
    return Cluster.objects.get(upstream_id=number)


def test_the_lists_are_read(small: Sandbox) -> None:
    assert lists.lists_due()
    read_lists()
    service = Service.objects.get(upstream_id=125)
    assert (service.name, service.environment, service.production) == ("ACME - BILLING - PROD", "PRODUCTION", True)
    assert Service.objects.count() == 12
    network = Network.objects.get(upstream_id=132)
    assert (network.area, network.region, network.listed_at is not None) == ("EB-QA", "EB", True)
    places = {area.name: [zone.name for zone in area.zones.all()] for area in Area.objects.all()}
    assert places == {"EB": ["EB-A", "EB-B", "EB-C"], "EB-QA": ["EB-A", "EB-B"], "ET": ["ET-A", "ET-B"]}
    assert set(Region.objects.values_list("name", flat=True)) == {"EB", "ET"}
    assert list(Sync.objects.order_by("name").values_list("name", "failed")) == [
        (name, "") for name in ("networks", "regions", "resources", "services")
    ]
    assert Sync.objects.filter(read_at=None).count() == 0
    assert not lists.lists_due()


def test_the_sweep_alone_reads_lists_that_nobody_ever_read(small: Sandbox, settings: Settings) -> None:
    reading = Reading(Nudger())
    reading.lists()
    assert (Sync.objects.count(), Cluster.objects.count()) == (4, 0)
    settings.SWEEP_PATIENCE_SECONDS = 0.0
    reading.lists()
    assert (Sync.objects.filter(read_at=None).count(), Cluster.objects.count()) == (0, 5)


def test_a_pass_begins_no_other_list_when_its_time_is_over(small: Sandbox) -> None:
    read = []
    for _ in range(4):
        lists.sync_lists(client(), seconds=0)
        read.append(Sync.objects.exclude(read_at=None).count())
    assert read == [1, 2, 3, 4]


def test_what_is_not_due_is_not_read(small: Sandbox) -> None:
    read_lists()
    small.stop()
    lists.sync_lists(client())
    assert Sync.objects.exclude(failed="").count() == 0


def test_clusters_are_noted_with_both_their_numbers(small: Sandbox) -> None:
    listed = {each["internalResourceId"]: each for each in Caller(small).clusters()}
    read_lists()
    read_lists()
    assert {row.upstream_id: (row.resource_id, row.name, row.status) for row in Cluster.objects.all()} == {
        number: (each["id"], each["name"], each["status"]) for number, each in listed.items()
    }
    services = {row.upstream_id: row.service and row.service.upstream_id for row in Cluster.objects.all()}
    assert services == {number: each["serviceId"] for number, each in listed.items()}


def test_a_cluster_is_read_from_its_own_address(small: Sandbox) -> None:
    read_lists()
    told = Caller(small).get(f"/databases/postgresql/{FIRST}")
    row = read()
    facts = (row.version, row.topology, row.sizing, row.storage, row.network_id, row.ip_address, row.trigram)
    names = ("version", "topology", "sizing", "storage", "networkId", "ipAddress", "trigram")
    assert facts == tuple(str(told[name]) if name == "version" else told.get(name) for name in names)
    assert (row.read_failed, row.wanted_at, row.read_at is not None) == ("", None, True)


def test_its_parts_are_read_and_replaced(small: Sandbox) -> None:
    read_lists()
    caller, address = Caller(small), f"/databases/postgresql/{FIRST}"
    for _ in range(2):
        row = read()
        assert [node.name for node in row.nodes.all()] == sorted(
            node["name"] for node in caller.get(f"{address}/nodes")
        )
        assert {each.name for each in row.databases.all()} == {
            each["name"] for each in caller.get(f"{address}/databases")
        }
        told = {each["name"] for each in caller.get(f"{address}/extensions")}
        assert {each.name for each in row.extensions.all()} == told
        assert row.attachments.count() == 1
        assert row.parts_read_at is not None


def test_a_cluster_that_cannot_be_read_keeps_what_is_known(small: Sandbox) -> None:
    read_lists()
    before = read()
    small.set_faults(answers(f"/databases/postgresql/{FIRST}", 403))
    row = read()
    assert (row.version, row.read_at, row.missed_at) == (before.version, before.read_at, None)
    assert row.read_failed == "ITCare does not allow the portal's account to do this."


def test_a_list_that_cannot_be_read_keeps_its_rows_and_the_others_go_on(small: Sandbox) -> None:
    read_lists()
    small.set_faults(answers("/networks", 403), answers("/compute/services", 404))
    Network.objects.filter(upstream_id=132).update(name="as it was")
    Cluster.objects.filter(upstream_id=FIRST).update(status="as it was")
    read_lists()
    failed = {row.name: row.failed for row in Sync.objects.exclude(failed="")}
    assert failed == {
        "networks": "ITCare does not allow the portal's account to do this.",
        "services": "ITCare does not know this resource.",
    }
    assert (Network.objects.get(upstream_id=132).name, Service.objects.count()) == ("as it was", 12)
    assert Cluster.objects.get(upstream_id=FIRST).status != "as it was"


@pytest.mark.parametrize("body", [envelope([], 0), envelope([], 5), {"content": []}])
def test_a_list_that_shrinks_marks_nothing_gone(small: Sandbox, body: dict[str, Any]) -> None:
    read_lists()
    small.set_faults({"match": RESOURCES, "fault": {"kind": "refuse", "status": 200, "body": body}})
    for _ in range(3):
        read_lists()
        waiting.read_waiting(client())
    assert Cluster.objects.filter(gone_at=None, missed_at=None).count() == 5


def test_a_cluster_is_gone_after_two_answers_some_time_apart(small: Sandbox) -> None:
    read_lists()
    caller = Caller(small)
    caller.ended(caller.call("DELETE", f"/databases/postgresql/{FIRST}").json()["id"])

    def look() -> Cluster:
        read_lists()
        assert Cluster.objects.filter(wanted_at__isnull=False, upstream_id=FIRST).count() == 1
        waiting.read_waiting(client())
        return Cluster.objects.get(upstream_id=FIRST)

    row = look()
    assert (row.gone_at, row.missed_at is not None) == (None, True)
    assert row.read_failed == "ITCare does not find it; it will be asked once more."
    # At once is not "some time apart".
    assert look().gone_at is None
    assert name_taken(row.name) != ""
    Cluster.objects.update(missed_at=Now() - reading.GONE_AFTER)
    row = look()
    assert (row.gone_at is not None, row.look.word, name_taken(row.name)) == (True, "Gone", "")
    # What is gone is not asked for any more.
    read_lists()
    assert not waiting.wanted().filter(pk=row.pk).exists()


def test_one_answer_that_it_does_not_exist_is_forgotten_when_it_is_found_again(small: Sandbox) -> None:
    read_lists()
    small.set_faults(answers(f"/databases/postgresql/{FIRST}$", 404, times=1))
    assert read().missed_at is not None
    assert (read().missed_at, read().read_failed) == (None, "")


def test_what_was_gone_and_is_listed_again_is_back(small: Sandbox) -> None:
    read_lists()
    Cluster.objects.update(gone_at=Now())
    read_lists()
    assert Cluster.objects.filter(gone_at=None).count() == 5


def test_only_some_are_read_in_one_pass_and_the_waiting_first(small: Sandbox) -> None:
    read_lists()
    wanted = Cluster.objects.order_by("-pk")[0]
    waiting.want([wanted.pk])
    assert waiting.read_waiting(client(), limit=1) == 1
    wanted.refresh_from_db()
    assert (wanted.read_at is not None, wanted.parts_read_at is not None) == (True, True)
    assert Cluster.objects.filter(read_at=None).count() == 4
    assert waiting.read_waiting(client()) == 4
    # Nobody waited for these: their parts are left for when somebody looks.
    assert Cluster.objects.filter(read_at__isnull=False, parts_read_at=None).count() == 4
    assert waiting.read_waiting(client()) == 0


def test_one_that_fails_is_not_tried_again_at_once(small: Sandbox) -> None:
    small.set_faults(answers(f"/databases/postgresql/{FIRST}", 403))
    read_lists()
    assert [waiting.read_waiting(client()) for _ in range(2)] == [5, 0]
    Cluster.objects.update(tried_at=Now() - waiting.RETRY_AFTER - timedelta(seconds=1))
    assert waiting.read_waiting(client()) == 1


def test_the_largest_number_that_is_understood_is_stored(small: Sandbox) -> None:
    networks = [{"id": number, "ipFreeNumber": 2**63 - 1} for number in (1, 2)]
    small.set_faults(answers("/networks", 200, envelope(networks, 2)))
    read_lists()
    assert list(Network.objects.values_list("free_addresses", flat=True)) == [2**63 - 1] * 2
    assert Sync.objects.exclude(failed="").count() == 0


def test_what_the_database_does_not_take_is_not_in_the_way_of_others(
    small: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_lists()
    Cluster.objects.update(status="as it was")
    waiting.want(list(Cluster.objects.values_list("pk", flat=True)))
    first = waiting.wanted()[0]
    networks = lists.read_networks

    def write(row: Cluster, told: dict[str, object], **marks: object) -> None:
        if row.pk == first.pk:
            raise DataError
        keep_cluster(row, told, **marks)

    def read_networks(itcare: Client) -> None:
        networks(itcare)
        raise DataError

    monkeypatch.setattr(reading, "keep_cluster", write)
    assert waiting.read_waiting(client()) == 5
    assert list(Cluster.objects.filter(status="as it was").values_list("pk", flat=True)) == [first.pk]
    monkeypatch.setattr(reading, "keep_cluster", keep_cluster)
    monkeypatch.setattr(lists, "read_networks", read_networks)
    read_lists()
    assert dict(Sync.objects.exclude(failed="").values_list("name", "failed")) == {
        "networks": "The portal could not keep what ITCare told."
    }
    assert not Cluster.objects.filter(status="as it was").exists()


def test_hostile_values_are_cut_and_nothing_breaks(small: Sandbox) -> None:
    read_lists()
    before = read()
    told = {
        "internalResourceId": FIRST,
        "name": "n" * 1000,
        "status": "\0<script>",
        "version": ["16"],
        "storage": 2**70,
        "comment": "c" * 100_000,
        "endOfSupportAt": "yesterday",
        "serviceId": "123",
    }
    small.set_faults(answers(f"/databases/postgresql/{FIRST}$", 200, told))
    row = read()
    assert (row.name, row.status) == ("n" * 200, "<script>")
    kept = ("version", "storage", "end_of_support_at", "service_id")
    assert [getattr(row, name) for name in kept] == [getattr(before, name) for name in kept]


def test_a_cluster_is_found_by_its_name_and_service(small: Sandbox) -> None:
    name, number = (Caller(small).clusters()[0][key] for key in ("name", "serviceId"))
    own, other = (Service.objects.create(upstream_id=each) for each in (number, 9999))
    assert resources.find(client(), name=name, service=other) is None
    found = resources.find(client(), name=name.upper(), service=own)
    assert found is not None
    assert (found.name, found.service, found.read_at is not None) == (name, own, True)
    assert resources.find(client(), name="nosuchname", service=None) is None


@pytest.mark.parametrize("without", ["services,networks,regions"])
def test_without_the_guessed_lists_clusters_name_their_services(start: Callable[..., Sandbox], without: str) -> None:
    start(without=without)
    read_lists()
    failed = Sync.objects.exclude(failed="").order_by("name").values_list("name", flat=True)
    assert list(failed) == ["networks", "regions", "services"]
    assert Cluster.objects.count() == 5
    assert Service.objects.filter(name="").count() == 0
    assert Service.objects.count() > 0
