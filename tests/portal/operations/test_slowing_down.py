"""429 and 503 while following slow the whole client down: sending waits too, and both go on when the pause is over."""

import time
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from portal.operations import follow, tasks
from portal.operations.models import Operation
from portal.operations.states import State
from tests.cast import Cast, queued
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import LISTS_ACTIONS, answering, at_once, fault, posts, sent, time_passes
from tests.sandbox_server import Sandbox, until
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)


def due_now() -> None:
    Operation.objects.filter(look_at__isnull=False).update(look_at=Now(), lease_until=None)


def work(number: int) -> None:
    """What workers do at once: follow what runs, and send what waits."""
    at_once(follow.follow, lambda: tasks.send_operation(number))


def test_a_short_pause_ends_by_itself_and_nothing_reaches_the_upstream_meanwhile(cast: Cast, upstream: Sandbox) -> None:
    sent(queued(cast.developer, cast.approver))
    waits = queued(cast.developer, cast.approver, name="waits01")
    upstream.set_faults(
        fault("refuse", times=3, match=LISTS_ACTIONS, status=429, headers={"Retry-After": "9"}),
    )
    time_passes()
    follow.follow()
    began = time.monotonic()

    def sending() -> bool:
        due_now()
        work(waits.pk)
        return posts(upstream) == 2

    upstream.set_faults()
    assert until(sending, seconds=30)
    assert time.monotonic() - began > 5


def test_a_pause_in_the_middle_of_single_actions_gives_the_rest_back(cast: Cast, settings: Settings) -> None:
    for number in range(1, 8):
        row_of(cast, State.RUNNING, upstream_action_id=number)
    time_passes()
    listed, single = answer(200, []), answer(200, {"id": 1, "status": "IN_PROGRESS"})
    with answering(settings, listed, single, answer(429, Retry_After="40")) as api:
        assert follow.follow() == 2
        assert len(api.received) == 3
    assert not Operation.objects.exclude(lease_until=None).exists()
    assert sorted(Operation.objects.values_list("failures", flat=True)) == [0, 0, 0, 0, 0, 0, 1]
    later = Operation.objects.filter(look_at__gt=Now() + timedelta(seconds=30))
    assert later.count() == 6
