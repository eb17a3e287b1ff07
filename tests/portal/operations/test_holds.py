"""The switch: while sends are on hold nothing is sent and nothing is burnt, and all goes on when they are let go."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.db import connection, transaction
from pytest_django import Settings

from portal.audit.models import Entry
from portal.home.management.commands.sweep import jobs
from portal.operations import holds, send
from portal.operations.models import Attempt, Operation
from portal.operations.sweep import Nudges, once
from portal.web.hints import Nudger
from tests.browsing import signed_in
from tests.cast import Cast, queued
from tests.markup import Page
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import (
    OF_OPERATIONS,
    answering,
    everybody_tries,
    meanwhile,
    posts,
    sent,
    time_passes,
)
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def new(cast: Cast, **changes: str | None) -> Operation:
    return queued(cast.developer, cast.approver, **changes)


def let_go() -> None:
    hold = holds.held()
    assert hold is not None
    holds.let_go(hold, "Looked.")


def test_nothing_is_claimed_while_sends_are_on_hold_and_it_goes_on_when_let_go(cast: Cast, upstream: Sandbox) -> None:
    operation = new(cast)
    holds.hold("We move.", by=cast.administrator)
    everybody_tries(operation)
    row = Operation.objects.get()
    assert (row.state, row.failures, row.fence, row.lease_until, row.message) == ("queued", 0, 0, None, "")
    assert (Attempt.objects.count(), upstream.writes()) == (0, [])
    let_go()
    once([job for job in jobs() if job.name in OF_OPERATIONS])
    assert (Operation.objects.get().state, posts(upstream)) == ("running", 1)


def test_a_hold_that_comes_while_it_is_looked_at_stops_it_unburnt(cast: Cast, settings: Settings) -> None:
    operation = new(cast)
    due = Operation.objects.get().look_at

    def held_meanwhile(connection: socket.socket) -> None:
        with meanwhile(lambda: holds.hold("Stop.")):
            pass
        connection.sendall(answer(200, []))

    with answering(settings, answer(200, []), held_meanwhile, answer(202, {"id": 7})) as api:
        row = sent(operation)
        assert [call.method for call in api.received] == ["GET", "GET"]
        assert (row.state, row.failures, row.lease_until, row.look_at) == ("queued", 0, None, due)
        assert Attempt.objects.count() == 0
        let_go()
        api.script = [answer(200, []), answer(200, []), answer(202, {"id": 7})]
        assert sent(operation).state == "running"


def test_a_hold_that_is_being_committed_stops_what_has_not_become_sending(cast: Cast, settings: Settings) -> None:
    operation = new(cast)
    with answering(settings, answer(200, []), answer(200, []), answer(202, {"id": 7})) as api:

        def waits() -> bool:
            with connection.cursor() as cursor:
                cursor.execute(WAITING)
                return bool(cursor.fetchone()[0])

        def send_it() -> None:
            send.send(operation.pk)
            connection.close()

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                holds.hold("Stop.")
                sending = pool.submit(send_it)
                # It is about to say "sending", and cannot see the hold yet.
                until(waits)
            sending.result(20)
        assert [call.method for call in api.received] == ["GET", "GET"]
    row = Operation.objects.get()
    assert (row.state, row.failures, Attempt.objects.count()) == ("queued", 0, 0)


def test_the_sweep_fills_no_broker_with_what_is_on_hold(cast: Cast, broker: str) -> None:
    new(cast)
    with redis.Redis.from_url(broker) as queue:
        queue.flushall()
        hold = holds.hold("We move.")
        Nudges(Nudger()).send()
        assert (hold, queue.llen("celery")) == (True, 0)
        let_go()
        Nudges(Nudger()).send()
        assert queue.llen("celery") == 1


def test_what_runs_is_followed_while_sends_are_on_hold(cast: Cast, upstream: Sandbox) -> None:
    operation = new(cast)
    assert sent(operation).state == "running"
    holds.hold("We move.")

    def ended() -> bool:
        time_passes(60.0)
        once([job for job in jobs() if job.name in OF_OPERATIONS])
        return Operation.objects.get().state == "succeeded"

    until(ended)


def test_the_page_says_that_it_waits_because_of_the_hold(cast: Cast) -> None:
    operation = new(cast)
    browser = signed_in(cast.developer)
    address = operation.get_absolute_url()

    def notes() -> list[str]:
        live = Page.of(browser.get(address).content).one(id="live")
        return [note.text for note in live.with_class("note")]

    before = Page.of(browser.get(address).content).one(id="live").attributes["hx-get"]
    assert (notes(), browser.get(before, headers={"HX-Request": "true"}).status_code) == ([], 204)
    holds.hold("The database is moved.", by=cast.administrator)
    assert notes() == ["It waits: all sends are on hold. The database is moved."]
    assert browser.get(before, headers={"HX-Request": "true"}).status_code == 200
    let_go()
    assert notes() == []


def test_holding_and_letting_go_are_in_the_audit_log(cast: Cast) -> None:
    assert holds.hold("We move.", by=cast.administrator)
    assert not holds.hold("Again.", by=cast.approver)
    let_go()
    told = Entry.objects.filter(subject_type="hold").order_by("number").values_list("verb", "actor", "detail")
    assert list(told) == [
        ("sends.held", "admin@example.com", {"why": "We move."}),
        ("sends.let_go", "portal", {"why": "Looked."}),
    ]
