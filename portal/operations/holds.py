"""The switch that holds all sends and lets them go again."""

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from portal.accounts.models import User
from portal.audit.record import record
from portal.operations.models import PORTAL, Hold
from portal.operations.states import LostRaceError


def held() -> Hold | None:
    """The hold that is in force; None while operations may be sent."""
    return Hold.objects.filter(ended_at=None).select_related("started_by").first()


@transaction.atomic
def hold(why: str, *, by: User | None = None) -> bool:
    """Send nothing from now on; answers False where that is so already.

    Args:
        why: The reason, which everybody reads.
        by: The person who said so; None where the portal must look first.
    """
    try:
        with transaction.atomic():
            row = Hold.objects.create(why=why[:500], started_by=by)
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
    if rows.update(ended_at=Now(), ended_by=by, outcome=outcome[:500]) != 1:
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
        detail={"why": why[:300]},
    )
