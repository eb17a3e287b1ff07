"""The switch that holds all sends and lets them go again."""

from typing import Final

from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, Q, QuerySet
from django.db.models.functions import Now

from portal.accounts.models import User
from portal.audit.record import record
from portal.operations.models import PORTAL, Hold
from portal.operations.states import LostRaceError
from portal.web.words import cut

# Number of the lock that a hold takes alone and sends share: any that nothing else uses.
_SWITCH: Final = 7_042_002


def in_force() -> QuerySet[Hold]:
    """The hold that is in force, if there is one."""
    return Hold.objects.filter(ended_at=None).order_by()


def held() -> Hold | None:
    """The hold that is in force; None while operations may be sent."""
    return in_force().select_related("started_by").first()


def nothing_holds() -> Q:
    """Hold of any row while no hold is in force: for the statement that commits "sending"."""
    return Q(~Exists(in_force()))


def share_the_switch() -> None:
    """Begin the transaction that commits "sending"; a hold that is being made comes wholly before or after it.

    Without it, a statement that began before the hold was committed could still commit "sending" after it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_SWITCH])


@transaction.atomic
def hold(why: str, *, by: User | None = None) -> bool:
    """Send nothing from now on; answers False where that is so already.

    Once it is committed no operation becomes "sending" any more. Call it first in a transaction: it waits for those
    that are becoming so, and they wait for the chain of the audit log.

    Args:
        why: The reason, which everybody reads.
        by: The person who said so; None where the portal must look first.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SWITCH])
    try:
        with transaction.atomic():
            row = Hold.objects.create(why=cut(why, 500), started_by=by)
    except IntegrityError:
        return False
    _record("sends.held", row, by, why)
    return True


@transaction.atomic
def let_go(hold: Hold, outcome: str, *, by: User | None = None) -> None:
    """Let operations be sent again.

    Args:
        hold: The one that the caller saw.
        outcome: Why, in words.
        by: The person who said so; None where the portal has looked.

    Raises:
        LostRaceError: somebody else ended that hold.
    """
    rows = Hold.objects.filter(pk=hold.pk, ended_at=None)
    if rows.update(ended_at=Now(), ended_by=by, outcome=cut(outcome, 500)) != 1:
        message = f"hold {hold.pk} has ended"
        raise LostRaceError(message)
    _record("sends.let_go", hold, by, outcome)


def _record(verb: str, hold: Hold, by: User | None, why: str) -> None:
    record(
        verb,
        actor=by.email if by else PORTAL,
        actor_id=by.pk if by else None,
        subject_type="hold",
        subject_id=hold.pk,
        subject="Sends",
        detail={"why": cut(why, 300)},
    )
