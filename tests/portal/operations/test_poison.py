"""A row that nobody can handle slows down by itself, stops no other, and is shown; in each pass."""

import pytest
from pytest_django import Settings

from portal.home.management.commands.sweep import jobs
from portal.operations import follow, settle, tasks
from portal.operations.leases import back_off
from portal.operations.models import ActionMessage, Attempt, Concern, Operation
from portal.operations.sweep import once
from tests.browsing import signed_in
from tests.cast import Cast, queued
from tests.conftest import as_owner
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.markup import Page
from tests.portal.operations.engine import fault, followed, posts, sent, tells, time_passes
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("first01", "poison01", "third01")


def new(cast: Cast, name: str) -> Operation:
    return queued(cast.developer, cast.approver, name=name)


def poison() -> None:
    """Give one the name of a kind that no code knows, as after a step back to an older portal."""
    Operation.objects.filter(name="poison01").update(kind="mothball")


def states() -> list[tuple[str, int]]:
    return list(Operation.objects.order_by("pk").values_list("state", "failures"))


@told(
    Row(
        "Rows that nobody can handle",
        "a poison row",
        "its kind becomes one that no code knows, as after a step back to an older portal",
        "it slows down by itself, stops no other, and a person is told when it has failed often",
        "*Needs a person*: Looking at it keeps failing",
    )
)
def test_sending_goes_past_it(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    for name in NAMES:
        new(cast, name)
    poison()
    (sends,) = (job for job in jobs() if job.name == "due operations")
    time_passes()
    # The longest due first: it is tried between the others.
    once([sends])
    assert states() == [("running", 0), ("queued", 1), ("running", 0)]
    assert (posts(upstream), Concern.objects.count()) == (2, 0)
    row = Operation.objects.get(name="poison01")
    assert row.lease_until is None
    assert row.look_at is not None
    time_passes()
    tasks.send_operation(row.pk)
    (concern,) = Concern.objects.all()
    row.refresh_from_db()
    assert (concern.situation, concern.operation, row.failures) == ("stuck", row, 2)
    assert concern.words.endswith("Something in it cannot be handled (KeyError).")
    page = Page.of(signed_in(cast.approver).get("/attention/").content).one("main")
    assert page.one("h2", id=f"concern-{concern.pk}").text.startswith("Looking at it keeps failing")
    settle_down()
    judge(upstream)
    # The newer portal is back, and knows it.
    Operation.objects.filter(pk=row.pk).update(kind="create")
    time_passes()
    followed(sent(row))
    settle_down()
    judge(upstream)
    assert (states(), posts(upstream)) == ([("succeeded", 0)] * 3, 3)


def test_following_goes_past_it(cast: Cast, upstream: Sandbox) -> None:
    for name in NAMES:
        Caller(upstream).ended(sent(new(cast, name)).upstream_action_id or 0)
    poison()
    time_passes()
    follow.follow()
    assert states() == [("succeeded", 0), ("running", 1), ("succeeded", 0)]
    assert not Operation.objects.exclude(lease_until=None).exists()


def test_following_goes_past_one_that_the_database_refuses(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.STUCK_FAILURES = 1
    rows = [sent(new(cast, name)) for name in NAMES]
    actions = [
        {"id": row.upstream_action_id, "status": "IN_PROGRESS", "message": f"Creating {row.name}"} for row in rows
    ]
    upstream.set_faults(tells(actions))
    time_passes()
    with as_owner() as owner:
        owner.execute("ALTER TABLE operations_actionmessage ADD CONSTRAINT odd CHECK (text NOT LIKE '%poison%')")
    try:
        assert follow.follow() == 3
    finally:
        with as_owner() as owner:
            owner.execute("ALTER TABLE operations_actionmessage DROP CONSTRAINT odd")
    assert states() == [("running", 0), ("running", 1), ("running", 0)]
    said = ActionMessage.objects.exclude(text="Order received").order_by("pk")
    assert list(said.values_list("text", flat=True)) == ["Creating first01", "Creating third01"]
    assert [(concern.situation, concern.operation) for concern in Concern.objects.all()] == [("stuck", rows[1])]
    time_passes()
    assert follow.follow() == 3
    assert (said.count(), states()) == (3, [("running", 0)] * 3)


def test_settling_goes_past_it(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("drop", times=3))
    rows = [sent(new(cast, name)) for name in NAMES]
    assert states() == [("unclear", 0)] * 3
    # No such number can be asked for.
    Attempt.objects.filter(operation=rows[1]).update(upstream_action_id=-1)
    time_passes(60.0)
    settle.settle()
    assert states() == [("running", 0), ("unclear", 1), ("running", 0)]
    assert not Operation.objects.exclude(lease_until=None).exists()


def test_each_failure_makes_the_next_look_later() -> None:
    waits = [back_off(failures) for failures in range(1, 12)]
    assert all(
        0.8 * least <= wait <= 1.2 * least for wait, least in zip(waits[:7], (4, 8, 16, 32, 64, 128, 256), strict=True)
    )
    assert max(waits) <= 360
