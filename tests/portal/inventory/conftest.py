"""A small stand-in for the inventory's tests: few clusters make quick readings."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_django import Settings

from tests import sandbox_server
from tests.sandbox_server import Sandbox


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Callable[..., Sandbox]]:
    """Start a stand-in with options of its own, and let the portal in this process talk to it."""
    with ExitStack() as servers:

        def begin(**options: object) -> Sandbox:
            folder = tmp_path_factory.mktemp("sandbox")
            server = sandbox_server.start(folder, **{"speed": 200, "clusters": 5, **options})
            settings.ITCARE_BASE_URL, settings.ITCARE_TOKEN_URL = server.base_url, server.token_url
            settings.ITCARE_CLIENT_ID, settings.ITCARE_CLIENT_SECRET = server.client_id, server.client_secret
            return servers.enter_context(server)

        yield begin


@pytest.fixture
def small(start: Callable[..., Sandbox]) -> Sandbox:
    """A stand-in with five clusters."""
    return start()
