"""Takes back an approved operation that has not been sent."""

from collections.abc import Iterable
from typing import Final

from django.db import transaction

from portal.accounts.models import User
from portal.inventory.models import Service
from portal.operations.acts import REFUSED, in_doubt, perhaps_executed, refused_only
from portal.operations.concerns import close_of
from portal.operations.locks import lock
from portal.operations.models import Action, Attempt, Concern, Operation, Situation
from portal.operations.states import LostRaceError, State
from portal.web.words import cut, some

# Actions that may be its own and are named, at most.
MOST_TOLD: Final = 5
SENT_BEFORE: Final = "It cannot be cancelled: an earlier call of it may have been executed."
LOSES: Final = (
    "Cancelling it destroys the administrator password that the portal made: if ITCare made the cluster already, "
    "nobody can read it any more. If the action is its own, it can be adopted instead, and the password is kept."
)
LOST: Final = "The password that the portal made is destroyed: if there is a cluster, ask cegedim.cloud for a new one."


class LosesPasswordError(Exception):
    """A password that may be the only one to a cluster would be destroyed, and the person has not said so."""


def in_time(operation: Operation, attempts: Iterable[Attempt]) -> bool:
    """Whether it can be ended unsent: it waits, and none of its calls can have been executed.

    One that people released to be sent again stays sent before, whatever came of the calls since.

    Args:
        operation: The one that waits.
        attempts: All of its calls.
    """
    return operation.state == State.QUEUED and not perhaps_executed(attempts)


def loses_password(operation: Operation, concerns: Iterable[Concern]) -> bool:
    """Whether cancelling it destroys a generated password that a cluster may have, as it may have been sent already.

    Args:
        operation: The one that waits.
        concerns: What people were asked about it.
    """
    return operation.reveal_id is not None and any(map(in_doubt, concerns))


def why_not(operation: Operation, user: User) -> str:
    """Why the person cannot cancel it; empty if they can: its requester, or an approver of the service."""
    services = Service.objects.filter(pk=operation.service_id)
    own = operation.requester_id == user.pk and services.askable_by(user).exists()
    if not own and not services.decidable_by(user).exists():
        return "Only the person who asked, or an approver of the service's team, can cancel it."
    return ""


def too_late(operation: Operation) -> str:
    """Why it cannot be cancelled any more, as it is now."""
    if operation.state == State.QUEUED:
        return SENT_BEFORE
    if operation.state == State.CANCELLED:
        return f"It is cancelled already. {operation.message}"
    if operation.state == State.FAILED:
        return f"It has failed already. {operation.message}"
    return "It is no longer waiting: what was sent to ITCare cannot be taken back."


def cancel(operation: Operation, user: User, *, with_password: bool = False) -> str:
    """End a queued operation that is not sent from here on; answers what can be said of what was sent, in a sentence.

    Args:
        operation: Which one.
        user: Who does it.
        with_password: They know that this destroys a generated password that a cluster may have.

    Raises:
        LostRaceError: it is not queued any more, or an earlier call may have been executed (`in_time`).
        LosesPasswordError: such a password would be destroyed, and they do not know.
    """
    with transaction.atomic():
        lock(operation)
        if not in_time(operation, operation.attempts.all()):
            message = f"operation {operation.pk} was sent, or has ended"
            raise LostRaceError(message)
        loses = loses_password(operation, operation.concerns.open())
        if loses and not with_password:
            raise LosesPasswordError
        told = "The operation was cancelled; the history of its cluster keeps what ITCare did."
        doubt = f"{_doubt(operation)} {LOST}" if loses else _doubt(operation)
        refused = refused_only(operation.attempts.all())
        said = doubt or (REFUSED if refused else "Nothing was sent to ITCare.")
        when = f". {doubt}" if doubt else f". {REFUSED}" if refused else " before it was sent."
        close_of(operation, told, Situation.UNKNOWN_ACTION, by=user)
        message = cut(f"Cancelled by {user}{when}", 500)
        operation.move(State.CANCELLED, actor=user, detail={"why": said}, message=message)
    return said


def _doubt(operation: Operation) -> str:
    """What is to be said where it may have been sent before; empty where nothing says so."""
    asked = Concern.objects.open().filter(operation=operation, situation=Situation.UNKNOWN_ACTION)
    actions = Action.objects.filter(concerns__in=asked).order_by("upstream_id")
    numbers = some([str(action.upstream_id) for action in actions], MOST_TOLD)
    if not numbers:
        return ""
    return (
        f"It is not sent from here on. It may have been sent before: ITCare's action {numbers} may be its own. "
        "Look at the cluster before you ask again."
    )
