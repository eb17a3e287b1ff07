"""The page of one cluster, part by part: what is told, how old it is, what is said where nothing is known."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal.home.cluster_page import PARTS
from portal.home.past import PAGE_SIZE
from portal.inventory.models import Attachment, Cluster, Database, Extension, Node, Part
from portal.operations import heartbeat, history
from portal.operations.models import Action, ActionMessage, Operation
from portal.operations.states import State
from portal.upstream.client import client
from portal.upstream.models import Token
from tests.browsing import signed_in
from tests.cast import Cast, cluster, queued
from tests.markup import Element, Page
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

HOST = "newpostgre01.pg.cegedim.cloud"
EMPTY = {
    "nodes": "No nodes",
    "databases": "No databases",
    "extensions": "No extensions",
    "networks": "No network",
    "versions": "No later version",
    "history": "No history",
}


def page_of(cast: Cast, address: str) -> Element:
    answer = signed_in(cast.developer).get(address)
    assert answer.status_code == 200
    return Page.of(answer.content).one("main")


def read_cluster(cast: Cast, **fields: object) -> Cluster:
    """A cluster that was read just now."""
    now = timezone.now()
    return cluster(cast.service, 1, **{"read_at": now, "tried_at": now, "parts_read_at": now, **fields})


def facts_of(page: Element, group: str) -> dict[str, str]:
    found = page.one("section", aria_label=group)
    return dict(zip((dt.text for dt in found.all("dt")), (dd.text for dd in found.all("dd")), strict=True))


def test_the_overview_groups_what_is_told_and_leaves_out_what_is_not(cast: Cast) -> None:
    at = timezone.now().replace(year=2024, month=3, day=5)
    shown = read_cluster(
        cast, released_at=at, cpu=2, ram=4, url=HOST, tls_enabled=True, backup_status=False, allowed_replication_lag=10
    )
    page = page_of(cast, shown.get_absolute_url())
    assert facts_of(page, "Version and support") == {"Version": "PostgreSQL 16", "Released": "5 Mar 2024"}
    assert facts_of(page, "Size") == {
        "Size": "2cpu4gb",
        "CPU": "2",
        "Memory": "4 GB",
        "Disk of each data node": "40 GB",
    }
    assert facts_of(page, "Network") == {"Host": HOST, "TLS": "on"}
    assert facts_of(page, "Backup") == {"Backed up": "no"}
    assert page.all("section", aria_label="Patching") == []
    assert facts_of(page, "Replication") == {"Topology": "Standalone", "Allowed lag": "10 MB"}
    assert page.all("section", aria_label="Monitoring") == []
    assert page.all("section", aria_label="Place") == []


def test_the_overview_tells_that_support_has_ended(cast: Cast) -> None:
    at = timezone.now().replace(year=2024, month=3, day=5)
    page = page_of(cast, read_cluster(cast, end_of_support_at=at).get_absolute_url())
    assert facts_of(page, "Version and support") == {
        "Version": "PostgreSQL 16",
        "Supported until": "5 Mar 2024",
        "Support now": "Ended : This version is no longer supported: plan an upgrade.",
    }


def test_the_overview_tells_patching_and_backup_where_itcare_does(cast: Cast) -> None:
    at = timezone.now().replace(year=2024, month=3, day=5)
    told = {"patch_group": "2", "patched_at": at, "patch_tag": "2024-Q1", "exclusion_reason": "<b>Ours"}
    backup = {"backup_system": "pgBackRest", "backup_type": "FULL", "backup_at": at, "backup_policies": "Daily, Weekly"}
    shown = read_cluster(cast, backup_status=True, patch_excluded=True, **told, **backup)
    page = page_of(cast, shown.get_absolute_url())
    assert facts_of(page, "Patching") == {
        "Patching": "left out",
        "Why it is left out": "<b>Ours",
        "Patch group": "2",
        "Patched": "5 Mar 2024",
        "Patch tag": "2024-Q1",
    }
    assert facts_of(page, "Backup") == {
        "Backed up": "yes",
        "Last backup": "5 Mar 2024",
        "System": "pgBackRest",
        "Type": "FULL",
        "Policies": "Daily, Weekly",
    }


def test_the_menu_of_changes_is_open_for_who_comes_from_another_part(cast: Cast) -> None:
    shown = read_cluster(cast)
    browser = signed_in(cast.developer)
    part = Page.of(browser.get(f"{shown.get_absolute_url()}nodes/").content)
    (link,) = [each.attributes["href"] for each in part.one("main").all("a") if each.text == "Ask for a change"]
    assert urlsplit(link).fragment == "asks"
    for address, opened in ((link, True), (shown.get_absolute_url(), False)):
        page = Page.of(browser.get(address).content)
        assert ("open" in page.one("details", id="asks").attributes) == opened


def test_a_network_tells_how_full_it_is(cast: Cast) -> None:
    shown = read_cluster(cast)
    told = {"description": "<i>Backend", "free_addresses": 0, "used_percent": 100, "scope": "private"}
    Attachment.objects.create(cluster=shown, name="a", **told, is_public=True, is_default=True)
    Attachment.objects.create(cluster=shown, name="b")
    rows = page_of(cast, f"{shown.get_absolute_url()}networks/").one("tbody").all("tr")
    full, unknown = ([cell.text for cell in row.all("td")] for row in rows)
    assert (full[0], full[3], full[5]) == ("a <i>Backend", "0 100% used", "private public range default network")
    assert (unknown[0], unknown[3], unknown[5]) == ("b", "", "")


@pytest.mark.parametrize(("link", "clickable"), [("https://metrology.example.com/x", True), ("javascript:x", False)])
def test_measurements_are_linked_where_they_are_a_web_page(cast: Cast, link: str, clickable: bool) -> None:  # noqa: FBT001 - the table's
    shown = read_cluster(cast, monitoring_requested=True, metrology_url=link)
    page = page_of(cast, shown.get_absolute_url())
    assert len(page.all("a", href=link)) == clickable


@pytest.mark.parametrize("tls", [True, False, None])
def test_lines_to_connect_are_offered_with_tls_where_it_is_on(cast: Cast, tls: bool | None) -> None:  # noqa: FBT001 - the table's
    page = page_of(cast, read_cluster(cast, url=HOST, tls_enabled=tls).get_absolute_url())
    texts = {each.attributes["aria-label"]: "".join(map(str, each.inside)) for each in page.all("pre")}
    mode = "verify-full" if tls else "prefer"
    assert texts["psql"] == f'psql "host={HOST} port=5432 dbname=postgres sslmode={mode}"'
    root = "&sslrootcert=root.crt" if tls else ""
    assert texts["Java, JDBC"] == f"jdbc:postgresql://{HOST}:5432/postgres?sslmode={mode}{root}"
    python, node = texts["Python, psycopg"], texts["Node.js, pg"]
    compile(python, "snippet", "exec")
    assert f'"host={HOST} port=5432 dbname=postgres sslmode={mode}",' in python
    assert ("root.crt" in python, "ca: readFileSync" in node) == (bool(tls), bool(tls))
    shown = page.one("section", aria_labelledby="connect")
    assert [dd.text for dd in shown.all("dd")] == [HOST, "5432", "postgres"]


@pytest.mark.parametrize("part", PARTS)
def test_each_part_says_how_old_it_is_and_when_there_is_nothing(cast: Cast, part: str) -> None:
    shown = read_cluster(cast)
    address = f"{shown.get_absolute_url()}{part}/"
    row = Part.objects.create(cluster=shown, name=part, read_at=timezone.now() - timedelta(hours=3))
    page = page_of(cast, address)
    assert "read 3 h ago" in page.one("section", aria_labelledby="part").text
    assert page.with_class("empty")[0].one("h2").text == EMPTY[part]
    assert page.one(id="live").with_class("note") == []
    (here,) = [link for link in page.one("nav").all("a") if "aria-current" in link.attributes]
    assert here.attributes["href"] == address
    row.failed = "ITCare <did> not answer."
    row.save()
    page = page_of(cast, address)
    assert "The last reading failed: what is shown is from before. ITCare <did> not answer." in page.text
    assert "read 3 h ago" in page.text
    row.read_at = None
    row.save()
    page = page_of(cast, address)
    assert "ITCare could not be asked about this yet. ITCare <did> not answer." in page.text
    assert page.with_class("empty")[0].one("h2").text == "Not known"


def test_a_part_that_failed_still_shows_what_was_known(cast: Cast) -> None:
    shown = read_cluster(cast)
    Node.objects.create(cluster=shown, name="node01", status="ACTIVE")
    Part.objects.create(cluster=shown, name="nodes", read_at=timezone.now(), failed="It is broken.")
    page = page_of(cast, f"{shown.get_absolute_url()}nodes/")
    assert (page.one("td", class_="plain").text.startswith("Active"), "node01" in page.text) == (True, True)


def test_versions_are_those_above_its_own(cast: Cast) -> None:
    shown = read_cluster(cast, version="15.4", offered_versions=[14, 15, 16, 17])
    page = page_of(cast, f"{shown.get_absolute_url()}versions/")
    told = [line.text for line in page.one("section", aria_labelledby="part").all("li")]
    assert told == [f"PostgreSQL {version} is offered as an upgrade" for version in (16, 17)]


def test_extensions_warn_of_a_restart(cast: Cast) -> None:
    shown = read_cluster(cast)
    Extension.objects.create(cluster=shown, name="hstore", requires_restarting=False)
    Extension.objects.create(cluster=shown, name="pg_cron", requires_restarting=True)
    page = page_of(cast, f"{shown.get_absolute_url()}extensions/")
    warned = [row.all("td")[0].text for row in page.all("tr")[1:] if row.with_class("status")]
    assert warned == ["pg_cron"]


@pytest.mark.parametrize("part", ["overview", *PARTS])
def test_a_part_refreshes_itself_without_inputs_and_comes_anew_when_it_was_read(cast: Cast, part: str) -> None:
    shown = read_cluster(cast)
    browser = signed_in(cast.developer)
    address = shown.get_absolute_url() + ("" if part == "overview" else f"{part}/")
    live = Page.of(browser.get(address).content).one(id="live")
    assert live.attributes["hx-get"].startswith(f"{address}?seen=")
    assert not [tag for tag in ("input", "select", "textarea", "form") if live.all(tag)]
    poll = live.attributes["hx-get"]
    assert browser.get(poll, headers={"HX-Request": "true"}).status_code == 204
    Part.objects.create(cluster=shown, name="nodes" if part == "overview" else part, read_at=timezone.now())
    answer = browser.get(poll, headers={"HX-Request": "true"})
    assert (answer.status_code, Page.of(answer.content).all("html")) == (200, [])


def test_what_is_gone_asks_no_more_and_offers_nothing(cast: Cast) -> None:
    shown = read_cluster(cast, gone_at=timezone.now())
    Database.objects.create(cluster=shown, name="orders")
    for part in ("", "databases/"):
        page = page_of(cast, f"{shown.get_absolute_url()}{part}")
        assert [each for each in page.all() if "hx-get" in each.attributes] == []
        assert "Ask for a change" not in page.text
    assert "orders" in page.text


def test_another_address_below_a_cluster_is_none(cast: Cast) -> None:
    shown = read_cluster(cast)
    assert signed_in(cast.developer).get(f"{shown.get_absolute_url()}backups/").status_code == 404


def lines(page: Element) -> list[str]:
    return [line.text for line in page.one("section", aria_labelledby="part").all("li")]


def test_the_history_holds_what_was_done_elsewhere_marked_so(cast: Cast) -> None:
    shown, now = read_cluster(cast), timezone.now()
    ours = queued(cast.developer, cast.approver)
    Operation.objects.update(cluster=shown, upstream_action_id=7)
    Action.objects.create(upstream_id=7, operation=ours, cluster=shown, submitted_at=now)
    for number, days in ((8, 2), (9, -1)):
        action = Action.objects.create(
            upstream_id=number,
            cluster=shown,
            status="SUCCESS",
            submitted_at=now - timedelta(days=days),
            submitted_by="jdoe",
        )
        ActionMessage.objects.create(action=action, text=f"Did {number}")
    Action.objects.create(upstream_id=10, cluster=cluster(cast.service, 2), submitted_at=now)
    told = lines(page_of(cast, f"{shown.get_absolute_url()}history/"))
    assert [line.partition(",")[0] for line in told] == [
        "Did 9 Not started here: action 9 by jdoe",
        f"{ours.title} developer@example.com",
        "Did 8 Not started here: action 8 by jdoe",
    ]


def test_what_may_be_our_own_is_not_called_foreign_before_that_is_settled(cast: Cast) -> None:
    shown = read_cluster(cast)
    queued(cast.developer, cast.approver)
    Operation.objects.update(cluster=shown, queued_at=timezone.now() - timedelta(hours=1))
    for number, hours in ((7, 0), (8, 2)):
        Action.objects.create(upstream_id=number, cluster=shown, seen_at=timezone.now() - timedelta(hours=hours))
    assert list(history.foreign(shown).values_list("upstream_id", flat=True)) == [8]
    Operation.objects.update(upstream_action_id=9)
    assert list(history.foreign(shown).values_list("upstream_id", flat=True)) == [8, 7]


def test_the_whole_history_can_be_walked_even_where_all_happened_at_once(cast: Cast) -> None:
    shown, now = read_cluster(cast), timezone.now()
    for number in range(2 * PAGE_SIZE + 5):
        at = now - timedelta(hours=number // 40)
        Action.objects.create(upstream_id=number + 1, cluster=shown, submitted_at=at, process=f"work{number}")
    browser, address, seen = signed_in(cast.developer), f"{shown.get_absolute_url()}history/", []
    query = ""
    while True:
        page = Page.of(browser.get(address + query).content).one("main")
        seen += [line.split()[0] for line in lines(page)]
        following = page.all("a", rel="next")
        if not following:
            break
        query = following[0].attributes["href"]
    assert len(seen) == len(set(seen)) == 2 * PAGE_SIZE + 5


@pytest.mark.parametrize("after", ["x", "2024-01-01", "2024-99-01T00:00:00Z~1~1", "~~", "2024-01-01T00:00:00Z~7~1"])
def test_a_forged_place_in_the_history_is_its_start(cast: Cast, after: str) -> None:
    shown = read_cluster(cast)
    Action.objects.create(upstream_id=1, cluster=shown, process="work")
    assert lines(page_of(cast, f"{shown.get_absolute_url()}history/?after={after}"))[0].startswith("work")


@pytest.mark.django_db(transaction=True)
def test_actions_that_others_started_are_found_at_itcare_and_ours_are_not(cast: Cast, upstream: Sandbox) -> None:
    caller = Caller(upstream)
    first, second = caller.clusters()[:2]
    for each in (first, second):
        caller.ended(
            caller.call("PATCH", f"/databases/postgresql/{each['internalResourceId']}", {"operation": "stop"}).json()[
                "id"
            ]
        )
    shown = cluster(cast.service, 1, upstream_id=first["internalResourceId"], name=first["name"].upper())
    history.read(client(), shown)
    actions = Action.objects.filter(cluster=shown)
    assert {row.resource_name for row in actions} == {first["name"]}
    assert Action.objects.exclude(cluster=shown).count() == 0
    newest = actions.first()
    assert newest is not None
    number = newest.upstream_id
    Action.objects.all().delete()
    queued(cast.developer, cast.approver)
    Operation.objects.update(upstream_action_id=number, state=State.RUNNING, last_proof="accepted", password=None)
    history.read(client(), shown)
    assert not Action.objects.filter(upstream_id=number).exists()


def test_an_opening_that_asks_for_a_reading_stays_under_fifteen_queries(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for process in (heartbeat.SWEEP, heartbeat.WORKER):
        heartbeat.beat(process)
    # As it is in use: ITCare has been asked, and the cluster's own backup cannot be restored.
    Token.objects.create(id=1)
    old = timezone.now() - timedelta(hours=1)
    row = cluster(cast.service, 1, read_at=old, tried_at=old, parts_read_at=old, backup_status=False)
    Extension.objects.create(cluster=row, name="hstore")
    Database.objects.create(cluster=row, name="postgres")
    browser = signed_in(cast.developer)
    with django_assert_num_queries(14):
        assert browser.get(row.get_absolute_url()).status_code == 200
    row.refresh_from_db()
    assert row.wanted_at is not None
