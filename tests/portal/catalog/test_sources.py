"""Whose backup can be restored: few rows and queries however many clusters there are, of one's own services only."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.catalog.restore_form import MOST
from portal.changes.models import Change
from portal.inventory.models import Cluster, Service
from portal.operations import cancel
from portal.operations.models import Operation
from tests.browsing import Silent, signed_in
from tests.browsing import silent_itcare as silent_itcare  # noqa: PLC0414 - a fixture
from tests.cast import Cast, cluster
from tests.markup import at_field
from tests.portal.catalog.asking import Values, address, ago, ask, asked, opened
from tests.portal.catalog.test_not_now import menu

pytestmark = pytest.mark.django_db

SIZES = (MOST + 2, 6 * MOST)
# Queries of each step, and clusters that the largest of them brings.
PINNED = {
    "cluster": (13, 1),
    "form": (12, 51),
    "form with a mistake": (14, 51),
    "filed": (33, 51),
    "card": (14, 1),
    "approved": (33, 2),
}
NOTHING = "No cluster of this version in your services is active and backed up."
UNUSABLE = "This cluster's backup cannot be used: choose one from the list."
NOBODY = "No cluster of this name has a backup that can be used here."


def target(service: Service, **fields: object) -> Cluster:
    """A cluster over which a backup is restored, without one of its own."""
    now = datetime.now(UTC)
    return cluster(service, 99_999, **{"read_at": now, "parts_read_at": now, "backup_status": False, **fields})


def sources(service: Service, first: int, last: int) -> None:
    """Clusters whose backup fits, with these numbers."""
    for number in range(first, last):
        cluster(service, number, backup_status=True, read_at=datetime.now(UTC))


def values(number: int, **more: str) -> Values:
    """A form that chooses the cluster with that number."""
    return {"source_id": str(500_000_000 + number), "stop": "BEFORE", "timestamp": ago(hours=1), **more}


def offered(cast: Cast, row: Cluster) -> list[str]:
    """What the list of sources offers."""
    select = opened(cast.developer, address("restore", row)).page.one("select", name="source_id")
    return [option.text for option in select.all("option")][1:]


def refused(cast: Cast, row: Cluster, filled: Values) -> dict[str, str]:
    """What is said at the two fields of the source, of a form that is refused."""
    answer = ask(cast.developer, "restore", row, filled)
    assert (answer.status, Change.objects.count()) == (422, 0)
    said = {name: at_field(answer.page, name) for name in ("source_id", "source_name")}
    return {name: words for name, words in said.items() if words}


def most_rows(queries: CaptureQueriesContext) -> int:
    """The largest number of clusters that one of these queries brings."""
    found = [0]
    for query in queries.captured_queries:
        if re.match(r'SELECT .* FROM "inventory_cluster"', query["sql"]):
            with connection.cursor() as cursor:
                cursor.execute(query["sql"].replace("%", "%%"))
                found.append(len(cursor.fetchall()))
    return max(found)


def taken_by(cast: Cast, row: Cluster) -> dict[str, tuple[int, int]]:
    """How many queries each step of a restore takes, and how many clusters the largest of them brings."""
    developer, approver = signed_in(cast.developer), signed_in(cast.approver)
    filled = values(1, confirm_name=row.name, reason="A test needs it.", send="now")
    there = address("restore", row)

    steps: dict[str, tuple[int, Callable[[], Any]]] = {
        "cluster": (200, lambda: developer.get(row.get_absolute_url())),
        "form": (200, lambda: developer.get(there)),
        "form with a mistake": (422, lambda: developer.post(there, {**filled, "stop": ""})),
        "filed": (303, lambda: developer.post(there, {**filled, "form_token": str(uuid.uuid4())})),
        "card": (200, lambda: approver.get(cards[-1])),
        "approved": (303, lambda: approver.post(f"{cards[-1]}approve/", {"comment": ""})),
    }
    taken, cards = {}, [""]
    for name, (status, step) in steps.items():
        with CaptureQueriesContext(connection) as queries:
            answer = step()
        assert answer.status_code == status, name
        cards.append(answer.get("Location", cards[-1]))
        taken[name] = (len(queries), most_rows(queries))
    return taken


def test_neither_queries_nor_rows_grow_with_the_number_of_sources(cast: Cast, silent_itcare: Silent) -> None:
    row = target(cast.service, tried_at=datetime.now(UTC))
    # The first page that anybody opens asks more.
    opened(cast.developer, "/")
    sources(cast.service, 1, SIZES[0])
    few = taken_by(cast, row)
    cancel.cancel(Operation.objects.get(), cast.developer)
    sources(cast.service, SIZES[0], SIZES[1])
    assert taken_by(cast, row) == few
    assert few == PINNED
    assert len(offered(cast, row)) == MOST


def test_what_the_list_does_not_offer_is_named(cast: Cast, silent_itcare: Silent) -> None:
    row = target(cast.service, backup_status=True)
    sources(cast.service, 1, MOST)
    assert offered(cast, row)[:2] == [f"{row.name} itself", "cluster00001"]
    assert opened(cast.developer, address("restore", row)).page.all("input", name="source_name") == []
    sources(cast.service, MOST, MOST + 3)
    assert (len(offered(cast, row)), offered(cast, row)[-1]) == (MOST + 1, f"cluster{MOST:05}")
    assert len(opened(cast.developer, address("restore", row)).page.all("input", name="source_name")) == 1
    named = f"CLUSTER{MOST + 2:05}"
    either = "Choose a cluster from the list, or name another one, not both."
    assert refused(cast, row, values(1, source_name=named)) == {"source_name": either}
    assert refused(cast, row, values(1, source_id="", source_name="")) == {
        "source_id": "Choose the cluster whose backup is read."
    }
    assert refused(cast, row, values(1, source_id="", source_name="nothing")) == {"source_name": NOBODY}
    change = asked(cast.developer, "restore", row, values(1, source_id="", source_name=named))
    assert (change.parameters["source_id"], "source_name" in change.parameters) == (500_000_000 + MOST + 2, False)


def test_a_number_beyond_the_list_is_taken_and_stays_chosen(cast: Cast, silent_itcare: Silent) -> None:
    row = target(cast.service)
    sources(cast.service, 1, MOST + 3)
    beyond = values(MOST + 2)
    page = ask(cast.developer, "restore", row, {**beyond, "stop": ""}).page
    (chosen,) = [each for each in page.one("select", name="source_id").all("option") if "selected" in each.attributes]
    assert chosen.text == f"cluster{MOST + 2:05}"
    assert asked(cast.developer, "restore", row, beyond).parameters["source_id"] == 500_000_000 + MOST + 2


@pytest.mark.parametrize("number", ["x", "-1", "9" * 30, "9" * 5000, "1.5"])
def test_what_is_no_cluster_is_refused_at_its_field(cast: Cast, silent_itcare: Silent, number: str) -> None:
    row = target(cast.service)
    sources(cast.service, 1, 2)
    assert refused(cast, row, values(1, source_id=number)) == {"source_id": UNUSABLE}


def test_sources_of_other_teams_are_neither_offered_nor_told_of(cast: Cast, silent_itcare: Silent) -> None:
    row = target(cast.service)
    sources(cast.other_service, 1, MOST + 3)
    assert menu(cast, row)["Restore"] == NOTHING
    assert opened(cast.developer, address("restore", row)).notes == [f"This cannot be asked now. {NOTHING}"]
    # To the person nothing differs from when there are none.
    Cluster.objects.exclude(pk=row.pk).delete()
    assert menu(cast, row)["Restore"] == NOTHING
    sources(cast.service, 1, 2)
    sources(cast.other_service, 2, MOST + 3)
    assert menu(cast, row)["Restore"] == address("restore", row)
    assert offered(cast, row) == ["cluster00001"]
    assert opened(cast.developer, address("restore", row)).page.all("input", name="source_name") == []
    theirs = values(2, source_id="")
    assert refused(cast, row, values(2)) == {"source_id": UNUSABLE}
    sources(cast.service, MOST + 3, 2 * MOST + 4)
    assert refused(cast, row, {**theirs, "source_name": "cluster00002"}) == {"source_name": NOBODY}
