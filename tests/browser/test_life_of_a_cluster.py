"""One cluster through all that can be asked of it, in real browsers: its page tells each step without a reload."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from portal.catalog.kinds import KINDS
from portal.inventory.models import Cluster
from portal.operations.models import Operation
from portal.operations.states import State
from tests import sandbox_server
from tests.browser.conftest import SignIn
from tests.browser.steps import ask, assert_not_reloaded, mark
from tests.cast import Cast
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.browser

NAME = "newpostgre01"
Fill = Callable[[Page], object]


@pytest.fixture
def upstream(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Sandbox]:
    """Run a stand-in that is quick, but can be watched."""
    with sandbox_server.start(tmp_path_factory.mktemp("sandbox"), speed=25) as server:
        yield server


def a_moment_ago() -> str:
    return (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")


def in_a_patch_group(tab: Page) -> None:
    tab.locator("[name=patch_group]").select_option("2")


def with_extension(tab: Page) -> None:
    tab.locator("[name=dbname]").select_option("postgres")
    tab.get_by_role("checkbox").first.check()


def with_backup(tab: Page) -> None:
    tab.locator("[name=source_id]").select_option(index=1)
    tab.get_by_label("Time zone of this moment").select_option(label="UTC")
    tab.locator("[name=timestamp]").fill(a_moment_ago())


# What is asked in turn, how its form is filled in, and what the cluster's page says while and when it is done.
STEPS: list[tuple[str, Fill, str]] = [
    ("resize", lambda tab: tab.locator("[name=sizing]").select_option("4cpu8gb"), "ACTIVE"),
    # While it has one node: later there is no group to choose.
    ("update_patch_party", in_a_patch_group, "ACTIVE"),
    ("enable_ha", lambda _: None, "ACTIVE"),
    ("upgrade", lambda tab: tab.locator("[name=target_version]").select_option("17"), "ACTIVE"),
    ("install_extension", with_extension, "ACTIVE"),
    ("restore", with_backup, "ACTIVE"),
    ("stop", lambda _: None, "INACTIVE"),
    ("start", lambda _: None, "ACTIVE"),
    ("delete", lambda _: None, "gone"),
]


def change(developer: Page, approver: Page, cluster: Cluster, kind: str, fill: Fill) -> None:
    """Ask for it and agree to it."""
    developer.goto(f"/requests/new/{kind}/?cluster={cluster.pk}")
    fill(developer)
    if developer.locator("[name=confirm_name]").count():
        developer.locator("[name=confirm_name]").fill(NAME)
    developer.locator("[name=reason]").fill(f"Because of {kind}.")
    developer.get_by_role("button", name="Check and go on").click()
    developer.get_by_role("button", name="Ask for it").click()
    expect(developer.locator("#live")).to_have_attribute("data-state", "pending")
    approve(approver, developer.url)


def approve(approver: Page, address: str) -> None:
    approver.goto(address)
    approver.get_by_role("button", name="Approve").click()
    expect(approver.locator("#operation-status")).to_contain_text("Succeeded")


def test_one_cluster_lives_its_whole_life(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox, browser_of: SignIn, said: list[str]
) -> None:
    portal.start_web()
    portal.start_worker()
    portal.start_sweep()
    developer, approver, support = (browser_of(who, portal.address) for who in ("developer", "approver", "support"))
    ask(developer, name=NAME)
    approve(approver, developer.url)
    cluster = Cluster.objects.get(name=NAME)
    support.goto(cluster.get_absolute_url())
    mark(support)
    for kind, fill, leaves in STEPS:
        change(developer, approver, cluster, kind, fill)
        if leaves == "gone":
            expect(support.locator("#cluster-status")).to_contain_text("Gone")
        else:
            expect(support.locator("#live")).to_have_attribute("data-state", leaves)
        assert_not_reloaded(support)

    kinds = ["create", *(kind for kind, _, _ in STEPS)]
    assert list(Operation.objects.order_by("pk").values_list("kind", "state")) == [
        (kind, State.SUCCEEDED) for kind in kinds
    ]
    sent = [(write["method"], (write["body"] or {}).get("operation")) for write in upstream.writes()]
    assert sent == [("POST", None), *(("PATCH", kind) for kind in kinds[1:-1]), ("DELETE", None)]
    assert sorted(kinds) == sorted(KINDS)
    cluster.refresh_from_db()
    assert (cluster.version, cluster.topology, cluster.sizing) == ("17", "HA", "4cpu8gb")
    developer.goto(f"{cluster.get_absolute_url()}history/")
    for operation in Operation.objects.all():
        expect(developer.get_by_role("link", name=operation.title, exact=True)).to_be_visible()
    assert said == []
