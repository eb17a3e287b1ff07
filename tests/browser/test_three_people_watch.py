"""The main job as three people see it, each in a browser of their own: nobody reloads."""

import json
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
    """Run a stand-in in which nothing goes on before it is told to."""
    with sandbox_server.start(tmp_path_factory.mktemp("sandbox"), speed=0.001) as server:
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
    support.goto("/clusters/?q=newpostgre01")
    expect(support.get_by_text("No cluster fits")).to_be_visible()
    for tab in (approver, support):
        mark(tab)
    ask(developer, name="NEWPOSTGRE01")
    mark(developer)
    expect(approver.get_by_role("link", name="Create newpostgre01")).to_be_visible()
    assert_not_reloaded(approver)

    approver.get_by_role("link", name="Create newpostgre01").click()
    approver.get_by_label("Comment").fill("Agreed.")
    approver.get_by_role("button", name="Approve").click()
    expect(approver.locator("#live")).to_have_attribute("data-state", "approved")
    mark(approver)
    expect(support.locator("tr", has_text="newpostgre01")).to_have_attribute("data-state", "CREATING")
    assert_not_reloaded(support)
    support.get_by_role("link", name="newpostgre01", exact=True).click()
    expect(support.locator("#running-status")).to_contain_text("Running")
    mark(support)
    expect(developer.locator("#live")).to_have_attribute("data-state", "approved")
    expect(developer.locator("#decision")).to_contain_text("Approved by approver@example.com")
    expect(developer.get_by_role("button", name="Withdraw")).to_have_count(0)
    assert_not_reloaded(developer)

    developer.get_by_role("link", name="Follow it live").click()
    watch_the_end(developer, upstream)
    expect(approver.locator("#operation-status")).to_contain_text("Succeeded")
    expect(support.locator("#live")).to_have_attribute("data-state", "ACTIVE")
    expect(support.locator("#running-status")).to_have_count(0)
    for tab in (approver, support):
        assert_not_reloaded(tab)

    assert Cluster.objects.get(name="newpostgre01").status == "ACTIVE"
    [body] = ordered(upstream)
    del body["admPassword"]
    assert json.dumps(body, sort_keys=True) == json.dumps(ORDER, sort_keys=True)
    assert said == []


def watch_the_end(tab: Page, upstream: Sandbox) -> None:
    """See ITCare's messages arrive one after the other, then success, without a reload; then nothing is asked."""
    lines = tab.locator(".timeline > li:not(.next)")
    expect(tab.locator("#live")).to_have_attribute("data-state", "running")
    mark(tab)
    # Asked, approved, sent, and that ITCare has received it.
    expect(lines).to_have_count(4)
    for count in (5, 6):
        upstream.tell_next()
        expect(lines).to_have_count(count)
        expect(tab.locator("#live")).to_have_attribute("data-state", "running")
    assert upstream.end_actions() == []
    expect(tab.locator("#live")).to_have_attribute("data-state", "succeeded")
    assert_not_reloaded(tab)
    assert tab.locator("#live").get_attribute("hx-get") is None
    # The last message, and that it succeeded.
    assert Operation.objects.get().actions.get().messages.count() == 4
    assert lines.count() == 8
