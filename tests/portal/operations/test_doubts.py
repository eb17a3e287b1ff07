"""A queued operation that may have been sent already: it waits, whoever else waits for its name."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal import itcare
from portal.operations import unknown
from portal.operations.models import Concern, Operation, Situation
from portal.operations.states import State
from tests.cast import Cast
from tests.portal.operations.deciding import WHY
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "twin000001"


def listed(*numbers: int) -> itcare.Actions:
    """What ITCare did for the portal's account on that name just now, says its list."""
    now = timezone.now()
    did = (
        itcare.Action(id=number, status="IN_PROGRESS", resource_name=NAME, submitted_at=now + timedelta(seconds=1))
        for number in numbers
    )
    return itcare.Actions(tuple(did), complete=True, server_time=now)


def named(row: Operation) -> list[int]:
    """The actions that the open concern about it names."""
    about = Concern.objects.open().filter(operation=row, situation=Situation.UNKNOWN_ACTION)
    return sorted(about.values_list("actions__upstream_id", flat=True))


@pytest.fixture
def twins(cast: Cast) -> list[Operation]:
    """Two that wait for one name: one of a service of each team."""
    services = (cast.service, cast.other_service)
    return [row_of(cast, State.QUEUED, kind="resize", name=NAME, service=service) for service in services]


def test_each_of_two_that_wait_for_one_name_is_stopped(cast: Cast, twins: list[Operation]) -> None:
    doubts = [unknown.doubt(row, listed(90_001)) for row in twins]
    assert doubts == list(Concern.objects.order_by("operation").values_list("words", flat=True))
    assert [doubt.startswith("ITCare did something for the portal's account") for doubt in doubts] == [True, True]
    assert [named(row) for row in twins] == [[90_001], [90_001]]


def test_that_it_is_not_the_ones_says_nothing_of_the_other(cast: Cast, twins: list[Operation]) -> None:
    first, other = twins
    assert unknown.doubt(first, listed(90_001)) != ""
    Concern.objects.update(closed_at=timezone.now(), closed_by=cast.approver, outcome=WHY)
    assert unknown.doubt(first, listed(90_001)) == ""
    assert unknown.doubt(other, listed(90_001)) != ""
    assert (named(first), named(other)) == ([], [90_001])
