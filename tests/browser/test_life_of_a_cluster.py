"""One cluster through all that can be asked of it, in real browsers: its page tells each step without a reload."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect
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
# Another cluster, whose backup is restored over ours; it alone holds this database.
SOURCE, DATABASE = 4711, "billing"
Fill = Callable[[Page], object]


@dataclass(frozen=True)
class Step:
    """What is asked in turn, how its form is filled in, and what only this step brings to the cluster's page."""

    kind: str
    fill: Fill
    brings: tuple[str, str] | None = None
    """A fact of the overview."""
    leaves: str = "ACTIVE"
    at_once: bool = False
    """Nobody can see it under way."""


@pytest.fixture
def upstream(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Sandbox]:
    """Run a stand-in in which each step stays under way until it has been seen."""
    with sandbox_server.start(tmp_path_factory.mktemp("sandbox"), speed=0.001) as server:
        yield server


def nothing(_: Page) -> None:
    pass


def a_moment_ago() -> str:
    return (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")


def in_a_patch_group(tab: Page) -> None:
    tab.get_by_role("radio", name="Takes part").check()
    tab.locator("[name=patch_group]").select_option("2")


def with_extension(tab: Page) -> None:
    tab.locator("[name=dbname]").select_option("postgres")
    tab.get_by_role("checkbox").first.check()


def with_backup(tab: Page) -> None:
    tab.locator("[name=source_id]").select_option(str(SOURCE))
    tab.get_by_label("Time zone of this moment").select_option(label="UTC")
    tab.locator("[name=timestamp]").fill(a_moment_ago())


STEPS = (
    Step("resize", lambda tab: tab.locator("[name=sizing]").select_option("4cpu8gb"), ("Size", "4cpu8gb")),
    # While it has one node: later there is no group to choose.
    Step("update_patch_party", in_a_patch_group, at_once=True),
    Step("enable_ha", nothing, ("Topology", "High availability")),
    Step("upgrade", lambda tab: tab.locator("[name=target_version]").select_option("17"), ("Version", "PostgreSQL 17")),
    Step("install_extension", with_extension),
    Step("restore", with_backup),
    Step("stop", nothing, leaves="INACTIVE"),
    Step("start", nothing),
    Step("delete", nothing, leaves="gone"),
)


def change(developer: Page, approver: Page, cluster: Cluster, step: Step) -> Operation:
    """Ask for it and agree to it."""
    developer.goto(f"/requests/new/{step.kind}/?cluster={cluster.pk}")
    step.fill(developer)
    if developer.locator("[name=confirm_name]").count():
        developer.locator("[name=confirm_name]").fill(NAME)
    developer.locator("[name=reason]").fill(f"Because of {step.kind}.")
    developer.get_by_role("button", name="Check and go on").click()
    developer.get_by_role("button", name="Ask for it").click()
    expect(developer.locator("#live")).to_have_attribute("data-state", "pending")
    approve(approver, developer.url)
    return Operation.objects.latest("pk")


def approve(approver: Page, address: str) -> None:
    approver.goto(address)
    approver.get_by_role("button", name="Approve").click()
    expect(approver.locator("#live")).to_have_attribute("data-state", "approved")


def fact(tab: Page, label: str) -> Locator:
    """What the overview says beside that label."""
    return tab.locator(f"dl.facts > div:has(> dt:text-is('{label}')) > dd")


def end_it(upstream: Sandbox, operation: Operation) -> None:
    """Let its action end, once it is known to be under way."""
    sandbox_server.until(lambda: Operation.objects.filter(pk=operation.pk, state=State.RUNNING).exists(), seconds=30)
    assert upstream.end_actions() == []


def watch(tab: Page, upstream: Sandbox, operation: Operation, step: Step) -> None:
    """See the step under way, then ended, and then what it has brought, on a page that nobody reloads."""
    if not step.at_once:
        expect(tab.locator("#now")).to_contain_text(operation.title)
        end_it(upstream, operation)
    line = tab.locator(f".lines > li[data-id='{operation.pk}']")
    expect(line).to_have_attribute("data-state", State.SUCCEEDED)
    expect(line).to_contain_text(operation.title)
    expect(tab.locator("#now")).to_have_count(0)
    if step.leaves == "gone":
        expect(tab.locator("#cluster-status")).to_contain_text("Gone")
    else:
        expect(tab.locator("#live")).to_have_attribute("data-state", step.leaves)
    if step.brings:
        label, value = step.brings
        expect(fact(tab, label)).to_have_text(value)
    assert_not_reloaded(tab)


def test_one_cluster_lives_its_whole_life(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox, browser_of: SignIn, said: list[str]
) -> None:
    upstream.place_cluster(SOURCE, name="source01", product_code="deb12pg17", databases=["postgres", DATABASE])
    portal.start_web()
    portal.start_worker()
    portal.start_sweep()
    developer, approver, support = (browser_of(who, portal.address) for who in ("developer", "approver", "support"))
    ask(developer, name=NAME)
    approve(approver, developer.url)
    end_it(upstream, Operation.objects.get())
    expect(approver.locator("#operation-status")).to_contain_text("Succeeded")
    cluster = Cluster.objects.get(name=NAME)
    support.goto(cluster.get_absolute_url())
    databases = support.context.new_page()
    databases.goto(f"{cluster.get_absolute_url()}databases/")
    for tab in (support, databases):
        mark(tab)
    held = databases.locator(".lines > li")
    for step in STEPS:
        if step.brings:
            label, value = step.brings
            expect(fact(support, label)).not_to_have_text(value)
        if step.kind == "restore":
            expect(held).to_have_text(["postgres"])
        watch(support, upstream, change(developer, approver, cluster, step), step)
        if step.kind == "restore":
            expect(held).to_have_text([DATABASE, "postgres"])
            assert_not_reloaded(databases)

    kinds = ["create", *(step.kind for step in STEPS)]
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
