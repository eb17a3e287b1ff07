"""The same way by the keyboard alone, and in a browser without JavaScript."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from portal.changes.models import Change
from portal.operations.models import Operation
from tests.browser.conftest import SignIn
from tests.browser.steps import ask
from tests.browser.world import finish
from tests.cast import PASSWORD, Cast, cluster
from tests.journeys.ways import ANSWERS, ordered
from tests.sandbox_server import Sandbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MANY = 60
# In the order of the page; the fields between them keep what they have.
FILLED_IN = [
    *("service_id", "name", "product_code", "node_sizing", "trigram"),
    *("area", "az", "network_id", "tls", "reason"),
]
FOCUSED = "(element) => element === document.activeElement"


def tab_to(tab: Page, target: Locator) -> None:
    """Press Tab until the target has the focus, forwards only."""
    expect(target).to_be_attached()
    # A page that is still being read may give the focus to another place.
    tab.wait_for_load_state()
    for _ in range(MANY):
        tab.keyboard.press("Tab")
        if target.evaluate(FOCUSED):
            return
    pytest.fail(f"Tab does not lead to {target}")


def choose(tab: Page, name: str, value: str) -> None:
    """Go through the options of the select until this one is chosen."""
    select = tab.locator(f"[name={name}]")
    tab_to(tab, select)
    for _ in range(MANY):
        if select.input_value() == value:
            return
        tab.keyboard.press("ArrowDown")
    pytest.fail(f"{name} does not come to {value}")


def test_the_keyboard_alone_files_and_approves(
    cast: Cast, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    developer, approver = (browser_of(who, live_server.url) for who in ("developer", "approver"))
    tab_to(developer, developer.get_by_role("link", name="Skip to content"))
    developer.keyboard.press("Enter")
    tab_to(developer, developer.get_by_role("link", name="Ask for a cluster"))
    developer.keyboard.press("Enter")
    developer.wait_for_url("**/requests/new/create/")
    order = [
        "service_id",
        "name",
        "product_code",
        "node_sizing",
        "trigram",
        "area",
        "az",
        "network_id",
        "tls",
        "reason",
    ]
    for name in order:
        if developer.locator(f"select[name={name}]").count():
            choose(developer, name, ANSWERS[name])
        else:
            tab_to(developer, developer.locator(f"[name={name}]"))
            developer.keyboard.type(ANSWERS[name])
    tab_to(developer, developer.get_by_role("button", name="Check and go on"))
    developer.keyboard.press("Enter")
    expect(developer.locator("#live")).to_have_attribute("data-state", "draft")
    tab_to(developer, developer.get_by_role("button", name="Ask for it"))
    developer.keyboard.press("Space")
    expect(developer.locator("#live")).to_have_attribute("data-state", "pending")

    tab_to(approver, approver.get_by_role("link", name="Create newpostgre01"))
    approver.keyboard.press("Enter")
    tab_to(approver, approver.get_by_label("Comment"))
    approver.keyboard.type("Agreed.")
    tab_to(approver, approver.get_by_role("button", name="Approve"))
    approver.keyboard.press("Enter")
    expect(approver.locator("#live")).to_have_attribute("data-state", "approved")
    assert Change.objects.get().decisions.get().comment == "Agreed."
    assert said == []


def test_the_whole_way_without_javascript(
    cast: Cast, upstream: Sandbox, live_server: LiveServer, browser_of: SignIn
) -> None:
    developer, approver = (
        browser_of(who, live_server.url, java_script_enabled=False) for who in ("developer", "approver")
    )
    ask(developer, name="NEWPOSTGRE01")
    expect(developer.locator("main")).to_contain_text("NEWPOSTGRE01 is asked for as newpostgre01")
    approver.goto("/approvals/")
    approver.get_by_role("link", name="Create newpostgre01").click()
    approver.get_by_role("button", name="Approve").click()
    expect(approver.locator("#live")).to_have_attribute("data-state", "approved")

    finish(Operation.objects.get())
    developer.reload()
    developer.get_by_role("link", name="Follow it live").click()
    expect(developer.locator("#live")).to_have_attribute("data-state", "succeeded")
    developer.get_by_role("button", name="Show it once").click()
    developer.get_by_label("Password").fill(PASSWORD)
    developer.get_by_role("button", name="Confirm").click()
    [order] = ordered(upstream)
    expect(developer.locator("#password")).to_have_text(order["admPassword"])
    developer.get_by_role("link", name="I have kept it").click()
    developer.get_by_role("link", name=re.compile("^Open")).click()
    expect(developer.locator("#live")).to_have_attribute("data-state", "ACTIVE")


def test_clusters_are_put_in_order_on_a_phone_without_javascript(
    cast: Cast, live_server: LiveServer, browser_of: SignIn
) -> None:
    for number, version in enumerate(("9.6", "17", "16"), start=1):
        cluster(cast.service, number, version=version, read_at=timezone.now())
    tab = browser_of("support", live_server.url, java_script_enabled=False, viewport={"width": 375, "height": 800})
    tab.goto("/clusters/?version=17&version=16")
    names = tab.locator("#list td:first-child strong")
    expect(names).to_have_text(["cluster00002", "cluster00003"])
    tab.get_by_label("Order").select_option(label="Version, ascending")
    tab.get_by_role("button", name="Show", exact=True).click()
    expect(names).to_have_text(["cluster00003", "cluster00002"])
    expect(tab.get_by_label("Order")).to_have_value("version")
    for _ in range(MANY):
        tab.keyboard.press("Tab")
        assert not tab.evaluate("document.activeElement.closest('thead') !== null")

    # Where the heads are seen they do it, and the choice is kept beside a filter.
    tab.set_viewport_size({"width": 1280, "height": 800})
    expect(tab.get_by_label("Order")).to_be_hidden()
    tab.get_by_role("link", name="Version").click()
    # Both are on the page that is left, too.
    tab.wait_for_url(lambda address: parse_qs(urlsplit(address).query).get("sort") == ["-version"])
    tab.get_by_role("checkbox", name="16").uncheck()
    tab.get_by_role("button", name="Show", exact=True).click()
    expect(names).to_have_text(["cluster00002"])
    assert parse_qs(urlsplit(tab.url).query)["sort"] == ["-version"]
