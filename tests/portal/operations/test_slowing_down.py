"""429 and 503 while following slow the whole client down: sending waits too, and both go on when the pause is over."""

import time
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from portal.operations import follow, tasks
from portal.operations.models import Operation
from portal.operations.states import State
from portal.upstream.models import Pause
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


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retry_after", [None, "40"])
def test_no_call_leaves_while_the_client_pauses_whoever_makes_it(
    cast: Cast, upstream: Sandbox, settings: Settings, status: int, retry_after: str | None
) -> None:
    sent(queued(cast.developer, cast.approver))
    waits = queued(cast.developer, cast.approver, name="waits01")
    time_passes()
    before = (settings.ITCARE_BASE_URL, settings.ITCARE_TOKEN_URL)
    refusal = answer(status, Retry_After=retry_after) if retry_after else answer(status)
    with answering(settings, refusal) as api:
        follow.follow()
        asked = len(api.received)
        assert asked >= 1
        for _ in range(3):
            due_now()
            work(waits.pk)
        assert len(api.received) == asked
    states = Operation.objects.order_by("pk").values_list("state", "lease_until")
    assert list(states) == [("running", None), ("queued", None)]
    settings.ITCARE_BASE_URL, settings.ITCARE_TOKEN_URL = before
    # Over, as if its time had passed; what waited is due by itself.
    Pause.objects.update(until=Now() - timedelta(seconds=1))
    time_passes()

    def both_go_on() -> bool:
        work(waits.pk)
        due_now()
        return set(Operation.objects.values_list("state", flat=True)) == {"succeeded"}

    assert until(both_go_on, seconds=20)
    assert posts(upstream) == 2


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
    assert set(Operation.objects.values_list("failures", flat=True)) == {0}
    later = Operation.objects.filter(look_at__gt=Now() + timedelta(seconds=30))
    assert later.count() == 6
