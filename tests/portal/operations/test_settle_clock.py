"""Settling with clocks that are ten minutes apart: what is new is told by ITCare's own clock and numbers alone."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from pytest_django import Settings

from portal.operations.models import Attempt, Operation
from tests.cast import Cast, queued
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.portal.operations.engine import LISTS_ACTIONS, fault, posts, sent, settled
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox, start

pytestmark = pytest.mark.django_db(transaction=True)

APART = 600.0


@pytest.fixture(params=[(APART, 0.0), (-APART, 0.0), (0.0, APART), (0.0, -APART)], ids=str)
def clocks(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Iterator[Sandbox]:
    """ITCare, with the portal's clock or its own ten minutes off; the database's is right."""
    portal, itcare = request.param
    now = datetime.now(UTC) + timedelta(seconds=portal)
    with start(tmp_path, speed=200, clock_shift=itcare) as server, time_machine.travel(now, tick=True):
        settings.ITCARE_BASE_URL, settings.ITCARE_TOKEN_URL = server.base_url, server.token_url
        settings.ITCARE_CLIENT_ID, settings.ITCARE_CLIENT_SECRET = server.client_id, server.client_secret
        yield server


def lost(cast: Cast, upstream: Sandbox, how: str) -> tuple[Operation, int]:
    """A create that nobody knows of, and the number of an older action of its name, which failed just before."""
    caller = Caller(upstream)
    upstream.set_faults(fault("action_error"))
    older = caller.ended(caller.create(name="newpostgre01").json()["id"])["id"]
    # An action of our own account that may be younger than the approval would keep it from being sent, and ITCare's
    # Date header counts whole seconds.
    time.sleep(1.1)
    row = queued(cast.developer, cast.approver)
    upstream.set_faults(fault(how))
    row = sent(row)
    assert (row.state, Attempt.objects.get().watermark_action_id) == ("unclear", older)
    return row, older


def test_the_older_action_is_not_taken_for_the_new_one(cast: Cast, clocks: Sandbox) -> None:
    row, _ = lost(cast, clocks, "drop_before")
    row = settled(row)
    assert (row.state, row.upstream_action_id, posts(clocks)) == ("unclear", None, 2)


@told(
    Row(
        "Clocks",
        "the portal's clock, or ITCare's, ten minutes off, either way",
        "time is shifted in the portal's process, or in the stand-in",
        "what is new is told by ITCare's own clock and numbers; an older action is not taken for it",
        "nothing out of the ordinary",
    )
)
def test_the_new_action_is_found(cast: Cast, clocks: Sandbox) -> None:
    row, older = lost(cast, clocks, "drop")
    row = settled(row)
    assert (row.state, row.upstream_action_id, posts(clocks)) == ("running", older + 1, 2)
    settle_down()
    judge(clocks, besides=[("create", row.name)])


def test_the_cluster_that_was_made_is_found(cast: Cast, clocks: Sandbox) -> None:
    row, older = lost(cast, clocks, "drop")
    Caller(clocks).ended(older + 1)
    clocks.set_faults(fault("hide_newest", times=None, match=LISTS_ACTIONS))
    row = settled(row)
    assert (row.state, row.upstream_action_id, posts(clocks)) == ("succeeded", None, 2)
