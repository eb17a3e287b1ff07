"""Every page of the main job: readable for everybody, at every width, in both themes, under the strict policy."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser import world
from tests.browser.conftest import SignIn
from tests.browser.steps import cut_off, faults, fill_in, sideways
from tests.cast import PASSWORD, Cast
from tests.sandbox_server import Sandbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDTHS = (1280, 1024, 768, 375, 320)
READ_AT = (1280, 375)


def walk(browser_of: SignIn, address: str, there: world.World) -> Iterator[tuple[str, Page]]:
    """Open each page of the way, as the person who would."""
    developer, approver, support = (browser_of(who, address) for who in ("developer", "approver", "support"))
    yield "home of a developer", developer
    yield "home of an approver", approver
    for name, tab, path in [
        ("draft", developer, there.drafted.get_absolute_url()),
        ("own request", developer, there.waiting.get_absolute_url()),
        ("request to decide", approver, there.waiting.get_absolute_url()),
        ("approvals", approver, "/approvals/"),
        ("approvals, empty", developer, "/approvals/"),
        ("requests", support, "/requests/"),
        ("rejected request", support, there.rejected.get_absolute_url()),
        ("operations", support, "/operations/"),
        ("operation under way", approver, there.queued.get_absolute_url()),
        ("clusters", support, "/clusters/"),
        ("no cluster found", support, "/clusters/?q=nothing"),
        ("cluster", support, there.cluster.get_absolute_url()),
        ("cluster not read yet", support, there.unread.get_absolute_url()),
        ("audit", support, "/audit/"),
        ("not found", developer, "/requests/4711/"),
        ("not allowed", support, "/requests/new/create/"),
    ]:
        tab.goto(path)
        yield name, tab
    developer.goto("/requests/new/create/")
    yield "form", developer
    developer.get_by_role("radio", name="High availability").check()
    yield "form for high availability", developer
    fill_in(developer, name="no-dash", disk_size="39")
    developer.get_by_role("button", name="Check and go on").click()
    expect(developer.locator("#form-errors")).to_be_focused()
    yield "form with errors", developer
    developer.goto(there.ended.get_absolute_url())
    yield "operation ended", developer
    developer.get_by_role("button", name="Show it once").click()
    yield "signing in again", developer
    developer.get_by_label("Password").fill(PASSWORD)
    developer.get_by_role("button", name="Confirm").click()
    yield "password", developer
    developer.goto("/accounts/password/change/")
    yield "account", developer


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_everything_fits(
    cast: Cast, upstream: Sandbox, live_server: LiveServer, browser_of: SignIn, said: list[str], theme: str
) -> None:
    found: dict[str, list[str]] = {}
    seen = []
    for name, tab in walk(browser_of, live_server.url, world.make(cast)):
        tab.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        seen.append(name)
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 800})
            wrong = faults(tab, only_colours=theme == "dark") if width in READ_AT else []
            wrong += ["scrolls sideways"] if sideways(tab) else []
            wrong += ["a table is cut off"] if cut_off(tab) else []
            if wrong:
                found[f"{name}, {width}"] = wrong
    assert found == {}
    assert len(seen) == 25
    assert [words for words in said if "status of 40" not in words] == []
