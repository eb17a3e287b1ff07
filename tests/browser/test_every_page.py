"""Every page of the main job: readable for everybody, at every width, in both themes, under the strict policy."""

from collections.abc import Callable, Iterator
from typing import Final, Literal

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from portal.catalog.kinds import ON_CLUSTER
from portal.home.cluster_page import PARTS
from tests.browser import world
from tests.browser.conftest import SignIn
from tests.browser.steps import faults, fill_in, sideways, unreadable_table
from tests.cast import PASSWORD, Cast
from tests.sandbox_server import Sandbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDTHS = (1280, 1024, 768, 375, 320)
# Colours are the same at every width: each theme is read at one.
READ_AT: Final[dict[int, Literal["light", "dark"]]] = {1280: "light", 375: "dark"}


Pages = Iterator[tuple[str, Page]]


def reading(browser_of: SignIn, address: str, there: world.World) -> Pages:
    """Open the pages of those who decide and of those who only look."""
    approver, support = browser_of("approver", address), browser_of("support", address)
    yield "home of an approver", approver
    for name, tab, path in [
        ("approvals", approver, "/approvals/"),
        ("request to decide", approver, there.waiting.get_absolute_url()),
        ("operation under way", approver, there.running.get_absolute_url()),
        ("requests", support, "/requests/"),
        ("rejected request", support, there.rejected.get_absolute_url()),
        ("operations", support, "/operations/"),
        ("clusters", support, "/clusters/"),
        ("no cluster found", support, "/clusters/?q=nothing"),
        ("cluster", support, there.cluster.get_absolute_url()),
        ("cluster not read yet", support, there.unread.get_absolute_url()),
        ("audit", support, "/audit/"),
        ("not allowed", support, "/requests/new/create/"),
        ("not found", support, "/requests/4711/"),
    ]:
        tab.goto(path)
        yield name, tab


def asking(browser_of: SignIn, address: str, there: world.World) -> Pages:
    """Open the pages of a developer, from the form to the password."""
    tab = browser_of("developer", address)
    yield "home of a developer", tab
    tab.goto("/requests/new/create/")
    yield "form", tab
    tab.get_by_role("radio", name="High availability").check()
    yield "form for high availability", tab
    fill_in(tab, name="no-dash", disk_size="39")
    tab.get_by_role("button", name="Check and go on").click()
    expect(tab.locator("#form-errors")).to_be_focused()
    yield "form with errors", tab
    for name, path in [
        ("draft", there.drafted.get_absolute_url()),
        ("own request", there.waiting.get_absolute_url()),
        ("nothing to approve", "/approvals/"),
        ("account", "/accounts/password/change/"),
        ("operation ended", there.ended.get_absolute_url()),
    ]:
        tab.goto(path)
        yield name, tab
    tab.get_by_role("button", name="Show it once").click()
    password = tab.get_by_label("Password")
    expect(password).to_be_visible()
    yield "signing in again", tab
    password.fill(PASSWORD)
    tab.get_by_role("button", name="Confirm").click()
    expect(tab.locator("#password")).to_be_visible()
    yield "password", tab


def changing(browser_of: SignIn, address: str, there: world.World) -> Pages:
    """Open the parts of a cluster, and the form of everything that can be asked of it."""
    tab = browser_of("developer", address)
    page = there.cluster.get_absolute_url()
    tab.goto(page)
    tab.get_by_text("Ask for a change").click()
    yield "cluster with its menu", tab
    for part in PARTS:
        tab.goto(f"{page}{part}/")
        yield part, tab
    for kind in ON_CLUSTER:
        tab.goto(f"/requests/new/{kind.name}/?cluster={there.cluster.pk}")
        yield f"asking to {kind.name}", tab


def needing(browser_of: SignIn, address: str, there: world.World) -> Pages:
    """Open what needs a person: for those who act, who look, and who hold all sends."""
    tab = browser_of("approver", address)
    own = there.concern.get_absolute_url()
    for name, path in [
        ("needs a person", "/attention/"),
        ("dealt with", there.noted.get_absolute_url()),
        ("matter", own),
    ]:
        tab.goto(path)
        yield name, tab
    for act in tab.locator("details").all():
        act.evaluate("(details) => { details.open = true }")
    yield "matter, with every form", tab
    send = tab.locator("#act-send")
    send.get_by_label("Name of the cluster").fill("another")
    send.get_by_label("Why").fill("It is not there.")
    send.get_by_role("button", name="Send again").click()
    expect(tab.locator("#form-errors")).to_be_focused()
    yield "matter, with errors", tab
    tab = browser_of("support", address)
    tab.goto(own)
    yield "matter, for support", tab
    tab = browser_of("stranger", address)
    tab.goto("/attention/")
    yield "nothing needs a person", tab
    tab = browser_of("admin", address)
    tab.goto("/attention/")
    tab.get_by_text("Hold all sends").first.click()
    yield "the switch", tab
    tab.locator("#switch").get_by_label("Why").fill("Maintenance at cegedim.cloud until tonight.")
    tab.get_by_role("button", name="Hold all sends").click()
    expect(tab.locator(".banners")).to_contain_text("Nothing is sent to ITCare")
    yield "all sends held", tab


@pytest.mark.parametrize("walk", [reading, asking, changing, needing])
def test_axe_finds_nothing_and_everything_fits(
    cast: Cast,
    upstream: Sandbox,
    live_server: LiveServer,
    browser_of: SignIn,
    said: list[str],
    walk: Callable[[SignIn, str, world.World], Pages],
) -> None:
    found: dict[str, list[str]] = {}
    for name, tab in walk(browser_of, live_server.url, world.make(cast)):
        tab.wait_for_load_state()
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 800})
            wrong = ["scrolls sideways"] if sideways(tab) else []
            wrong += ["a table is cut off or squeezed"] if unreadable_table(tab) else []
            if width in READ_AT:
                tab.emulate_media(color_scheme=READ_AT[width])
                wrong += faults(tab)
            if wrong:
                found[f"{name}, {width}"] = wrong
    assert found == {}
    assert [words for words in said if "status of 40" not in words] == []
