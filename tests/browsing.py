"""What tests of pages do as a browser does: sign in, read forms, notice calls that no page may make."""

import socket
from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import User
from tests.markup import Page


def signed_in(user: User) -> Client:
    """A browser in which the person is signed in."""
    browser = Client()
    browser.force_login(user)
    return browser


def banners(user: User) -> list[str]:
    """What stands above every page that the person opens, without since when."""
    page = Page.of(signed_in(user).get("/").content)
    notes = [note.one("p").text for box in page.with_class("banners") for note in box.with_class("note")]
    return [text.partition(" Since ")[0] for text in notes]


class Silent:
    """A server in ITCare's place that never answers, and knows who called."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._calls = 0
        self.url = "http://{}:{}".format(*listener.getsockname())

    def calls(self) -> int:
        """How many connections were made to it until now."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return self._calls
            connection.close()
            self._calls += 1


@pytest.fixture
def silent_itcare(settings: Settings) -> Iterator[Silent]:
    """Put a server that only counts calls in ITCare's place."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        silent = Silent(listener)
        settings.ITCARE_BASE_URL = f"{silent.url}/itcare"
        settings.ITCARE_TOKEN_URL = f"{silent.url}/token"
        yield silent
