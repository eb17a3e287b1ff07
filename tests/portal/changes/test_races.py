"""Decisions at the same instant: one wins, the others change nothing, and nothing runs twice (SAFETY 1 rule 11)."""

import uuid
from functools import partial

import pytest

from portal.audit.models import Entry
from portal.catalog.kinds import KINDS
from portal.changes import decide, submit
from portal.changes.models import Change, Decision
from portal.operations.models import Operation, Secret
from portal.operations.states import LostRaceError, State
from tests.cast import Cast, draft, form_data, pending
from tests.faults.judge import judge, settle_down
from tests.faults.table import Row, told
from tests.portal.operations.engine import at_once
from tests.sandbox_server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = "Typed-Password-1"
ROUNDS = range(4)


@told(
    Row(
        "Several people, sweeps or workers at the same instant",
        "two creates of one name",
        "both are approved in the same instant",
        "one operation; the other request stays pending, with its password and its turn",
        "A cluster of this name is being created already.",
    )
)
def test_two_requests_for_one_name_agreed_to_at_once_make_one_operation(cast: Cast, upstream: Sandbox) -> None:
    for number in ROUNDS:
        name = f"wanted{number}x"
        one, other = pending(cast.developer, name=name), pending(cast.colleague, name=name, adm_password=TYPED)
        done = at_once(
            partial(decide.approve, one, cast.approver, ""),
            partial(decide.approve, other, cast.approver2, ""),
        )
        (operation,) = Operation.objects.filter(name=name)
        (refusal,) = [result for result in done if not isinstance(result, Operation)]
        assert isinstance(refusal, submit.NotPossibleError)
        assert str(refusal) == "A cluster of this name is being created already."
        states = {
            change.pk: change.state for change in (Change.objects.get(pk=one.pk), Change.objects.get(pk=other.pk))
        }
        approved = Change.objects.get(operation=operation)
        waiting = ({one.pk, other.pk} - {approved.pk}).pop()
        assert states == {approved.pk: "approved", waiting: "pending"}
        # The one that waits lost neither its password nor its turn: no decision stands in its way.
        assert list(Decision.objects.filter(change__name=name).values_list("change", flat=True)) == [approved.pk]
        assert Secret.objects.filter(change=waiting).exists() is (waiting == other.pk)
    settle_down()
    judge(upstream)


def test_the_one_that_waited_can_be_approved_when_the_first_has_ended(cast: Cast) -> None:
    first, second = pending(cast.developer), pending(cast.colleague)
    operation = decide.approve(first, cast.approver, "")
    with pytest.raises(submit.NotPossibleError, match="being created already"):
        decide.approve(second, cast.approver, "")
    operation.move(State.CANCELLED)
    assert decide.approve(second, cast.approver, "").state == "queued"


@told(
    Row(
        "Several people, sweeps or workers at the same instant",
        "approve against reject against withdraw",
        "three people in the same instant",
        "one of them wins, the others change nothing, and the audit log names the one",
        "Somebody was faster: this is how the request stands now.",
    )
)
def test_approve_reject_and_withdraw_at_once_have_one_winner(cast: Cast, upstream: Sandbox) -> None:
    ends = ("approved", "rejected", "withdrawn")
    for number in ROUNDS:
        change = pending(cast.developer, name=f"decided{number}x", adm_password=TYPED)
        seen = [Change.objects.get(pk=change.pk) for _ in ends]
        done = at_once(
            partial(decide.approve, seen[0], cast.approver, ""),
            partial(decide.reject, seen[1], cast.approver2, "No."),
            partial(decide.withdraw, seen[2], cast.developer),
        )
        lost = [isinstance(result, LostRaceError) for result in done]
        winner = ends[lost.index(False)]
        assert lost == [end != winner for end in ends], done
        change = Change.objects.get(pk=change.pk)
        assert change.state == winner
        verbs = Entry.objects.filter(subject_type="change", subject_id=str(change.pk)).values_list("verb", flat=True)
        assert list(verbs) == ["change.draft", "change.pending", f"change.{winner}"]
        verdicts = {"approved": ["approve"], "rejected": ["reject"], "withdrawn": []}[winner]
        assert list(change.decisions.values_list("verdict", flat=True)) == verdicts
        assert Operation.objects.filter(name=change.name).count() == (1 if winner == "approved" else 0)
        held = Secret.objects.filter(operation_to_send__name=change.name).count()
        assert held == (1 if winner == "approved" else 0)
    assert Secret.objects.count() == Operation.objects.count()
    settle_down()
    judge(upstream)


@told(
    Row(
        "Several people, sweeps or workers at the same instant",
        "two approvers of one request",
        "both approve in the same instant, on two connections",
        "one operation; the second decision changes nothing",
        "Somebody was faster: this is how the request stands now.",
    )
)
def test_two_approvals_of_one_request_make_one_operation(cast: Cast, upstream: Sandbox) -> None:
    change = pending(cast.developer)
    done = at_once(*[partial(decide.approve, change, who, "") for who in (cast.approver, cast.approver2)])
    assert sorted(type(result).__name__ for result in done) == ["LostRaceError", "Operation"]
    assert (Operation.objects.count(), Decision.objects.count()) == (1, 1)
    settle_down()
    judge(upstream)


def test_a_form_that_is_sent_twice_at_once_asks_once(cast: Cast) -> None:
    token, entry = uuid.uuid4(), KINDS["create"]

    def ask() -> Change:
        form = entry.form(form_data(adm_password=TYPED), user=cast.developer)
        assert form.is_valid(), form.errors
        return submit.save_draft(user=cast.developer, kind=entry, form=form, form_token=token, cluster=None, draft=None)

    done = at_once(*[ask] * 4)
    change = Change.objects.get()
    assert done == [change] * 4
    assert list(Secret.objects.values_list("pk", flat=True)) == [change.password_id]
    assert Entry.objects.filter(verb="change.draft").count() == 1


def test_a_draft_that_is_filed_twice_at_once_is_filed_once(cast: Cast) -> None:
    change = draft(cast.developer)
    seen = [Change.objects.get(pk=change.pk) for _ in range(2)]
    done = at_once(*[partial(submit.submit, row, cast.developer) for row in seen])
    assert sorted(type(result).__name__ for result in done) == ["LostRaceError", "NoneType"]
    assert Entry.objects.filter(verb="change.pending").count() == 1


def test_a_draft_replaced_in_two_tabs_at_once_keeps_one_password(cast: Cast) -> None:
    change, entry = draft(cast.developer, adm_password=TYPED), KINDS["create"]
    seen = [Change.objects.get(pk=change.pk) for _ in range(2)]

    def replace(row: Change) -> Change:
        form = entry.form(form_data(adm_password=TYPED), user=cast.developer)
        assert form.is_valid(), form.errors
        return submit.save_draft(
            user=cast.developer, kind=entry, form=form, form_token=uuid.uuid4(), cluster=None, draft=row
        )

    assert at_once(*[partial(replace, row) for row in seen]) == [change] * 2
    assert list(Secret.objects.values_list("pk", flat=True)) == [Change.objects.get().password_id]
