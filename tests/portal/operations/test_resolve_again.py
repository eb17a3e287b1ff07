"""People have an operation sent again: on evidence, once, two of them where data is at stake, never on a guess."""

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from portal.accounts.models import Membership, User
from portal.operations import acts, cancel, concerns, settle
from portal.operations.acts import Act
from portal.operations.models import Action, Attempt, Concern, Operation, Situation
from portal.operations.resolve import NotAllowedError, NotPossibleError
from portal.operations.states import LostRaceError, Proof, State
from tests.cast import Cast
from tests.portal.operations.deciding import WHY, acted, done, entries, offered
from tests.portal.operations.engine import evidence, followed, sent, tells, time_passes
from tests.portal.operations.needing import bare, concern_of, grace_passes, unclear
from tests.sandbox.caller import Caller
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_a_released_one_cannot_be_called_never_sent(cast: Cast) -> None:
    row = bare(cast)
    grace_passes(row)
    acted(Act.SEND, concern_of(row), cast.approver)
    row.refresh_from_db()
    with pytest.raises(LostRaceError):
        cancel.cancel(row, cast.developer)
    assert Operation.objects.get().state == "queued"
