"""A person ends an operation while ITCare carries it out: how its action ends is told, once, if nobody had said so."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings

from portal.audit.models import Entry
from portal.inventory.models import Cluster
from portal.operations import history, late, relapses
from portal.operations.acts import Act
from portal.operations.models import Action, Concern, Operation, Situation
from portal.upstream.client import client
from tests.cast import Cast
from tests.portal.itcare.scripted import answer
from tests.portal.operations.deciding import acted
from tests.portal.operations.engine import answering, fault, followed, sent, tells
from tests.portal.operations.needing import concern_of
from tests.portal.operations.test_late import unclear_of, watched
from tests.portal.operations.test_settle import new, told
from tests.portal.operations.test_settle_person import concerns
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

DONE_AFTER_ALL = "What was asked for was carried out after all: look at the cluster, and at what was asked for since."
NOT_FINISHED = "ITCare could not finish what was asked for, and may have done a part of it: look at the cluster."
NOBODY_SAID = ""


def ended_by_a_person(cast: Cast, act: Act = Act.RELEASE, name: str = "newpostgre01") -> Operation:
    """One that runs for too long, in the eyes of a person who ends it; answers it as it then is."""
    row = sent(new(cast, name=name))
    assert row.state == "running"
    acted(act, concern_of(row, situation=Situation.OVERDUE), cast.approver)
    row.refresh_from_db()
    return row


def says(row: Operation, status: str, **changes: object) -> dict[str, Any]:
    """A rule by which that is told of the operation's action, when it is asked for by its number."""
    number = row.upstream_action_id or 0
    where = {"method": "GET", "path": f"/actions/{number}$"}
    body = told(number, resourceName=row.name, status=status, message="So it is", **changes)
    return fault("refuse", times=None, match=where, status=200, body=body)


def alarms() -> list[tuple[int | None, str]]:
    rows = Concern.objects.filter(situation=Situation.LATE_ACTION).order_by("pk")
    return list(rows.values_list("operation", "words"))


def test_one_that_was_given_up_while_it_ran_raises_an_alarm_when_its_action_ends(cast: Cast, upstream: Sandbox) -> None:
    row = ended_by_a_person(cast)
    number = row.upstream_action_id or 0
    assert (row.state, row.reason) == ("failed", "given_up")
    upstream.set_faults(says(row, "IN_PROGRESS"))
    assert (watched(), alarms()) == (1, [])
    upstream.set_faults()
    Caller(upstream).ended(number)
    assert watched() == 1
    words = f"Action {number} of this operation, which was given up while it ran, ended as SUCCESS"
    ((about, said),) = alarms()
    assert (about, said.startswith(words), said.endswith(DONE_AFTER_ALL)) == (row.pk, True, True)
    concern = Concern.objects.get(situation=Situation.LATE_ACTION)
    assert [action.upstream_id for action in concern.actions.all()] == [number]
    # The operation stays what it was said to be; its action is known to have ended, and is not asked for any more.
    row.refresh_from_db()
    assert (row.state, Action.objects.get().status, Action.objects.get().operation) == ("failed", "SUCCESS", row)
    assert (watched(), len(alarms())) == (0, 1)
    acted(Act.NOTED, concern, cast.approver)
    assert (watched(), len(alarms())) == (0, 1)
    assert Entry.objects.filter(verb="concern.raised", detail__situation="late_action").count() == 1


@pytest.mark.parametrize(
    ("act", "status", "did", "so"),
    [
        (Act.RELEASE, "SUCCESS", "given up", DONE_AFTER_ALL),
        (Act.RELEASE, "ERROR", "given up", NOT_FINISHED),
        (Act.FAILED, "SUCCESS", "marked as failed", DONE_AFTER_ALL),
        (Act.FAILED, "ERROR", "", NOBODY_SAID),
        (Act.DONE, "SUCCESS", "", NOBODY_SAID),
        (Act.DONE, "ERROR", "marked as done", NOT_FINISHED),
        # A word that nobody knows counts as running (API.md 6).
        (Act.RELEASE, "PAUSED", "", NOBODY_SAID),
    ],
)
def test_an_end_is_told_where_it_is_not_what_the_person_said(
    cast: Cast, upstream: Sandbox, act: Act, status: str, did: str, so: str
) -> None:
    row = ended_by_a_person(cast, act)
    upstream.set_faults(says(row, status))
    assert watched() == 1
    words = (
        f"Action {row.upstream_action_id} of this operation, which was {did} while it ran, ended as {status}: "
        f'"So it is". {so}'
    )
    assert alarms() == ([(row.pk, words)] if so else [])
    # What is known is not asked for again.
    assert watched() == (1 if status == "PAUSED" else 0)


def test_what_is_read_for_another_purpose_tells_it_too_and_as_no_relapse(cast: Cast, upstream: Sandbox) -> None:
    rows = [ended_by_a_person(cast, name=name) for name in ("another01", "another02")]
    for row in rows:
        Caller(upstream).ended(row.upstream_action_id or 0)
    cluster = Cluster.objects.create(upstream_id=9, name=rows[0].name, service=cast.service)
    for _ in range(2):
        history.read(client(), cluster)
        relapses.tell(client().actions(resource_name=rows[1].name).items)
    assert [about for about, _ in alarms()] == [row.pk for row in rows]
    assert not Concern.objects.filter(situation=Situation.RELAPSED).exists()


def test_an_end_of_which_a_follower_knew_while_the_person_decided_is_told(cast: Cast, upstream: Sandbox) -> None:
    row = ended_by_a_person(cast)
    # It was written down just before, by a pass that then found the row to be another's.
    Action.objects.update(status="SUCCESS")
    Caller(upstream).ended(row.upstream_action_id or 0)
    assert (watched(), [about for about, _ in alarms()]) == (1, [row.pk])


def test_one_whose_adopted_action_was_followed_to_its_end_is_not_asked_about(cast: Cast, upstream: Sandbox) -> None:
    row = unclear_of(cast, upstream, "another01")
    own = Caller(upstream).get("/actions")[0]["id"]
    named = Action.objects.create(upstream_id=own, resource_name=row.name)
    acted(Act.ADOPT, concern_of(row, named), cast.approver, action=named)
    assert (followed(row).state, watched()) == ("succeeded", 0)


def test_one_whose_action_had_vanished_is_watched_under_another_number_as_well(cast: Cast, upstream: Sandbox) -> None:
    row = ended_by_a_person(cast)
    Operation.objects.update(missed_at=F("queued_at"))
    gone = fault(
        "refuse", times=None, match={"method": "GET", "path": f"/actions/{row.upstream_action_id}$"}, status=404
    )
    again = told(90_001, resourceName=row.name)
    upstream.set_faults(gone, tells([again]))
    assert watched() == 1
    assert concerns()[1:] == [("late_action", [90_001], "")]
    # When the first is there again, the open alarm tells of both.
    upstream.set_faults(says(row, "SUCCESS"), tells([again]))
    assert watched() == 1
    assert concerns()[1:] == [("late_action", sorted([90_001, row.upstream_action_id or 0]), "")]
    ((_, words),) = alarms()
    assert ("ended as SUCCESS" in words, "ITCare shows action 90001" in words) == (True, True)


def test_a_pass_makes_no_more_calls_than_it_may(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    rows = [ended_by_a_person(cast, name=f"another{number:02}") for number in range(late.A_PASS)]
    Operation.objects.update(missed_at=F("queued_at"))
    # Each of them costs two calls, one for the list and one for its number.
    calls = [each for row in rows for each in (answer(200, []), answer(200, told(row.upstream_action_id or 0)))]
    with answering(settings, *calls) as api:
        assert [(late.watch(), len(api.received)) for _ in range(4)] == [(2, 4), (2, 8), (1, 10), (0, 10)]


def test_it_ends_after_some_days(cast: Cast, upstream: Sandbox, settings: Settings) -> None:
    ended_by_a_person(cast)
    Operation.objects.update(ended_at=F("ended_at") - timedelta(seconds=settings.LATE_ACTION_SECONDS))
    assert watched() == 0
