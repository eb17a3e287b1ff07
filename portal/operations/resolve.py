"""What people do to operations that need them: each with a reason, in one transaction with its audit entry."""

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F
from django.db.models.functions import Now

from portal.accounts.models import User
from portal.audit.record import record
from portal.inventory.refresh import refresh
from portal.operations import acts, concerns, tasks
from portal.operations.acts import Act
from portal.operations.locks import lock
from portal.operations.models import Action, Concern, Operation, Situation
from portal.operations.states import LostRaceError, Proof, Reason, State
from portal.web.hints import hint
from portal.web.words import cut

# What is settled once it is known which action carries the operation out.
SETTLED_BY_AN_ACTION: Final = (
    Situation.NOTHING_FOUND,
    Situation.SEVERAL_FIT,
    Situation.SAME_ACTION,
    Situation.UNSETTLED,
    Situation.VANISHED,
    Situation.STUCK,
)
# Acts that end an operation: its state then, the reason, and what was done in words.
ENDS: Final[Mapping[Act, tuple[State, Reason, str]]] = {
    Act.DONE: (State.SUCCEEDED, Reason.NONE, "Marked as done"),
    Act.FAILED: (State.FAILED, Reason.SETTLED, "Marked as failed"),
    Act.RELEASE: (State.FAILED, Reason.GIVEN_UP, "Given up without knowing whether it was done"),
}


class NotPossibleError(Exception):
    """It cannot be done as things are; the message is the sentence for people."""


class NotAllowedError(Exception):
    """This person may not do it, though others may; the message is the sentence for people."""


def adopt(concern: Concern, user: User, why: str, *, seen: str, action: int) -> None:
    """Say which of the actions that the concern names carries the operation out; it is followed from then on.

    Args:
        concern: As the person saw it.
        user: Who does it.
        why: The reason.
        seen: The mark of what the person saw (`acts.basis`); so for all acts.
        action: The number of the action's row.

    Raises:
        LostRaceError: the operation or the evidence moved meanwhile; so for all acts.
        NotPossibleError: not this action, or not now; so for all acts.
    """
    with transaction.atomic():
        held, operation = _held(concern, user, seen, Act.ADOPT, action=action)
        chosen = held.actions.filter(pk=action).first()
        if chosen is None:
            message = "The concern does not name this action."
            raise NotPossibleError(message)
        if chosen.operation_id not in {None, operation.pk} or _carries_another(chosen, operation):
            message = "This action carries out another operation."
            raise NotPossibleError(message)
        number = chosen.upstream_id
        Action.objects.filter(pk=chosen.pk).update(operation=operation)
        # What waited in doubt is answered as a whole: it was sent.
        settled = () if operation.state == State.QUEUED else SETTLED_BY_AN_ACTION
        concerns.close_of(operation, _outcome(f"Action {number} was adopted", why), *settled, by=user)
        _follow(operation, user, number, why)


def end(concern: Concern, user: User, why: str, *, seen: str, act: Act) -> None:
    """Say how it ended: done, not done, or given up without knowing.

    Args:
        concern: See `adopt`.
        user: See `adopt`.
        why: See `adopt`.
        seen: See `adopt`.
        act: One of `ENDS`.

    Raises:
        LostRaceError: see `adopt`.
        NotPossibleError: see `adopt`.
    """
    to, reason, what = ENDS[act]
    with transaction.atomic():
        _, operation = _held(concern, user, seen, act)
        concerns.close_of(operation, _outcome(what, why), by=user)
        operation.move(
            to,
            fence=operation.fence,
            actor=user,
            detail={"reason": reason, "why": why},
            settled_by=user,
            reason=reason,
            message=cut(f"{what} by {user}: {why}", 500),
        )
    if operation.cluster is not None:
        refresh(operation.cluster)


def note(concern: Concern, user: User, why: str, *, seen: str) -> None:
    """Close a concern that asks for nothing but that somebody knows.

    Raises:
        LostRaceError: see `adopt`.
        NotPossibleError: see `adopt`.
    """
    with transaction.atomic():
        held, _ = _locked(concern, user, seen, Act.NOTED)
        concerns.close(Concern.objects.filter(pk=held.pk), _outcome("Noted", why), by=user)


def send_again(concern: Concern, user: User, why: str, *, seen: str) -> bool:
    """Say that it may be sent once more; answers whether it is queued, or waits for a second person who agrees.

    Everything is checked again before the sending, and it is not sent if ITCare then shows something that nobody has
    seen (`released`).

    Raises:
        LostRaceError: see `adopt`.
        NotPossibleError: see `adopt`.
        NotAllowedError: the second person is the first, or the one who asked for it.
    """
    with transaction.atomic():
        held, operation = _held(concern, user, seen, Act.SEND)
        first = _first(held, operation, user, why)
        if first is None:
            return False
        proof = Proof.ACCEPTED if acts.accepted(operation) else Proof.UNKNOWN
        concerns.close_of(operation, _outcome("Sent again", why), by=user)
        operation.move(
            State.QUEUED,
            fence=operation.fence,
            actor=user,
            detail={"why": why, "first": first.email},
            released_by=first,
            also_released_by=user if first != user else None,
            released_at=Now(),
            last_proof=proof,
            message=cut(f"Released by {_both(first, user)} to be sent again: {why}", 500),
            failures=0,
            lease_until=None,
            look_at=Now(),
        )
        hint(tasks.send_operation, operation.pk)
    return True


def send_now(concern: Concern, user: User, why: str, *, seen: str) -> bool:
    """Say that what waits in doubt was not sent before; answers as `send_again`, and raises the same.

    What the concern names is known from then on, and stops it no more; all else is looked at before it is sent.
    """
    with transaction.atomic():
        held, operation = _held(concern, user, seen, Act.SEND_NOW)
        first = _first(held, operation, user, why)
        if first is None:
            return False
        rows = Operation.objects.filter(pk=operation.pk, state=State.QUEUED)
        moved = rows.update(
            # What they said was about this doubt: it is no word on another.
            released_by=None,
            also_released_by=None,
            released_at=None,
            message=cut(f"{_both(first, user)} said that it was not sent before: {why}", 500),
            failures=0,
            lease_until=None,
            look_at=Now(),
            changed_at=Now(),
        )
        if moved != 1:
            message = f"operation {operation.pk} is no longer queued"
            raise LostRaceError(message)
        concerns.close_of(operation, _outcome("Not its own, sent now", why), Situation.UNKNOWN_ACTION, by=user)
        _record("operation.let_go", operation, user, {"why": why, "first": first.email})
        hint(tasks.send_operation, operation.pk)
    return True


def _first(concern: Concern, operation: Operation, user: User, why: str) -> User | None:
    """Who said first that it may be sent; None where this person is now the first of two."""
    if not acts.needs_two(operation):
        return user
    first = acts.first_of_two(concern, operation)
    if first is None:
        rows = Operation.objects.filter(pk=operation.pk)
        rows.update(released_by=user, also_released_by=None, released_at=Now(), changed_at=Now())
        _record("operation.released", operation, user, {"why": why})
    return first


def _both(first: User, user: User) -> str:
    return f"{first}" if first == user else f"{first} and {user}"


def _follow(operation: Operation, user: User, number: int, why: str) -> None:
    """Tie the operation to its action; one that runs already stays running."""
    message = cut(f"{user} said that action {number} carries it out: {why}", 500)
    known: dict[str, Any] = {
        "upstream_action_id": number,
        "missed_at": None,
        # Why another action had been taken for its own says nothing of this one; the audit log keeps it.
        "evidence": "",
        "found_at": None,
        "settled_by": user,
        "message": message,
        "failures": 0,
    }
    if operation.state in {State.UNCLEAR, State.QUEUED}:
        operation.move(
            State.RUNNING,
            fence=operation.fence,
            actor=user,
            detail={"action": number, "why": why},
            last_proof=Proof.ACCEPTED,
            look_at=Now(),
            lease_until=None,
            **known,
        )
        return
    rows = Operation.objects.filter(pk=operation.pk, state=State.RUNNING)
    if rows.update(look_at=Now(), lease_until=None, changed_at=Now(), **known) != 1:
        message = f"operation {operation.pk} is no longer running"
        raise LostRaceError(message)
    _record("operation.adopted", operation, user, {"action": number, "why": why})


def _held(concern: Concern, user: User, seen: str, act: Act, *, action: int | None = None) -> tuple[Concern, Operation]:
    """The concern and its operation under locks, the latter with a new fence.

    A pass that looks at the row meanwhile finds another fence, and changes nothing.
    """
    held, operation = _locked(concern, user, seen, act, action)
    if operation is None:
        message = "There is no operation that this could be done to."
        raise NotPossibleError(message)
    Operation.objects.filter(pk=operation.pk).update(fence=F("fence") + 1)
    operation.fence += 1
    return held, operation


def _locked(
    concern: Concern, user: User, seen: str, act: Act, action: int | None = None
) -> tuple[Concern, Operation | None]:
    """Lock the rows, in the order that `locks` tells, and ask again whether the person may do it now."""
    if concern.operation is not None:
        lock(concern.operation)
    if action is not None:
        # Two who adopt one action for two operations follow each other.
        list(Action.objects.select_for_update(of=("self",)).filter(pk=action).values_list("pk"))
    rows = Concern.objects.select_for_update(of=("self",)).select_related(
        "operation__released_by", "operation__cluster__service", "operation__requester"
    )
    held = rows.get(pk=concern.pk)
    clock = Concern.objects.filter(pk=held.pk).values_list(ExpressionWrapper(Now(), DateTimeField()), flat=True).get()
    person = User.objects.get(pk=user.pk)
    if held.closed_at is not None or acts.basis(held) != seen:
        message = f"concern {held.pk} has moved"
        raise LostRaceError(message)
    if not Concern.objects.workable_by(person).filter(pk=held.pk).exists():
        message = f"{person} may no longer act on concern {held.pk}"
        raise LostRaceError(message)
    offer = next((offer for offer in acts.offers(held, person, clock) if offer.act == act), None)
    if offer is None or offer.not_now:
        raise NotPossibleError(offer.not_now if offer else "This cannot be done as things are.")
    if offer.not_you:
        raise NotAllowedError(offer.not_you)
    return held, held.operation


def _carries_another(action: Action, operation: Operation) -> bool:
    return Operation.objects.filter(upstream_action_id=action.upstream_id).exclude(pk=operation.pk).exists()


def _outcome(what: str, why: str) -> str:
    return cut(f"{what}: {why}", 500)


def _record(verb: str, operation: Operation, user: User, detail: Mapping[str, str | int]) -> None:
    record(
        verb,
        actor=user.email,
        actor_id=user.pk,
        subject_type="operation",
        subject_id=operation.pk,
        subject=operation.title,
        service_id=operation.service_id,
        detail=detail,
    )
