"""What takes too long, vanishes or goes on after its end is told once, and noted when it is over."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from portal.audit.models import Entry
from portal.home.management.commands.sweep import jobs
from portal.operations import follow, holds
from portal.operations.concerns import close_of, raise_concern
from portal.operations.models import TO_KNOW, Action, Concern, Operation, Situation
from portal.operations.states import State
from portal.operations.watch import watch
from tests.cast import Cast, queued
from tests.portal.itcare.scripted import Answer, answer
from tests.portal.operations.engine import answering, fault, followed, sent, tells, time_passes
from tests.sandbox_server import Sandbox
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

AGO = timedelta(hours=5)


def told(number: int, **changes: object) -> dict[str, Any]:
    return {"id": number, "status": "IN_PROGRESS", "message": "Creating", "resourceName": "n", **changes}


def open_ones() -> list[str]:
    return list(Concern.objects.open().values_list("situation", flat=True))


def pass_by(settings: Settings, *script: Answer) -> None:
    time_passes(600.0)
    with answering(settings, *script):
        follow.follow()


@pytest.mark.parametrize("state", [State.SENDING, State.RUNNING, State.UNCLEAR])
def test_what_itcare_was_asked_for_long_ago_is_overdue_told_once_and_closed_at_its_end(
    cast: Cast, state: State
) -> None:
    row = row_of(cast, state, sent_at=Now() - AGO)
    fresh = row_of(cast, state, sent_at=Now(), queued_at=Now() - AGO)
    for _ in range(2):
        watch()
    (concern,) = Concern.objects.all()
    assert (concern.situation, concern.operation, concern.service) == ("overdue", row, cast.service)
    assert concern.words.startswith("It was sent more than 4 hours ago and has not ended.")
    assert [Operation.objects.get(pk=one.pk).overdue for one in (row, fresh)] == [True, False]
    Operation.objects.get(pk=row.pk).move(State.FAILED, reason="settled")
    watch()
    concern.refresh_from_db()
    assert (concern.outcome, concern.closed_by) == ("The operation has ended: failed.", None)
    assert not Operation.objects.get(pk=row.pk).overdue
    assert list(Entry.objects.order_by("number").values_list("verb", flat=True))[-3:] == [
        "concern.raised",
        "operation.failed",
        "concern.closed",
    ]


def test_an_overdue_one_is_followed_to_its_end_all_the_same(cast: Cast, upstream: Sandbox) -> None:
    row = sent(queued(cast.developer, cast.approver))
    Operation.objects.update(sent_at=F("sent_at") - AGO)
    watch()
    assert open_ones() == ["overdue"]
    number = row.upstream_action_id
    words = Concern.objects.get().words
    assert f'action is {number}. The last that ITCare said: "Order received" (IN_PROGRESS).' in words
    assert followed(row).state == "succeeded"
    watch()
    assert Concern.objects.get().outcome == "The operation has ended: succeeded."


def test_what_a_person_has_dealt_with_does_not_come_back_by_itself(cast: Cast) -> None:
    row = row_of(cast, State.RUNNING, sent_at=Now() - AGO)
    watch()
    close_of(row, "cegedim.cloud works on it.", by=cast.administrator)
    for _ in range(2):
        watch()
    assert (Concern.objects.count(), open_ones()) == (1, [])


@pytest.mark.parametrize("situation", Situation)
def test_what_asks_for_a_decision_does_not_stay_open_when_the_operation_has_ended(
    cast: Cast, situation: Situation
) -> None:
    row = row_of(cast, State.RUNNING)
    raise_concern(situation, "Look.", operation=row)
    row.move(State.SUCCEEDED)
    watch()
    assert open_ones() == ([situation] if situation in TO_KNOW else [])


def test_what_cannot_be_sent_for_long_is_told_with_the_reason_until_it_is_sent(cast: Cast) -> None:
    row = row_of(cast, State.QUEUED, queued_at=Now() - AGO, message="ITCare cannot be reached.")
    row_of(cast, State.QUEUED)
    for _ in range(2):
        watch()
    (concern,) = Concern.objects.all()
    assert (concern.situation, concern.operation) == ("unreachable", row)
    assert concern.words == (
        "It was approved more than 1 hour ago and could not be sent yet. The last try: ITCare cannot be reached."
    )
    assert not row.overdue
    row.refresh_from_db()
    row.move(State.SENDING, sent_at=Now(), lease_until=Now())
    watch()
    concern.refresh_from_db()
    assert concern.outcome == "It was sent."


def test_what_waits_because_a_person_said_so_is_not_told(cast: Cast) -> None:
    row_of(cast, State.QUEUED, queued_at=Now() - AGO)
    holds.hold("Maintenance.", by=cast.administrator)
    watch()
    held = holds.held()
    assert held is not None
    holds.let_go(held, "Done.", by=cast.administrator)
    watch()
    assert open_ones() == []
    type(held).objects.update(started_at=Now() - AGO, ended_at=Now() - AGO)
    watch()
    assert open_ones() == ["unreachable"]


def test_an_action_that_itcare_knows_no_more_is_told_after_the_second_answer_some_time_later(
    cast: Cast, settings: Settings
) -> None:
    row = row_of(cast, State.RUNNING)
    gone = [answer(200, []), answer(404)]
    pass_by(settings, *gone)
    row.refresh_from_db()
    assert (row.missed_at is not None, row.failures, open_ones()) == (True, 1, [])
    pass_by(settings, *gone)
    assert open_ones() == []
    Operation.objects.update(missed_at=F("missed_at") - timedelta(seconds=settings.VANISHED_SECONDS))
    for failures in (3, 4):
        pass_by(settings, *gone)
        row.refresh_from_db()
        assert (row.state, row.failures, open_ones()) == ("running", failures, ["vanished"])
    watch()
    assert open_ones() == ["vanished"]
    pass_by(settings, answer(200, [told(7)]))
    row.refresh_from_db()
    assert (row.missed_at, row.failures) == (None, 0)
    watch()
    assert Concern.objects.get().outcome == "ITCare knows the action again."


def test_one_answer_that_there_is_no_such_action_is_forgotten_with_the_next(cast: Cast, settings: Settings) -> None:
    row_of(cast, State.RUNNING)
    pass_by(settings, answer(200, []), answer(404))
    pass_by(settings, answer(200, []), answer(200, told(7)))
    assert Operation.objects.get().missed_at is None


@pytest.mark.parametrize(
    "later",
    [{"lastUpdatedAt": "2026-11-23T09:05:00Z"}, {}],
    ids=["with a later time", "without a time, past the lag of a list"],
)
def test_an_action_that_goes_on_after_its_end_is_told_once(
    cast: Cast, settings: Settings, later: dict[str, str]
) -> None:
    row_of(cast, State.RUNNING, upstream_action_id=8)
    row = row_of(cast, State.RUNNING, kind="resize")
    ended = told(7, status="SUCCESS", message="Done", lastUpdatedAt="2026-11-23T09:00:00Z" if later else None)
    pass_by(settings, answer(200, [told(8)]), answer(200, ended), answer(404))
    row.refresh_from_db()
    assert (row.state, open_ones()) == ("succeeded", [])
    # A list that lags behind tells what was before the end.
    pass_by(settings, answer(200, [told(8), told(7, lastUpdatedAt="2026-11-23T08:59:00Z" if later else None)]))
    assert open_ones() == []
    if not later:
        Operation.objects.filter(pk=row.pk).update(ended_at=Now() - timedelta(minutes=2))
    for _ in range(3):
        pass_by(settings, answer(200, [told(8), told(7, message="Once more", **later)]))
    (concern,) = Concern.objects.all()
    assert (concern.situation, concern.operation, concern.closed_at) == ("relapsed", row, None)
    assert concern.words.startswith("ITCare said SUCCESS of action 7, and the operation ended as succeeded. Now")
    action = Action.objects.get(upstream_id=7)
    assert ([*concern.actions.all()], action.messages.last().text) == ([action], "Once more")  # type: ignore[union-attr]
    row.refresh_from_db()
    assert row.state == "succeeded"


def test_an_action_that_relapses_between_two_looks_is_followed_on(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("action_relapses", seconds=1.0))
    row = sent(queued(cast.developer, cast.approver))
    for status in ("IN_PROGRESS", "IN_PROGRESS"):
        action = told(row.upstream_action_id or 0, status=status)
        upstream.set_faults(tells([action]))
        time_passes(60.0)
        follow.follow()
    assert Operation.objects.get().state == "running"
    upstream.set_faults()
    assert followed(row).state == "succeeded"


def test_looks_that_keep_failing_are_told_and_closed_when_one_succeeds(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 3
    row = row_of(cast, State.RUNNING)
    for told_yet in ([], [], ["stuck"], ["stuck"]):
        pass_by(settings, answer(200, []), answer(200, "odd"))
        assert open_ones() == told_yet
    concern = Concern.objects.get()
    assert concern.operation == row
    assert concern.words.startswith("Looking at it failed 3 times in a row or more, the last time so: ")
    watch()
    assert open_ones() == ["stuck"]
    pass_by(settings, answer(200, [told(7)]))
    watch()
    assert Concern.objects.get().outcome == "A look at it succeeded."


def test_an_outage_of_the_list_is_no_fault_of_each_row(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 2
    row_of(cast, State.RUNNING)
    for _ in range(4):
        pass_by(settings, answer(403))
    assert (Operation.objects.get().failures, open_ones()) == (4, [])


def test_the_sweep_watches() -> None:
    watches: list[Callable[[], object]] = [job.run for job in jobs() if job.name == "operations that take too long"]
    assert watches == [watch]
