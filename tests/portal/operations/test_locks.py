"""Whoever holds an operation can have its action and its concerns, whatever another does to them at the same time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from portal import itcare
from portal.operations import ends, late, outcome, relapses, released, unknown, unsettled
from portal.operations.models import Action, Concern, Operation, Situation
from portal.operations.states import Reason, State
from tests.cast import Cast
from tests.faults.transactions import somebody_waits
from tests.portal.operations.needing import bare, concern_of
from tests.sandbox_server import until
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

NAME: Final = "cluster00001"
NUMBER: Final = 177


def told(**changes: object) -> itcare.Action:
    """The action as ITCare tells it."""
    known: dict[str, object] = {"id": NUMBER, "status": "IN_PROGRESS", "resource_name": NAME}
    return itcare.Action(**{**known, **changes})  # type: ignore[arg-type]


Work = Callable[[], object]


def sender(cast: Cast) -> tuple[Operation, Work]:
    """An answer names the action."""
    row = row_of(cast, State.SENDING, name=NAME)
    attempt = row.attempts.create(number=1, fence=0)
    return row, partial(outcome.accepted, row, attempt, itcare.Accepted(202, told(), "", finished=False))


def search(cast: Cast) -> tuple[Operation, Work]:
    """It is found in the list."""
    row = bare(cast)
    return row, partial(unsettled.adopt, row, told(), "the only one")


def shown(cast: Cast) -> tuple[Operation, Work]:
    """Its action shows up after the cluster showed that it was done."""
    row = bare(cast, State.SUCCEEDED, upstream_action_id=None)
    return row, partial(late.heard, NAME, [told()])


def alarm(cast: Cast) -> tuple[Operation, Work]:
    """Its action shows up after it was given up."""
    row = bare(cast, State.FAILED, reason=Reason.GIVEN_UP, settled_by=cast.approver)
    return row, partial(late.heard, NAME, [told()])


def end(cast: Cast) -> tuple[Operation, Work]:
    """Its action ends after it was given up."""
    given_up = {"reason": Reason.GIVEN_UP, "settled_by": cast.approver, "upstream_action_id": NUMBER}
    row = bare(cast, State.FAILED, **given_up)
    Action.objects.update(operation=row)
    return row, partial(ends.tell, row, told(status="SUCCESS"))


def relapse(cast: Cast) -> tuple[Operation, Work]:
    """Its action is told to have ended otherwise."""
    row = bare(cast, State.SUCCEEDED, upstream_action_id=NUMBER)
    Action.objects.update(operation=row, status="SUCCESS")
    return row, partial(relapses.tell, [told(status="ERROR")])


def last_look(cast: Cast) -> tuple[Operation, Work]:
    """Its action shows up just before it is sent again."""
    release = {"released_by": cast.approver, "released_at": Now(), "last_proof": "unknown"}
    row = bare(cast, State.QUEUED, kind="stop", **release)
    Action.objects.update(seen_at=Now())
    row.refresh_from_db()
    return row, partial(released.held_back, row, itcare.Actions((told(),), complete=True))


def unremembered(cast: Cast) -> tuple[Operation, Work]:
    """The portal does not remember the action."""
    row = row_of(cast, State.QUEUED, name=NAME)
    return row, partial(unknown.tell, [told()])


@contextmanager
def waiting(work: Work) -> Iterator[None]:
    """Let another do that on a connection of its own, and go on when it waits for a lock; at the end it is done."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            yield
            running = pool.submit(run)
            until(somebody_waits)
            # All that a transaction on that operation may still need.
            Action.objects.select_for_update(of=("self",)).get(upstream_id=NUMBER)
            list(Concern.objects.select_for_update(of=("self",)).values_list("pk"))
        running.result(30)


# Each with what comes of it once the other has let go.
CAME: Final[dict[Callable[[Cast], tuple[Operation, Work]], tuple[str, int | None, list[str]]]] = {
    sender: ("running", NUMBER, []),
    search: ("running", NUMBER, []),
    shown: ("succeeded", NUMBER, []),
    alarm: ("failed", None, ["late_action"]),
    end: ("failed", NUMBER, ["late_action"]),
    relapse: ("succeeded", NUMBER, ["relapsed"]),
    last_look: ("unclear", None, []),
    unremembered: ("queued", None, ["unknown_action"]),
}


@pytest.mark.parametrize("begin", CAME, ids=lambda begin: begin.__name__)
def test_nobody_holds_the_action_while_waiting_for_its_operation(
    cast: Cast, begin: Callable[[Cast], tuple[Operation, Work]]
) -> None:
    Action.objects.create(upstream_id=NUMBER, resource_name=NAME, status="IN_PROGRESS")
    row, work = begin(cast)
    with waiting(work):
        Operation.objects.select_for_update(of=("self",)).get(pk=row.pk)
    row.refresh_from_db()
    about = Concern.objects.filter(operation=row).values_list("situation", flat=True)
    assert (row.state, row.upstream_action_id, list(about)) == CAME[begin]


def test_a_late_answer_and_the_search_that_finds_the_action_at_the_same_instant_come_to_an_end(cast: Cast) -> None:
    Action.objects.create(upstream_id=NUMBER, resource_name=NAME)
    row = bare(cast)
    concern = concern_of(row, situation=Situation.NOTHING_FOUND)
    attempt = row.attempts.get()
    answer = itcare.Accepted(202, told(), "", finished=False)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Operation.objects.select_for_update(of=("self",)).get(pk=row.pk)
            running = pool.submit(late_answer, row, attempt.pk, answer)
            until(somebody_waits)
            unsettled.adopt(row, told(), "the only one")
        running.result(30)
    row.refresh_from_db()
    attempt.refresh_from_db()
    concern.refresh_from_db()
    assert (row.state, row.upstream_action_id, Action.objects.get().operation) == ("running", NUMBER, row)
    assert (attempt.proof, attempt.upstream_action_id) == ("accepted", NUMBER)
    assert concern.outcome == "Found at ITCare: the only one."


def late_answer(row: Operation, attempt: int, answer: itcare.Accepted) -> None:
    """What the sender does that had been thought dead."""
    try:
        mine = Operation.objects.get(pk=row.pk)
        outcome.accepted(mine, mine.attempts.get(pk=attempt), answer)
    finally:
        connection.close()


def test_who_lost_the_row_tells_nobody_that_another_has_the_action(cast: Cast) -> None:
    bare(cast, State.RUNNING, name="cluster00002", upstream_action_id=NUMBER)
    row, work = sender(cast)
    Operation.objects.filter(pk=row.pk).update(fence=F("fence") + 1)
    work()
    assert row.attempts.get().proof == "accepted"
    row.refresh_from_db()
    assert (row.state, Concern.objects.count()) == ("sending", 0)
