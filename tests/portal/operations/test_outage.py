"""ITCare is away and comes back: nothing is burnt meanwhile, and what waited goes on in order, at the pace, once."""

import pytest
from django.test import Client as Browser
from django.utils import timezone
from pytest_django import Settings

from portal.operations import send
from portal.operations.models import Attempt, Operation
from portal.operations.sweep import Nudges
from portal.upstream.circuit import FAILURES, Circuit, Way, way
from portal.upstream.models import Pause
from portal.web.hints import Nudger
from tests.browsing import signed_in
from tests.cast import Cast, queued
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import answering, at_once, posts, sent
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

RATE = 5.0


def shut() -> None:
    for _ in range(FAILURES):
        Circuit().reached("ITCare does not answer.")


def time_is_over() -> None:
    row = Pause.objects.get()
    row.until = row.since
    row.save()


def test_what_is_queued_while_itcare_is_away_is_not_burnt(cast: Cast, upstream: Sandbox) -> None:
    operation = queued(cast.developer, cast.approver)
    shut()
    for _ in range(3):
        row = sent(operation)
        assert (row.state, row.failures, row.fence, row.message) == ("queued", 0, 0, "")
    # One tries; another one waits without a failure of its own.
    time_is_over()
    Circuit().gate()
    row = sent(operation)
    assert (way(), row.state, row.failures, row.lease_until, Attempt.objects.count()) == (
        Way.TRIED,
        "queued",
        0,
        None,
        0,
    )
    assert row.look_at is not None
    assert row.look_at <= row.changed_at


def test_the_oldest_tries_and_all_go_on_together_when_it_answers(cast: Cast, settings: Settings, broker: str) -> None:
    operations = [queued(cast.developer, cast.approver, name=f"name{number:05}") for number in range(4)]
    told: list[int] = []

    class Listening(Nudger):
        def nudge(self, _task: object, *args: int, again: float = 0) -> bool:
            told.extend(args)
            return True

    nudges = Nudges(Listening())
    # Two had failed before, and wait for long.
    for operation in operations[:2]:
        Operation.objects.filter(pk=operation.pk).update(look_at="2099-01-01T00:00Z", failures=7)
    shut()
    nudges.send()
    assert told == []
    time_is_over()
    nudges.send()
    assert told == [operations[2].pk]
    Pause.objects.update(failures=0)
    told.clear()
    nudges.send()
    assert told == [operation.pk for operation in operations]


def test_pages_are_quick_while_itcare_hangs(cast: Cast, settings: Settings) -> None:
    shut()
    browser: Browser = signed_in(cast.developer)
    with answering(settings, answer(200, [])) as api:
        assert [browser.get(path).status_code for path in ("/", "/clusters/", "/operations/", "/readyz")] == [200] * 4
        assert browser.get("/readyz").json()["upstream"].startswith("ITCare does not answer.")
        assert api.received == []


def test_senders_keep_the_pace_between_them(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    settings.SENDS_PER_SECOND = RATE
    operations = [queued(cast.developer, cast.approver, name=f"name{number:05}") for number in range(6)]
    began = timezone.now()
    assert at_once(*[lambda pk=one.pk: send.send(pk) for one in operations]) == [None] * 6
    times = sorted(row.sent_at for row in Operation.objects.all() if row.sent_at)
    assert (len(times), posts(upstream)) == (6, 6)
    # The sixth turn. How late each of the others is after its own says nothing.
    assert (times[-1] - began).total_seconds() >= 5 / RATE
