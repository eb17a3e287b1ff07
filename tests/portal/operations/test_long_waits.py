"""However long ITCare asks to wait, what runs or is unclear waits no longer than all else, and goes on with it."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from portal.operations import follow, settle
from portal.operations.models import Operation
from portal.operations.states import State
from portal.upstream.models import Pause
from portal.upstream.pause import LONGEST
from tests.cast import Cast
from tests.portal.itcare.scripted import Answer, answer
from tests.portal.operations.engine import answering, time_passes
from tests.portal.operations.needing import bare
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)

A_DAY = "86400"


def wait_together() -> bool:
    """Whether each waits, and none longer than the pause that holds for all of the portal."""
    Pause.objects.get(until__gt=Now(), until__lte=Now() + timedelta(seconds=LONGEST))
    waits = Operation.objects.filter(look_at__gt=Now(), look_at__lte=Now() + timedelta(seconds=LONGEST))
    return waits.count() == Operation.objects.count()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("before", [[], [answer(200, [])]], ids=["the list", "an action"])
def test_running_ones(cast: Cast, settings: Settings, status: int, before: list[Answer]) -> None:
    for number in range(1, 4):
        row_of(cast, State.RUNNING, upstream_action_id=number)
    time_passes()
    with answering(settings, *before, answer(status, Retry_After=A_DAY)):
        follow.follow()
    assert wait_together()


@pytest.mark.parametrize("status", [429, 503])
def test_unclear_ones(cast: Cast, settings: Settings, status: int) -> None:
    for number in range(1, 4):
        bare(cast, name=f"cluster{number:05}")
    time_passes()
    with answering(settings, answer(status, Retry_After=A_DAY)):
        settle.settle()
    assert wait_together()
