"""An operation whose entry in the audit log is refused stays as it was, slows down, and is shown; in each pass."""

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.db.models.functions import Now
from pytest_django import Settings

from portal.changes.models import State as ChangeState
from portal.operations import follow, send, settle
from portal.operations.leases import look_again
from portal.operations.models import Concern, Operation
from portal.operations.states import State
from tests.cast import Cast, pending, queued, sending
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.portal.operations.engine import fault, followed, sent, time_passes
from tests.portal.operations.poisoning import NAMES, refusing, states
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


def waiting(cast: Cast) -> list[Operation]:
    return [queued(cast.developer, cast.approver, name=name) for name in NAMES]


def stuck() -> list[tuple[str, Operation | None]]:
    return [(concern.situation, concern.operation) for concern in Concern.objects.open()]


@told(
    Row(
        "Rows that nobody can handle",
        "an entry that the audit log does not take",
        "the database refuses the entry by which one operation is sent, called unclear, found, or ended",
        "it stays as it was, is not sent, slows down and stops no other; a person is told when it has failed often",
        "*Needs a person*: Looking at it keeps failing",
    )
)
def test_sending(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    rows = waiting(cast)
    with refusing("audit_entry", "verb <> 'operation.sending' OR subject_id <> {}::text", rows[1].pk):
        for row in rows:
            send.send(row.pk)
        assert (states(), stuck()) == ([("running", 0), ("queued", 1), ("running", 0)], [])
        time_passes()
        send.send(rows[1].pk)
        assert (states()[1], stuck()) == (("queued", 2), [("stuck", rows[1])])
        assert not rows[1].attempts.exists()
    time_passes()
    followed(sent(rows[1]))
    settle_down()
    judge(upstream)
    assert {state for state, _ in states()} == {"succeeded"}


def test_calling_unclear(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    rows = [sending(row) for row in waiting(cast)]
    for row in rows:
        row.attempts.create(number=1, fence=0)
    with refusing("audit_entry", "verb <> 'operation.unclear' OR subject_id <> {}::text", rows[1].pk):
        assert send.lapse() == 2
        assert (states(), stuck()) == ([("unclear", 0), ("sending", 1), ("unclear", 0)], [])
        # It is tried again later, and not at each look.
        assert (send.lapse(), states()[1]) == (0, ("sending", 1))
        Operation.objects.filter(pk=rows[1].pk).update(lease_until=Now())
        assert (send.lapse(), states()[1], stuck()) == (0, ("sending", 2), [("stuck", rows[1])])
    Operation.objects.filter(pk=rows[1].pk).update(lease_until=Now())
    assert (send.lapse(), states()) == (1, [("unclear", 0)] * 3)
    settle_down()
    judge(upstream)


def test_following(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    rows = [sent(row) for row in waiting(cast)]
    for row in rows:
        Caller(upstream).ended(row.upstream_action_id or 0)
    with refusing("audit_entry", "verb <> 'operation.succeeded' OR subject_id <> {}::text", rows[1].pk):
        time_passes()
        follow.follow()
        assert (states(), stuck()) == ([("succeeded", 0), ("running", 1), ("succeeded", 0)], [])
        assert not Operation.objects.exclude(lease_until=None).exists()
        time_passes()
        follow.follow()
        assert (states()[1], stuck()) == (("running", 2), [("stuck", rows[1])])
    settle_down()
    judge(upstream)
    assert {state for state, _ in states()} == {"succeeded"}


def test_settling(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.SETTLE_GRACE_SECONDS = 0
    upstream.set_faults(fault("drop", times=3))
    rows = [sent(row) for row in waiting(cast)]
    assert states() == [("unclear", 0)] * 3
    with refusing("audit_entry", "verb <> 'operation.running' OR subject_id <> {}::text", rows[1].pk):
        time_passes(60.0)
        settle.settle()
        assert (states(), stuck()) == ([("running", 0), ("unclear", 1), ("running", 0)], [("stuck", rows[1])])
        assert not Operation.objects.exclude(lease_until=None).exists()
    settle_down()
    judge(upstream)
    assert {state for state, _ in states()} == {"succeeded"}


def test_one_that_can_be_shown_to_nobody_stops_no_other(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.STUCK_FAILURES, settings.SETTLE_GRACE_SECONDS = 1, 0
    rows = [sending(row) for row in waiting(cast)]
    for row in rows:
        row.attempts.create(number=1, fence=0)
    with refusing("audit_entry", "verb <> 'concern.raised'"):
        with refusing("operations_operation", "name <> 'poison01' OR state = 'sending'"):
            assert send.lapse() == 2
        assert (states(), stuck()) == ([("unclear", 0), ("sending", 1), ("unclear", 0)], [])
        time_passes()
        send.lapse()
        # No such number can be asked for; of the others nothing is found, which cannot be told either.
        rows[1].attempts.update(upstream_action_id=-1)
        time_passes()
        settle.settle()
        assert ([failures for _, failures in states()], stuck()) == ([1, 1, 1], [])
    time_passes()
    settle.settle()
    assert ("stuck", rows[1]) in stuck()


def test_what_is_refused_has_not_moved(cast: Cast) -> None:
    row, change = queued(cast.developer, cast.approver), pending(cast.developer, name="second01")
    with refusing("audit_entry", "verb NOT IN ('operation.cancelled', 'change.withdrawn')"):
        with pytest.raises(IntegrityError):
            row.move(State.CANCELLED)
        with pytest.raises(IntegrityError):
            change.move(ChangeState.WITHDRAWN)
    assert (row.state, change.state) == ("queued", "pending")
    row.move(State.CANCELLED)
    change.move(ChangeState.WITHDRAWN)
    assert (row.state, change.state) == ("cancelled", "withdrawn")


def test_a_look_that_failed_after_the_move_slows_down_too(cast: Cast) -> None:
    row = sending(queued(cast.developer, cast.approver))
    Operation.objects.update(state="unclear", last_proof="unknown", lease_until=None, password=None)
    # The caller's copy says what would have been written, had it not been taken back.
    look_again(row, 60, failed=True)
    assert states() == [("unclear", 1)]


def test_what_is_being_sent_is_left_to_its_sender(cast: Cast) -> None:
    row = sending(queued(cast.developer, cast.approver))
    Operation.objects.update(lease_until=Now() + timedelta(minutes=1))
    before = Operation.objects.values().get()
    look_again(row, 0, failed=True)
    assert Operation.objects.values().get() == before
