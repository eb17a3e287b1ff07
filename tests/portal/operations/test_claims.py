"""Who may work on a row: leases, fences, crashes, latecomers, and the sweep that needs nobody (SAFETY 3)."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import psycopg
import pytest
import redis
from django.db import connection
from django.db.models.functions import Now
from pytest_django import Settings

from portal.home.management.commands.sweep import jobs
from portal.operations import send, settle
from portal.operations.leases import claim, give_back, hand_back, look_again
from portal.operations.models import Attempt, Operation
from portal.operations.states import State
from portal.operations.sweep import Nudges, once
from portal.web.hints import Nudger
from tests.cast import Cast, queued
from tests.faults.judge import judge, settle_down
from tests.faults.proxy import Moment, Rule, before_itcare, hold, starting
from tests.faults.table import Row, told
from tests.portal.itcare.scripted import answer
from tests.portal.operations.engine import (
    LISTS_ACTIONS,
    Held,
    answering,
    at_once,
    everybody_tries,
    evidence,
    fault,
    meanwhile,
    posts,
    sent,
    settled,
    time_passes,
)
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)


def new(cast: Cast, **changes: str | None) -> Operation:
    return queued(cast.developer, cast.approver, **changes)


def portal_role() -> psycopg.Connection:
    database = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
    return psycopg.connect(**{ours: database[theirs] for ours, theirs in names.items()})


def test_a_claim_skips_rows_that_somebody_else_is_taking(cast: Cast) -> None:
    first, second = new(cast), new(cast, name="another01")
    with portal_role() as other:
        other.execute("SELECT id FROM operations_operation WHERE id = %s FOR UPDATE", [first.pk])
        assert [row.pk for row in claim(State.QUEUED, limit=5)] == [second.pk]
    assert [(row.pk, row.fence) for row in claim(State.QUEUED, limit=5)] == [(first.pk, 1)]


def test_a_claim_takes_what_is_due_and_free_the_longest_due_first(cast: Cast) -> None:
    rows = [new(cast, name=f"claimed{number}") for number in range(4)]
    ahead = Now() + timedelta(minutes=1)
    Operation.objects.filter(pk=rows[0].pk).update(look_at=ahead)
    Operation.objects.filter(pk=rows[1].pk).update(lease_until=ahead)
    Operation.objects.filter(pk=rows[3].pk).update(look_at=Now() - timedelta(minutes=1), lease_until=Now())
    assert [row.pk for row in claim(State.QUEUED, limit=5)] == [rows[3].pk, rows[2].pk]
    assert claim(State.QUEUED, limit=5) == []
    time_passes()
    fences = {row.pk: row.fence for row in claim(State.QUEUED, limit=5)}
    assert [fences[row.pk] for row in rows] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    "back",
    [lambda row: look_again(row, 0), lambda row: give_back([row]), hand_back],
    ids=["again", "unseen", "as it was"],
)
def test_giving_back_is_for_who_still_holds_it(cast: Cast, back: Callable[[Operation], None]) -> None:
    operation = new(cast)
    (old,) = claim(State.QUEUED)
    time_passes()
    claim(State.QUEUED)
    before = Operation.objects.values().get()
    back(old)
    assert Operation.objects.values().get() == before
    Operation.objects.get().move(State.CANCELLED)
    ended = Operation.objects.get(pk=operation.pk)
    back(ended)
    assert Operation.objects.get().look_at is None


@told(
    Row(
        "Several people, sweeps or workers at the same instant",
        "four senders of one operation",
        "four threads send it in the same instant",
        "the lease lets one of them send",
        "nothing out of the ordinary",
    )
)
def test_senders_at_once_send_once(cast: Cast, upstream: Sandbox) -> None:
    upstream.set_faults(fault("late", seconds=0.3))
    operation = new(cast)
    assert at_once(*[lambda: send.send(operation.pk)] * 4) == [None] * 4
    assert (posts(upstream), evidence(operation)) == (1, [("accepted", 202)])
    settle_down()
    judge(upstream)


def test_what_is_cancelled_while_it_is_looked_at_is_not_sent(cast: Cast, settings: Settings) -> None:
    operation, looks = new(cast), Held(answer(200, []))
    with answering(settings, looks, answer(200, [])) as api:
        with meanwhile(lambda: send.send(operation.pk)):
            assert looks.asked.wait(10)
            Operation.objects.get().move(State.CANCELLED, actor=cast.developer)
            looks.go.set()
        assert [call.method for call in api.received] == ["GET", "GET"]
    assert (Operation.objects.get().state, evidence(operation)) == ("cancelled", [])


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a sender overtaken before it wrote",
        "its lease ends while it looks, and another takes the row",
        "the fence in the statement that commits sending keeps it out",
        "nothing out of the ordinary",
    )
)
def test_a_sender_that_was_overtaken_before_the_write_does_not_write(cast: Cast, upstream: Sandbox) -> None:
    """Its lease ended while it looked, and another one holds the row: the fence keeps the first one out."""
    operation, looks, go = new(cast), Event(), Event()
    rule = Rule(starting("GET /itcare/actions"), Moment.AFTER, hold(go, looks.set))
    with before_itcare(upstream, rule), meanwhile(lambda: send.send(operation.pk)):
        assert looks.wait(10)
        time_passes()
        (other,) = claim(State.QUEUED)
        go.set()
    row = Operation.objects.get()
    assert (row.state, evidence(row), row.failures, upstream.writes()) == ("queued", [], 0, [])
    assert (row.fence, row.lease_until) == (2, other.lease_until)
    settle_down()
    judge(upstream)
    assert (Operation.objects.get().state, posts(upstream)) == ("succeeded", 1)


def test_a_sender_killed_before_the_answer_leaves_it_unclear_for_ever_unsent(
    cast: Cast, upstream: Sandbox, portal_environment: dict[str, str]
) -> None:
    upstream.set_faults(fault("late", seconds=30, before=True))
    operation = new(cast)
    script = f"import django; django.setup(); from portal.operations import send; send.send({operation.pk})"
    environment = {
        **portal_environment,
        "ITCARE_BASE_URL": upstream.base_url,
        "ITCARE_TOKEN_URL": upstream.token_url,
        "ITCARE_CLIENT_ID": upstream.client_id,
        "ITCARE_CLIENT_SECRET": upstream.client_secret,
    }
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as sender:
        until(lambda: posts(upstream) == 1, seconds=20)
        assert Operation.objects.get().state == "sending"
        os.kill(sender.pid, signal.SIGKILL)
    # Until its lease ends, it may still live for all one knows.
    assert (send.lapse(), Operation.objects.get().state) == (0, "sending")
    time_passes()
    assert send.lapse() == 1
    row = Operation.objects.get()
    assert (row.state, row.last_proof, evidence(row), row.password_id) == (
        "unclear",
        "unknown",
        [("unknown", None)],
        None,
    )
    upstream.set_faults()
    everybody_tries(row)
    assert (posts(upstream), Operation.objects.get().state) == (1, "unclear")


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a sender held up past its lease",
        "its answer comes when others have called the row unclear",
        "it writes what it knows onto its own attempt; settling reads that as evidence",
        "nothing out of the ordinary, or the refusal's sentence",
    )
)
@pytest.mark.parametrize(
    ("rules", "proof", "end"),
    [
        ([], ("accepted", 202), ("succeeded", "")),
        ([fault("refuse", status=409)], ("refused", 409), ("failed", "refused")),
        ([fault("refuse", status=401)], ("refused", 401), ("failed", "refused")),
    ],
    ids=["202", "409", "401"],
)
def test_a_late_sender_writes_its_attempt_and_nothing_else(
    cast: Cast, upstream: Sandbox, rules: list[dict[str, Any]], proof: tuple[str, int], end: tuple[str, str]
) -> None:
    """Held up past its lease, it finds that the row was called unclear; what it knows is evidence for settling."""
    operation, answered, go = new(cast), Event(), Event()
    upstream.set_faults(*rules)
    rule = Rule(starting("POST /itcare"), Moment.AFTER, hold(go, answered.set))
    with before_itcare(upstream, rule), meanwhile(lambda: send.send(operation.pk)):
        assert answered.wait(10)
        time_passes()
        assert send.lapse() == 1
        held = Operation.objects.values().get()
        go.set()
    assert evidence(operation) == [proof]
    assert Operation.objects.values().get() == held
    assert held["state"] == "unclear"
    # Only the number that its answer told leads to the action.
    upstream.set_faults(fault("hide_newest", times=None, match=LISTS_ACTIONS))
    row = settled(operation)
    assert row.upstream_action_id == operation.attempts.get().upstream_action_id
    settle_down()
    judge(upstream)
    row.refresh_from_db()
    assert (row.state, row.reason, posts(upstream)) == (*end, 1)


def test_what_settling_finds_does_not_overwrite_a_proof(cast: Cast, upstream: Sandbox) -> None:
    row = sent(new(cast))
    before = list(Attempt.objects.values())
    assert (send.lapse(), settle.settle()) == (0, 0)
    send.send(row.pk)
    assert list(Attempt.objects.values()) == before


def test_with_a_broker_a_hint_says_the_number_and_nothing_more(cast: Cast, broker: str) -> None:
    operation = new(cast)
    with redis.Redis.from_url(broker) as client:
        (message,) = client.lrange("celery", 0, -1)
    told = json.loads(message)
    assert json.loads(base64.b64decode(told["body"]))[:2] == [[operation.pk], {}]
    assert (told["headers"]["task"], told["headers"]["argsrepr"]) == (
        "portal.operations.tasks.send_operation",
        f"({operation.pk},)",
    )


def test_the_sweep_nudges_first_and_sends_what_nobody_took(
    cast: Cast, upstream: Sandbox, broker: str, settings: Settings
) -> None:
    operation = new(cast)
    with redis.Redis.from_url(broker) as client:
        client.flushall()
        nudges = Nudges(Nudger())
        nudges.send()
        nudges.send()
        # Nudged once: a busy broker is not filled with one hint a pass.
        assert (client.llen("celery"), posts(upstream)) == (1, 0)
    time_passes(settings.SWEEP_PATIENCE_SECONDS + 1)
    nudges.send()
    assert (posts(upstream), Operation.objects.get(pk=operation.pk).state) == (1, "running")


def test_the_sweep_alone_brings_it_to_its_end_without_redis(cast: Cast, upstream: Sandbox) -> None:
    operation = new(cast)

    def pass_by() -> bool:
        time_passes()
        once(jobs())
        return Operation.objects.filter(state="succeeded").exists()

    assert until(pass_by, seconds=30)
    row = Operation.objects.get(pk=operation.pk)
    assert (posts(upstream), row.cluster is not None and row.cluster.status) == (1, "ACTIVE")


def test_two_sweeps_at_once_are_harmless(cast: Cast, upstream: Sandbox) -> None:
    operations = [new(cast, name=f"swept{number}x") for number in range(4)]
    time_passes()
    names = ("lapsed leases", "due operations", "unclear operations")
    work = [job for job in jobs() if job.name in names]
    assert at_once(lambda: once(work), lambda: once(work)) == [None, None]
    assert sorted(write["body"]["name"] for write in upstream.writes()) == [row.name for row in operations]
    assert set(Operation.objects.values_list("state", flat=True)) == {"running"}
