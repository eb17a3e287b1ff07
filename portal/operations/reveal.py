"""Shows a generated password once, to the person who asked, and destroys it."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from portal.accounts.models import User
from portal.audit.record import record
from portal.operations.models import Operation, bound, erase
from portal.operations.slowing import Round
from portal.operations.start import REVEAL
from portal.operations.states import LostRaceError, State
from portal.sealing import SecretText

A_PASS: Final = 100
_ROUND: Final = Round("The password of operation")
NOT_READY: Final = "The password is shown when the cluster is ready."


def why_not(operation: Operation, user: User) -> str:
    """Why the person cannot see the password now; empty if they can."""
    if operation.requester_id != user.pk or not user.is_active:
        return "Only the person who asked for the cluster can see its password."
    if operation.state != State.SUCCEEDED:
        return NOT_READY
    if operation.reveal_id is None or _too_late(operation):
        return "The password was shown, or its time is over. Nobody can show it again: ask cegedim.cloud for a new one."
    return ""


def _too_late(operation: Operation) -> bool:
    shown_until = timedelta(seconds=settings.REVEAL_SECONDS)
    return operation.ended_at is None or operation.ended_at + shown_until <= timezone.now()


@sensitive_variables("text")
def reveal(operation: Operation, user: User) -> SecretText:
    """Open the password and destroy it, in one transaction with the audit entry.

    Raises:
        LostRaceError: it was shown or erased meanwhile.
        SealBroken: no configured key opens it; it is left as it is.
    """
    with transaction.atomic():
        held = Operation.objects.select_for_update(of=("self",)).select_related("reveal").get(pk=operation.pk)
        secret = held.reveal
        if secret is None or why_not(held, user):
            message = "the password was shown or erased meanwhile"
            raise LostRaceError(message)
        text = secret.open(bound_to=bound(held.reference, REVEAL))
        Operation.objects.filter(pk=held.pk).update(reveal=None, changed_at=Now())
        erase(secret.pk)
        record(
            "password.revealed",
            actor=user.email,
            actor_id=user.pk,
            subject_type="operation",
            subject_id=held.pk,
            subject=held.title,
            service_id=held.service_id,
        )
    return text


def erase_overdue() -> int:
    """Erase the copies that nobody fetched in time; answers how many."""
    old = Operation.objects.filter(
        reveal__isnull=False,
        state=State.SUCCEEDED,
        ended_at__lte=Now() - timedelta(seconds=settings.REVEAL_SECONDS),
    )
    return _ROUND.go(old, _erase, A_PASS)


def _erase(operation: Operation) -> None:
    with transaction.atomic():
        if Operation.objects.filter(pk=operation.pk, reveal=operation.reveal_id).update(reveal=None):
            erase(operation.reveal_id)
