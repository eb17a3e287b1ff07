"""A running stand-in ITCare, and a client that holds every exchange against the contract."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import sandbox_server
from tests.sandbox.caller import Caller
from tests.sandbox.inside import Clock, Inside


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Caller]]:
    """Start a stand-in with options; all that were started end with the test."""
    started: list[sandbox_server.Sandbox] = []

    def run(**options: Any) -> Caller:  # noqa: ANN401 - command line options of any type
        sandbox = sandbox_server.start(tmp_path / str(len(started)), **options)
        started.append(sandbox)
        return Caller(sandbox)

    yield run
    for sandbox in started:
        sandbox.stop()


@pytest.fixture
def caller(start: Callable[..., Caller]) -> Caller:
    """Return a client of a stand-in whose actions take a few hundredths of a second."""
    return start(speed=2000, clusters=40)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Return a client of a stand-in that a module's tests only read."""
    with sandbox_server.start(tmp_path_factory.mktemp("world"), clusters=40) as sandbox:
        yield Caller(sandbox)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inside(tmp_path: Path, clock: Clock) -> Callable[..., Inside]:
    """Build a stand-in on the same state file each time."""

    def build(**options: Any) -> Inside:  # noqa: ANN401 - any option
        return Inside(tmp_path, clock, **{"clusters": 10, "token_seconds": 1e9, **options})

    return build
