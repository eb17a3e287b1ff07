"""Fixtures of the faults: the portal as real processes, between proxies, and figures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests import sandbox_server
from tests.cast import Cast
from tests.faults.figures import Figures
from tests.faults.scenes import Scenes
from tests.faults.steps import Stage, stage


@pytest.fixture
def upstream(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, settings: Settings
) -> Iterator[sandbox_server.Sandbox]:
    """Run the stand-in ITCare; on the stage empty, and so quick that an action has ended when one looks at it."""
    on_stage = {"the_stage", "scenes_here"}.intersection(request.fixturenames)
    options = {"speed": 1_000_000, "clusters": 0} if on_stage else {"speed": 200}
    with sandbox_server.start(tmp_path_factory.mktemp("sandbox"), **options) as server:
        settings.ITCARE_BASE_URL = server.base_url
        settings.ITCARE_TOKEN_URL = server.token_url
        settings.ITCARE_CLIENT_ID = server.client_id
        settings.ITCARE_CLIENT_SECRET = server.client_secret
        yield server


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the portal's steps log."""
    return tmp_path / "steps.log"


@pytest.fixture
def the_stage(portal_environment: dict[str, str], upstream: sandbox_server.Sandbox, log: Path) -> Iterator[Stage]:
    """Load the portal between proxies."""
    with stage(portal_environment, upstream, log) as made:
        yield made


@pytest.fixture
def scenes(cast: Cast, upstream: sandbox_server.Sandbox, the_stage: Stage) -> Scenes:
    """Make operations for the stage."""
    return Scenes(cast, upstream, the_stage)


@pytest.fixture
def scenes_here(cast: Cast, upstream: sandbox_server.Sandbox) -> Scenes:
    """Make operations likewise, for steps in this process."""
    return Scenes(cast, upstream)


@pytest.fixture
def figures() -> Iterator[Figures]:
    """Count what the test does."""
    counted = Figures()
    yield counted
    counted.keep()
