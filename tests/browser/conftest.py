"""People in real browsers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.cast import PASSWORD
from tests.chromium import PATIENCE

# A refused form is told by its status, and Chromium writes that down as an error of the network.
EXPECTED = "the server responded with a status of 422"

SignIn = Callable[..., Page]


@pytest.fixture
def said() -> list[str]:
    """Collect what the browsers complain about: broken policy, failed files, exceptions."""
    return []


@pytest.fixture
def browser_of(chromium: Browser, said: list[str]) -> Iterator[SignIn]:
    """Give a function that opens a browser of its own for a person of the cast, signed in, at the start page."""
    contexts: list[BrowserContext] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and EXPECTED not in message.text:
            said.append(f"{message.location.get('url')}: {message.text}")

    def open_for(person: str, address: str, **options: Any) -> Page:  # noqa: ANN401 - Playwright's
        # What turns would be drawn sixty times a second.
        usual: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
        context = chromium.new_context(base_url=address, **{**usual, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        tab = context.new_page()
        tab.on("console", note)
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto("/accounts/login/?next=/")
        tab.get_by_label("Email").fill(f"{person}@example.com")
        tab.get_by_label("Password").fill(PASSWORD)
        tab.get_by_role("button", name="Sign in", exact=True).click()
        tab.wait_for_url(f"{address}/")
        return tab

    yield open_for
    for context in contexts:
        context.close()
