"""What people do to operations that need them: reasons, evidence, two people, and nothing sent twice on a guess."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from portal.accounts.models import Membership, User
from portal.audit.models import Entry
from portal.changes import again
from portal.changes.models import Change
from portal.operations import acts, cancel, concerns, follow, resolve, settle
from portal.operations.acts import Act
from portal.operations.leases import claim
from portal.operations.models import Action, Attempt, Concern, Operation, Situation
from portal.operations.resolve import NotAllowedError, NotPossibleError
from portal.operations.states import LostRaceError, Proof, Reason, State
from tests.browsing import signed_in
from tests.cast import Cast, cluster
from tests.portal.operations.engine import at_once, evidence, followed, sent, tells, time_passes
from tests.portal.operations.needing import bare, concern_of, grace_passes, seen, unclear
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

WHY = "I asked cegedim.cloud."


def acted(act: Act, concern: Concern, user: User, *, mark: str | None = None, action: Action | None = None) -> object:
    """Do it, as one who has just looked."""
    last = seen(concern) if mark is None else mark
    if act == Act.ADOPT:
        resolve.adopt(concern, user, WHY, seen=last, action=action.pk if action else 0)
        return None
    does: dict[Act, Callable[..., object]] = {
        **{each: partial(resolve.end, act=each) for each in resolve.ENDS},
        Act.SEND: resolve.send_again,
        Act.NOTED: resolve.note,
    }
    return does[act](concern, user, WHY, seen=last)


def offered(concern: Concern, user: User) -> dict[str, str]:
    """What the person is offered, each with the sentence that says why not."""
    row = Concern.objects.get(pk=concern.pk)
    return {str(offer.act): offer.why_not for offer in acts.offers(row, user)}


def done(upstream: Sandbox, row: Operation) -> list[int]:
    """The actions that the upstream really carried out on that cluster."""
    return [action["id"] for action in Caller(upstream).get("/actions") if action["resourceName"] == row.name]


def entries() -> list[tuple[str, str, dict[str, Any]]]:
    return list(Entry.objects.order_by("number").values_list("verb", "actor", "detail"))


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


def test_what_never_arrived_is_sent_again_once_with_a_new_attempt_and_watermark(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    grace_passes(row)
    concern = concern_of(row)
    assert acted(Act.SEND, concern, cast.approver) is True
    row.refresh_from_db()
    assert (row.state, row.released_by, row.also_released_by) == ("queued", cast.approver, None)
    assert row.message == f"Released by approver@example.com to be sent again: {WHY}"
    assert entries()[-1] == (
        "operation.queued",
        "approver@example.com",
        {"from": "unclear", "why": WHY, "first": "approver@example.com"},
    )
    row = sent(row)
    assert (row.state, row.released_by) == ("running", None)
    assert evidence(row) == [("unknown", None), ("accepted", 202)]
    first, second = row.attempts.order_by("number")
    assert (second.number, second.fence > first.fence, second.started_at > first.started_at) == (2, True, True)
    assert followed(row).state == "succeeded"
    assert done(upstream, row) == [row.upstream_action_id]
    assert not Concern.objects.open().exists()


def test_what_had_arrived_after_all_is_not_sent_again_but_found(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream, "restore", how="drop")
    grace_passes(row)
    concern = concern_of(row)
    for person in (cast.approver, cast.approver2):
        acted(Act.SEND, concern, person)
    row.refresh_from_db()
    assert row.state == "queued"
    # It has ended, and a restore leaves no trace on the cluster: only the action tells.
    (ours,) = done(upstream, row)
    Caller(upstream).ended(ours)
    row = sent(row)
    assert (row.state, row.released_by, row.also_released_by) == ("unclear", None, None)
    assert row.message == (
        f"It was not sent again: ITCare shows action {ours} now, which nobody had seen when it was released."
    )
    assert Action.objects.get(upstream_id=ours).operation is None
    assert evidence(row) == [("unknown", None)]
    time_passes(60)
    settle.settle()
    assert followed(row).upstream_action_id == ours
    assert done(upstream, row) == [ours]


def test_an_attempt_in_between_that_never_left_changes_nothing_of_that(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    grace_passes(row)
    acted(Act.SEND, concern_of(row), cast.approver)
    row.refresh_from_db()
    # As the sender does, whom the upstream then cannot be reached by.
    row.move(State.SENDING, released_by=None, also_released_by=None, last_proof="", sent_at=Now(), lease_until=Now())
    Attempt.objects.create(operation=row, number=2, fence=2, proof=Proof.NOT_SENT, ended_at=Now())
    row.move(State.QUEUED, last_proof=Proof.NOT_SENT, lease_until=None)
    upstream.set_faults(tells([{"id": 900_001, "status": "IN_PROGRESS", "resourceName": row.name}]))
    assert sent(row).state == "unclear"
    upstream.set_faults()
    assert done(upstream, row) == []


def test_what_people_had_seen_does_not_keep_it_from_being_sent_again(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    grace_passes(row)
    listed = [{"id": 900_001, "status": "ERROR", "resourceName": row.name, "submittedBy": "somebody else"}]
    seen_one = Action.objects.create(upstream_id=900_001, resource_name=row.name)
    acted(Act.SEND, concern_of(row, seen_one), cast.approver)
    upstream.set_faults(tells(listed))
    assert sent(row).state == "running"
    # The new attempt has a watermark of its own.
    assert row.attempts.latest("number").watermark_action_id == 900_001


def test_a_moved_cluster_is_found_out_before_it_is_sent_again(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    grace_passes(row)
    acted(Act.SEND, concern_of(row), cast.approver)
    assert row.cluster is not None
    upstream.change_cluster(row.cluster.upstream_id, sizing="4cpu8gb")
    row = sent(row)
    # The first attempt may be what moved it: nothing is called failed.
    assert (row.state, row.reason, evidence(row)) == ("unclear", "", [("unknown", None)])
    assert row.message.endswith("An earlier attempt may have done that: it is looked for.")
    assert done(upstream, row) == []


def test_not_before_the_grace_period_is_over(cast: Cast, settings: Settings) -> None:
    row = bare(cast)
    concern = concern_of(row)
    wait = "Not before 15 min after it was sent: until then its action may still show up."
    assert offered(concern, cast.approver)["send"] == wait
    with pytest.raises(NotPossibleError, match="Not before 15 min"):
        acted(Act.SEND, concern, cast.approver)
    grace_passes(row)
    assert offered(concern, cast.approver)["send"] == ""
    # The latest attempt counts.
    Attempt.objects.create(operation=row, number=2, fence=2, proof=Proof.UNKNOWN, ended_at=Now())
    with pytest.raises(NotPossibleError):
        acted(Act.SEND, concern, cast.approver)
    assert Operation.objects.get().state == "unclear"


def test_a_create_is_never_sent_again(cast: Cast) -> None:
    row = bare(cast, kind="create")
    grace_passes(row)
    concern = concern_of(row)
    assert offered(concern, cast.approver)["send"] == acts.NO_CREATE
    for person in (cast.approver, cast.administrator):
        with pytest.raises(NotPossibleError, match="password is erased"):
            acted(Act.SEND, concern, person)
    assert (Operation.objects.get().state, Operation.objects.get().released_by) == ("unclear", None)


def two_people(cast: Cast, row: Operation, concern: Concern) -> None:
    """Let everybody try who cannot be the second, and then one who can."""
    Membership.objects.create(user=cast.developer, team=cast.alpha, role=Membership.Role.APPROVER)
    assert acted(Act.SEND, concern, cast.approver) is False
    row.refresh_from_db()
    assert (row.state, row.released_by, row.also_released_by) == ("unclear", cast.approver, None)
    assert entries()[-1] == ("operation.released", "approver@example.com", {"why": WHY})
    for person, words in ((cast.approver, "You have said so already"), (cast.developer, "You asked for it")):
        assert offered(concern, person)["send"].startswith(words)
        with pytest.raises(NotAllowedError, match=words):
            acted(Act.SEND, concern, person)
    assert (Operation.objects.get().state, Concern.objects.open().count()) == ("unclear", 1)
    assert acted(Act.SEND, concern, cast.approver2) is True
    row.refresh_from_db()
    assert (row.state, row.released_by, row.also_released_by) == ("queued", cast.approver, cast.approver2)
    assert not Concern.objects.open().exists()


@pytest.mark.parametrize("kind", ["delete", "restore"])
def test_two_people_send_again_what_would_destroy_data(cast: Cast, upstream: Sandbox, kind: str) -> None:
    row = unclear(cast, upstream, kind)
    grace_passes(row)
    two_people(cast, row, concern_of(row))
    row = followed(sent(row))
    assert (row.state, done(upstream, row)) == ("succeeded", [row.upstream_action_id])


def test_two_people_send_again_what_itcare_is_known_to_have_accepted(cast: Cast) -> None:
    row = bare(cast)
    # The sender's answer came late: ITCare had accepted it, without an id.
    Attempt.objects.update(proof=Proof.ACCEPTED)
    grace_passes(row)
    two_people(cast, row, concern_of(row))
    assert row.last_proof == "accepted"


def test_newer_evidence_makes_the_first_one_say_it_again(cast: Cast) -> None:
    row = bare(cast, kind="delete")
    grace_passes(row)
    concern = concern_of(row)
    acted(Act.SEND, concern, cast.approver)
    action = Action.objects.create(upstream_id=77)
    concerns.raise_concern(Situation.NOTHING_FOUND, "Something.", operation=row, actions=[action])
    assert acted(Act.SEND, concern, cast.approver2) is False
    row.refresh_from_db()
    assert (row.state, row.released_by) == ("unclear", cast.approver2)
    assert acted(Act.SEND, concern, cast.administrator) is True


def test_a_leaver_s_word_does_not_count(cast: Cast) -> None:
    row = bare(cast, kind="delete")
    grace_passes(row)
    concern = concern_of(row)
    acted(Act.SEND, concern, cast.approver)
    User.objects.filter(pk=cast.approver.pk).update(is_active=False)
    assert acted(Act.SEND, concern, cast.approver2) is False
    assert Operation.objects.get().released_by == cast.approver2


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


def test_a_released_one_cannot_be_called_never_sent(cast: Cast) -> None:
    row = bare(cast)
    grace_passes(row)
    acted(Act.SEND, concern_of(row), cast.approver)
    row.refresh_from_db()
    with pytest.raises(LostRaceError):
        cancel.cancel(row, cast.developer)
    assert Operation.objects.get().state == "queued"


def test_the_requester_can_ask_again_what_was_marked_as_failed_or_given_up(cast: Cast, upstream: Sandbox) -> None:
    row = unclear(cast, upstream)
    acted(Act.RELEASE, concern_of(row), cast.approver)
    row.refresh_from_db()
    assert (row.state, Change.objects.get(operation=row).state) == ("failed", "approved")
    time_passes()
    assert (settle.settle(), follow.follow(), done(upstream, row)) == (0, 0, [])
    answer = signed_in(cast.developer).get(again.of_operation(cast.developer, row))
    assert (answer.status_code, b"4cpu8gb" in answer.content) == (200, True)
