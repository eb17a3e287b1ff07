"""A banner comes and goes on a page that is open."""

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from portal.operations import heartbeat, holds
from tests.browser.conftest import SignIn
from tests.browser.steps import assert_not_reloaded, faults, mark
from tests.cast import Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Milliseconds: an open page looks at the banners every five seconds.
PATIENCE = 60_000


def test_a_banner_comes_and_goes_on_an_open_page(
    cast: Cast, live_server: LiveServer, browser_of: SignIn, said: list[str]
) -> None:
    tab = browser_of("developer", live_server.url)
    tab.goto("/operations/")
    notes = tab.locator("#banners .note")
    expect(notes).to_have_count(1)
    expect(notes).to_contain_text("The portal's own clock has stopped")
    mark(tab)
    holds.hold("Maintenance at <Labège>", by=cast.administrator)
    words = "Nothing is sent to ITCare: admin@example.com holds all sends. Maintenance at <Labège>."
    expect(notes).to_have_count(2, timeout=PATIENCE)
    expect(notes.first).to_contain_text(words)
    expect(tab.locator("#status-words")).to_contain_text(words)
    assert faults(tab) == []

    held = holds.held()
    assert held is not None
    holds.let_go(held, "Over.")
    for process in (heartbeat.SWEEP, heartbeat.WORKER):
        heartbeat.beat(process)
    expect(notes).to_have_count(0, timeout=PATIENCE)
    assert_not_reloaded(tab)
    assert said == []
