"""Parts of a cluster are read each for itself: what goes wrong with one leaves the others fresh (API.md 7.5)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from portal.inventory import lists, reading
from portal.inventory.models import Cluster, Part, PartName
from portal.inventory.parts import READERS, read_parts
from portal.operations import history
from portal.upstream.client import client
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = 500_000_000
TOLD = [name for name in PartName if name != PartName.HISTORY]
# What the upstream does with one part, and what is said of it.
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "refuse", "status": 404}, "ITCare does not know this resource."),
    ({"kind": "refuse", "status": 500}, "ITCare is not available at the moment."),
    ({"kind": "refuse", "status": 200, "body": 7}, "ITCare gave an answer that the portal does not understand."),
    # The portal waits for a second here, for half a minute elsewhere.
    ({"kind": "late", "seconds": 5, "before": True}, "ITCare does not answer."),
]


def fault(part: str, what: dict[str, Any]) -> dict[str, Any]:
    path = "/actions" if part == "history" else f"/databases/postgresql/{FIRST}/{part}$"
    return {"match": {"method": "GET", "path": path}, "fault": what}


@pytest.fixture
def known(small: Sandbox) -> Cluster:
    """A cluster that has been read with all its parts, an hour ago."""
    lists.sync_lists(client())
    row = Cluster.objects.get(upstream_id=FIRST)
    read(row)
    Part.objects.update(read_at=Now() - timedelta(hours=1))
    return row


def read(row: Cluster) -> None:
    reading.read_cluster(client(), row)
    history.read(client(), row)


def rows_of(row: Cluster) -> dict[str, list[str]]:
    """What is known of each part, without the numbers of rows."""
    related: dict[str, Any] = {
        "nodes": row.nodes,
        "databases": row.databases,
        "extensions": row.extensions,
        "networks": row.attachments,
    }
    found = {name: sorted(str(each) for each in rows.all()) for name, rows in related.items()}
    versions = Cluster.objects.values_list("offered_versions", flat=True).get(pk=row.pk)
    return {**found, "versions": [str(each) for each in versions]}


def fresh(row: Cluster) -> dict[str, bool]:
    """Which parts were read lately."""
    lately = Part.objects.filter(cluster=row, read_at__gte=Now() - timedelta(minutes=30))
    return {name: name in set(lately.values_list("name", flat=True)) for name in PartName.values}


def test_each_part_is_read_with_its_time(known: Cluster) -> None:
    assert fresh(known) == dict.fromkeys(PartName.values, False)
    read(known)
    assert fresh(known) == dict.fromkeys(PartName.values, True)
    assert all(rows_of(known)[name] for name in READERS)
    assert Part.objects.filter(cluster=known).exclude(failed="").count() == 0
    assert Part.objects.filter(cluster=known).count() == len(PartName)


@pytest.mark.parametrize("part", PartName.values)
def test_a_part_that_goes_wrong_keeps_its_rows_and_leaves_the_others_fresh(
    small: Sandbox, known: Cluster, settings: Settings, part: str
) -> None:
    settings.ITCARE_READ_SECONDS = settings.ITCARE_TOTAL_SECONDS = 1.0
    before = rows_of(known)
    for what, sentence in FAULTS:
        Part.objects.update(read_at=Now() - timedelta(hours=1))
        small.set_faults(fault(part, what))
        read(known)
        assert fresh(known) == {name: name != part for name in PartName.values}, what
        assert rows_of(known) == before
        said = history.INCOMPLETE if part == "history" and "body" in what else sentence
        assert list(Part.objects.exclude(failed="").values_list("name", "failed")) == [(part, said)]
    known.refresh_from_db()
    assert (known.read_failed, known.parts_read_at is not None) == ("", True)
    small.set_faults()
    read(known)
    assert fresh(known) == dict.fromkeys(PartName.values, True)
    assert Part.objects.exclude(failed="").count() == 0


@pytest.mark.parametrize("part", TOLD)
def test_an_empty_body_is_an_empty_part(small: Sandbox, known: Cluster, part: str) -> None:
    before = rows_of(known)
    small.set_faults(fault(part, {"kind": "empty"}))
    read(known)
    assert rows_of(known) == {**before, part: []}
    assert fresh(known) == dict.fromkeys(PartName.values, True)


@pytest.mark.parametrize("status", [403, 500])
def test_parts_are_read_although_the_cluster_itself_could_not_be(small: Sandbox, known: Cluster, status: int) -> None:
    small.set_faults(
        {
            "match": {"method": "GET", "path": f"/databases/postgresql/{FIRST}$"},
            "fault": {"kind": "refuse", "status": status},
        }
    )
    read(known)
    known.refresh_from_db()
    assert known.read_failed != ""
    assert fresh(known) == dict.fromkeys(PartName.values, True)


def test_nothing_more_is_asked_where_nobody_answers(small: Sandbox, known: Cluster) -> None:
    small.stop()
    reading.read_cluster(client(), known)
    assert Part.objects.exclude(failed="").count() == 0
    assert fresh(known) == dict.fromkeys(PartName.values, False)


def test_what_failed_is_read_last_the_next_time(known: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    Part.objects.filter(name=PartName.NODES).update(failed="It took too long.")
    order: list[str] = []

    def noted(name: str, reader: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any) -> Any:  # noqa: ANN401 - as the reader
            order.append(name)
            return reader(*args)

        return wrapped

    monkeypatch.setattr("portal.inventory.parts.READERS", {name: noted(name, READERS[name]) for name in READERS})
    read_parts(client(), known)
    assert order == ["databases", "extensions", "networks", "nodes"]
