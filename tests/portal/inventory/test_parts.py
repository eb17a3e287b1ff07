"""Parts of a cluster are read each for itself: what goes wrong with one leaves the others fresh (API.md 7.5)."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DataError, connections, transaction
from django.db.backends.signals import connection_created
from django.db.models.functions import Now
from pytest_django import Settings

from portal.accounts.models import User
from portal.inventory import lists, reading
from portal.inventory.models import Cluster, Node, Part, PartName
from portal.inventory.parts import READERS, read_parts
from portal.inventory.refresh import refresh
from portal.operations import history
from portal.upstream.client import client
from portal.upstream.pause import hold
from tests.browsing import signed_in
from tests.markup import Page
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = 500_000_000
TOLD = [name for name in PartName if name != PartName.HISTORY]
# What the upstream does with one part, and what is said of it.
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "refuse", "status": 404}, "ITCare does not know this resource."),
    ({"kind": "refuse", "status": 500}, "ITCare is not available at the moment."),
    ({"kind": "refuse", "status": 200, "body": 7}, "ITCare gave an answer that the portal does not understand."),
    # Longer than the portal waits here; elsewhere it waits for half a minute.
    ({"kind": "late", "seconds": 5, "before": True}, "ITCare did not answer in time."),
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
    usual, before = settings.ITCARE_TOTAL_SECONDS, rows_of(known)
    for what, sentence in FAULTS:
        # Long enough for the other parts on a busy machine.
        settings.ITCARE_READ_SECONDS = settings.ITCARE_TOTAL_SECONDS = 2.5 if what["kind"] == "late" else usual
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


def notes_of(row: Cluster, part: str) -> list[str]:
    """What the part's page says beside what is known."""
    reader, _ = User.objects.get_or_create(email="reader@example.com", defaults={"is_support": True})
    page = Page.of(signed_in(reader).get(f"{row.get_absolute_url()}{part}/").content)
    return [note.text for note in page.one("section", aria_labelledby="part").with_class("note")]


def read_all(row: Cluster) -> None:
    """Read a cluster in a thread, as a worker does beside the pages."""
    try:
        reading.read_cluster(client(), row)
    finally:
        connections.close_all()


def test_one_that_hangs_for_half_a_minute_delays_no_other(small: Sandbox, known: Cluster) -> None:
    small.set_faults(fault("extensions", {"kind": "late", "seconds": 30, "before": True}))
    others = {name: name not in (PartName.EXTENSIONS, PartName.HISTORY) for name in PartName.values}
    before, started = rows_of(known), time.monotonic()
    with ThreadPoolExecutor(1) as worker:
        under_way = worker.submit(read_all, known)
        until(lambda: fresh(known) == others, seconds=10)
        assert not under_way.done()
        # Who opens the page meanwhile sees what there is, and starts no second reading beside the one that waits.
        known.refresh_from_db()
        assert not refresh(known)
        assert notes_of(known, "nodes") == []
        under_way.result(timeout=60)
    assert 19 < time.monotonic() - started < settings.ITCARE_TOTAL_SECONDS + 5
    assert (fresh(known), rows_of(known)) == (others, before)
    assert list(Part.objects.exclude(failed="").values_list("name", "failed")) == [
        ("extensions", "ITCare did not answer in time.")
    ]
    late = "The last reading failed: what is shown is from before. ITCare did not answer in time."
    assert {part: notes_of(known, part) for part in TOLD} == {
        part: [late] if part == PartName.EXTENSIONS else [] for part in TOLD
    }


def test_a_time_limit_of_the_worker_is_not_held_up_by_a_part_that_hangs(
    small: Sandbox, known: Cluster, settings: Settings
) -> None:
    small.set_faults(fault("extensions", {"kind": "late", "seconds": 5, "before": True}))
    settings.ITCARE_READ_SECONDS = settings.ITCARE_TOTAL_SECONDS = 4.0

    def limit(*_: object) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, limit)
    started = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    try:
        with pytest.raises(SoftTimeLimitExceeded):
            reading.read_cluster(client(), known)
        assert time.monotonic() - started < 3.5
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("part")])
    others = {name: name not in (PartName.EXTENSIONS, PartName.HISTORY) for name in PartName.values}
    assert (fresh(known), Part.objects.exclude(failed="").count()) == (others, 0)


def test_parts_are_asked_for_over_no_connection_to_the_database_but_one(small: Sandbox, known: Cluster) -> None:
    made: list[object] = []

    def note(**_: object) -> None:
        made.append(threading.current_thread().name)

    connection_created.connect(note)
    try:
        reading.read_cluster(client(), known)
        assert (made, fresh(known)) == ([], {name: name != PartName.HISTORY for name in PartName.values})
        # Who is refused asks for another token, which is in the database.
        Part.objects.update(read_at=Now() - timedelta(hours=1))
        small.set_faults({**fault("nodes", {"kind": "refuse", "status": 401}), "times": 1})
        read_parts(client(), known)
    finally:
        connection_created.disconnect(note)
    assert made != []
    assert fresh(known) == {name: name != PartName.HISTORY for name in PartName.values}


def test_a_pause_is_told_of_each_part(small: Sandbox, known: Cluster) -> None:
    hold("ITCare asks for a rest.", seconds=60)
    read_parts(client(), known)
    assert dict(Part.objects.values_list("name", "failed")) == {
        name: "" if name == PartName.HISTORY else "ITCare asks for a rest." for name in PartName.values
    }


def test_no_part_is_asked_for_within_a_transaction(small: Sandbox, known: Cluster) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        read_parts(client(), known)
    assert fresh(known) == dict.fromkeys(PartName.values, False)


def test_a_part_that_cannot_be_written_down_leaves_the_others_fresh(
    small: Sandbox, known: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise DataError

    monkeypatch.setattr(Node.objects, "bulk_create", refuse)
    before = rows_of(known)
    read(known)
    assert fresh(known) == {name: name != PartName.NODES for name in PartName.values}
    assert rows_of(known) == before
    assert Part.objects.get(name=PartName.NODES).failed == "The portal could not keep what ITCare told."
