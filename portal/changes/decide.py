"""Decisions: approve, reject, withdraw. Each is one transaction; a refusal is audited in one of its own."""

from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.record import record_refusal
from portal.catalog import copying
from portal.changes import policy
from portal.changes.models import Change, Decision, State
from portal.changes.submit import NotPossibleError
from portal.operations.models import Operation
from portal.operations.start import BusyError, start
from portal.operations.states import LostRaceError


class NotAllowedError(Exception):
    """The person may not do this; the message is the sentence for people."""


def approve(change: Change, user: User, comment: str) -> Operation:
    """Agree, and queue the operation in the same transaction.

    Raises:
        NotAllowedError: not this person's to decide.
        LostRaceError: it is no longer pending.
        NotPossibleError: it cannot be carried out now; it stays pending.
    """
    _allow(policy.why_not_approve(user, change), "change.approve", change, user)
    try:
        with transaction.atomic():
            change = _locked(change, user, policy.why_not_approve)
            if why_not := lapsed(change):
                raise NotPossibleError(why_not)
            if broken := change.entry.broken(change.parameters, change.cluster, change.service):
                raise NotPossibleError(" ".join(broken))
            if lacks := copying.why_not_asked(change.entry, change.parameters, change.requester):
                raise NotPossibleError(lacks)
            _decide(change, user, Decision.Verdict.APPROVE, comment)
            operation = start(
                reference=change.reference,
                kind=change.kind,
                parameters=change.parameters,
                revision=change.revision,
                digest=change.digest,
                name=change.name,
                service=change.service,
                cluster=change.cluster,
                requester=change.requester,
                approver=user,
                password=change.password,
            )
            change.move(State.APPROVED, actor=user, detail={"operation": operation.pk}, operation=operation)
    except BusyError as busy:
        raise NotPossibleError(str(busy)) from busy
    return operation


def reject(change: Change, user: User, comment: str) -> None:
    """Say no, with the reason.

    Raises:
        NotAllowedError: not this person's to decide.
        LostRaceError: it is no longer pending.
    """
    _allow(policy.why_not_decide(user, change), "change.reject", change, user)
    with transaction.atomic():
        change = _locked(change, user, policy.why_not_decide)
        _decide(change, user, Decision.Verdict.REJECT, comment)
        change.move(State.REJECTED, actor=user, detail={"comment": comment})


def withdraw(change: Change, user: User) -> None:
    """Take one's own draft or pending change back.

    Raises:
        NotAllowedError: not this person's.
        LostRaceError: it has been decided.
    """
    _allow(policy.why_not_own(user, change), "change.withdraw", change, user)
    if not policy.is_open(change):
        message = f"change {change.pk} is {change.state}"
        raise LostRaceError(message)
    with transaction.atomic():
        change.move(State.WITHDRAWN, actor=user)


def lapsed(change: Change) -> str:
    """Return why an approval would not fit what was asked, empty if it would.

    It comes too late, the request was altered, its requester is gone, or the cluster moved.
    """
    if change.expires_at <= timezone.now():
        return "This request has expired: it has to be asked again."
    if not change.requester.is_active:
        return "The person who asked can no longer sign in: somebody else has to ask."
    if change.digest != change.computed_digest():
        return "The request no longer holds what was submitted: it cannot be approved. Ask an administrator."
    if change.cluster is not None and change.cluster.revision != change.revision:
        return "The cluster moved since this was asked: it has to be asked again."
    return ""


def _allow(why_not: str, verb: str, change: Change, user: User) -> None:
    if not why_not:
        return
    record_refusal(
        verb,
        why=why_not,
        actor=user.email,
        actor_id=user.pk,
        subject_type="change",
        subject_id=change.pk,
        subject=change.title,
        service_id=change.service_id,
    )
    raise NotAllowedError(why_not)


def _locked(change: Change, user: User, why_not: Callable[[User, Change], str]) -> Change:
    """The pending change under a row lock: two deciders follow each other, the second finds it decided.

    The right to decide is asked again under the lock, since it may have been taken away meanwhile.
    """
    rows = Change.objects.select_for_update(of=("self",)).select_related("service", "cluster__service", "requester")
    locked = rows.select_related("password").get(pk=change.pk)
    if locked.state != State.PENDING:
        message = f"change {change.pk} is {locked.state}"
        raise LostRaceError(message)
    if why_not(User.objects.get(pk=user.pk), locked):
        message = f"{user} may no longer decide change {change.pk}"
        raise LostRaceError(message)
    return locked


def _decide(change: Change, user: User, verdict: Decision.Verdict, comment: str) -> None:
    try:
        with transaction.atomic():
            Decision.objects.create(
                change=change,
                requester=change.requester,
                decider=user,
                verdict=verdict,
                comment=comment,
                digest=change.digest,
            )
    except IntegrityError as error:
        message = f"{user} has decided change {change.pk} already"
        raise LostRaceError(message) from error
