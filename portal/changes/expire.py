"""Ends what nobody decides: expired drafts and changes, moved clusters, leavers. Jobs of the sweep."""

import logging

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from portal.changes.models import OPEN, Change, State
from portal.operations.states import LostRaceError

logger = logging.getLogger(__name__)


def expire() -> int:
    """Expire drafts and pending changes whose time is over; answers how many."""
    return _end(Change.objects.filter(state__in=OPEN, expires_at__lte=Now()), State.EXPIRED, "its time was over")


def withdraw_leavers() -> int:
    """Withdraw what deactivated people had open; answers how many."""
    theirs = Change.objects.filter(state__in=OPEN, requester__is_active=False)
    return _end(theirs, State.WITHDRAWN, "the account was deactivated")


def lapse() -> int:
    """Lapse pending changes whose cluster moved since they were asked; answers how many."""
    ended = 0
    pending = Change.objects.filter(state=State.PENDING, cluster__isnull=False).select_related("cluster__service")
    for change in pending.iterator():
        if change.cluster is not None and change.cluster.revision != change.revision:
            ended += _end_one(change, State.LAPSED, "the cluster moved since it was asked")
    return ended


def _end(changes: QuerySet[Change], to: State, why: str) -> int:
    return sum(_end_one(change, to, why) for change in changes.order_by("pk")[:200])


def _end_one(change: Change, to: State, why: str) -> int:
    try:
        with transaction.atomic():
            change.move(to, detail={"why": why})
    except LostRaceError:
        logger.info("Change %s was moved by another.", change.pk)
        return 0
    return 1
