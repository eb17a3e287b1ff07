"""Takes back an approved operation that has not been sent."""

from django.db import transaction

from portal.accounts.models import User
from portal.inventory.models import Service
from portal.operations.acts import PERHAPS_EXECUTED
from portal.operations.concerns import close_of
from portal.operations.locks import lock
from portal.operations.models import Operation, Situation
from portal.operations.states import LostRaceError, State


def why_not(operation: Operation, user: User) -> str:
    """Why the person cannot cancel it; empty if they can: its requester, or an approver of the service."""
    services = Service.objects.filter(pk=operation.service_id)
    own = operation.requester_id == user.pk and services.askable_by(user).exists()
    if not own and not services.decidable_by(user).exists():
        return "Only the person who asked, or an approver of the service's team, can cancel it."
    return ""


def cancel(operation: Operation, user: User) -> None:
    """End a queued operation unsent.

    Raises:
        LostRaceError: it is no longer queued, or an earlier attempt may have been executed.
        ValueError: it was not queued to begin with.
    """
    if operation.attempts.filter(proof__in=PERHAPS_EXECUTED).exists():
        # People released it to be sent once more: nobody can say that it was never executed.
        message = f"operation {operation.pk} was sent before"
        raise LostRaceError(message)
    with transaction.atomic():
        lock(operation)
        told = "The operation was cancelled; the history of its cluster keeps what ITCare did."
        close_of(operation, told, Situation.UNKNOWN_ACTION, by=user)
        operation.move(State.CANCELLED, actor=user, message=f"Cancelled by {user} before it was sent.")
