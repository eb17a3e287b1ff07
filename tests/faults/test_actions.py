"""Faults of ITCare's actions: what it says of the work that it took is odd, missing, or taken back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings

from portal.operations import follow, settle
from portal.operations.models import Action, ActionMessage, Concern, Operation
from portal.operations.watch import watch
from tests.browsing import signed_in
from tests.cast import Cast, queued
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row
from tests.faults.table import told as tells_of
from tests.markup import Page
from tests.portal.operations.engine import LISTS_ACTIONS, fault, followed, posts, sent, tells, time_passes
from tests.portal.operations.test_settle import told
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "ITCare's actions"
ONE_ACTION = {"method": "GET", "path": r"/actions/\d+$"}
ANY_ACTION = {"method": "GET", "path": "/actions"}
CALM = "nothing out of the ordinary"


@dataclass(frozen=True)
class World:
    """What a fault is made of."""

    upstream: Sandbox
    settings: Settings


@dataclass(frozen=True)
class Case:
    """A fault of what ITCare tells of an action, and what becomes of the operation.

    Attributes:
        cause: how it is caused, in words.
        strike: causes it; answers the operation when it has struck.
        state: of the operation then.
        happens: what the portal does, in words.
        seen: how the note on the operation's page begins then; nothing where there is none.
        asked: the title under which a person finds it on *Needs a person*; nothing where nobody is asked.
        ends: the state that it comes to when the fault is over.
    """

    cause: str
    strike: Callable[[World, Operation], Operation]
    state: str
    happens: str
    ends: str
    seen: str = ""
    asked: str = ""


def look(operation: Operation, times: int = 1) -> Operation:
    """Follow it some times, a minute apart."""
    for _ in range(times):
        time_passes(60.0)
        follow.follow()
    return Operation.objects.get(pk=operation.pk)


def begun(world: World, operation: Operation, *rules: dict[str, Any]) -> Operation:
    world.upstream.set_faults(*rules)
    row = sent(operation)
    assert row.state == "running"
    return row


def ended(world: World, row: Operation) -> None:
    Caller(world.upstream).ended(row.upstream_action_id or 0)


def _error(world: World, operation: Operation) -> Operation:
    return followed(begun(world, operation, fault("action_error", message="Not enough capacity")))


def _never(world: World, operation: Operation) -> Operation:
    row = begun(world, operation, fault("action_never_ends"))
    look(row, 2)
    Operation.objects.update(sent_at=F("sent_at") - timedelta(seconds=world.settings.OVERDUE_SECONDS))
    for _ in range(2):
        watch()
    return look(row)


def _unheard(world: World, operation: Operation) -> Operation:
    row = begun(world, operation)
    world.upstream.set_faults(fault("action_status", times=None, match=ANY_ACTION, status="ON_HOLD"))
    row = look(row, 2)
    assert Action.objects.get().status == "ON_HOLD"
    return row


def _vanished(world: World, operation: Operation) -> Operation:
    row = begun(world, operation)
    world.upstream.set_faults(tells([]), fault("refuse", times=None, match=ONE_ACTION, status=404))
    look(row)
    assert not Concern.objects.exists()
    Operation.objects.update(missed_at=F("missed_at") - timedelta(seconds=world.settings.VANISHED_SECONDS))
    return look(row, 2)


def _relapsed(world: World, operation: Operation) -> Operation:
    row = followed(begun(world, operation))
    other = sent(Operation.objects.exclude(pk=row.pk).get())
    again = {"status": "IN_PROGRESS", "resourceName": row.name, "message": "Once more"}
    later = "2199-01-01T00:00:00.000Z"
    action = told(row.upstream_action_id or 0, **again, lastUpdatedAt=later)
    world.upstream.set_faults(tells([action, told(other.upstream_action_id or 0, resourceName=other.name)]))
    return look(row, 3)


def _taken_back(world: World, operation: Operation) -> Operation:
    row = followed(begun(world, operation))
    other = sent(Operation.objects.exclude(pk=row.pk).get())
    later = "2199-01-01T00:00:00.000Z"
    action = told(row.upstream_action_id or 0, status="ERROR", resourceName=row.name, lastUpdatedAt=later)
    world.upstream.set_faults(tells([action, told(other.upstream_action_id or 0, resourceName=other.name)]))
    row = look(row, 3)
    words = Concern.objects.get().words
    assert words.startswith(f"ITCare said SUCCESS of action {row.upstream_action_id}, and the operation ended as succ")
    assert "Now the action is told as ERROR" in words
    return row


def _named_twice(world: World, operation: Operation) -> Operation:
    first = begun(world, operation)
    world.upstream.set_faults(fault("refuse", status=202, body=told(first.upstream_action_id or 0)))
    row = sent(Operation.objects.exclude(pk=first.pk).get())
    assert (row.upstream_action_id, first.actions.count()) == (None, 1)
    return row


def _same(world: World, operation: Operation) -> Operation:
    row = begun(world, operation)
    words = {"status": "IN_PROGRESS", "message": "Working"}
    world.upstream.set_faults(fault("action_status", times=None, match=ANY_ACTION, **words))
    row = look(row, 6)
    assert ActionMessage.objects.filter(text="Working").count() == 1
    return row


def _newest_missing(world: World, operation: Operation) -> Operation:
    row = begun(world, operation, fault("hide_newest", times=None, match=LISTS_ACTIONS))
    ended(world, row)
    row = look(row)
    assert row.missed_at is None
    return row


def _newest_missing_while_sought(world: World, operation: Operation) -> Operation:
    # The cluster too: on a slow machine it is there by the time that it is looked for, and settles it.
    nothing = fault("refuse", times=None, match={"path": "/compute/resources"}, status=200, body=[])
    hidden = fault("hide_newest", times=None, match=LISTS_ACTIONS)
    world.upstream.set_faults(fault("drop"), hidden, nothing)
    row = sent(operation)
    time_passes(60.0)
    settle.settle()
    row.refresh_from_db()
    assert Concern.objects.count() == 0
    return row


def _two(world: World, operation: Operation) -> Operation:
    world.upstream.set_faults(fault("drop_before"), tells([]))
    row = sent(operation)
    world.upstream.set_faults(tells([told(90_001), told(90_002)]))
    for _ in range(2):
        time_passes(60.0)
        settle.settle()
    row.refresh_from_db()
    return row


CASES: dict[str, Case] = {
    "ERROR": Case(
        "the stand-in's action ends so",
        _error,
        "failed",
        "failed, with ITCare's words; it can be asked again with the same values",
        "failed",
        "ITCare took it, and could not finish it. ITCare could not finish it: Not enough capacity",
    ),
    "never ending": Case(
        "the stand-in's action stays before its last step, for longer than four hours",
        _never,
        "running",
        "overdue: told once, not failed; it is followed all the same",
        "running",
        "Overdue. It takes much longer than such an operation should.",
        "Runs for longer than anything should",
    ),
    "an unknown status": Case(
        "the stand-in tells every action as ON_HOLD, then as it is",
        _unheard,
        "running",
        "it counts as running, and is followed to its end",
        "succeeded",
    ),
    "vanished": Case(
        "the list leaves it out and 404 is answered for its number, again and again; then it is there again",
        _vanished,
        "running",
        "asked for ever more rarely; a person is told after the second answer, some time later; when it is back, it is "
        "followed to its end",
        "succeeded",
        "",
        "ITCare no longer knows the action that carries it out",
    ),
    "going back from SUCCESS to IN_PROGRESS": Case(
        "the list tells it as running after the operation has ended",
        _relapsed,
        "succeeded",
        "the operation stays ended; a person is told once",
        "succeeded",
        "",
        "ITCare takes back how its action ended",
    ),
    "going from SUCCESS to ERROR": Case(
        "a list that is read for another purpose tells it as ERROR after the operation has ended",
        _taken_back,
        "succeeded",
        "the operation stays ended; a person is told once",
        "succeeded",
        "",
        "ITCare takes back how its action ended",
    ),
    "one number for two writes": Case(
        "the answer to a second write names the action of the first",
        _named_twice,
        "running",
        "two operations never follow one action: the second is looked for like one of which ITCare told none, and is "
        "not sent again",
        "running",
        "ITCare accepted it, and the portal does not know which action carries it out.",
        "ITCare names an action that carries out another operation",
    ),
    "the same message for ever": Case(
        "the stand-in says the same at every look",
        _same,
        "running",
        "the timeline has it once",
        "succeeded",
    ),
    "the newest missing from the list": Case(
        "the stand-in leaves it out of every list, while it is followed",
        _newest_missing,
        "succeeded",
        "it is asked for by its number",
        "succeeded",
    ),
    "the newest missing from the list while it is looked for": Case(
        "the stand-in does it, cuts the connection, and leaves action and cluster out of its lists for a while",
        _newest_missing_while_sought,
        "unclear",
        "nothing is concluded from that before the grace is over; it is found when the list has it",
        "succeeded",
        "Nobody can tell whether ITCare received it.",
    ),
    "two actions that look like ours": Case(
        "the connection is cut, and the list has two of that name and kind since",
        _two,
        "unclear",
        "none of them is taken: a person says which one it is",
        "unclear",
        "Nobody can tell whether ITCare received it. 2 actions of ITCare fit: a person must say which one it is.",
        "Unclear, and several actions of ITCare fit",
    ),
}
# What these are about lasts: the fault stays while it is judged.
STAYS = {"never ending", "one number for two writes", "two actions that look like ours"}


def _row(name: str, case: Case) -> Row:
    seen = " ".join(filter(None, [case.seen, f"*Needs a person*: {case.asked}" * bool(case.asked)]))
    return Row(GROUP, name, case.cause, case.happens, seen or CALM)


@tells_of(*(_row(name, case) for name, case in CASES.items()))
@pytest.mark.parametrize("name", CASES)
def test_an_odd_action(cast: Cast, upstream: Sandbox, settings: Settings, name: str) -> None:
    case = CASES[name]
    operation = queued(cast.developer, cast.approver)
    if case.strike in {_relapsed, _taken_back, _named_twice}:
        queued(cast.developer, cast.approver, name="another01")
    world = World(upstream, settings)
    row = case.strike(world, operation)
    assert row.state == case.state
    page = Page.of(signed_in(cast.developer).get(row.get_absolute_url()).content)
    notes = [note.text for note in page.all(id="outcome")]
    assert [note[: len(case.seen)] for note in notes] == ([case.seen] if case.seen else [])
    attention = Page.of(signed_in(cast.approver).get("/attention/").content).one("main")
    matters = [card.one("h2").text for card in attention.all("section") if "data-id" in card.attributes]
    assert [matter[: len(case.asked)] for matter in matters] == ([case.asked] if case.asked else [])
    if name not in STAYS:
        upstream.set_faults()
        if row.state == "running":
            ended(world, row)
            row = look(row)
    settle_down()
    judge(upstream)
    row.refresh_from_db()
    assert (row.state, posts(upstream)) == (case.ends, Operation.objects.count())
