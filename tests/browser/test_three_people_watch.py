"""The main job as three people see it, each in a browser of their own: nobody reloads."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from portal.inventory.models import Cluster
from portal.operations.models import Operation
from tests import sandbox_server
from tests.browser.conftest import SignIn
from tests.browser.steps import ask, assert_not_reloaded, mark
from tests.cast import Cast
from tests.journeys.ways import ORDER, ordered
from tests.running_portal import RunningPortal
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.browser


@pytest.fixture
def upstream(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Sandbox]:
    """Run a stand-in that takes long enough to be watched: a create about eight seconds."""
    with sandbox_server.start(tmp_path_factory.mktemp("sandbox"), speed=10) as server:
        yield server


def test_everybody_sees_it_move_from_form_to_active(
    portal: RunningPortal, running_cast: Cast, upstream: Sandbox, browser_of: SignIn, said: list[str]
) -> None:
    portal.start_web()
    portal.start_worker()
    portal.start_sweep()
    developer, approver, support = (browser_of(who, portal.address) for who in ("developer", "approver", "support"))

    approver.goto("/approvals/")
    expect(approver.get_by_text("Nothing waits for you")).to_be_visible()
    support.goto("/requests/")
    mark(approver)
    mark(support)
    ask(developer, name="NEWPOSTGRE01")
    mark(developer)
    expect(approver.get_by_role("link", name="Create newpostgre01")).to_be_visible()
    row = support.locator("tr", has_text="Create newpostgre01")
    expect(row).to_have_attribute("data-state", "pending")
    assert_not_reloaded(approver)

    approver.get_by_role("link", name="Create newpostgre01").click()
    approver.get_by_label("Comment").fill("Agreed.")
    approver.get_by_role("button", name="Approve").click()
    expect(approver.locator("#live")).to_have_attribute("data-state", "approved")
    mark(approver)
    expect(developer.locator("#live")).to_have_attribute("data-state", "approved")
    expect(developer.locator("#decision")).to_contain_text("Approved by approver@example.com")
    expect(developer.get_by_role("button", name="Withdraw")).to_have_count(0)
    expect(row).to_have_attribute("data-state", "approved")
    assert_not_reloaded(developer)
    assert_not_reloaded(support)

    developer.get_by_role("link", name="Follow it live").click()
    support.goto("/")
    support.get_by_role("link", name="Create newpostgre01").click()
    watch_the_end(developer, support)
    expect(approver.locator("#operation-status")).to_contain_text("Succeeded")
    assert_not_reloaded(approver)

    cluster = Cluster.objects.get(name="newpostgre01")
    for tab in (developer, approver, support):
        tab.goto(cluster.get_absolute_url())
        expect(tab.locator("#live")).to_have_attribute("data-state", "ACTIVE")
    [body] = ordered(upstream)
    del body["admPassword"]
    assert json.dumps(body, sort_keys=True) == json.dumps(ORDER, sort_keys=True)
    assert said == []


def watch_the_end(*tabs: Page) -> None:
    """See ITCare's messages arrive one after the other, then success, without a reload."""
    for tab in tabs:
        mark(tab)
        expect(tab.locator("#live")).to_have_attribute("data-state", re.compile("running|succeeded"))
    first = tabs[0].locator(".timeline > li").count()
    for tab in tabs:
        expect(tab.locator("#live")).to_have_attribute("data-state", "succeeded")
        assert_not_reloaded(tab)
        assert tab.locator("#live").get_attribute("hx-get") is None
    operation = Operation.objects.get()
    messages = operation.actions.get().messages.count()
    # Asked, approved, sent; what ITCare told; succeeded.
    assert tabs[0].locator(".timeline > li").count() == 3 + messages + 1 > first
