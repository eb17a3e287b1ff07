"""ITCare tells another end of an action than the one with which its operation ended: a person is told, once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from portal import itcare
from portal.operations import follow, history, relapses
from portal.operations.models import Action, Concern, Operation
from portal.operations.states import State
from portal.upstream.client import client
from tests.cast import Cast, cluster
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import answering, time_passes
from tests.portal.operations.test_watch import told
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)


def ended(cast: Cast, state: State, said: str, number: int = 7) -> Operation:
    """An operation that has ended, with its action as it was told last."""
    row = row_of(cast, state, upstream_action_id=number)
    Action.objects.create(upstream_id=number, operation=row, status=said)
    return row


@pytest.mark.parametrize(
    ("state", "said", "now", "tells"),
    [
        (State.SUCCEEDED, "SUCCESS", "ERROR", True),
        (State.FAILED, "ERROR", "SUCCESS", True),
        # Nobody had said so: see test_ends for one that a person ended while it ran.
        (State.FAILED, "IN_PROGRESS", "SUCCESS", True),
        (State.FAILED, "IN_PROGRESS", "ERROR", False),
        (State.SUCCEEDED, "IN_PROGRESS", "SUCCESS", False),
        (State.SUCCEEDED, "SUCCESS", "SUCCESS", False),
        (State.FAILED, "ERROR", "ERROR", False),
        # A person had called it done, and knew how the action had ended.
        (State.SUCCEEDED, "ERROR", "ERROR", False),
    ],
)
def test_another_end_is_told_once_and_changes_nothing(
    cast: Cast, state: State, said: str, now: str, *, tells: bool
) -> None:
    row = ended(cast, state, said)
    action = itcare.Action(id=7, status=now, message="Checked again")
    assert [relapses.tell([action]) for _ in range(3)] == [int(tells), 0, 0]
    words = (
        f"ITCare said {said} of action 7, and the operation ended as {state}. Now the action is told as {now}: "
        '"Checked again". The operation stays as it is: look at the cluster, or ask cegedim.cloud.'
    )
    found = list(Concern.objects.values_list("operation", "situation", "words"))
    assert found == ([(row.pk, "relapsed", words)] if tells else [])
    assert Operation.objects.get().state == state


def test_a_word_that_nobody_knows_is_told_as_such(cast: Cast) -> None:
    row = ended(cast, State.SUCCEEDED, "SUCCESS")
    Operation.objects.update(ended_at=Now() - timedelta(minutes=5))
    action = itcare.Action(id=7, status="ARCHIVED")
    assert [relapses.tell([action]) for _ in range(2)] == [1, 0]
    assert Concern.objects.get(operation=row).words == (
        "ITCare said SUCCESS of action 7, and the operation ended as succeeded. Now the action is told as ARCHIVED. "
        "That word is not documented: whether it goes on, or has ended otherwise, nobody can tell: look at the "
        "cluster, or ask cegedim.cloud."
    )


def test_what_a_late_list_tells_of_before_is_not_told(cast: Cast) -> None:
    ended(cast, State.SUCCEEDED, "SUCCESS")
    now = datetime.now(UTC)
    Action.objects.update(last_updated_at=now)
    action = itcare.Action(id=7, status="ERROR", last_updated_at=now - timedelta(minutes=5))
    assert (relapses.tell([action]), Concern.objects.count()) == (0, 0)


def test_the_history_of_a_cluster_shows_it_too(cast: Cast, settings: Settings) -> None:
    there = cluster(cast.service, 1)
    row = ended(cast, State.SUCCEEDED, "SUCCESS")
    with answering(settings, answer(200, [told(7, status="ERROR", resourceName=there.name)])):
        history.read(client(), there)
    assert Concern.objects.get().operation == row


def test_a_pass_that_is_told_of_ends_takes_one_statement_more_for_all_of_them(cast: Cast, settings: Settings) -> None:
    row_of(cast, State.RUNNING, upstream_action_id=1000)
    counts = []
    for first, last in [(1, 1), (1, 1), (2, 3), (4, 40)]:
        for number in range(first, last + 1):
            if not Action.objects.filter(upstream_id=number).exists():
                ended(cast, State.SUCCEEDED, "SUCCESS", number)
        page = [told(1000), *(told(number, status="SUCCESS") for number in range(1, last + 1))]
        for actions in ([told(1000)], page):
            time_passes(60.0)
            with answering(settings, answer(200, actions)), CaptureQueriesContext(connection) as queries:
                assert follow.follow() == 1
            counts.append(len(queries))
    # The first pass of all fetches the token, and notes the action.
    without, with_ends = set(counts[2::2]), set(counts[3::2])
    assert (len(without), with_ends) == (1, {without.pop() + 1})
