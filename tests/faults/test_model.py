"""The portal driven at random: submit, decide, send, follow, settle, read, faults, kills, people, in any order."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings

from tests import sandbox_server
from tests.cast import Cast
from tests.faults.left import leave
from tests.faults.machine import Portal
from tests.faults.playing import World

pytestmark = pytest.mark.django_db(transaction=True)

# Every run is another one of these: what fails is named by its number alone.
CAMPAIGN = range(40)


@pytest.fixture
def world(cast: Cast, tmp_path: Path, settings: Settings) -> Iterator[World]:
    """The real database, and a stand-in whose actions take a second at most."""
    with sandbox_server.start(tmp_path / "sandbox", speed=3000, clusters=0) as server:
        settings.ITCARE_BASE_URL, settings.ITCARE_TOKEN_URL = server.base_url, server.token_url
        settings.ITCARE_CLIENT_ID, settings.ITCARE_CLIENT_SECRET = server.client_id, server.client_secret
        settings.ITCARE_READ_SECONDS = settings.ITCARE_TOTAL_SECONDS = 1.5
        played = World(cast, server)
        yield played
        leave(played.figures)


def runs(world: World, *, examples: int, steps: int, number: int = 0) -> Counter[str]:
    """Play so many runs of at most so many steps; those of a number are always the same."""
    machine = seed(number)(type("Run", (Portal,), {"world": world}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            # What a run does depends on time as well: a failure is told as it was, not made smaller by further runs.
            phases=[Phase.explicit, Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
    return world.figures


def test_in_any_order_nothing_is_lost_and_nothing_done_twice(world: World) -> None:
    figures = runs(world, examples=5, steps=20)
    # A run in which nothing happened would show nothing.
    assert min(figures[name] for name in ("operations", "faults", "kills", "unclear")) > 0


@pytest.mark.campaign
@pytest.mark.parametrize("number", CAMPAIGN)
def test_in_long_runs_too(world: World, number: int) -> None:
    runs(world, examples=5, steps=120, number=number + 1)
