"""A process that stands still past its lease (SIGSTOP: a paused machine) and then goes on: it changes nothing more."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.forms.models import model_to_dict

from portal.audit.models import Entry
from portal.operations import send
from portal.operations.models import Action, ActionMessage, Concern, Operation, Secret
from portal.operations.states import Proof, State
from portal.upstream.client import client
from tests.cast import Cast, queued
from tests.faults.figures import Figures
from tests.faults.judge import later, settle_down, verdict_on
from tests.faults.proxy import Moment, Rule, freeze, hold, starting
from tests.faults.scenes import WRITES
from tests.faults.steps import Stage, stage
from tests.faults.table import Row, told
from tests.portal.operations.engine import fault, sent, tells
from tests.portal.operations.needing import grace_passes
from tests.sandbox_server import Sandbox, until

pytestmark = pytest.mark.django_db(transaction=True)

SINGLE = {"method": "GET", "path": "/actions/"}
RESOURCES = {"method": "GET", "path": "/resources"}
# Seconds: as short as the order of a real deployment allows, since this one is waited for.
SHORT = {
    "LEASE_SECONDS": 9,
    "ITCARE_CONNECT_SECONDS": 1,
    "ITCARE_READ_SECONDS": 2,
    "ITCARE_TOTAL_SECONDS": 2,
}


def rows(operation: Operation) -> dict[str, Any]:
    """All that a latecomer must leave alone."""
    return {
        "operation": model_to_dict(Operation.objects.get(pk=operation.pk)),
        "actions": [model_to_dict(action) for action in Action.objects.order_by("pk")],
        "messages": list(ActionMessage.objects.order_by("pk").values_list("text", "status")),
        "concerns": [model_to_dict(concern, exclude=["actions"]) for concern in Concern.objects.order_by("pk")],
        "entries": Entry.objects.count(),
        "secrets": Secret.objects.count(),
    }


def proofs(operation: Operation) -> list[str]:
    return list(operation.attempts.order_by("number").values_list("proof", flat=True))


def fine(operation: Operation, upstream: Sandbox, figures: Figures) -> None:
    """It has ended once, and was done once."""
    verdict = verdict_on(operation, upstream)
    figures.ran(verdict, faults=1)
    assert verdict.problems == ()
    assert (verdict.state, verdict.writes) == (State.SUCCEEDED, 1)


@pytest.fixture
def go() -> Iterator[threading.Event]:
    """Lets a held message go; also where a test fails before it does."""
    event = threading.Event()
    yield event
    event.set()


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a sender that stands still in its call until others have settled it",
        "SIGSTOP as the answer arrives, SIGCONT when the operation has ended",
        "it writes what it knows onto its own attempt, and nothing else",
        "nothing out of the ordinary",
    )
)
def test_frozen_in_its_call_it_finds_everything_settled(
    cast: Cast, upstream: Sandbox, the_stage: Stage, figures: Figures
) -> None:
    # Slow enough for the answer to tell of an action that has only begun.
    upstream.arguments = ("--speed", "3000", "--clusters", "0")
    upstream.restart()
    operation = queued(cast.developer, cast.approver)
    rule = Rule(starting(*WRITES), Moment.AFTER, freeze(the_stage.zygote.running))
    with the_stage.watched(rule):
        step = the_stage.zygote.start("send", operation.pk)
        assert rule.done.wait(30)
        until(lambda: client().actions(resource_name=operation.name).items[0].succeeded)
        settle_down()
        operation.refresh_from_db()
        assert (operation.state, proofs(operation)) == (State.SUCCEEDED, [Proof.UNKNOWN])
        before = rows(operation)
        step.go_on()
        assert step.status() == 0
    # What it knows is evidence, and stands on its own attempt alone.
    assert proofs(operation) == [Proof.ACCEPTED]
    assert operation.attempts.get().upstream_action_id == operation.upstream_action_id
    assert rows(operation) == before
    fine(operation, upstream, figures)


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a write that the network keeps until everybody has given it up",
        "SIGSTOP as it leaves, and a proxy that passes it on after the time of grace",
        "a person is asked; the late answer is evidence, by which its action is found and followed",
        "Nobody can tell whether ITCare received it.",
    )
)
def test_frozen_as_its_write_leaves_it_is_found_by_its_late_answer(
    cast: Cast, upstream: Sandbox, the_stage: Stage, figures: Figures, go: threading.Event
) -> None:
    operation = queued(cast.developer, cast.approver)
    frozen = threading.Event()
    rule = Rule(starting(*WRITES), Moment.BEFORE, hold(go, freeze(the_stage.zygote.running), frozen.set))
    with the_stage.watched(rule):
        step = the_stage.zygote.start("send", operation.pk)
        assert frozen.wait(30)
        # Where the network keeps it, nobody can find it: in the end a person is asked.
        settle_down()
        operation.refresh_from_db()
        assert (operation.state, upstream.writes()) == (State.UNCLEAR, [])
        go.set()
        assert rule.done.wait(30)
        step.go_on()
        assert step.status() == 0
    assert proofs(operation) == [Proof.ACCEPTED]
    operation.refresh_from_db()
    assert operation.state == State.UNCLEAR
    # A person was asked already; the sweep works on.
    for _ in range(4):
        settle_down()
    fine(operation, upstream, figures)


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a sender that stands still before it says that it sends",
        "SIGSTOP before, and in the statement that writes its attempt; SIGCONT when another has sent the operation",
        "the fence, and the number of the attempt, keep it out: it sends nothing and changes nothing",
        "nothing out of the ordinary",
    )
)
@pytest.mark.parametrize("stands", ["before", "after"])
def test_frozen_before_it_says_sending_it_sends_nothing(
    stands: str, cast: Cast, upstream: Sandbox, the_stage: Stage, figures: Figures, go: threading.Event
) -> None:
    operation = queued(cast.developer, cast.approver)
    # The attempt's number is read, then the attempt is written.
    fits = starting('INSERT INTO "operations_attempt"') if stands == "after" else starting("GET /itcare/actions")
    frozen = threading.Event()
    rule = Rule(fits, Moment.BEFORE, hold(go, freeze(the_stage.zygote.running), frozen.set))
    with the_stage.watched(rule):
        step = the_stage.zygote.start("send", operation.pk)
        assert frozen.wait(30)
        later()
        send.send(operation.pk)
        assert Operation.objects.get(pk=operation.pk).state == State.RUNNING
        before = rows(operation)
        go.set()
        assert rule.done.wait(30)
        step.go_on()
        assert step.status() == 0
    assert (rows(operation), proofs(operation)) == (before, [Proof.ACCEPTED])
    settle_down()
    fine(operation, upstream, figures)


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a sender that stands still as it commits that it sends",
        "SIGSTOP before the commit, SIGCONT past its lease",
        "it looks at the clock before the call, and makes none; the operation is queued again",
        "nothing out of the ordinary",
    )
)
def test_frozen_as_it_commits_sending_it_sends_nothing_after_its_lease(
    cast: Cast,
    upstream: Sandbox,
    portal_environment: dict[str, str],
    log: Path,
    figures: Figures,
    go: threading.Event,
) -> None:
    operation = queued(cast.developer, cast.approver)
    with stage(portal_environment, upstream, log, **SHORT) as short:
        frozen = threading.Event()
        held = hold(go, freeze(short.zygote.running), frozen.set)
        rule = Rule(starting("commit (operation.sending)"), Moment.BEFORE, held)
        with short.watched(rule):
            step = short.zygote.start("send", operation.pk)
            assert frozen.wait(30)
            # It has had its lease since some time before this.
            began = time.monotonic()
            # Its transaction is open: nobody else gets the row.
            send.send(operation.pk)
            assert Operation.objects.get(pk=operation.pk).state == State.QUEUED
            time.sleep(max(0.0, SHORT["LEASE_SECONDS"] - (time.monotonic() - began)))
            go.set()
            assert rule.done.wait(30)
            step.go_on()
            assert step.status() == 0
    operation.refresh_from_db()
    assert (operation.state, proofs(operation), upstream.writes()) == (State.QUEUED, [Proof.NOT_SENT], [])
    settle_down()
    fine(operation, upstream, figures)


def running(cast: Cast, upstream: Sandbox) -> Operation:
    """An operation that ITCare has carried out, and of which it tells at first that it goes on."""
    row = send_it(cast)
    assert row.upstream_action_id is not None
    until(lambda: client().action(row.upstream_action_id or 0).succeeded)
    going_on = {"id": row.upstream_action_id, "status": "IN_PROGRESS", "resourceName": row.name, "message": "Working"}
    list_, single = tells([going_on]), fault("refuse", times=None, match=SINGLE, status=200, body=going_on)
    upstream.set_faults(list_, single)
    return row


def not_in_the_list(cast: Cast, upstream: Sandbox) -> Operation:
    """Likewise, and the list does not show it: it is asked for by its number."""
    row = running(cast, upstream)
    upstream.set_faults(tells([]), *upstream.faults()[1:])
    return row


def not_found(cast: Cast, upstream: Sandbox) -> Operation:
    """An operation of which nobody knows, and of which ITCare shows nothing at first, although the grace is over."""
    upstream.set_faults(fault("drop"))
    row = send_it(cast)
    assert row.state == State.UNCLEAR
    grace_passes(row)
    upstream.set_faults(tells([]), fault("refuse", times=None, match=RESOURCES, status=200, body=[]))
    return row


def send_it(cast: Cast) -> Operation:
    return sent(queued(cast.developer, cast.approver))


@told(
    Row(
        "Processes that are killed, frozen or stopped",
        "a follower or a settler that stands still with an old answer in hand",
        "SIGSTOP as ITCare answers, in the list or by number, that the action goes on, or shows no action; SIGCONT "
        "when others have seen the end",
        "it changes nothing: what another found out meanwhile stays, and no person is asked",
        "nothing out of the ordinary",
    )
)
@pytest.mark.parametrize(
    ("step", "begin", "answer"),
    [
        ("follow", running, "GET /itcare/actions"),
        ("follow", not_in_the_list, "GET /itcare/actions/"),
        ("settle", not_found, "GET /itcare/actions"),
    ],
    ids=["follow by the list", "follow by its number", "settle"],
)
def test_frozen_with_an_old_answer_it_does_not_undo_what_others_did(
    step: str,
    begin: Callable[[Cast, Sandbox], Operation],
    answer: str,
    cast: Cast,
    upstream: Sandbox,
    the_stage: Stage,
    figures: Figures,
) -> None:
    operation = begin(cast, upstream)
    later()
    rule = Rule(starting(answer), Moment.AFTER, freeze(the_stage.zygote.running))
    with the_stage.watched(rule):
        frozen = the_stage.zygote.start(step, operation.pk)
        assert rule.done.wait(30)
        upstream.set_faults()
        settle_down()
        operation.refresh_from_db()
        assert operation.state == State.SUCCEEDED
        before = rows(operation)
        frozen.go_on()
        assert frozen.status() == 0
    assert rows(operation) == before
    fine(operation, upstream, figures)
