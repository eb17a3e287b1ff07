"""Tells how an action ended that still ran when a person ended its operation (SAFETY 3)."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from portal import itcare
from portal.operations.actions import note
from portal.operations.concerns import late_action
from portal.operations.locks import lock
from portal.operations.models import Action, Concern, Operation, Situation
from portal.operations.states import Reason, State
from portal.web.words import cut


def owed() -> QuerySet[Operation]:
    """Operations that a person ended lately, and of whose action nobody has been told how it ended.

    Not those whose action is known to have ended as the person said; who gave up has said nothing, so that any end is
    news.
    """
    since = Now() - timedelta(seconds=settings.LATE_ACTION_SECONDS)
    ended = Operation.objects.filter(ended_at__gte=since, settled_by__isnull=False, upstream_action_id__isnull=False)
    action = Action.objects.filter(upstream_id=OuterRef("upstream_action_id"))
    done = Q(Exists(action.filter(status=itcare.SUCCESS)), state=State.SUCCEEDED)
    failed = Q(Exists(action.filter(status=itcare.ERROR)), state=State.FAILED) & ~Q(reason=Reason.GIVEN_UP)
    told = Concern.objects.filter(
        operation=OuterRef("pk"),
        situation__in=[Situation.LATE_ACTION, Situation.RELAPSED],
        actions__upstream_id=OuterRef("upstream_action_id"),
    )
    return ended.exclude(done | failed).exclude(Exists(told))


def tell(operation: Operation, action: itcare.Action) -> bool:
    """Note how the operation's own action ended, and raise an alarm where nobody has said so; answers whether it did.

    One that goes on is asked for again.
    """
    if action.running:
        return False
    with transaction.atomic():
        lock(operation)
        # Another may have told it meanwhile.
        held = owed().filter(pk=operation.pk).first()
        if held is None:
            return False
        note(action, held)
        words = _words(held, action)
        if words:
            late_action(held, words, Action.objects.filter(upstream_id=action.id))
    return bool(words)


def _words(operation: Operation, action: itcare.Action) -> str:
    """What the end means; empty where it is as the person said."""
    given_up = operation.reason == Reason.GIVEN_UP
    if action.succeeded and operation.state == State.FAILED:
        so = "What was asked for was carried out after all: look at the cluster, and at what was asked for since."
    elif action.failed and (operation.state == State.SUCCEEDED or given_up):
        so = "ITCare could not finish what was asked for, and may have done a part of it: look at the cluster."
    else:
        return ""
    did = "given up" if given_up else "marked as done" if operation.state == State.SUCCEEDED else "marked as failed"
    said = f': "{cut(action.message, 500)}"' if action.message else ""
    return f"Action {action.id} of this operation, which was {did} while it ran, ended as {action.status}{said}. {so}"
