"""The sweep's loop, and what a slow ITCare may take of its time."""

from datetime import timedelta
from threading import Event

import pytest
from django.core.mail import EmailMessage
from django.db.models.functions import Now
from pytest_django import Settings

from portal.home.management.commands.sweep import jobs
from portal.inventory.models import Part, PartName
from portal.inventory.parts import note_part
from portal.operations import continuity, heartbeat, history, late, mails, settle
from portal.operations.models import Continuity, Heartbeat, Operation
from portal.operations.states import State
from portal.operations.sweep import Job, at_work, once, sweep
from tests.cast import Cast, cluster
from tests.portal.operations.engine import LISTS_ACTIONS, fault, time_passes
from tests.portal.operations.needing import bare, concern_of
from tests.sandbox_server import Sandbox
from tests.states.rows import operation as row_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_must_not_fall_silent_comes_between_any_two_jobs() -> None:
    stop = Event()
    done: list[str] = []
    loop = [
        Job("heartbeat", lambda: done.append("beat"), 0, between=True),
        Job("continuity", lambda: done.append("at work"), 0, between=True),
        Job("slow", lambda: done.append("slow"), 60),
        Job("last", stop.set, 60),
    ]
    sweep(loop, stop)
    assert done[-5:] == ["beat", "at work", "slow", "beat", "at work"]


def test_these_must_not_fall_silent() -> None:
    assert [job.name for job in jobs() if job.between] == ["heartbeat", "continuity"]


def looked_at() -> list[bool]:
    """Of each operation, whether a look at it was counted; nobody holds one."""
    assert not Operation.objects.exclude(lease_until=None).exists()
    return [failures > 0 for failures in Operation.objects.order_by("pk").values_list("failures", flat=True)]


def unclear_ones(cast: Cast, upstream: Sandbox, seconds: float) -> None:
    """Four that are due, and an ITCare that takes so long for each."""
    for number in range(4):
        bare(cast, name=f"cluster{number:05}")
    time_passes()
    upstream.set_faults(fault("late", times=None, match=LISTS_ACTIONS, seconds=seconds))


def test_a_pass_of_settling_ends_when_its_time_is_over(cast: Cast, upstream: Sandbox) -> None:
    unclear_ones(cast, upstream, 3)
    assert (settle.settle(seconds=2), looked_at()) == (1, [True, False, False, False])
    # The next pass goes on with the others.
    upstream.set_faults()
    assert (settle.settle(), looked_at()) == (3, [True] * 4)


def test_the_sweep_gives_settling_only_some_of_its_time(cast: Cast, upstream: Sandbox) -> None:
    unclear_ones(cast, upstream, 12)
    once([job for job in jobs() if job.name == "unclear operations"])
    assert looked_at() == [True, False, False, False]


def test_other_passes_begin_nothing_more_when_their_time_is_over(
    cast: Cast, upstream: Sandbox, mailoutbox: list[EmailMessage]
) -> None:
    for number in range(2):
        row = bare(cast, State.FAILED, name=f"cluster{number:05}", settled_by=cast.approver, searched_at=None)
        note_part(cluster(cast.service, number), PartName.HISTORY, failed="")
        concern_of(row)
    assert [late.watch(seconds=0) for _ in range(3)] == [1, 1, 0]
    assert ([mails.tell(seconds=0) for _ in range(3)], len(mailoutbox)) == ([1, 1, 0], 2)
    Part.objects.update(wanted_at=Now())
    left = []
    for _ in range(3):
        history.read_waiting(seconds=0)
        left.append(history.waiting().count())
    assert left == [1, 0, 0]


@pytest.mark.parametrize("name", ["lists of ITCare", "running operations"])
def test_a_list_of_many_pages_lets_nothing_fall_silent(
    cast: Cast, upstream: Sandbox, settings: Settings, name: str
) -> None:
    settings.SWEEP_PATIENCE_SECONDS = 0
    row_of(cast, State.RUNNING)
    heartbeat.beat(heartbeat.SWEEP)
    long_ago = timedelta(seconds=200)
    Heartbeat.objects.update(at=Now() - long_ago)
    Continuity.objects.update(at=Now() - long_ago)
    time_passes()
    once([job for job in jobs() if job.name == name])
    assert heartbeat.alive(heartbeat.SWEEP)
    assert Continuity.objects.filter(at__gt=Now() - long_ago / 2).exists()


def test_a_break_is_not_made_good_by_that(cast: Cast) -> None:
    Continuity.objects.update(at=Now() - timedelta(days=1))
    at_work()
    assert not continuity.unbroken()
