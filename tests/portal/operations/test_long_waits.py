"""Rows that wait because ITCare asks for it: none longer than all the portal, nor always for another's sake."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from portal.operations import follow, settle
from portal.operations.models import Concern, Operation
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


def waits_end() -> None:
    """Let the pause be over, and each row's time come in the order in which their times are."""
    Pause.objects.all().delete()
    Operation.objects.exclude(look_at=None).update(look_at=F("look_at") - timedelta(hours=1))


def failures() -> list[tuple[str, int]]:
    return list(Operation.objects.order_by("pk").values_list("state", "failures"))


def test_a_running_one_that_is_throttled_alone_stops_no_other_for_long(cast: Cast, settings: Settings) -> None:
    settings.STUCK_FAILURES = 3
    rows = [row_of(cast, State.RUNNING, upstream_action_id=number) for number in (1, 2, 3)]
    ends = {str(number): answer(200, {"id": number, "status": "ERROR"}) for number in (2, 3)}
    seen = []
    for _ in range(3):
        waits_end()
        with answering(settings, answer(200, [])) as api:
            api.by_end = {**ends, "1": answer(429, Retry_After="30")}
            follow.follow()
        seen.append(failures())
    assert seen == [
        [("running", 1), ("running", 0), ("running", 0)],
        [("running", 2), ("failed", 0), ("failed", 0)],
        [("running", 3), ("failed", 0), ("failed", 0)],
    ]
    concern = Concern.objects.get()
    assert (concern.operation, concern.situation) == (rows[0], "stuck")


def test_an_unclear_one_that_is_throttled_alone_stops_no_other_for_long(cast: Cast, settings: Settings) -> None:
    rows = [bare(cast, name=f"cluster{number:05}") for number in (1, 2, 3)]
    # Only this one is asked for by a number.
    rows[0].attempts.update(upstream_action_id=777)
    seen = []
    long_ago = Now() - timedelta(seconds=2 * settings.SETTLE_GRACE_SECONDS)
    Operation.objects.filter(pk=rows[0].pk).update(sent_at=long_ago)
    for _ in range(3):
        waits_end()
        with answering(settings, answer(200, [])) as api:
            api.by_end = {"777": answer(429, Retry_After="30")}
            settle.settle()
        seen.append([failed for _, failed in failures()])
    assert seen == [[1, 0, 0], [2, 1, 1], [3, 2, 2]]
    concern = Concern.objects.get()
    assert (concern.operation, concern.situation) == (rows[0], "unsettled")
