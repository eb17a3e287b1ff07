"""Tells of actions that had ended, and go on or end otherwise: what was said of the end may not hold (API.md 6)."""

import logging
from collections.abc import Collection
from datetime import timedelta
from typing import Final

from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models.functions import Now

from portal import itcare
from portal.operations import ends
from portal.operations.actions import note
from portal.operations.concerns import raise_concern
from portal.operations.locks import lock
from portal.operations.models import Action, Operation, Situation
from portal.operations.slowing import went_away
from portal.operations.states import ENDED, State
from portal.web.words import cut

logger = logging.getLogger(__name__)

# A list may lag behind what was read by the number: without a later time on it, this is how long it may.
_LAGS: Final = timedelta(seconds=60)
_ENDS: Final = (itcare.SUCCESS, itcare.ERROR)


def tell(actions: Collection[itcare.Action]) -> int:
    """Raise a concern for each ended operation of which ITCare now tells otherwise; answers how many.

    Its action is told to be running although it had ended, or to have ended otherwise than the operation. The operation
    stays as it is: what holds is for a person to find out. A failure here is logged, and in nobody's way, unless the
    database is lost: then whoever reads it for a purpose of their own reads it again.

    Args:
        actions: As read just now, for whatever purpose: nobody asks ITCare for the action of an ended operation.
    """
    try:
        return _tell_all({action.id: action for action in actions if action.id}) if actions else 0
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        if went_away(error):
            raise
        logger.exception("Actions of ended operations could not be told.")
        return 0


def _tell_all(told: dict[int, itcare.Action]) -> int:
    rows = Action.objects.filter(upstream_id__in=told, operation__state__in=ENDED).select_related("operation__cluster")
    taken_back = [row for row in rows if row.operation and _taken_back(row, row.operation, told[row.upstream_id])]
    # That an action had ended nobody had said, where a person ended its operation before.
    first = [row.upstream_id for row in taken_back if row.status not in _ENDS]
    owed = list(ends.owed().filter(upstream_action_id__in=first)) if first else []
    ended = sum(ends.tell(operation, told[operation.upstream_action_id or 0]) for operation in owed)
    taken_back = [row for row in taken_back if row.operation not in owed]
    numbers = [row.pk for row in taken_back]
    fresh = Action.objects.filter(pk__in=numbers, operation__ended_at__gt=Now() - _LAGS)
    lagging = set(fresh.values_list("pk", flat=True)) if numbers else set()
    return ended + sum(_tell(row, told[row.upstream_id], lagging=row.pk in lagging) for row in taken_back)


def _taken_back(row: Action, operation: Operation, action: itcare.Action) -> bool:
    """Whether this is other than what was told before, and than how the operation ended."""
    if action.running:
        return row.status in _ENDS
    return row.status != action.status and action.succeeded is not (operation.state == State.SUCCEEDED)


def _tell(row: Action, action: itcare.Action, *, lagging: bool) -> int:
    known = row.last_updated_at or row.completed_at
    later = None not in (known, action.last_updated_at) and action.last_updated_at > known  # type: ignore[operator]
    # A list that lags tells of what ran; that something ended, it cannot know too early.
    if row.operation is None or (action.running and lagging and not later) or _older(row, action):
        return 0
    now = f"Now the action is told as {action.status or 'running'}"
    after = "How it ends this time is not followed" if action.running else "The operation stays as it is"
    if action.running and action.status not in {itcare.IN_PROGRESS, ""}:
        after = "That word is not documented: whether it goes on, or has ended otherwise, nobody can tell"
    words = (
        f"ITCare said {row.status or 'nothing'} of action {action.id}, and the operation ended as "
        f"{row.operation.state}. {now}"
        + (f': "{cut(action.message, 500)}".' if action.message else ".")
        + f" {after}: look at the cluster, or ask cegedim.cloud."
    )
    with transaction.atomic():
        lock(row.operation)
        # With the status of now, so that the matter is told once and not at each look.
        note(action, row.operation)
        raise_concern(Situation.RELAPSED, words, operation=row.operation, actions=[row])
    return 1


def _older(row: Action, action: itcare.Action) -> bool:
    """Whether the list tells what was before the end."""
    return bool(row.last_updated_at and action.last_updated_at and action.last_updated_at < row.last_updated_at)
