"""Tells of actions that had ended, and go on: what was said of the operation's end may not hold (API.md 6)."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal import itcare
from portal.operations.actions import note
from portal.operations.concerns import raise_concern
from portal.operations.models import Action, Situation
from portal.operations.states import ENDED

# A list may lag behind what was read by the number: without a later time on it, this is how long it may.
_LAGS: Final = timedelta(seconds=60)


def tell(actions: Collection[itcare.Action]) -> int:
    """Raise a concern for each ended operation whose action had ended and is told to be running; answers how many.

    Args:
        actions: Running ones, as read just now, of operations that have ended.

    The list in progress shows it for free. That an action which succeeded says ERROR later cannot be seen: nobody asks
    for it any more.
    """
    if not actions:
        return 0
    told = {action.id: action for action in actions}
    had_ended = Action.objects.filter(
        upstream_id__in=told, status__in=["SUCCESS", "ERROR"], operation__state__in=ENDED
    ).select_related("operation__cluster")
    lagging = set(had_ended.filter(Q(operation__ended_at__gt=Now() - _LAGS)).values_list("pk", flat=True))
    return sum(_tell(row, told[row.upstream_id], lagging=row.pk in lagging) for row in had_ended)


def _tell(row: Action, action: itcare.Action, *, lagging: bool) -> int:
    known = row.last_updated_at or row.completed_at
    later = None not in (known, action.last_updated_at) and action.last_updated_at > known  # type: ignore[operator]
    if row.operation is None or not (later or not lagging) or _older(row, action):
        return 0
    words = (
        f"ITCare said {row.status} of action {action.id}, and the operation ended as {row.operation.state}. "
        f"Now the action is told as {action.status or 'running'}"
        + (f': "{action.message}".' if action.message else ".")
        + " How it ends this time is not followed: look at the cluster, or ask cegedim.cloud."
    )
    with transaction.atomic():
        # With the status of now, so that the matter is told once and not at each look.
        note(action, row.operation)
        raise_concern(Situation.RELAPSED, words, operation=row.operation, actions=[row])
    return 1


def _older(row: Action, action: itcare.Action) -> bool:
    """Whether the list tells what was before the end."""
    return bool(row.last_updated_at and action.last_updated_at and action.last_updated_at < row.last_updated_at)
