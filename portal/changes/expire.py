"""Ends what nobody decides: expired drafts and changes, moved clusters, leavers. Jobs of the sweep."""

import logging
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from portal.changes.models import OPEN, Change, State
from portal.operations.slowing import Round
from portal.operations.states import LostRaceError

logger = logging.getLogger(__name__)

A_PASS: Final = 200
_ROUNDS: Final = {to: Round("Request") for to in (State.EXPIRED, State.WITHDRAWN, State.LAPSED)}


def expire() -> int:
    """Expire drafts and pending changes whose time is over; answers how many."""
    return _end(Change.objects.filter(state__in=OPEN, expires_at__lte=Now()), State.EXPIRED, "its time was over")


def withdraw_leavers() -> int:
    """Withdraw what deactivated people had open; answers how many."""
    theirs = Change.objects.filter(state__in=OPEN, requester__is_active=False)
    return _end(theirs, State.WITHDRAWN, "the account was deactivated")


def lapse() -> int:
    """Lapse pending changes whose cluster moved since they were asked; answers how many."""
    ended = list[Change]()

    def look(change: Change) -> None:
        if change.cluster is not None and change.cluster.revision != change.revision:
            ended.extend(_end_one(change, State.LAPSED, "the cluster moved since it was asked"))

    pending = Change.objects.filter(state=State.PENDING, cluster__isnull=False).select_related("cluster__service")
    _ROUNDS[State.LAPSED].go(pending, look)
    return len(ended)


def _end(changes: QuerySet[Change], to: State, why: str) -> int:
    ended = list[Change]()
    _ROUNDS[to].go(changes.order_by("pk"), lambda change: ended.extend(_end_one(change, to, why)), A_PASS)
    return len(ended)


def _end_one(change: Change, to: State, why: str) -> list[Change]:
    """End it; answers it, unless another was faster."""
    try:
        with transaction.atomic():
            change.move(to, detail={"why": why})
    except LostRaceError:
        logger.info("Change %s was moved by another.", change.pk)
        return []
    return [change]
