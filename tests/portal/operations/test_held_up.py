"""Senders that are held up on the way, and what changed meanwhile: they do not write."""

import socket
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import Settings

from portal.audit.record import LOCK
from portal.operations import send
from portal.operations.models import Continuity, Operation
from tests.cast import Cast, queued
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import answering, evidence, meanwhile, sent, time_passes
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_is_held_up_as_it_says_sending_does_not_write_at_the_end_of_its_lease(
    cast: Cast, upstream: Sandbox, settings: Settings
) -> None:
    # As short as a lease may be that lets anything be sent.
    settings.ITCARE_TOTAL_SECONDS = settings.ITCARE_READ_SECONDS = 1.0
    settings.LEASE_SECONDS = settings.ITCARE_TOTAL_SECONDS + send.MARGIN_SECONDS + 1.0
    operation = queued(cast.developer, cast.approver)

    with connection.cursor() as cursor:

        def waits() -> bool:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return bool(cursor.fetchone()[0])

        # The audit entry of "sending" has to wait for somebody else's.
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        with meanwhile(lambda: send.send(operation.pk)):
            until(waits)
            time.sleep(settings.LEASE_SECONDS - settings.ITCARE_TOTAL_SECONDS)
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    row = Operation.objects.get()
    assert (row.state, evidence(row), upstream.writes()) == ("queued", [("not_sent", None)], [])
    assert row.message == "The process was held up before it could send."
    time_passes()
    assert (sent(row).state, len(upstream.writes())) == ("running", 1)


def test_a_break_that_is_noticed_while_it_is_looked_at_stops_it_unburnt(cast: Cast, settings: Settings) -> None:
    operation = queued(cast.developer, cast.approver)
    away = timedelta(seconds=settings.AWAY_SECONDS)

    def breaks_off(caller: socket.socket) -> None:
        with meanwhile(lambda: Continuity.objects.update(at=Now() - 2 * away)):
            pass
        caller.sendall(answer(200, []))

    with answering(settings, answer(200, []), breaks_off, answer(202, {"id": 7})) as api:
        row = sent(operation)
        assert [call.method for call in api.received] == ["GET", "GET"]
    assert (row.state, row.failures, row.lease_until, evidence(row)) == ("queued", 0, None, [])
