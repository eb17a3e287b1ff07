"""Who may do what about a concern, and when: by the state, the right and the evidence of the moment."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from portal.accounts.models import Membership, User
from portal.audit.models import Entry
from portal.operations import acts, concerns
from portal.operations.acts import Act
from portal.operations.leases import claim
from portal.operations.models import Action, Attempt, Concern, Operation, Situation
from portal.operations.resolve import NotPossibleError
from portal.operations.states import LostRaceError, Proof, Reason, State
from tests.cast import Cast
from tests.portal.operations.deciding import acted, offered
from tests.portal.operations.engine import at_once
from tests.portal.operations.needing import bare, concern_of, grace_passes, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("state", "values", "offers"),
    [
        (State.UNCLEAR, {}, ["adopt", "done", "failed", "send", "release"]),
        (State.RUNNING, {"upstream_action_id": None}, ["adopt", "done", "failed", "release"]),
        (State.RUNNING, {}, ["done", "failed", "release"]),
        (State.SENDING, {}, []),
        (State.QUEUED, {"last_proof": "not_sent"}, ["failed", "release"]),
        (State.SUCCEEDED, {}, ["noted"]),
        (State.FAILED, {}, ["noted"]),
        (State.CANCELLED, {}, ["noted"]),
    ],
)
def test_what_is_offered_fits_the_state_and_nothing_else_can_be_done(
    cast: Cast, state: State, values: dict[str, object], offers: list[str]
) -> None:
    row = bare(cast, state, **values)
    grace_passes(row)
    action = Action.objects.create(upstream_id=77)
    concern = concern_of(row, action)
    assert list(offered(concern, cast.approver)) == offers
    for act in Act:
        if act not in offers:
            with pytest.raises(NotPossibleError):
                acted(act, concern, cast.approver, action=action)
    assert Operation.objects.get().state == state


def test_a_queued_one_that_was_never_sent_is_only_called_off(cast: Cast) -> None:
    row = bare(cast, State.QUEUED)
    Attempt.objects.update(proof=Proof.NOT_SENT)
    concern = concern_of(row, situation=Situation.UNREACHABLE)
    (offer,) = acts.offers(concern, cast.approver)
    assert (offer.act, offer.means) == (Act.FAILED, acts.NEVER_QUEUED)
    acted(Act.FAILED, concern, cast.approver)
    assert Operation.objects.get().state == "failed"


def test_who_may_act_on_what(cast: Cast) -> None:
    ours, theirs = bare(cast), bare(cast, service=cast.other_service, name="other00001")
    for row in (ours, theirs):
        concern_of(row)
    concerns.raise_concern(Situation.UNKNOWN_ACTION, "Odd.")
    expected: dict[str, tuple[set[int | None], set[int | None]]] = {
        "developer": ({ours.pk}, set()),
        "stranger": ({theirs.pk}, set()),
        "approver": ({ours.pk}, {ours.pk}),
        "approver2": ({ours.pk, theirs.pk}, {ours.pk, theirs.pk}),
        "support": ({ours.pk, theirs.pk, None}, set()),
        "administrator": ({ours.pk, theirs.pk, None}, {ours.pk, theirs.pk, None}),
    }
    for who, rights in expected.items():
        user: User = getattr(cast, who)
        rows = Concern.objects.all()
        told = tuple(
            set(found.values_list("operation", flat=True)) for found in (rows.visible_to(user), rows.workable_by(user))
        )
        assert told == rights, who
        user.is_active = False
        assert not rows.visible_to(user).exists()
        assert not rows.workable_by(user).exists()


@pytest.mark.parametrize("act", [Act.DONE, Act.FAILED, Act.SEND, Act.RELEASE, Act.ADOPT])
def test_evidence_that_moved_has_to_be_looked_at_again(cast: Cast, act: Act) -> None:
    row = bare(cast)
    grace_passes(row)
    action = Action.objects.create(upstream_id=77)
    concern = concern_of(row, action)
    moves: list[Callable[[], object]] = [
        lambda: concerns.raise_concern(
            Situation.NOTHING_FOUND, "Two.", operation=row, actions=[action, Action.objects.create(upstream_id=78)]
        ),
        lambda: Action.objects.filter(pk=action.pk).update(status="ERROR"),
        lambda: Attempt.objects.update(proof=Proof.ACCEPTED),
        lambda: Attempt.objects.create(operation=row, number=2, fence=2, proof=Proof.UNKNOWN, ended_at=Now()),
        lambda: concerns.close_of(row, "Settled."),
    ]
    for move in moves:
        before = seen(concern)
        move()
        with pytest.raises(LostRaceError):
            acted(act, concern, cast.approver, mark=before, action=action)
    # Words alone are no evidence.
    row.refresh_from_db()
    assert (row.state, row.settled_by, row.released_by) == ("unclear", None, None)


def test_the_right_to_act_is_asked_again_under_the_lock(cast: Cast) -> None:
    concern = concern_of(bare(cast))
    mark = seen(concern)
    Membership.objects.filter(user=cast.approver).delete()
    with pytest.raises(LostRaceError):
        acted(Act.DONE, concern, cast.approver, mark=mark)
    assert Operation.objects.get().state == "unclear"


def test_of_two_at_the_same_instant_one_wins(cast: Cast) -> None:
    row = bare(cast)
    concern = concern_of(row)
    mark = seen(concern)
    results = at_once(
        lambda: acted(Act.DONE, concern, cast.approver, mark=mark),
        lambda: acted(Act.FAILED, concern, cast.approver2, mark=mark),
    )
    assert sorted(type(result).__name__ for result in results) == ["LostRaceError", "NoneType"]
    assert Entry.objects.filter(verb__in=["operation.succeeded", "operation.failed"]).count() == 1


def test_two_operations_cannot_adopt_one_action_at_the_same_instant(cast: Cast) -> None:
    rows = [bare(cast), bare(cast, name="cluster00002")]
    action = Action.objects.create(upstream_id=77)
    about = [concern_of(row, action) for row in rows]
    results = at_once(
        *(lambda concern=concern: acted(Act.ADOPT, concern, cast.approver, action=action) for concern in about)
    )
    assert sum(result is None for result in results) == 1
    assert Operation.objects.filter(upstream_action_id=77).count() == 1


def test_a_pass_that_looked_at_it_meanwhile_changes_nothing_any_more(cast: Cast) -> None:
    row = bare(cast, State.RUNNING, upstream_action_id=None)
    Operation.objects.update(look_at=Now() - timedelta(minutes=1))
    (held,) = claim(State.RUNNING)
    action = Action.objects.create(upstream_id=77)
    acted(Act.ADOPT, concern_of(row, action), cast.approver, action=action)
    with pytest.raises(LostRaceError):
        held.move(State.FAILED, fence=held.fence, reason=Reason.SETTLED)
    assert Operation.objects.get().upstream_action_id == 77
