"""What the page of a cluster says when ITCare answers one of its parts with 404, 500, nothing, or too late."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from pytest_django import Settings

from portal.home.cluster_page import PARTS
from portal.inventory import reading
from portal.inventory.models import Attachment, Cluster, Database, Extension, Node, Part
from portal.operations import history
from portal.operations.models import Action
from portal.upstream.client import client
from tests.browsing import signed_in
from tests.cast import Cast
from tests.markup import Element, Page
from tests.portal.catalog.asking import TARGET, placed
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

# What ITCare does, by a word. The portal waits for two and a half seconds here, for half a minute in use.
FAULTS: Final[Mapping[str, dict[str, Any]]] = {
    "404": {"kind": "refuse", "status": 404},
    "500": {"kind": "refuse", "status": 500},
    "empty": {"kind": "empty"},
    "late": {"kind": "late", "seconds": 5, "before": True},
}
WHY: Final = {
    "404": "ITCare does not know this resource.",
    "500": "ITCare is not available at the moment.",
    "late": "ITCare did not answer in time.",
}
# An overview has no empty state: without a body there is no cluster.
WHY_OVERVIEW: Final = {
    **WHY,
    "404": "ITCare does not find it; it will be asked once more.",
    "empty": "ITCare gave an answer that the portal does not understand.",
}
# What is said of a part that holds nothing, and where something is known, what is shown of it.
EMPTY: Final = {
    "nodes": "No nodes",
    "databases": "No databases",
    "extensions": "No extensions",
    "networks": "No network",
    "versions": "No later version",
    "history": "No history",
}
SHOWN: Final = {
    "nodes": f"PG{TARGET}01",
    "databases": "app",
    "extensions": "ext1",
    "networks": "EB",
    "versions": "PostgreSQL 17 is offered as an upgrade",
    "history": "Not started here",
}


@pytest.fixture
def shown(cast: Cast, upstream: Sandbox, settings: Settings) -> Cluster:
    """A cluster of which every part holds something, and on which something was done elsewhere; read with all parts."""
    row = placed(upstream, cast.service, TARGET, name="target01", databases=["app"], offered=["ext1"])
    caller = Caller(upstream)
    caller.ended(caller.call("PATCH", f"/databases/postgresql/{TARGET}", {"operation": "stop"}).json()["id"])
    read(row)
    settings.ITCARE_READ_SECONDS = settings.ITCARE_TOTAL_SECONDS = 2.5
    return row


def read(row: Cluster) -> None:
    reading.read_cluster(client(), Cluster.objects.get(pk=row.pk))
    history.read(client(), row)


def read_with(upstream: Sandbox, row: Cluster, part: str, fault: str) -> None:
    """Read all parts of the cluster while one of them goes wrong."""
    address = f"/databases/postgresql/{TARGET}"
    paths = {"overview": f"{address}$", "history": "/actions"}
    match = {"method": "GET", "path": paths.get(part, f"{address}/{part}$")}
    upstream.set_faults({"match": match, "fault": FAULTS[fault]})
    read(row)
    upstream.set_faults()


def forget(row: Cluster, part: str) -> None:
    """As if the part had never been read."""
    Part.objects.filter(cluster=row, name=part).delete()
    for model in (Node, Database, Extension, Attachment):
        model._default_manager.filter(cluster=row).delete()
    Action.objects.all().delete()
    Cluster.objects.filter(pk=row.pk).update(offered_versions=[])


def page_of(cast: Cast, row: Cluster, part: str) -> Element:
    answer = signed_in(cast.developer).get(row.get_absolute_url() + ("" if part == "overview" else f"{part}/"))
    assert answer.status_code == 200
    return Page.of(answer.content).one(id="live")


def told(page: Element) -> tuple[list[str], list[str], str]:
    """What the part says in notes, the title where it is empty, and all of it below its age."""
    section = page.one("section", aria_labelledby="part")
    notes = [each.text for each in section.with_class("note")]
    empty = [each.one("h2").text for each in section.with_class("empty")]
    return notes, empty, section.text.removeprefix(section.one("header").text)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_says_what_is_wrong_and_shows_what_was_known(
    cast: Cast, upstream: Sandbox, shown: Cluster, part: str
) -> None:
    whole = {each: told(page_of(cast, shown, each)) for each in PARTS}
    assert {each: (notes, empty, SHOWN[each] in text) for each, (notes, empty, text) in whole.items()} == dict.fromkeys(
        PARTS, ([], [], True)
    )
    for fault in FAULTS:
        # That no action is named at all is no news, and no list either.
        why = history.INCOMPLETE if (part, fault) == ("history", "empty") else WHY.get(fault)
        read_with(upstream, shown, part, fault)
        notes, empty, text = told(page_of(cast, shown, part))
        if why:
            assert notes == [f"The last reading failed: what is shown is from before. {why}"]
            assert (empty, SHOWN[part] in text) == ([], True)
        else:
            assert (notes, empty, SHOWN[part] in text) == ([], [EMPTY[part]], False)
        forget(shown, part)
        read_with(upstream, shown, part, fault)
        notes, empty, _ = told(page_of(cast, shown, part))
        if why:
            assert (notes, empty) == ([f"ITCare could not be asked about this yet. {why}"], ["Not known"])
        else:
            assert (notes, empty) == ([], [EMPTY[part]])
        read(shown)
        assert told(page_of(cast, shown, part)) == whole[part]
    read_with(upstream, shown, part, "late")
    assert {each: told(page_of(cast, shown, each)) for each in PARTS if each != part} == {
        each: what for each, what in whole.items() if each != part
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_the_overview_says_what_is_wrong_and_shows_what_was_known(
    cast: Cast, upstream: Sandbox, shown: Cluster, fault: str
) -> None:
    before = page_of(cast, shown, "overview")
    read_with(upstream, shown, "overview", fault)
    page = page_of(cast, shown, "overview")
    failed = f"The last reading failed: {WHY_OVERVIEW[fault]}"
    assert [each.text.split(" Read ")[0] for each in page.with_class("soft") if failed in each.text] == [failed]
    assert page.one("section", aria_labelledby="facts").text == before.one("section", aria_labelledby="facts").text
    # One that is in the list and was never read.
    Cluster.objects.filter(pk=shown.pk).update(read_at=None, version="", url="", missed_at=None, read_failed="")
    read_with(upstream, shown, "overview", fault)
    page = page_of(cast, shown, "overview")
    never = f"{failed} Not read yet: ITCare is being asked"
    assert [each.text for each in page.with_class("soft") if failed in each.text] == [never]
    connect = page.one("section", aria_labelledby="connect")
    assert [each.one("h2").text for each in connect.with_class("empty")] == ["No host known"]
