"""What people do to operations that need them: each with a reason, and with all that belongs to it."""

import pytest

from portal.audit.models import Entry
from portal.changes import again
from portal.changes.models import Change
from portal.operations import acts, concerns, follow, settle
from portal.operations.acts import Act
from portal.operations.models import Action, Concern, Operation, Situation
from portal.operations.resolve import NotPossibleError
from portal.operations.states import LostRaceError, State
from tests.browsing import signed_in
from tests.cast import Cast, cluster
from tests.portal.operations.deciding import WHY, acted, done, entries
from tests.portal.operations.engine import followed, time_passes
from tests.portal.operations.needing import bare, concern_of, unclear
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("act", "state", "reason", "words"),
    [
        (Act.DONE, "succeeded", "", "Marked as done"),
        (Act.FAILED, "failed", "settled", "Marked as failed"),
        (Act.RELEASE, "failed", "given_up", "Given up without knowing whether it was done"),
    ],
)
def test_a_person_ends_it_with_a_reason_and_the_cluster_is_free(
    cast: Cast, act: Act, state: str, reason: str, words: str
) -> None:
    there = cluster(cast.service, 1)
    row = bare(cast, cluster=there)
    concern = concern_of(row)
    other = concern_of(row, situation=Situation.UNSETTLED)
    before = Entry.objects.count()
    acted(act, concern, cast.approver)
    row.refresh_from_db()
    assert (row.state, row.reason, row.settled_by, row.look_at) == (state, reason, cast.approver, None)
    assert row.message == f"{words} by approver@example.com: {WHY}"
    for closed in (concern, other):
        closed.refresh_from_db()
        assert (closed.closed_by, closed.outcome) == (cast.approver, f"{words}: {WHY}")
    told = entries()[before:]
    assert [entry[:2] for entry in told] == [
        ("concern.closed", "approver@example.com"),
        ("concern.closed", "approver@example.com"),
        (f"operation.{state}", "approver@example.com"),
    ]
    assert told[-1][2] == {"from": "unclear", "reason": reason, "why": WHY}
    bare(cast, State.RUNNING, cluster=there)


def test_the_action_that_a_person_adopts_is_followed_to_its_end(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream, how="drop")
    (ours,) = done(upstream, row)
    candidates = [Action.objects.create(upstream_id=number) for number in (ours, 999_999)]
    concern = concern_of(row, *candidates, situation=Situation.SEVERAL_FIT)
    acted(Act.ADOPT, concern, cast.approver, action=candidates[0])
    row.refresh_from_db()
    assert (row.state, row.upstream_action_id, row.last_proof) == ("running", ours, "accepted")
    assert (row.settled_by, row.failures, row.lease_until) == (cast.approver, 0, None)
    assert row.message == f"approver@example.com said that action {ours} carries it out: {WHY}"
    assert Action.objects.get(pk=candidates[0].pk).operation == row
    concern.refresh_from_db()
    assert (concern.closed_by, concern.outcome) == (cast.approver, f"Action {ours} was adopted: {WHY}")
    assert entries()[-1] == (
        "operation.running",
        "approver@example.com",
        {"from": "unclear", "action": ours, "why": WHY},
    )
    assert followed(row).state == "succeeded"
    assert done(upstream, row) == [ours]


@pytest.mark.parametrize(
    ("values", "situation", "may"),
    [
        ({"upstream_action_id": None}, Situation.NOTHING_FOUND, True),
        ({"upstream_action_id": 70}, Situation.VANISHED, True),
        ({"upstream_action_id": 70}, Situation.OVERDUE, False),
    ],
)
def test_a_running_one_adopts_an_action_only_where_it_has_none_that_exists(
    cast: Cast, values: dict[str, object], situation: Situation, *, may: bool
) -> None:
    row = bare(cast, State.RUNNING, **values)
    action = Action.objects.create(upstream_id=77)
    concern = concern_of(row, action, situation=situation)
    fence = row.fence
    if not may:
        with pytest.raises(NotPossibleError):
            acted(Act.ADOPT, concern, cast.approver, action=action)
        assert Operation.objects.get().upstream_action_id == 70
        return
    acted(Act.ADOPT, concern, cast.approver, action=action)
    row.refresh_from_db()
    assert (row.state, row.upstream_action_id, row.settled_by, row.fence) == ("running", 77, cast.approver, fence + 1)
    assert entries()[-1] == ("operation.adopted", "approver@example.com", {"action": 77, "why": WHY})
    assert not Concern.objects.open().exists()


def test_only_an_action_that_the_concern_names_and_nobody_else_has_is_adopted(cast: Cast) -> None:
    other = bare(cast, State.RUNNING, name="cluster00002", upstream_action_id=81)
    theirs = Action.objects.create(upstream_id=80, operation=other)
    carried = Action.objects.create(upstream_id=81)
    free, unnamed = (Action.objects.create(upstream_id=number) for number in (82, 83))
    row = bare(cast)
    concern = concern_of(row, theirs, carried, free)
    assert acts.candidates(concern) == [free, carried]
    for wrong in (theirs, carried, unnamed):
        with pytest.raises(NotPossibleError):
            acted(Act.ADOPT, concern, cast.approver, action=wrong)
    assert (Operation.objects.get(pk=row.pk).state, Concern.objects.open().count()) == ("unclear", 1)
    acted(Act.ADOPT, concern, cast.approver, action=free)
    assert Operation.objects.get(pk=row.pk).upstream_action_id == 82


@pytest.mark.parametrize("situation", [Situation.LATE_ACTION, Situation.RELAPSED, Situation.DRIFT])
def test_what_one_has_to_know_is_noted_and_the_rest_stays(cast: Cast, situation: Situation) -> None:
    row = bare(cast, State.FAILED)
    other = concern_of(row, situation=Situation.OVERDUE)
    concern = concern_of(row, situation=situation)
    acted(Act.NOTED, concern, cast.approver)
    concern.refresh_from_db()
    assert (concern.closed_by, concern.outcome) == (cast.approver, f"Noted: {WHY}")
    assert list(Concern.objects.open()) == [other]


def test_a_concern_without_an_operation_is_noted_by_those_who_see_it(cast: Cast) -> None:
    concerns.raise_concern(Situation.UNKNOWN_ACTION, "Odd.")
    concern = Concern.objects.get()
    with pytest.raises(LostRaceError):
        acted(Act.NOTED, concern, cast.approver)
    acted(Act.NOTED, concern, cast.administrator)
    assert not Concern.objects.open().exists()


def test_the_requester_can_ask_again_what_was_marked_as_failed_or_given_up(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    acted(Act.RELEASE, concern_of(row), cast.approver)
    row.refresh_from_db()
    assert (row.state, Change.objects.get(operation=row).state) == ("failed", "approved")
    time_passes()
    assert (settle.settle(), follow.follow(), done(upstream, row)) == (0, 0, [])
    answer = signed_in(cast.developer).get(again.of_operation(cast.developer, row))
    assert (answer.status_code, b"4cpu8gb" in answer.content) == (200, True)
